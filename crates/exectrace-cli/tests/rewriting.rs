//! Traces made of traces: cut and symbolised ones are valid, and say what they should.

mod support;

use std::path::Path;

use exectrace_format::{
    ClockSnapshot, CompactEvent, CompactKind, Event, GoId, GoState, GoStatus, ProcId, ProcStatus,
    Reader, SideRecord, SpanRecord, StackId, StateChange, TaskId, ThreadId, TraceEvent,
    TraceEventKind, Version, Writer,
};

use support::{Traces, answer, cases, run, service};

fn events(path: &Path) -> Vec<TraceEvent> {
    let bytes = std::fs::read(path).expect("it was written");
    let reader = Reader::new(bytes.as_slice()).expect("a trace");
    let events: Result<Vec<_>, _> = reader.collect();
    events.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a trace follows the rules of Go's validator.
fn is_valid(path: &Path) -> bool {
    let run = run(["check".as_ref(), "--strict".as_ref(), path.as_os_str()]);
    run.status == Some(0)
}

/// Shows to Go what was made of a trace: it is as valid as that. Go reads header 26 only from version 1.26
/// on.
fn judge(path: &Path, of: &Path) {
    let bytes = std::fs::read(path).expect("it was written");
    let is_new = bytes.starts_with(b"go 1.26");
    if !is_new && is_valid(of) {
        return exectrace_referee::assert_accepted(path);
    }
    let Ok(referee) = exectrace_referee::Referee::find() else {
        return;
    };
    for verdict in referee.judge(path) {
        let is_too_old = is_new && verdict.version.contains("1.25");
        assert!(is_too_old || verdict.accepted, "{}", verdict.message);
    }
}

/// The events that a trace and its cut have to agree on, without those of the preamble.
fn told(events: &[TraceEvent]) -> Vec<TraceEventKind> {
    let is_told = |event: &&TraceEvent| {
        let kind = &event.kind;
        !matches!(
            kind,
            TraceEventKind::Sync { .. }
                | TraceEventKind::SideData(_)
                | TraceEventKind::UnreadableSideData(_)
        )
    };
    let kinds = events.iter().filter(is_told);
    kinds.map(|event| event.kind.clone()).collect()
}

#[test]
fn a_whole_trace_written_again_tells_the_same() {
    let traces = Traces::new();
    for (name, bytes, is_good) in cases() {
        let path = traces.put(&name, &bytes);
        let cut = traces.path("cut");
        if !is_good || told(&events(&path)).is_empty() {
            continue;
        }
        let run = run([
            "cut".as_ref(),
            path.as_os_str(),
            "-o".as_ref(),
            cut.as_os_str(),
        ]);
        // What a trace may have and is not written: statuses of no state, stacks of no frames.
        let oddities = [
            "status_zero",
            "proc_status_abandoned",
            "stack_without_frames",
        ];
        if oddities.iter().any(|oddity| name.starts_with(oddity)) {
            continue;
        }
        assert_eq!(run.status, Some(0), "{name}: {}", run.stderr);
        let (before, after) = (told(&events(&path)), told(&events(&cut)));
        if name.starts_with("every_event") || name.starts_with("gc_") {
            assert_eq!(before.len(), after.len(), "{name}");
        } else {
            assert_eq!(before, after, "{name}");
        }
        judge(&cut, &path);
    }
}

#[test]
fn every_window_of_every_case_is_a_valid_trace() {
    let traces = Traces::new();
    for (name, bytes, is_good) in cases() {
        let path = traces.put(&name, &bytes);
        if !is_good {
            continue;
        }
        let times: Vec<i64> = events(&path).iter().map(|event| event.time.0).collect();
        let begin = times[0];
        let mut distinct = times.clone();
        distinct.dedup();
        for from in distinct.iter().step_by(distinct.len() / 12 + 1) {
            let cut = traces.path("cut");
            let from = format!("{}ns", from - begin);
            let run = run([
                "cut".as_ref(),
                path.as_os_str(),
                "--from".as_ref(),
                from.as_ref(),
                "-o".as_ref(),
                cut.as_os_str(),
            ]);
            if run.status == Some(2) {
                assert!(
                    run.stderr.contains("no events"),
                    "{name} from {from}: {}",
                    run.stderr
                );
                continue;
            }
            assert_eq!(run.status, Some(0), "{name} from {from}: {}", run.stderr);
            judge(&cut, &path);
        }
    }
}

#[test]
fn a_cut_tells_what_was_open_at_its_begin() {
    let traces = Traces::new();
    let (path, cut) = (traces.service(), traces.path("cut"));
    // While app::serve waits for the network, in a region of the request.
    answer([
        "cut".as_ref(),
        path.as_os_str(),
        "--from".as_ref(),
        "500ns".as_ref(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    let events = events(&cut);
    let is_open = |wanted: &str| {
        events.iter().any(|event| match &event.kind {
            TraceEventKind::TaskBegin { name, .. } | TraceEventKind::RegionBegin { name, .. } => {
                &**name == wanted
            }
            _ => false,
        })
    };
    assert!(is_open("request") && is_open("query"), "{events:#?}");
    let waits = events.iter().find_map(|event| match &event.kind {
        TraceEventKind::StateTransition {
            change,
            reason,
            stack,
            ..
        } => match change {
            StateChange::Go {
                to: GoState::Waiting,
                ..
            } if !reason.is_empty() => Some((reason.clone(), stack.clone())),
            _ => None,
        },
        _ => None,
    });
    let (reason, stack) = waits.expect("somebody waits");
    assert!(["network", "sync"].contains(&&*reason), "{reason}");
    assert!(stack.is_some());
    let text = answer([
        "usertasks".as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
        cut.as_os_str(),
    ]);
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["user_tasks"]["kinds"][0]["name"], "request");
}

/// The case with two spans: one from its event 0 to 20, and one from 60 to 80, both written in the
/// side data of its only generation.
fn with_spans(first_event_ns: u64) -> Vec<u8> {
    let span = |from_ns, name: &str| {
        SideRecord::Span(SpanRecord {
            first_ns: first_event_ns + from_ns,
            end_ns: first_event_ns + from_ns + 20,
            busy_ns: 7,
            entries: 3,
            flow: GoId(1),
            task: TaskId(1),
            own_task: false,
            carried: false,
            inferred: false,
            parent_ns: first_event_ns,
            name: name.to_owned().into(),
        })
    };
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = Writer::new();
    writer.begin_generation(1, first_event_ns);
    let clock = ClockSnapshot::default();
    Writer::sync_batch(Version::Go125, 1, first_event_ns, clock, &mut file);
    let stream = writer.stream(ThreadId(1));
    let (proc, go, thread) = (ProcId(1), GoId(1), ThreadId(1));
    let (lane, flow) = (ProcStatus::Running, GoStatus::Running);
    writer.event(
        stream,
        first_event_ns,
        Event::ProcStatus { proc, status: lane },
    );
    let status = Event::GoStatus {
        go,
        thread,
        status: flow,
    };
    writer.event(stream, first_event_ns + 1, status);
    for later_ns in [10, 50, 70, 100] {
        let (task, stack) = (TaskId::BACKGROUND, StackId::NONE);
        let (category, message) = (writer.string("c"), writer.string("m"));
        let log = Event::UserLog {
            task,
            category,
            message,
            stack,
        };
        writer.event(stream, first_event_ns + later_ns, log);
    }
    for (cpu_ns, later_ns) in [(1, 5), (2, 20), (3, 60)] {
        writer.side_record(&SideRecord::ThreadTime {
            thread,
            time_ns: first_event_ns + later_ns,
            cpu_ns,
            wait_ns: 0,
        });
    }
    writer.side_record(&span(0, "early"));
    writer.side_record(&span(60, "late"));
    writer.finish_group(&mut file);
    file
}

/// The spans of a trace: names, and how long before the last event they were entered and closed, and
/// their parent was entered.
fn spans(path: &Path) -> Vec<(String, [u64; 3])> {
    let events = events(path);
    let mut logs = events
        .iter()
        .filter(|event| matches!(event.kind, TraceEventKind::Log { .. }));
    let last_ns = logs.next_back().map_or(0, |event| event.time.0 as u64);
    let spans = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(SideRecord::Span(span)) => Some(span),
        _ => None,
    });
    let before = |span: &SpanRecord| {
        [span.first_ns, span.end_ns, span.parent_ns].map(|time_ns| last_ns.wrapping_sub(time_ns))
    };
    spans
        .map(|span| (span.name.to_string(), before(span)))
        .collect()
}

/// The samples of threads' time: how long before the last event, and the time on a processor.
fn samples(path: &Path) -> Vec<(u64, u64)> {
    let events = events(path);
    let mut logs = events
        .iter()
        .filter(|event| matches!(event.kind, TraceEventKind::Log { .. }));
    let last_ns = logs.next_back().map_or(0, |event| event.time.0 as u64);
    let samples = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(SideRecord::ThreadTime {
            time_ns, cpu_ns, ..
        }) => Some((last_ns - time_ns, *cpu_ns)),
        _ => None,
    });
    samples.collect()
}

#[test]
fn a_cut_has_of_each_thread_the_last_sample_before_it_and_those_in_it() {
    let traces = Traces::new();
    // The second trace begins so early that the times of its cuts are moved.
    for first_event_ns in [1_000, 2] {
        let path = traces.put("samples", &with_spans(first_event_ns));
        let all = samples(&path);
        assert_eq!(all, [(95, 1), (80, 2), (40, 3)]);
        for (from, wanted) in [("0ns", &all[..]), ("40ns", &all[1..])] {
            let cut = traces.path("cut");
            answer([
                "cut".as_ref(),
                path.as_os_str(),
                "--from".as_ref(),
                from.as_ref(),
                "-o".as_ref(),
                cut.as_os_str(),
            ]);
            assert_eq!(samples(&cut), wanted, "from {from}");
        }
    }
}

#[test]
fn a_cut_keeps_each_span_of_its_window_whole() {
    let traces = Traces::new();
    // The second trace begins so early that the times of its cuts are moved.
    for first_event_ns in [1_000, 2] {
        let path = traces.put("spans", &with_spans(first_event_ns));
        let all = spans(&path);
        for (from, wanted) in [("0ns", &all[..]), ("15ns", &all), ("40ns", &all[1..])] {
            let cut = traces.path("cut");
            answer([
                "cut".as_ref(),
                path.as_os_str(),
                "--from".as_ref(),
                from.as_ref(),
                "-o".as_ref(),
                cut.as_os_str(),
            ]);
            assert_eq!(spans(&cut), wanted, "from {from}");
            judge(&cut, &path);
        }
        let cut = traces.path("cut");
        answer([
            "cut".as_ref(),
            path.as_os_str(),
            "--to".as_ref(),
            "40ns".as_ref(),
            "-o".as_ref(),
            cut.as_os_str(),
        ]);
        let names: Vec<_> = spans(&cut).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["early"]);
    }
}

#[test]
fn a_cut_ends_where_it_is_told_to() {
    let traces = Traces::new();
    let (path, cut) = (traces.service(), traces.path("cut"));
    answer([
        "cut".as_ref(),
        path.as_os_str(),
        "--to".as_ref(),
        "135ns".as_ref(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    let last = events(&cut).iter().map(|event| event.time.0).max();
    assert_eq!(
        last,
        Some(1131),
        "the wait begins at 1130, and a sync follows"
    );
}

#[test]
fn of_a_damaged_trace_the_good_part_is_kept() {
    let traces = Traces::new();
    let mut bytes = service();
    bytes.extend_from_slice(b"damage");
    let (path, cut) = (traces.put("damaged", &bytes), traces.path("cut"));
    let run = run([
        "cut".as_ref(),
        path.as_os_str(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(run.status, Some(1), "the part is not the whole");
    assert!(run.stderr.contains("is damaged"), "{}", run.stderr);
    assert_eq!(told(&events(&cut)).len(), 19);
    exectrace_referee::assert_accepted(&cut);
}

#[test]
fn nothing_half_written_is_left_behind() {
    let traces = Traces::new();
    let path = traces.put("no.trace", b"this is no trace at all, is it?");
    let cut = traces.path("cut");
    let run = run([
        "cut".as_ref(),
        path.as_os_str(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(run.status, Some(1));
    let left = std::fs::read_dir(traces.path(".")).expect("the folder");
    assert_eq!(left.count(), 1, "the input alone");
}

/// The program itself is the stripped program whose trace is symbolised.
#[cfg(target_os = "linux")]
#[test]
fn places_without_names_get_them_from_a_file_with_symbols() {
    use object::{Object, ObjectSymbol};

    let program = env!("CARGO_BIN_EXE_exectrace");
    let bytes = std::fs::read(program).expect("the program");
    let file = object::File::parse(bytes.as_slice()).expect("an executable");
    let main = file.symbols().find(|symbol| symbol.name() == Ok("main"));
    let address = main.expect("it has a main").address();
    let text = include_str!("data/service.trace.txt")
        .replace("app::read", &format!("app+{address:#x}"))
        .replace("src/read.rs", "unknown");
    let traces = Traces::new();
    let (path, named) = (
        traces.put("app.trace", &support::bytes_of(&text)),
        traces.path("named"),
    );
    let run = run([
        "symbolize".as_ref(),
        path.as_os_str(),
        "--binary".as_ref(),
        format!("app={program}").as_ref(),
        "-o".as_ref(),
        named.as_os_str(),
    ]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.starts_with("1 of 1 places"), "{}", run.stdout);
    let profile = answer([
        "profile".as_ref(),
        "--kind=network".as_ref(),
        "--format=folded".as_ref(),
        named.as_os_str(),
    ]);
    assert_eq!(profile, "app::serve;main 1000\n");
    let mut before = Reader::new(text_bytes(&text)).expect("a trace");
    let mut count = 0;
    let mut event = CompactEvent::default();
    while before.next_into(&mut event).expect("valid") {
        count += usize::from(!matches!(event.kind, CompactKind::Sync { .. }));
    }
    assert_eq!(told(&events(&named)).len(), count, "nothing else changes");
    exectrace_referee::assert_accepted(&named);
}

#[cfg(target_os = "linux")]
fn text_bytes(text: &str) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(support::bytes_of(text))
}
