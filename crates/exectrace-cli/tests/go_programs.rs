//! Cuts of what Go programs wrote, of today's Go and of Go 1.21: valid wherever they are made, and all parts
//! together hold what the whole held.
//!
//! `EXECTRACE_GO` names the `go` of today and `EXECTRACE_GO_OLD` that of a Go 1.21. Without them the tests
//! say `skipped`, unless `EXECTRACE_REQUIRE_GO` is `1`.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Traces, answer, json, run};

/// A program with goroutines in every state, and one whose threads and Ps change hands all the time.
const PROGRAMS: [&str; 2] = [
    "../exectrace-export/tests/support/go/program.go",
    "tests/support/syscalls.go",
];

/// The trace of a program, built by the Go that a variable names.
fn trace_by(variable: &str, program: &str, traces: &Traces) -> Option<PathBuf> {
    let Some(go) = std::env::var_os(variable) else {
        let is_required = std::env::var("EXECTRACE_REQUIRE_GO").is_ok_and(|value| value == "1");
        assert!(!is_required, "{variable} names no go");
        eprintln!("skipped: {variable} names no go");
        return None;
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    let (program, trace) = (traces.path("program"), traces.path("go.trace"));
    let mut build = Command::new(go);
    build.args(["build", "-o"]).args([&program, &source]);
    build.envs([
        ("GOTOOLCHAIN", "local"),
        ("GOPROXY", "off"),
        ("GOFLAGS", "-mod=mod"),
    ]);
    for command in [&mut build, Command::new(&program).arg(&trace)] {
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("it can be run");
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
    Some(trace)
}

/// Cuts the trace here; `None` if nothing happened in this time.
fn cut(trace: &Path, from_ns: u64, to_ns: u64, traces: &Traces) -> Option<PathBuf> {
    let part = traces.path("part.trace");
    let (from, to) = (format!("{from_ns}ns"), format!("{to_ns}ns"));
    let (trace, output) = (trace.to_str().unwrap(), part.to_str().unwrap());
    let run = run(["cut", trace, "--from", &from, "--to", &to, "-o", output]);
    if run.status == Some(2) {
        return None;
    }
    assert_eq!(run.status, Some(0), "from {from} to {to}: {}", run.stderr);
    Some(part)
}

/// Header 26 is read by Go 1.26 and newer.
fn judge(part: &Path) {
    let Ok(referee) = exectrace_referee::Referee::find() else {
        return;
    };
    for verdict in referee.judge(part) {
        let is_too_old = verdict.version.contains("1.25");
        assert!(is_too_old || verdict.accepted, "{}", verdict.message);
    }
}

fn logs(trace: &Path) -> usize {
    answer([
        "events".as_ref(),
        "--kind".as_ref(),
        "log".as_ref(),
        trace.as_os_str(),
    ])
    .lines()
    .count()
}

fn hold_at_any_place(variable: &str, program: &str) {
    let traces = Traces::new();
    let Some(trace) = trace_by(variable, program, &traces) else {
        return;
    };
    let check = json([
        "check".as_ref(),
        trace.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let duration_ns = check["traces"][0]["duration_ns"]
        .as_u64()
        .expect("a number");
    let parts = 5;
    let mut found = 0;
    for part in 0..parts {
        let at = |part: u64| (duration_ns + 1) * part / parts;
        if let Some(part) = cut(&trace, at(part), at(part + 1), &traces) {
            judge(&part);
            found += logs(&part);
        }
        // And from some place within the part to the end.
        let within = at(part) + (at(part + 1) - at(part)) * (part * 3 % parts) / parts;
        if let Some(rest) = cut(&trace, within, duration_ns + 1, &traces) {
            judge(&rest);
        }
    }
    assert!(found > 0, "the program writes logs");
    assert_eq!(found, logs(&trace), "each is in one part");
}

#[test]
fn cuts_of_a_trace_of_today_s_go_are_valid_and_lose_nothing() {
    for program in PROGRAMS {
        hold_at_any_place("EXECTRACE_GO", program);
    }
}

#[test]
fn cuts_of_a_trace_of_go_1_21_are_valid_and_lose_nothing() {
    for program in PROGRAMS {
        hold_at_any_place("EXECTRACE_GO_OLD", program);
    }
}
