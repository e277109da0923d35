//! Traces made of traces: parts, and those with other names, are valid and say what they should.

mod support;

use std::path::{Path, PathBuf};

use exectrace_export::{Exported, KeepFrames, Symbolizer, Window, go_trace};
use exectrace_format::{
    ClockSnapshot, CompactEvent, Event, GoId, GoState, GoStatus, ProcId, ProcStatus, Reader,
    SideRecord, SpanRecord, StackFrame, StackId, StateChange, TaskId, ThreadId, TraceEvent,
    TraceEventKind, Validator, Version, WireFrame, Writer, text,
};
use exectrace_replay::{Location, Names, Observer, Slot, State, StateSpan, replay};
use tempfile::TempDir;

use support::expected::events;
use support::{calls, cases, service, traces};

/// The trace from `begin_ns` on.
fn from(begin_ns: u64) -> Option<Window> {
    let end_ns = u64::MAX;
    Some(Window { begin_ns, end_ns })
}

fn write(trace: &[u8], window: Option<Window>) -> (Vec<u8>, Exported) {
    let mut written = Vec::new();
    let reader = Reader::new(trace).expect("a trace");
    let exported = go_trace(reader, &mut written, window, &mut KeepFrames);
    (written, exported.expect("memory can be written"))
}

/// The part of a good trace.
fn part(trace: &[u8], window: Option<Window>) -> Vec<u8> {
    let (written, exported) = write(trace, window);
    assert!(exported.damage.is_none(), "{exported:?}");
    assert_eq!(written.is_empty(), exported.items == 0);
    written
}

fn is_good(trace: &[u8]) -> bool {
    Reader::new(trace)
        .expect("a trace")
        .all(|event| event.is_ok())
}

/// Whether a trace follows the rules of Go's validator.
fn is_valid(trace: &[u8]) -> bool {
    let mut reader = Reader::new(trace).expect("a trace");
    let (mut validator, mut event) = (Validator::default(), CompactEvent::default());
    let mut is_valid = true;
    while reader.next_into(&mut event).expect("a good trace") {
        validator.check(&event, &reader, |_| is_valid = false);
    }
    is_valid
}

/// A folder in which Go is shown traces.
struct Judge {
    folder: TempDir,
}

impl Judge {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder }
    }

    fn put(&self, trace: &[u8]) -> PathBuf {
        let path = self.folder.path().join("part.trace");
        std::fs::write(&path, trace).expect("the folder can be written to");
        path
    }

    /// Shows to Go what was made of a trace: it is as valid as that. Go reads header 26 only from version
    /// 1.26 on.
    fn judge(&self, part: &[u8], of: &[u8]) {
        if is_valid(of) {
            assert!(is_valid(part), "what was made of a valid trace is not");
        }
        let is_new = part.starts_with(b"go 1.26");
        let path = self.put(part);
        if !is_new && is_valid(of) {
            return exectrace_referee::assert_accepted(path);
        }
        let Ok(referee) = exectrace_referee::Referee::find() else {
            return;
        };
        for verdict in referee.judge(&path as &Path) {
            let is_too_old = is_new && verdict.version.contains("1.25");
            assert!(is_too_old || verdict.accepted, "{}", verdict.message);
        }
    }
}

/// The events that a trace and one made of it have to agree on, without those of the preamble.
fn of_program(trace: &[u8]) -> Vec<TraceEventKind> {
    let kinds = events(trace).into_iter().map(|event| event.kind);
    kinds.filter(TraceEventKind::is_of_program).collect()
}

#[test]
fn a_whole_trace_written_again_says_the_same() {
    let judge = Judge::new();
    for (name, trace) in cases() {
        // What a trace may have and is not written: statuses of no state, stacks of no frames.
        let oddities = [
            "status_zero",
            "proc_status_abandoned",
            "stack_without_frames",
        ];
        let is_odd = oddities.iter().any(|oddity| name.starts_with(oddity));
        if is_odd || !is_good(&trace) || of_program(&trace).is_empty() {
            continue;
        }
        let whole = part(&trace, None);
        let (before, after) = (of_program(&trace), of_program(&whole));
        if name.starts_with("every_event") || name.starts_with("gc_") {
            assert_eq!(before.len(), after.len(), "{name}");
        } else {
            assert_eq!(before, after, "{name}");
        }
        judge.judge(&whole, &trace);
    }
}

#[test]
fn the_trace_from_any_event_on_is_a_valid_trace() {
    let judge = Judge::new();
    let cases = cases().into_iter().map(|(_, trace)| trace);
    for trace in cases.chain(traces()) {
        if !is_good(&trace) {
            continue;
        }
        let mut times: Vec<i64> = events(&trace).iter().map(|event| event.time.0).collect();
        let begin = times[0];
        times.dedup();
        // Each of the events of a case, some of a recording.
        for time in times.iter().step_by(times.len() / 120 + 1) {
            let part = part(&trace, from(time.abs_diff(begin)));
            if !part.is_empty() {
                judge.judge(&part, &trace);
            }
        }
    }
}

#[test]
fn a_part_says_what_was_open_at_its_begin() {
    // While the one who serves waits for the network, in a region of the query.
    let part = part(&service(), from(80));
    let events = events(&part);
    let is_begun = |wanted: &str| {
        events.iter().any(|event| match &event.kind {
            TraceEventKind::TaskBegin { name, .. } | TraceEventKind::RegionBegin { name, .. } => {
                &**name == wanted
            }
            _ => false,
        })
    };
    for open in ["request", "query", "read"] {
        assert!(is_begun(open), "{open}: {events:#?}");
    }
    assert!(!is_begun("parse"), "it had ended");
    let wait = events.iter().find_map(|event| match &event.kind {
        TraceEventKind::StateTransition {
            change:
                StateChange::Go {
                    to: GoState::Waiting,
                    ..
                },
            reason,
            stack,
            ..
        } => Some((reason, stack)),
        _ => None,
    });
    let (reason, stack) = wait.expect("somebody waits");
    assert_eq!(&**reason, "network");
    assert!(stack.is_some());
}

#[test]
fn a_part_has_goroutines_on_the_threads_that_the_last_generation_names() {
    let trace = text::parse(
        "go 1.25
        generation 1
        batch m=0 time=100 sync
          frequency 1000000000
          clock +0 mono=1000 sec=1700000000 nsec=5
        batch m=1 time=101 events
          +0 ProcStatus proc=1 status=Running
          +1 GoStatus go=1 thread=1 status=Running
        generation 2
        batch m=0 time=200 sync
          frequency 1000000000
          clock +0 mono=1100 sec=1700000000 nsec=105
        batch m=2 time=201 events
          +0 ProcStatus proc=1 status=Running
          +1 GoStatus go=1 thread=2 status=Running
          +8 UserTaskBegin task=5 parent=0 name=0 stack=0
          +10 GoDestroy",
    );
    let part = part(&trace.expect("a well-formed trace"), from(105));
    let kinds = of_program(&part);
    let ends = matches!(
        kinds.last(),
        Some(TraceEventKind::StateTransition {
            change: StateChange::Go {
                to: GoState::NotExist,
                ..
            },
            ..
        })
    );
    assert!(ends, "{kinds:?}");
}

#[test]
fn a_part_ends_where_the_window_does() {
    let trace = service();
    let window = Window {
        begin_ns: 0,
        end_ns: 135,
    };
    let last = events(&part(&trace, Some(window)));
    let last = last.iter().map(|event| event.time.0).max();
    assert_eq!(last, Some(1121), "a run begins at 1120, and a sync follows");
}

#[test]
fn of_a_damaged_trace_the_good_part_is_written() {
    let mut trace = service();
    let whole = of_program(&trace);
    trace.extend_from_slice(b"damage");
    let (written, exported) = write(&trace, None);
    assert!(exported.damage.is_some());
    assert_eq!(exported.items, whole.len() as u64);
    assert_eq!(of_program(&written), whole);
    Judge::new().judge(&written, &service());
}

#[test]
fn nothing_is_written_of_a_window_in_which_nothing_happens() {
    let trace = service();
    let (written, exported) = write(&trace, from(1_000_000));
    assert!(written.is_empty() && exported.items == 0);
    assert_eq!(exported.events, of_program(&trace).len() as u64);
    assert!(exported.read_ns > 0);
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
    let (held, status) = (ProcStatus::Running, GoStatus::Running);
    writer.event(
        stream,
        first_event_ns,
        Event::ProcStatus { proc, status: held },
    );
    let status = Event::GoStatus { go, thread, status };
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
fn spans(trace: &[u8]) -> Vec<(String, [u64; 3])> {
    let events = events(trace);
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
fn samples(trace: &[u8]) -> Vec<(u64, u64)> {
    let events = events(trace);
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
fn a_part_has_of_each_thread_the_last_sample_before_it_and_those_in_it() {
    // The second trace begins so early that the times of its parts are moved.
    for first_event_ns in [1_000, 2] {
        let trace = with_spans(first_event_ns);
        let all = samples(&trace);
        assert_eq!(all, [(95, 1), (80, 2), (40, 3)]);
        for (begin_ns, wanted) in [(0, &all[..]), (40, &all[1..])] {
            let part = part(&trace, from(begin_ns));
            assert_eq!(samples(&part), wanted, "from {begin_ns}");
        }
    }
}

/// Three sampled allocations at a stack of their own each, of which the second is freed at once and the third in the
/// end; their times count from the first event.
fn with_heap_samples(first_event_ns: u64) -> Vec<u8> {
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = Writer::new();
    writer.begin_generation(1, first_event_ns);
    let clock = ClockSnapshot::default();
    Writer::sync_batch(Version::Go125, 1, first_event_ns, clock, &mut file);
    let stream = writer.stream(ThreadId(1));
    let (proc, go, thread) = (ProcId(1), GoId(1), ThreadId(1));
    let (held, status) = (ProcStatus::Running, GoStatus::Running);
    let held = Event::ProcStatus { proc, status: held };
    writer.event(stream, first_event_ns, held);
    let status = Event::GoStatus { go, thread, status };
    writer.event(stream, first_event_ns + 1, status);
    for later_ns in [20, 100] {
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
    for (sample, later_ns) in [(1, 5), (2, 8), (3, 60)] {
        let function = writer.string(&format!("allocates {sample}"));
        let stack = writer.stack(&[WireFrame {
            pc: sample,
            function,
            file: function,
            line: 1,
        }]);
        writer.side_record(&SideRecord::HeapSample {
            time_ns: first_event_ns + later_ns,
            thread,
            go,
            task: TaskId(1),
            sample,
            size_bytes: 48,
            interval_bytes: 1,
            stack,
            is_from_before: false,
        });
    }
    for (sample, later_ns) in [(2, 10), (3, 90)] {
        let time_ns = first_event_ns + later_ns;
        writer.side_record(&SideRecord::HeapFree { time_ns, sample });
    }
    writer.finish_group(&mut file);
    file
}

/// The sampled allocations of a trace: number, whether it is from before, and where it was made; and the frees.
fn heap_samples(trace: &[u8]) -> (Vec<(u64, bool, String)>, Vec<u64>) {
    let mut reader = Reader::new(trace).expect("a header");
    let mut event = CompactEvent::default();
    let (mut samples, mut frees) = (Vec::new(), Vec::new());
    while reader.next_into(&mut event).expect("a good trace") {
        match reader.side_record() {
            Some(SideRecord::HeapSample {
                sample,
                is_from_before,
                stack,
                ..
            }) => {
                let leaf = reader.tables().frames(*stack).next();
                let function = leaf.map_or("", |frame| frame.function).to_owned();
                samples.push((*sample, *is_from_before, function));
            }
            Some(SideRecord::HeapFree { sample, .. }) => frees.push(*sample),
            _ => {}
        }
    }
    (samples, frees)
}

#[test]
fn a_part_has_the_sampled_allocations_that_are_alive_when_it_begins_with_their_stacks() {
    let judge = Judge::new();
    let row = |sample: u64, is_before| (sample, is_before, format!("allocates {sample}"));
    // The second trace begins so early that the times of its parts are moved.
    for first_event_ns in [1_000, 2] {
        let trace = with_heap_samples(first_event_ns);
        let all = heap_samples(&trace);
        assert_eq!(all.0, [row(1, false), row(2, false), row(3, false)]);
        assert_eq!(heap_samples(&part(&trace, from(0))), all);
        let later = part(&trace, from(40));
        assert_eq!(
            heap_samples(&later),
            (vec![row(1, true), row(3, false)], vec![3])
        );
        judge.judge(&later, &trace);
    }
}

#[test]
fn a_part_keeps_each_span_of_its_window_whole() {
    let judge = Judge::new();
    // The second trace begins so early that the times of its parts are moved.
    for first_event_ns in [1_000, 2] {
        let trace = with_spans(first_event_ns);
        let all = spans(&trace);
        for (begin_ns, wanted) in [(0, &all[..]), (15, &all), (40, &all[1..])] {
            let part = part(&trace, from(begin_ns));
            assert_eq!(spans(&part), wanted, "from {begin_ns}");
            judge.judge(&part, &trace);
        }
        let (begin_ns, end_ns) = (0, 40);
        let part = part(&trace, Some(Window { begin_ns, end_ns }));
        let names: Vec<_> = spans(&part).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["early"]);
    }
}

/// When user tasks truly began, by the side data, in the order of the file.
fn begins_before(trace: &[u8]) -> Vec<(TaskId, u64)> {
    let begins = events(trace).into_iter();
    let begins = begins.filter_map(|event| match event.kind {
        TraceEventKind::SideData(SideRecord::BeganBefore { task, time_ns }) => {
            Some((task, time_ns))
        }
        _ => None,
    });
    begins.collect()
}

#[test]
fn the_true_begin_of_a_user_task_is_kept_however_often_a_part_is_made_of_a_part() {
    let trace = service();
    let mut part_of = part(&trace, from(110));
    let begins = begins_before(&part_of);
    assert_eq!(begins, [(TaskId(1), 1030), (TaskId(2), 1061)]);
    for window in [None, from(0), from(10)] {
        part_of = part(&part_of, window);
        assert_eq!(begins_before(&part_of), begins, "{window:?}");
    }
    let begin = events(&part_of)[0].time.0.unsigned_abs();
    let after_both = part(&part_of, from(1_355 - begin));
    assert!(begins_before(&after_both).is_empty());
}

/// Inlines `inner` into `read`, and counts how often it is asked.
#[derive(Default)]
struct Inlines {
    asked: Vec<String>,
}

impl Symbolizer for Inlines {
    fn symbolize(&mut self, frame: &Location, names: &Names) -> Option<Vec<StackFrame>> {
        let function = names.get(frame.function);
        self.asked.push(function.to_owned());
        let named = |pc, function| StackFrame::new(pc, function, "inlined.rs", 3);
        (function == "read").then(|| vec![named(1, "inner"), named(2, "outer")])
    }
}

#[test]
fn frames_are_replaced_and_nothing_else_changes() {
    let trace = service();
    let mut written = Vec::new();
    let mut symbolizer = Inlines::default();
    let reader = Reader::new(trace.as_slice()).expect("a trace");
    go_trace(reader, &mut written, None, &mut symbolizer).expect("memory can be written");
    let functions = |events: &[TraceEvent]| -> Vec<Vec<String>> {
        let stacks = events.iter().filter_map(|event| event.stack.as_ref());
        stacks
            .map(|stack| {
                stack
                    .iter()
                    .map(|frame| frame.function.to_string())
                    .collect()
            })
            .collect()
    };
    let is_read = |function: &String| function == "read";
    let mut expected = functions(&events(&trace));
    for stack in &mut expected {
        if let Some(at) = stack.iter().position(is_read) {
            stack.splice(at..=at, ["inner".to_owned(), "outer".to_owned()]);
        }
    }
    assert_eq!(functions(&events(&written)), expected);
    symbolizer.asked.sort();
    let asked: Vec<&str> = symbolizer.asked.iter().map(String::as_str).collect();
    let serve = "serve<\"a;b\">";
    assert_eq!(asked, ["main", "read", serve, serve], "once for each stack");
    assert_eq!(of_program(&written).len(), of_program(&trace).len());
    Judge::new().judge(&written, &trace);
}

/// Where the thread of the trace `calls` sleeps, as a replay knows it.
fn place_of_sleep(trace: &[u8]) -> Vec<String> {
    struct Sleep(Vec<String>);
    impl Observer for Sleep {
        type Error = std::convert::Infallible;

        fn leave(
            &mut self,
            state: &State,
            slot: Slot,
            span: &StateSpan,
        ) -> Result<(), Self::Error> {
            let names = state.names();
            let goroutine = state.goroutines().at(slot);
            if goroutine.id == GoId(3) && names.has_leaf(span.stack, "nanosleep") {
                let functions = names.locations(span.stack).map(|at| names.get(at.function));
                self.0.extend(functions.map(str::to_owned));
            }
            Ok(())
        }
    }
    let mut sleep = Sleep(Vec::new());
    let mut reader = Reader::new(trace).expect("a trace");
    let Ok(damage) = replay(&mut reader, &mut sleep);
    assert!(damage.is_none());
    sleep.0
}

#[test]
fn a_cut_through_calls_in_progress_has_them_and_what_side_data_say_of_them() {
    let judge = Judge::new();
    let trace = calls();
    let waits = [
        GoState::Running,
        GoState::Waiting,
        GoState::Runnable,
        GoState::Running,
        GoState::Waiting,
    ];
    let reads = [&[GoState::Syscall, GoState::Running], &waits[1..]].concat();
    // In the read that fails and the other thread's sleep; then in both sleeps.
    for (begin_ns, expected) in [(120, &reads[..]), (330, &waits[..])] {
        let part = part(&trace, from(begin_ns));
        judge.judge(&part, &trace);
        let states = |of: u64| -> Vec<GoState> {
            let kinds = events(&part).into_iter().map(|event| event.kind);
            let states = kinds.filter_map(|kind| match kind {
                TraceEventKind::StateTransition {
                    change: StateChange::Go { go, from, to },
                    ..
                } if go == GoId(of) && from != to => Some(to),
                _ => None,
            });
            states.collect()
        };
        assert_eq!(states(2), expected, "from {begin_ns}");
        assert_eq!(states(3), waits, "from {begin_ns}");
        assert_eq!(
            place_of_sleep(&part),
            ["nanosleep", "app::config", "backup"],
            "from {begin_ns}"
        );
        let has_counts = events(&part).into_iter().any(|event| {
            matches!(
                event.kind,
                TraceEventKind::SideData(SideRecord::CallCounts { .. })
            )
        });
        assert!(has_counts, "they were counted until 1500");
    }
}
