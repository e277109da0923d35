//! `exectrace run`: programs that are started with a trace of them. The test program runs itself as those.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{Run, program};
use tempfile::TempDir;

/// Set in a program to what it is to do.
const ROLE: &str = "PROGRAM_ROLE";

/// The programs of the tests below. Not a test by itself.
#[test]
fn the_program() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "starts others" {
        for _ in 0..2 {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(std::env::args_os().skip(1)).env(ROLE, "records");
            assert!(child.status().unwrap().success());
        }
    }
    if role == "asks nobody" || role == "records nothing" || role == "starts others" {
        return;
    }
    let _trace = exectrace::from_env().unwrap();
    exectrace::Task::new("of the program").log("it", "runs");
    match role.as_str() {
        "fails" => std::process::exit(7),
        "reads" => println!(
            "read: {}",
            std::io::read_to_string(std::io::stdin()).unwrap()
        ),
        "waits" => {
            println!("waiting: yes");
            std::io::stdout().flush().unwrap();
            std::io::read_to_string(std::io::stdin()).unwrap();
        }
        _ => {}
    }
}

/// `exectrace run` with these options, in this folder, of the program in a role.
fn run_of(folder: &TempDir, options: &[&str], role: &str) -> Command {
    let itself = std::env::current_exe().unwrap();
    let mut command = program(["run"]);
    command.args(options).arg("--").arg(itself);
    command.args(["--exact", "the_program", "--nocapture"]);
    command.env(ROLE, role).current_dir(folder);
    command
}

fn ended(command: &mut Command) -> Run {
    let output = command.output().expect("it runs");
    Run {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The paths of the traces that a run has named.
fn traces(run: &Run) -> Vec<PathBuf> {
    let lines = run.stderr.lines();
    let paths = lines.filter_map(|line| line.strip_prefix("trace: ")?.rsplit_once(" ("));
    paths.map(|(path, _)| PathBuf::from(path)).collect()
}

fn assert_recorded(trace: &Path) {
    exectrace_referee::assert_accepted(trace);
    let tasks = support::answer(["usertasks".as_ref(), trace.as_os_str()]);
    assert!(tasks.contains("of the program"), "{tasks}");
}

#[test]
fn a_program_is_recorded_and_its_output_is_its_own() {
    let folder = TempDir::new().unwrap();
    let run = ended(&mut run_of(&folder, &[], "records"));
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(!run.stdout.contains("trace"), "{run:?}");
    let [trace] = &traces(&run)[..] else {
        panic!("not one trace: {run:?}");
    };
    assert!(trace.is_absolute());
    assert_recorded(trace);
    assert!(run.stderr.contains("User tasks"), "no summary: {run:?}");
}

#[test]
fn the_file_can_be_named_and_is_replaced_by_the_next_run() {
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        let run = ended(&mut run_of(&folder, &["-o", "my.trace", "-q"], "records"));
        let traces = traces(&run);
        assert_eq!(
            traces,
            [folder.path().canonicalize().unwrap().join("my.trace")]
        );
        assert_recorded(&traces[0]);
        assert!(!run.stderr.contains("User tasks"), "a summary: {run:?}");
    }
    let last = std::fs::read(folder.path().join("my.trace")).unwrap();
    let run = ended(&mut run_of(&folder, &["-o", "my.trace"], "records nothing"));
    assert_eq!(traces(&run), [] as [PathBuf; 0], "{run:?}");
    let mut nobody = program(["run", "-o", "my.trace", "--", "./there-is-none"]);
    assert_eq!(ended(nobody.current_dir(&folder)).status, Some(2));
    let kept = std::fs::read(folder.path().join("my.trace"));
    assert_eq!(
        kept.unwrap(),
        last,
        "it is there as long as there is no other"
    );
    std::fs::write(folder.path().join("thesis.txt"), "All of it.").unwrap();
    let run = ended(&mut run_of(&folder, &["-o", "thesis.txt"], "records"));
    assert_eq!(run.status, Some(2), "{run:?}");
    let thesis = std::fs::read_to_string(folder.path().join("thesis.txt"));
    assert_eq!(thesis.unwrap(), "All of it.");
}

#[test]
fn a_program_that_starts_others_has_a_trace_of_each() {
    let folder = TempDir::new().unwrap();
    let run = ended(&mut run_of(&folder, &[], "starts others"));
    let traces = traces(&run);
    assert_eq!(traces.len(), 2, "{run:?}");
    traces.iter().for_each(|trace| assert_recorded(trace));
}

#[test]
fn the_status_and_the_input_are_those_of_the_program() {
    let folder = TempDir::new().unwrap();
    let failed = ended(&mut run_of(&folder, &[], "fails"));
    assert_eq!(failed.status, Some(7), "{failed:?}");
    assert_eq!(traces(&failed).len(), 1);
    let input = folder.path().join("input");
    std::fs::write(&input, "from outside").unwrap();
    let mut command = run_of(&folder, &[], "reads");
    command.stdin(std::fs::File::open(input).unwrap());
    let read = ended(&mut command);
    assert!(read.stdout.contains("read: from outside"), "{read:?}");
}

#[test]
fn a_signal_that_is_sent_to_us_ends_the_program_and_its_trace_is_shown() {
    let folder = TempDir::new().unwrap();
    let mut command = run_of(&folder, &["-q"], "waits");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(
        stdout
            .lines()
            .any(|line| line.unwrap().contains("waiting: yes"))
    );
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(128 + 15), "{stderr}");
    assert!(stderr.contains("trace: "), "{stderr}");
}

#[test]
fn where_there_is_no_trace_it_says_why() {
    let folder = TempDir::new().unwrap();
    let run = ended(&mut run_of(&folder, &[], "asks nobody"));
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(
        run.stderr
            .contains("did not come to `exectrace::from_env()`"),
        "{run:?}"
    );
    let mut stranger = program(["run", "--", "false"]);
    let run = ended(stranger.current_dir(&folder));
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("no exectrace in it"), "{run:?}");
    assert!(run.stderr.contains("ended with status 1"), "{run:?}");
    let run = ended(program(["run", "--", "./no such program"]).current_dir(&folder));
    assert_eq!(run.status, Some(2), "{run:?}");
    let left = std::fs::read_dir(folder.path().join("exectrace-traces"));
    assert_eq!(
        left.map_or(0, Iterator::count),
        0,
        "an empty folder is left"
    );
}
