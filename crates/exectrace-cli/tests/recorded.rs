//! The program on traces that the recorder makes here and now.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use support::{Traces, answer, json};

/// Records some requests, on two threads.
fn record(path: &Path) {
    // A recording sees the whole process, and so the requests of another test.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let recording = exectrace_recorder::start(path).expect("a recording");
    let serve = |count: u64| {
        for index in 0..count {
            let request = exectrace_recorder::Task::new("request");
            let _region = request.region("parse");
            request.log("number", &format!("request {index}"));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| serve(20));
        scope.spawn(|| serve(30));
    });
    let report = recording.stop().expect("it is written");
    assert_eq!(report.records_dropped, 0);
}

#[test]
fn what_a_recording_cannot_show_is_no_number_and_says_why() {
    let traces = Traces::new();
    let path = traces.path("recorded.trace");
    record(&path);
    let path = path.to_str().expect("UTF-8");
    for command in ["regions", "usertasks", "tasks", "summary"] {
        let text = answer([command, path]);
        assert!(!text.contains("100.0%   0.0%"), "{text}");
        assert!(text.contains("no async task was followed"), "{text}");
        assert!(text.contains("exectrace::runtime"), "what to use: {text}");
    }
    let regions = json(["regions", "--format", "json", path]);
    let breakdown = &regions["regions"]["kinds"][0]["breakdown"];
    assert!(breakdown["running_ns"].is_null(), "{breakdown}");
    assert!(breakdown["waiting"].is_null(), "{breakdown}");
    assert_eq!(breakdown["unknown_ns"], breakdown["total_ns"]);
    assert_eq!(regions["overview"]["async_tasks"], 0);
    assert_eq!(regions["overview"]["sight"]["threads"], 3);
}

#[test]
fn what_was_recorded_is_answered_in_full() {
    let traces = Traces::new();
    let path = traces.path("recorded.trace");
    record(&path);
    let path = path.to_str().expect("UTF-8");
    let summary = json(["summary", "--format", "json", path]);
    let kinds = summary["user_tasks"]["kinds"].as_array().expect("a list");
    let request = kinds.iter().find(|kind| kind["name"] == "request");
    assert_eq!(request.expect("requests")["complete"], 50);
    let regions = summary["regions"]["kinds"].as_array().expect("a list");
    assert_eq!(regions[0]["name"], "parse");
    assert_eq!(regions[0]["count"], 50);
    let logs = answer(["events", "--kind", "log", "--grep", "request 29", path]);
    assert_eq!(logs.lines().count(), 1, "{logs}");
    let check = answer(["check", path]);
    assert!(check.contains("written by exectrace "), "{check}");
    assert!(check.contains("  heap: no: recorded without"), "{check}");
    let calls = answer(["syscalls", path]);
    assert!(calls.contains("the feature `syscalls`"), "{calls}");
    let text = answer(["summary", path]);
    assert!(
        !text.contains("background"),
        "the tracer's own user tasks: {text}"
    );
}

#[test]
fn every_cut_of_a_recording_is_valid_and_the_parts_have_it_all() {
    let traces = Traces::new();
    let path = traces.path("recorded.trace");
    record(&path);
    let path = path.to_str().expect("UTF-8");
    let check = json(["check", "--format", "json", path]);
    let duration_ns = check["traces"][0]["duration_ns"]
        .as_u64()
        .expect("a number");
    let mut logs = 0;
    for part in 0..5 {
        let at = |part: u64| format!("{}ns", (duration_ns + 1) * part / 5);
        let cut = traces.path("cut.trace");
        let cut = cut.to_str().expect("UTF-8");
        let run = support::run([
            "cut",
            path,
            "--from",
            &at(part),
            "--to",
            &at(part + 1),
            "-o",
            cut,
        ]);
        // Nothing may have happened in a fifth of the time.
        if run.status == Some(2) {
            continue;
        }
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        exectrace_referee::assert_accepted(cut);
        logs += answer(["events", "--kind", "log", "--grep", "[number]", cut])
            .lines()
            .count();
    }
    assert_eq!(logs, 50, "each is in one part");
}

/// Go's own profile reader takes ours.
#[test]
fn go_reads_our_profiles() {
    let traces = Traces::new();
    let (trace, profile) = (traces.service(), traces.path("profile.pb.gz"));
    answer([
        "profile".as_ref(),
        "--kind=network".as_ref(),
        "--format=pprof".as_ref(),
        "-o".as_ref(),
        profile.as_os_str(),
        trace.as_os_str(),
    ]);
    let go = std::env::var_os("EXECTRACE_GO").unwrap_or_else(|| "go".into());
    let output = Command::new(go)
        .args(["tool", "pprof", "-raw"])
        .arg(&profile)
        .env("GOTOOLCHAIN", "local")
        .output();
    let required = std::env::var_os(exectrace_referee::REQUIRE_VARIABLE);
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        assert!(required.is_none_or(|one| one != "1"), "no `go tool pprof`");
        eprintln!("skipped: no `go tool pprof`");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("app::read src/read.rs:3"), "{text}");
}

#[test]
fn every_export_writes_something_that_its_format_begins_with() {
    let traces = Traces::new();
    let trace = traces.service();
    let trace = trace.to_str().expect("UTF-8");
    for format in ["chrome", "firefox", "speedscope"] {
        let document: Value = json(["export", format, trace, "-o", "-"]);
        assert!(document.is_object() || document.is_array(), "{format}");
    }
    let folded = answer(["export", "folded", trace, "-o", "-", "--weight", "wait"]);
    assert!(folded.contains("app::serve"), "{folded}");
    let file = traces.path("out.pftrace");
    answer([
        "export",
        "perfetto",
        trace,
        "-o",
        file.to_str().expect("UTF-8"),
    ]);
    let bytes = std::fs::read(&file).expect("it was written");
    // A trace is a list of packets, field 1 of a message.
    assert_eq!(bytes.first(), Some(&0x0a));
}
