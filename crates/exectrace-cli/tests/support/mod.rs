//! What several tests need: traces from their text form, and the program that is run on them.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod schema;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use exectrace_format::text;
use serde_json::Value;
use tempfile::TempDir;

/// Commands that read one trace and write to standard output.
pub(crate) const READING: [&[&str]; 14] = [
    &["summary"],
    &["tasks"],
    &["latency"],
    &["profile"],
    &["usertasks"],
    &["regions"],
    &["logs"],
    &["workers"],
    &["syscalls"],
    &["findings"],
    &["events"],
    &["check"],
    &["stat"],
    &["cut", "-o", "-"],
];

/// A run of the program that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with these arguments, as nobody's terminal.
pub(crate) fn program<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exectrace"));
    command.args(arguments);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    finished(program(arguments).output().expect("the program runs"))
}

/// Runs the program with this on its standard input.
pub(crate) fn run_with_input<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Run {
    let mut command = program(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    let input = input.to_vec();
    // The program may end before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    let _ = writer.join();
    finished(output)
}

fn finished(output: Output) -> Run {
    let run = Run {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(!run.stderr.contains("panicked"), "{run:?}");
    run
}

/// Runs the program, which must succeed, and gives back what it printed.
pub(crate) fn answer<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let run = run(arguments);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    run.stdout
}

/// As [`answer`], for one JSON document.
pub(crate) fn json<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Value {
    serde_json::from_str(&answer(arguments)).expect("a JSON document")
}

/// A folder with traces in it.
#[derive(Debug)]
pub(crate) struct Traces {
    folder: TempDir,
}

impl Traces {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file there.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the folder can be written to");
        path
    }

    /// The small service of `data`, whose numbers are known.
    pub(crate) fn service(&self) -> PathBuf {
        self.put("service.trace", &service())
    }
}

/// The bytes of the small service.
pub(crate) fn service() -> Vec<u8> {
    bytes_of(include_str!("../data/service.trace.txt"))
}

/// The bytes of a trace in text form.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    text::parse(text).unwrap_or_else(|error| panic!("line {}: {error}", error.line))
}

/// The cases of the format's crate: name, bytes, and whether they are good.
pub(crate) fn cases() -> Vec<(String, Vec<u8>, bool)> {
    let entries = fs::read_dir(case_path("")).expect("the folder of cases");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".trace.txt"))
        .collect();
    paths.sort();
    let case = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a case is text");
        let name = path.file_name().expect("a file").to_string_lossy();
        let is_good = text.lines().any(|line| line == "# expect: ok");
        (name.into_owned(), bytes_of(&text), is_good)
    };
    paths.into_iter().map(case).collect()
}

/// Where the text of a case of the format's crate is.
pub(crate) fn case_path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exectrace-format/tests/cases");
    folder.join(name)
}
