//! Traces of Go 1.11 to 1.21 are read as Go's reader reads them: hand-made ones, and those of a
//! program that an old Go runs, if there is one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use exectrace_format::{CompactEvent, CompactKind, Reader, TraceEventKind, Version};
use exectrace_referee::Referee;

use support::v1_referee::{agree, agree_bytes};
use support::{read, v1};

/// Names the `go` of a Go 1.21, or of a Go 1.22, which then writes with its old tracer.
const OLD_GO: &str = "EXECTRACE_GO_OLD";

struct Case {
    name: String,
    bytes: Vec<u8>,
    /// What our error must contain; none if the trace is good.
    error: Option<String>,
    /// What Go's must contain, if that is something else.
    go: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/v1")
}

fn cases() -> Vec<Case> {
    let entries = fs::read_dir(folder().join("cases")).expect("the folder of cases");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| case(path)).collect()
}

fn case(path: &Path) -> Case {
    let text = fs::read_to_string(path).expect("a case is text");
    let head = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let name = path.display().to_string();
    let error = match head("# expect: ") {
        Some("ok") => None,
        Some(error) => Some(error.strip_prefix("error ").expect("`ok` or `error …`")),
        None => panic!("{name} expects nothing"),
    };
    Case {
        bytes: v1::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}")),
        error: error.map(str::to_string),
        go: head("# go: ").map(str::to_string),
        name,
    }
}

#[test]
fn every_case_is_read_as_it_expects() {
    let cases = cases();
    assert!(cases.len() > 100, "where are the cases?");
    let mut wrong = Vec::new();
    for case in cases {
        let error = read(&case.bytes).error;
        let fits = match (&case.error, &error) {
            (None, None) => true,
            (Some(wanted), Some(error)) => error.contains(wanted.as_str()),
            _ => false,
        };
        if !fits {
            let wanted = case.error.as_deref().unwrap_or("ok");
            wrong.push(format!("{}: expected {wanted}, got {error:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn go_agrees_about_every_case() {
    let Ok(referee) = Referee::find() else {
        eprintln!("skipped: no referee");
        return;
    };
    let mut wrong = Vec::new();
    for case in cases() {
        match agree_bytes(&referee, &case.bytes) {
            Ok(refusals) => {
                let wanted = case.go.or(case.error).unwrap_or_default();
                let others = refusals.iter().filter(|both| !both.go.contains(&wanted));
                wrong.extend(others.map(|both| format!("{}: {both:?}", case.name)));
            }
            Err(difference) => wrong.push(format!("{}: {difference}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_survives_being_printed() {
    for case in cases() {
        let again = v1::parse(&v1::print(&case.bytes)).expect("our own text");
        assert_eq!(
            read(&again).error.is_some(),
            case.error.is_some(),
            "{}",
            case.name
        );
        assert_eq!(
            read(&again).events,
            read(&case.bytes).events,
            "{}",
            case.name
        );
    }
}

#[test]
fn what_came_before_an_obsolete_event_is_told() {
    let case = case(&folder().join("cases/futile_wakeup.v1.txt"));
    let outcome = read(&case.bytes);
    let last = outcome.events.last().expect("events before the damage");
    assert!(matches!(last.kind, TraceEventKind::Metric { value: 5, .. }));
    let error = outcome.error.expect("an error");
    let at = error
        .strip_prefix("at byte ")
        .and_then(|rest| rest.split(',').next());
    let at: usize = at.and_then(|at| at.parse().ok()).expect("a place");
    assert_eq!(case.bytes[at] & 0x3f, 36, "{error}");
}

#[test]
fn what_came_before_a_contradiction_is_told() {
    let case = case(&folder().join("cases/task_twice.v1.txt"));
    let outcome = read(&case.bytes);
    let last = outcome.events.last().expect("events before the damage");
    assert!(matches!(last.kind, TraceEventKind::TaskBegin { .. }));
    assert!(outcome.error.is_some());
}

#[test]
fn the_whole_trace_is_one_generation_between_two_syncs() {
    let case = case(&folder().join("cases/every_event.v1.txt"));
    let mut reader = Reader::new(case.bytes.as_slice()).expect("a header");
    assert_eq!(reader.version(), Version::Go121);
    assert_eq!(reader.generation(), 0);
    let (mut syncs, mut names) = (Vec::new(), Vec::new());
    let mut events = 0;
    let mut event = CompactEvent::default();
    while reader.next_into(&mut event).expect("a good trace") {
        assert_eq!(reader.generation(), 1);
        match event.kind {
            CompactKind::Sync { number, clock } => syncs.push((events, number, clock)),
            CompactKind::TaskBegin { name, .. } => {
                names.push(reader.tables().text(name).to_string());
            }
            _ => {}
        }
        events += 1;
    }
    assert_eq!(syncs, [(0, 1, None), (events - 1, 2, None)]);
    assert_eq!(names, ["request", "request"]);
}

/// Runs the program with an old Go and gives the trace that it wrote.
fn trace_of_the_program(go: &Path, into: &Path) -> PathBuf {
    let program = into.join("program");
    let run = |command: &mut Command| {
        let output = command.output().expect("a program that can be run");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {text}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let version = run(Command::new(go).arg("version"));
    let mut build = Command::new(go);
    // Go 1.22 alone has both tracers.
    if version.contains("go1.22") {
        build.env("GOEXPERIMENT", "noexectracer2");
    }
    build.env("GOCACHE", into.join("cache"));
    build.envs([
        ("GOTOOLCHAIN", "local"),
        ("GOPROXY", "off"),
        ("GOFLAGS", "-mod=mod"),
    ]);
    run(build
        .arg("build")
        .arg("-o")
        .arg(&program)
        .arg(folder().join("program.go")));
    let trace = into.join("trace");
    run(Command::new(&program).arg(&trace));
    trace
}

#[test]
fn go_agrees_about_a_program_that_an_old_go_runs() {
    let Some(go) = std::env::var_os(OLD_GO) else {
        eprintln!("skipped: {OLD_GO} names no go of Go 1.21");
        return;
    };
    let Ok(referee) = Referee::find() else {
        eprintln!("skipped: no referee");
        return;
    };
    let into = tempfile::tempdir().expect("a temporary folder");
    let trace = trace_of_the_program(Path::new(&go), into.path());
    let mut bytes = fs::read(&trace).expect("the trace");
    assert!(bytes.starts_with(b"go 1.21"));
    let refusals = agree(&referee, &trace).unwrap_or_else(|what| panic!("{what}"));
    assert!(refusals.is_empty(), "a runtime's own trace: {refusals:?}");
    let kinds = read(&bytes).events.len();
    assert!(
        kinds > 10_000,
        "{kinds} events: does the program still work?"
    );

    // The older versions differ in reasons and samples alone.
    for header in [b"go 1.19", b"go 1.11"] {
        bytes[..7].copy_from_slice(header);
        agree_bytes(&referee, &bytes).unwrap_or_else(|what| panic!("{header:?}: {what}"));
    }
}
