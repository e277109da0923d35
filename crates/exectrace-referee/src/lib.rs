//! Asks Go's own trace reader for its verdict on a trace file, in tests.
//!
//! The other crates use this one as a dev-dependency: whatever they write must be accepted by the
//! programs it is written for. A test calls [`assert_accepted`] or [`assert_bytes_accepted`]; one
//! that wants to see what Go read uses [`Referee`] and looks at the [`Verdict`]s.
//!
//! # Where the tool comes from
//!
//! The tool is Go's trace viewer, `go tool trace`, run as `TOOL -d=parsed FILE`: it reads the whole
//! file with the checks of the real reader, prints every event and exits with status 1 and a
//! message at the first thing that is wrong.
//!
//! - If the variable [`TOOLS_VARIABLE`] (`EXECTRACE_GO_TRACE`) is set, it holds the paths of built
//!   tools, separated by `:`, and every file is shown to each of them. `.ci/run` sets it to two.
//! - Otherwise a `go` of version 1.25 or later on `PATH` is asked to build its own tool, once per
//!   target directory; that takes some twenty seconds.
//! - Otherwise there is no referee: the assertions print `skipped` and pass, unless
//!   [`REQUIRE_VARIABLE`] (`EXECTRACE_REQUIRE_GO`) is `1`.
//!
//! # The validator
//!
//! Go's own tests ask more of a trace than its reader does: that the clocks of each generation are
//! later than those of the one before, that what a flow or a lane does fits the thread it is on, that
//! no range begins twice. [`Referee::validate`] asks the validator of those tests, which the program
//! `validate/main.go` does. It is looked for beside each named tool, as `validate-go1.27.3` beside
//! `trace-go1.27.3`; if there is none, the `go` in `EXECTRACE_GO` or on `PATH` builds it.
//!
//! What it leaves out: the pages of the web viewer, which a file that the reader accepts can still
//! upset.
#![forbid(unsafe_code)]

mod assertions;
mod missing;
mod tool;
mod verdict;

use std::io::Write;
use std::path::Path;

pub use assertions::{REQUIRE_VARIABLE, assert_accepted, assert_bytes_accepted};
pub use missing::Missing;
pub use tool::TOOLS_VARIABLE;
pub use verdict::{TEXT_BYTES_MAX, Verdict};

use tool::Tool;

/// One or more of Go's trace tools, ready to read files.
///
/// Always holds at least one tool.
#[derive(Clone, Debug)]
pub struct Referee {
    tools: Vec<Tool>,
}

impl Referee {
    /// Finds the tools, building one with the `go` on `PATH` if none are named.
    ///
    /// The crate's front page says where it looks. The search, and the build if there is one, is
    /// made once per process; later calls return a copy of its result.
    ///
    /// # Errors
    ///
    /// [`Missing`] says what stands in the way and what to do about it.
    pub fn find() -> Result<Self, Missing> {
        let tools = tool::find_once()?;
        Ok(Self { tools })
    }

    /// Shows the file `trace` to every tool and returns one verdict each, in the tools' order.
    ///
    /// # Panics
    ///
    /// If `trace` cannot be opened or a tool cannot be run: neither says anything about the trace.
    #[track_caller]
    #[must_use]
    pub fn judge(&self, trace: &Path) -> Vec<Verdict> {
        self.judge_lines(trace, |_, _| {})
    }

    /// Shows the file `trace` to the validator of each Go that has one here, and returns one verdict
    /// each; [`Verdict::message`] has a line for each of its first objections.
    ///
    /// # Errors
    ///
    /// [`Missing`] says why there is no validator.
    ///
    /// # Panics
    ///
    /// As [`judge`](Self::judge).
    #[track_caller]
    pub fn validate(&self, trace: &Path) -> Result<Vec<Verdict>, Missing> {
        let validators = tool::find_validators_once(&self.tools)?;
        Ok(ask_all(&validators, trace, |_, _| {}))
    }

    /// Like [`judge`](Self::judge), for a trace held in memory.
    ///
    /// # Panics
    ///
    /// If the bytes cannot be stored in a temporary file or a tool cannot be run.
    #[track_caller]
    #[must_use]
    pub fn judge_bytes(&self, bytes: &[u8]) -> Vec<Verdict> {
        let file = stored(bytes);
        self.judge(file.path())
    }

    /// Like [`judge`](Self::judge), and calls `see` with each line that a tool prints.
    ///
    /// `see` gets the tool's [`Verdict::version`] and the line without its end. Events come in the
    /// order of the trace, one line each, followed by the lines of their stacks. Nothing is kept,
    /// so traces of any size can be looked at this way.
    ///
    /// # Panics
    ///
    /// As [`judge`](Self::judge).
    #[track_caller]
    pub fn judge_lines(&self, trace: &Path, see: impl FnMut(&str, &str)) -> Vec<Verdict> {
        ask_all(&self.tools, trace, see)
    }
}

/// Shows `trace` to every tool.
#[track_caller]
fn ask_all(tools: &[Tool], trace: &Path, mut see: impl FnMut(&str, &str)) -> Vec<Verdict> {
    if let Err(error) = std::fs::File::open(trace) {
        panic!("cannot open the trace {}: {error}", trace.display());
    }
    let ask_one = |tool: &Tool| match Verdict::ask(tool, trace, &mut see) {
        Ok(verdict) => verdict,
        Err(error) => panic!("cannot run {}: {error}", tool.path.display()),
    };
    tools.iter().map(ask_one).collect()
}

/// Puts `bytes` into a temporary file that lives as long as the returned handle.
#[track_caller]
fn stored(bytes: &[u8]) -> tempfile::NamedTempFile {
    let stored = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(bytes)?;
        Ok(file)
    });
    match stored {
        Ok(file) => file,
        Err(error) => panic!("cannot store the trace in a temporary file: {error}"),
    }
}
