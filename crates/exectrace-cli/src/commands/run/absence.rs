//! Why a command has written no trace.

use std::path::{Path, PathBuf};

use memchr::memmem;

use super::cargo::Cargo;

/// Why there is no trace, and what to try.
#[derive(Debug)]
pub(super) struct Absence {
    pub(super) cause: String,
    pub(super) remedy: &'static str,
}

/// The name of the recorder's thread, which is in every program that has the recorder.
const OF_RECORDER: &[u8] = b"exectrace-flush";
/// The name of a variable, which is in every program that looks for it.
const OF_ENVIRONMENT: &[u8] = b"EXECTRACE_SUBSCRIBER";

const ADD: &str = "`cargo add exectrace` in its package, with the feature `macros`, and \
                   `#[exectrace::main]` in place of `#[tokio::main]`, or `exectrace::from_env()` in its `main`";
const ASK: &str =
    "`#[exectrace::main]` in place of `#[tokio::main]`, or `exectrace::from_env()` in its `main`";
const LOOK: &str = "what it printed: a message that begins with `exectrace:` says why it does not \
                    record. A program that starts others passes its environment on to them";

/// Looks for the cause, in the program or in what cargo builds.
pub(super) fn find(program: &Path, cargo: Option<&Cargo>) -> Absence {
    let (cause, remedy) = match cargo {
        Some(cargo) => match cargo.has_exectrace() {
            Some(false) => ("no package that cargo builds depends on exectrace", ADD),
            Some(true) => (
                "no program that it ran came to `exectrace::from_env()`, which `#[exectrace::main]` and \
                 `#[exectrace::test]` do",
                ASK,
            ),
            None => (
                "it cannot be said whether what cargo builds depends on exectrace",
                ADD,
            ),
        },
        None => match executable(program).and_then(|path| std::fs::read(path).ok()) {
            Some(bytes) if bytes.starts_with(b"#!") => (
                "it is a script, and no program that it ran has recorded",
                LOOK,
            ),
            Some(bytes) if memmem::find(&bytes, OF_ENVIRONMENT).is_some() => (
                "it has exectrace in it, and did not come to `exectrace::from_env()`, or was refused",
                LOOK,
            ),
            Some(bytes) if memmem::find(&bytes, OF_RECORDER).is_some() => (
                "it has exectrace in it, and does not ask the environment whether to record",
                ASK,
            ),
            Some(_) => ("it has no exectrace in it", ADD),
            None => ("it cannot be said whether it has exectrace in it", ADD),
        },
    };
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    Absence {
        cause: format!("{program}: {cause}"),
        remedy,
    }
}

/// The file of a program, which is looked for as the system does.
fn executable(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|path| path.is_file())
}
