//! Running a tool on a file, and what it said.
//!
//! A parsed trace is some thirty times larger than the file, so the output is read as it comes:
//! counted by kind of event, kept as text up to a limit, then only counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use crate::tool::Tool;

/// How much of a tool's output [`Verdict::text`] holds at most, in bytes: 4 MiB.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// What one tool said about one trace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Which Go it was: the file's name without `trace-` or `validate-`, for example `go1.27.3`.
    pub version: String,
    /// Whether it read the file to the end without complaint (exit status 0).
    pub accepted: bool,
    /// What it wrote to its standard error, trimmed; empty if it was content.
    pub message: String,
    /// How many events of each kind it printed: `Sync`, `StateTransition`, `Metric`, `Log`,
    /// `TaskBegin`, `TaskEnd`, `RegionBegin`, `RegionEnd`, `StackSample` and so on. The reader adds
    /// a `Sync` of its own before the first generation and after the last.
    pub events: BTreeMap<String, u64>,
    /// The output itself: its first whole lines, up to [`TEXT_BYTES_MAX`].
    pub text: String,
    /// Whether [`text`](Self::text) is all of the output.
    pub text_is_whole: bool,
}

impl Verdict {
    /// How many events of `kind` the tool printed; zero if none.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.events.get(kind).copied().unwrap_or(0)
    }

    /// How many events the tool printed in all.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.events.values().sum()
    }

    /// Runs `tool` on the file `trace`.
    pub(crate) fn ask(
        tool: &Tool,
        trace: &Path,
        see: &mut impl FnMut(&str, &str),
    ) -> io::Result<Self> {
        let mut child = tool
            .command(trace)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Both pipes must be drained at once, or the tool blocks on the one that is full.
        let complaint = std::thread::spawn(move || read_all(stderr));
        let mut verdict = Self {
            version: tool.version.clone(),
            accepted: false,
            message: String::new(),
            events: BTreeMap::new(),
            text: String::new(),
            text_is_whole: true,
        };
        let read = stdout.map_or(Ok(()), |stdout| verdict.read_output(stdout, see));
        let status = child.wait()?;
        read?;
        verdict.accepted = status.success();
        verdict.message = complaint.join().unwrap_or_default().trim().to_owned();
        if !verdict.accepted && verdict.message.is_empty() {
            verdict.message = status.to_string();
        }
        Ok(verdict)
    }

    fn read_output(
        &mut self,
        output: impl Read,
        see: &mut impl FnMut(&str, &str),
    ) -> io::Result<()> {
        let mut output = BufReader::with_capacity(1 << 16, output);
        let mut bytes = Vec::new();
        while output.read_until(b'\n', &mut bytes)? > 0 {
            let line = String::from_utf8_lossy(&bytes);
            self.take_line(line.trim_end_matches('\n'));
            see(&self.version, line.trim_end_matches('\n'));
            bytes.clear();
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str) {
        if let Some(kind) = event_kind(line) {
            match self.events.get_mut(kind) {
                Some(count) => *count += 1,
                None => _ = self.events.insert(kind.to_owned(), 1),
            }
        }
        self.text_is_whole &= self.text.len() + line.len() < TEXT_BYTES_MAX;
        if self.text_is_whole {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}

/// The kind of event that `line` describes: the `Log` of `M=7 P=1 G=1 Log Time=1012 …`.
///
/// `None` for the lines of stacks, which are indented or end in `Stack=`.
fn event_kind(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("M=")?;
    rest.split(' ').nth(3)
}

fn read_all(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks has said all it will say.
        _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stops_at_its_limit_and_counting_does_not() {
        let line = "M=7 P=1 G=1 Log Time=1012 Task=0 Category=\"\" Message=\"ok\"\n";
        let lines = TEXT_BYTES_MAX / line.len() + 10;
        let mut verdict = Verdict {
            version: String::new(),
            accepted: false,
            message: String::new(),
            events: BTreeMap::new(),
            text: String::new(),
            text_is_whole: true,
        };
        let output = line.repeat(lines);
        let mut seen = 0;
        verdict
            .read_output(output.as_bytes(), &mut |_, _| seen += 1)
            .unwrap();
        assert_eq!(verdict.count("Log"), lines as u64);
        assert_eq!(seen, lines);
        assert!(!verdict.text_is_whole);
        assert!(verdict.text.len() <= TEXT_BYTES_MAX && verdict.text.ends_with("\"ok\"\n"));
    }
}
