//! Programs that record as their environment says: a test program runs itself as one, in a role.

// Each test program uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use exectrace_format::{Reader, TraceEvent};
use tempfile::TempDir;

/// Set in a program to what it is to do.
const ROLE: &str = "PROGRAM_ROLE";

/// What this process is to do, if it is such a program.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The test program again, as the program that its test `test` is, with no variable of exectrace's set.
///
/// Each run is a command of its own, as a shell makes it: the leader of a process group.
pub fn program(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("EXECTRACE") || text.starts_with("NEXTEST") {
            command.env_remove(&name);
        }
    }
    command
        .env(ROLE, role)
        .stdin(Stdio::null())
        .process_group(0);
    command
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    Run {
        status: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

impl Run {
    /// The run, if the program has succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// What the program printed behind `key: ` on a line.
    #[track_caller]
    pub fn said(&self, key: &str) -> &str {
        let mut lines = self.stdout.lines();
        let said = lines.find_map(|line| line.split_once(&format!("{key}: ")));
        said.unwrap_or_else(|| panic!("no {key}: {self:?}")).1
    }
}

/// All events of a trace that both strict readers accept.
#[track_caller]
pub fn events(path: &Path) -> Vec<TraceEvent> {
    exectrace_referee::assert_accepted(path);
    let file = File::open(path).expect("there is a trace");
    let reader = Reader::new(std::io::BufReader::new(file)).expect("a trace");
    let events: Result<Vec<_>, _> = reader.collect();
    events.expect("a whole trace")
}

/// The names of the files in a folder, sorted.
pub fn files(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// Makes a file look as if it was written an hour ago.
pub fn age(path: &PathBuf) {
    let file = File::options().append(true).open(path).expect("the file");
    let hour = std::time::Duration::from_secs(3_600);
    let then = std::time::SystemTime::now() - hour;
    file.set_modified(then).expect("its time can be set");
}
