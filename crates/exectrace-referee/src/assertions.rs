//! The assertions for tests that only want to know whether Go is content.

use std::env;
use std::io::Write;
use std::panic::Location;
use std::path::Path;
use std::sync::Once;

use crate::{Missing, Referee};

/// The environment variable that, set to `1`, turns a missing referee into a failure.
pub const REQUIRE_VARIABLE: &str = "EXECTRACE_REQUIRE_GO";

/// Asserts that Go's reader accepts the file `trace`, and the validator of Go's own tests as well, which
/// checks more.
///
/// Without Go it prints `skipped: …` to the standard error, past the capture of the test harness,
/// and passes; with `EXECTRACE_REQUIRE_GO=1` in the environment it panics instead. A validator that is
/// missing is treated as a Go that is missing.
///
/// # Panics
///
/// If a tool rejects the file, with the tool's version and message; if the file cannot be opened;
/// if Go is set up wrongly (a named tool is not there or cannot be run, a build fails).
#[track_caller]
pub fn assert_accepted(trace: impl AsRef<Path>) {
    let trace = trace.as_ref();
    let Some(referee) = referee() else { return };
    assert_read(&referee, trace);
    let Some(verdicts) = unless_skipped(referee.validate(trace)) else {
        return;
    };
    for verdict in verdicts {
        assert!(
            verdict.accepted,
            "the validator of {} objects to {}: {}",
            verdict.version,
            trace.display(),
            verdict.message,
        );
    }
}

#[track_caller]
fn assert_read(referee: &Referee, trace: &Path) {
    for verdict in referee.judge(trace) {
        assert!(
            verdict.accepted,
            "{} rejects {}: {} (after {} events)",
            verdict.version,
            trace.display(),
            verdict.message,
            verdict.event_count(),
        );
    }
}

/// Asserts that Go's reader accepts the trace `bytes`.
///
/// Behaves as [`assert_accepted`] in all else.
///
/// # Panics
///
/// As [`assert_accepted`]; if the bytes cannot be stored in a temporary file.
#[track_caller]
pub fn assert_bytes_accepted(bytes: &[u8]) {
    let file = crate::stored(bytes);
    assert_accepted(file.path());
}

/// The referee, or `None` where the caller's test is to be skipped.
#[track_caller]
fn referee() -> Option<Referee> {
    unless_skipped(Referee::find())
}

/// What was found, or `None` where what needs it is to be skipped.
#[track_caller]
fn unless_skipped<T>(found: Result<T, Missing>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) => {
            let is_required = env::var_os(REQUIRE_VARIABLE).is_some_and(|value| value == "1");
            assert!(may_be_skipped(&missing, is_required), "{missing}");
            say_skipped(&missing, Location::caller());
            None
        }
    }
}

/// Says once in a process that traces are not judged, and where the first was not.
fn say_skipped(missing: &Missing, caller: &Location<'_>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Not `eprintln!`, which the test harness hides when the test passes.
        _ = writeln!(
            std::io::stderr(),
            "skipped: {caller} and all other judging of traces: {missing}"
        );
    });
}

fn may_be_skipped(missing: &Missing, is_required: bool) -> bool {
    missing.is_absence() && !is_required
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absent_go_that_nobody_requires_is_skipped() {
        let broken = Missing::NoTool {
            path: "/nonexistent/trace".into(),
        };
        assert!(may_be_skipped(&Missing::NoGo, false));
        assert!(!may_be_skipped(&Missing::NoGo, true));
        assert!(!may_be_skipped(&broken, false));
    }
}
