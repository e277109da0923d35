//! The trace of a test program.
//!
//! A process has one recording, from its first test to its exit. Where all tests of a program run in one process,
//! as `cargo test` has it, that is a trace for all of them; where each has a process of its own, as under nextest, it is
//! a trace for each.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use exectrace_recorder::on_exit;

use crate::env::{FromEnvError, Guard, Variables, from_env, say, start_replacing};

/// The trace of this process.
struct TestTrace {
    /// Kept to the exit of the process, which finishes it.
    guard: Guard,
    path: PathBuf,
    /// Whether the file stays if no test fails.
    is_kept: bool,
}

static TRACE: OnceLock<Option<TestTrace>> = OnceLock::new();

/// Whether some test has failed.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Held by who starts the recording, so that tests that begin meanwhile are in it.
static STARTING: Mutex<()> = Mutex::new(());

/// Whether tests are traced. The first test, which has this name, starts the recording.
pub(super) fn is_on(first: &str) -> bool {
    if let Some(trace) = TRACE.get() {
        return trace.is_some();
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let trace = TRACE.get_or_init(|| {
        start(first).unwrap_or_else(|error| {
            say(format_args!("{error}; the tests are not traced"));
            None
        })
    });
    trace.is_some()
}

/// Some test has failed.
pub(super) fn has_failed() {
    // Relaxed: it guards no memory, and at the exit no test runs.
    HAS_FAILED.store(true, Ordering::Relaxed);
}

fn start(first: &str) -> Result<Option<TestTrace>, FromEnvError> {
    let (is_asked_for, is_kept) = crate::env::of_tests()?;
    let mut variables = Variables::read()?;
    let is_named = variables.path.is_some();
    if !is_named && !is_asked_for {
        return Ok(None);
    }
    let has_own_process =
        std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    // In a program of many tests none of them owns the global subscriber, so none may count on setting it.
    #[cfg(feature = "tracing")]
    if variables.install.is_none() {
        // If there is one already, it may have a Layer of exectrace.
        let _ = crate::init();
    }
    let guard = match is_named {
        true => from_env()?,
        false => start_replacing(
            &mut variables,
            &path_of(first, has_own_process.then(attempt)),
        )?,
    };
    let Some(path) = guard.path().map(Path::to_owned) else {
        return Ok(None);
    };
    on_exit(end);
    Ok(Some(TestTrace {
        guard,
        path,
        is_kept: is_kept || is_named,
    }))
}

/// At the exit of the process, when the file is written.
fn end() {
    let Some(Some(trace)) = TRACE.get() else {
        return;
    };
    // In a child that a test has forked, it is the parent's.
    if !trace.guard.is_recording() {
        return;
    }
    if trace.is_kept || HAS_FAILED.load(Ordering::Relaxed) {
        say(format_args!("trace: {}", trace.path.display()));
    } else {
        // If it cannot be removed, it is left for the next run to overwrite.
        let _ = std::fs::remove_file(&trace.path);
    }
}

/// Which attempt this is at a test that nextest runs again if it fails.
fn attempt() -> u32 {
    let attempt = std::env::var("NEXTEST_ATTEMPT").ok();
    attempt
        .and_then(|attempt| attempt.parse().ok())
        .unwrap_or(FIRST)
}

const FIRST: u32 = 1;

/// `target/exectrace/PROGRAM.trace`, or `target/exectrace/PROGRAM/TEST.trace` for the first attempt at a test with a
/// process of its own. With that, the traces of further attempts in an earlier run are removed.
fn path_of(test: &str, attempt: Option<u32>) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let path = folder_of(&program).join(program.file_stem().unwrap_or_default());
    let Some(attempt) = attempt else {
        return with_trace(path);
    };
    // `::` is not for file names everywhere.
    let path = path.join(test.replace("::", "."));
    let of = |attempt: u32| {
        let mut path = path.clone();
        if attempt > FIRST {
            path.as_mut_os_string().push(format!(".attempt-{attempt}"));
        }
        with_trace(path)
    };
    if attempt == FIRST {
        let mut further = (FIRST + 1..).map(of);
        while further
            .next()
            .is_some_and(|path| std::fs::remove_file(path).is_ok())
        {}
    }
    of(attempt)
}

fn with_trace(mut path: PathBuf) -> PathBuf {
    path.as_mut_os_string().push(".trace");
    path
}

/// The folder `exectrace` in the target folder, in which `debug/deps` or `debug/examples` has the program; else in the program's own.
fn folder_of(program: &Path) -> PathBuf {
    let folder = program.parent().unwrap_or(Path::new("."));
    let is_deps = folder
        .file_name()
        .is_some_and(|name| name == "deps" || name == "examples");
    let target = is_deps.then(|| folder.ancestors().nth(2)).flatten();
    target.unwrap_or(folder).join("exectrace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_in_the_target_folder_of_the_test_program() {
        let folder = |program: &str| folder_of(Path::new(program));
        let of_cargo = folder("/project/target/debug/deps/api-0123456789abcdef");
        assert_eq!(of_cargo, Path::new("/project/target/exectrace"));
        let elsewhere = folder("/opt/tests/api");
        assert_eq!(elsewhere, Path::new("/opt/tests/exectrace"));
    }
}
