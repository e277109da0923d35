//! Whatever the program is given: a clear message, the right exit status, and no panic.

mod support;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use support::{
    READING, Traces, bytes_of, case_path, cases, json, program, run, run_with_input, service,
};

#[test]
fn check_separates_good_from_broken_by_its_status_and_says_why() {
    let traces = Traces::new();
    for (name, bytes, is_good) in cases() {
        let path = traces.put(&name, &bytes);
        let run = run(["check".as_ref(), path.as_os_str()]);
        assert_eq!(
            run.status,
            Some(if is_good { 0 } else { 1 }),
            "{name}: {run:?}"
        );
        if !is_good {
            for part in [": broken\n", "  at byte ", "  cause: ", "  try: "] {
                assert!(
                    run.stdout.contains(part),
                    "{name}: {part:?} in {}",
                    run.stdout
                );
            }
        }
    }
}

#[test]
fn the_bytes_of_a_damaged_trace_are_counted_up_to_the_damage() {
    let traces = Traces::new();
    let bytes = service();
    // A whole copy behind the header, and one that is cut off.
    let whole = traces.put("whole.trace", &bytes);
    let damaged = traces.put("damaged.trace", &[&bytes[..], &bytes[16..40]].concat());
    let rows = |path: &Path| {
        let run = run(["stat".as_ref(), path.as_os_str()]);
        let events = run.stdout.lines().filter(|line| line.contains("GoBlock"));
        (run.status, events.map(str::to_owned).collect::<Vec<_>>())
    };
    let (status, events) = rows(&damaged);
    assert_eq!(status, Some(1));
    assert_eq!(events.len(), 1);
    let count = |line: &str| {
        line.split_whitespace()
            .find_map(|word| word.parse::<u64>().ok())
    };
    assert_eq!(count(&events[0]), count(&rows(&whole).1[0]));
}

#[test]
fn what_lives_at_once_may_take_what_the_command_line_says() {
    let traces = Traces::new();
    let path = traces.put("it.trace", &service());
    let run = |mib| {
        run([
            "check".as_ref(),
            path.as_os_str(),
            "--state-memory".as_ref(),
            mib,
        ])
    };
    let refused = run("0".as_ref());
    assert_eq!(refused.status, Some(1));
    assert!(
        refused.stdout.contains("try: --state-memory"),
        "{refused:?}"
    );
    assert_eq!(run("1".as_ref()).status, Some(0));
}

#[test]
fn a_strict_check_names_each_rule_that_is_broken() {
    let traces = Traces::new();
    for (name, bytes, _) in cases() {
        let path = traces.put(&name, &bytes);
        let text = std::fs::read_to_string(case_path(&name)).expect("the case");
        let broken = text
            .lines()
            .filter_map(|line| line.strip_prefix("# violation: "));
        let broken: Vec<_> = broken.collect();
        if broken.is_empty() {
            continue;
        }
        let plain = run(["check".as_ref(), path.as_os_str()]);
        assert_eq!(plain.status, Some(0), "{name}: {plain:?}");
        let strict = run(["check".as_ref(), "--strict".as_ref(), path.as_os_str()]);
        assert_eq!(strict.status, Some(1), "{name}: {strict:?}");
        assert!(strict.stdout.contains(": not valid\n"), "{strict:?}");
        for rule in broken {
            let line = format!("  rule broken: {rule}\n");
            assert!(
                strict.stdout.contains(&line),
                "{name}: {line} in {}",
                strict.stdout
            );
        }
    }
    let good = traces.service();
    let strict = run(["check".as_ref(), "--strict".as_ref(), good.as_os_str()]);
    assert_eq!(strict.status, Some(0), "{strict:?}");
}

#[test]
fn sums_of_extreme_times_end_at_the_greatest_number() {
    let traces = Traces::new();
    let bytes = bytes_of(include_str!("data/extreme_times.trace.txt"));
    let path = traces.put("extreme.trace", &bytes);
    let kinds = ["network", "sync", "scheduler", "run"].map(|kind| vec!["profile", "--kind", kind]);
    let exports = ["chrome", "perfetto", "firefox", "folded", "speedscope"]
        .map(|format| vec!["export", format, "-o", "-"]);
    let each = [vec!["tasks", "--each"], vec!["usertasks", "--id", "2"]];
    let reading = READING.map(<[_]>::to_vec);
    for command in reading.into_iter().chain(kinds).chain(exports).chain(each) {
        let arguments = command.iter().map(OsStr::new);
        let run = run(arguments.chain([path.as_os_str()]));
        assert_eq!(run.status, Some(0), "{command:?}: {run:?}");
    }
    let tasks = json([
        "tasks".as_ref(),
        path.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let longest = u64::MAX.to_string();
    assert!(tasks.to_string().contains(&longest), "{tasks}");
}

#[test]
fn the_message_says_where_a_trace_is_broken() {
    let traces = Traces::new();
    let bytes = service();
    let path = traces.put("cut.trace", &bytes[..bytes.len() - 5]);
    let run = run(["check".as_ref(), path.as_os_str()]);
    assert_eq!(run.status, Some(1));
    let expected = format!(" of {} (", bytes.len() - 5);
    assert!(run.stdout.contains(&expected), "{}", run.stdout);
    assert!(
        run.stdout.contains("failed to read full batch"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("exectrace cut"), "{}", run.stdout);
}

#[test]
fn a_damaged_trace_is_answered_up_to_the_damage() {
    let traces = Traces::new();
    let mut bytes = service();
    bytes.extend_from_slice(b"\0\0\0\0");
    let path = traces.put("damaged.trace", &bytes);
    let tasks = run(["tasks".as_ref(), path.as_os_str()]);
    assert_eq!(tasks.status, Some(1));
    assert!(tasks.stdout.contains("app::serve"), "{}", tasks.stdout);
    assert!(tasks.stderr.contains("is damaged"), "{}", tasks.stderr);
    assert!(
        tasks.stderr.contains("% of the file lie behind it"),
        "{}",
        tasks.stderr
    );
}

#[test]
fn every_command_takes_every_case_without_a_panic() {
    let traces = Traces::new();
    for (name, bytes, is_good) in cases() {
        let path = traces.put(&name, &bytes);
        for command in READING {
            let mut arguments: Vec<_> = command.iter().map(std::ffi::OsStr::new).collect();
            arguments.push(path.as_os_str());
            let run = run(&arguments);
            let allowed: &[Option<i32>] = match is_good {
                // A part without events cannot be cut; a trace may be good and have none.
                true => &[Some(0), Some(2)],
                false => &[Some(0), Some(1), Some(2)],
            };
            assert!(allowed.contains(&run.status), "{arguments:?}: {run:?}");
        }
    }
}

#[test]
fn a_trace_cut_anywhere_is_reported_and_never_panics() {
    let whole = service();
    for length in (0..whole.len()).step_by(7) {
        let run = run_with_input(["summary", "-"], &whole[..length]);
        assert!(matches!(run.status, Some(0 | 1)), "{length}: {run:?}");
        if run.status == Some(1) {
            assert!(!run.stderr.is_empty(), "{length}");
        }
    }
}

#[test]
fn what_is_no_trace_is_refused_with_cause_and_remedy() {
    let run = run_with_input(["summary", "-"], b"#!/bin/sh\necho hello\n");
    assert_eq!(run.status, Some(1));
    let mut lines = run.stderr.lines();
    assert_eq!(lines.next(), Some("error: cannot read standard input"));
    let cause = lines.next().expect("a cause");
    assert!(cause.contains("not a Go execution trace"), "{cause}");
    assert!(lines.next().expect("a remedy").starts_with("  try: "));
}

#[test]
fn an_empty_file_is_called_empty() {
    let traces = Traces::new();
    let empty = traces.put("empty", b"");
    let run = run(["tasks".as_ref(), empty.as_os_str()]);
    assert_eq!(run.status, Some(1));
    let cause = run.stderr.lines().nth(1);
    assert_eq!(cause, Some("  cause: the file is empty"));
    let remedy = run.stderr.lines().nth(2).expect("a remedy");
    assert!(remedy.starts_with("  try: the file that"), "{remedy}");
}

#[test]
fn a_file_that_cannot_be_read_is_no_verdict_on_a_trace() {
    let traces = Traces::new();
    let run = run(["check".as_ref(), traces.path("missing").as_os_str()]);
    assert_eq!(run.status, Some(1));
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.starts_with("error: cannot open "),
        "{}",
        run.stderr
    );
    let folder = support::run(["check".as_ref(), traces.path(".").as_os_str()]);
    assert!(folder.stderr.contains("cannot read "), "{}", folder.stderr);
}

#[test]
fn a_wrong_command_line_has_a_status_of_its_own() {
    let traces = Traces::new();
    let service = traces.service();
    let service = service.to_str().expect("UTF-8");
    for arguments in [
        vec!["summarise", service],
        vec!["summary"],
        vec!["summary", service, "--from", "soon"],
        vec!["summary", service, "--from", "2s", "--to", "1s"],
        vec!["events", service, "--kind", "thing"],
        vec!["usertasks", service, "--id", "99"],
        vec!["profile", service, "--format", "pprof"],
        vec!["tasks", service, "--filter", "group~app dur>5"],
        vec!["check", "--fail-on", "doom", service],
        vec!["cut", service],
        vec!["cut", service, "--from", "1h", "-o", "-"],
        vec!["export", "folded", service, "--weight", "kilos", "-o", "-"],
        vec!["symbolize", service, "-o", "-"],
    ] {
        let run = run(&arguments);
        assert_eq!(run.status, Some(2), "{arguments:?}: {run:?}");
        assert!(
            run.stderr.starts_with("error: "),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_wrong_filter_is_shown_with_a_mark_under_it() {
    let traces = Traces::new();
    let path = traces.service();
    for command in ["tasks", "events"] {
        let run = run([
            command.as_ref(),
            path.as_os_str(),
            "--filter=group~app dur>5".as_ref(),
        ]);
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(lines[1], "  group~app dur>5");
        assert!(
            lines[2].starts_with("                ^ a length of time"),
            "{}",
            run.stderr
        );
    }
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_taken_for_what_they_are() {
    use std::os::unix::ffi::OsStrExt;

    let odd = std::ffi::OsStr::from_bytes(b"no\xffsuch\x1b[31mfile");
    let run = run(["summary".as_ref(), odd]);
    assert_eq!(run.status, Some(1));
    assert!(!run.stderr.contains('\x1b'), "{:?}", run.stderr);
}

#[test]
fn the_environment_cannot_break_it() {
    let traces = Traces::new();
    let path = traces.service();
    for (name, value) in [
        ("COLUMNS", "0"),
        ("COLUMNS", "1"),
        ("COLUMNS", "-7"),
        ("COLUMNS", "99999999999999999999"),
        ("COLUMNS", "x"),
        ("LC_ALL", "C"),
        ("TERM", ""),
        ("CLICOLOR_FORCE", "1"),
    ] {
        let mut command = program(["summary".as_ref(), path.as_os_str()]);
        let output = command.env(name, value).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{name}={value}");
        assert!(!output.stdout.is_empty(), "{name}={value}");
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let traces = Traces::new();
    let path = traces.service();
    let plain = run(["summary".as_ref(), path.as_os_str()]);
    assert!(!plain.stdout.contains('\x1b'), "no terminal, no colours");
    let always = run([
        "summary".as_ref(),
        "--color=always".as_ref(),
        path.as_os_str(),
    ]);
    assert!(always.stdout.contains('\x1b'), "asked for");
    let mut command = program(["summary".as_ref(), path.as_os_str()]);
    let output = command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    let output = output.output().expect("it runs");
    assert!(!output.stdout.contains(&0x1b), "NO_COLOR is stronger");
}

#[test]
fn lines_keep_to_the_width() {
    let traces = Traces::new();
    let path = traces.service();
    let mut command = program(["usertasks".as_ref(), path.as_os_str()]);
    let output = command.env("COLUMNS", "100").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

/// `exectrace events | head -1`: ends without a word, with the status that a shell shows for
/// programs that are ended by a broken pipe.
#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let traces = Traces::new();
    // More than any pipe holds.
    let mut text = include_str!("data/service.trace.txt").to_owned();
    text = text.replace("  +30 GoBlock reason=1", &{
        let mut logs = "  +0 UserLog task=1 category=6 message=7 stack=1\n".repeat(10_000);
        logs.push_str("  +30 GoBlock reason=1");
        logs
    });
    let path = traces.put("long.trace", &support::bytes_of(&text));
    for format in ["text", "json"] {
        let mut command = program(["events", "--format", format]);
        command.arg(&path);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("a line");
        assert!(first.contains("sync"), "{first}");
        drop(lines);
        let status = child.wait().expect("it ends");
        let mut errors = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut errors).expect("text");
        assert_eq!(
            (status.code(), errors.as_str()),
            (Some(141), ""),
            "{format}"
        );
    }
}

#[test]
fn standard_input_is_a_trace_like_any_other() {
    let from_file = {
        let traces = Traces::new();
        let path = traces.service();
        run(["tasks".as_ref(), path.as_os_str()])
    };
    let from_stdin = run_with_input(["tasks", "-"], &service());
    assert_eq!(from_stdin.status, Some(0));
    assert_eq!(from_stdin.stdout, from_file.stdout);
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = support::answer(["completions", shell]);
        assert!(script.contains("usertasks"), "{shell}");
    }
}
