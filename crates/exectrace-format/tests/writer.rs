//! What the writer makes, read back by the reader and accepted by Go.

mod support;

use std::time::{Duration, Instant};

use exectrace_format::{
    ClockSnapshot, Event, GoId, GoStatus, Inferred, LeftOut, ProcId, ProcStatus, Reader,
    SideRecord, SpanRecord, StackId, StringId, TaskId, ThreadId, TraceEventKind, Version,
    WireFrame, Writer, text,
};

use proptest::prelude::*;
use support::read;

const CLOCK: ClockSnapshot = ClockSnapshot {
    monotonic_ns: 1_000,
    unix_seconds: 1_700_000_000,
    unix_nanoseconds: 5,
};

/// A file with the header, and a writer in its first generation.
fn begin(version: Version) -> (Writer, Vec<u8>) {
    let mut file = Writer::header(version).to_vec();
    let mut writer = Writer::new();
    writer.begin_generation(1, 1_000);
    Writer::sync_batch(version, 1, 1_000, CLOCK, &mut file);
    (writer, file)
}

/// Thread 7 holds proc 1 and runs goroutine 1.
fn run(writer: &mut Writer) -> exectrace_format::StreamId {
    let stream = writer.stream(ThreadId(7));
    let (proc, thread) = (ProcId(1), ThreadId(7));
    writer.event(
        stream,
        1_000,
        Event::ProcStatus {
            proc,
            status: ProcStatus::Running,
        },
    );
    let (go, status) = (GoId(1), GoStatus::Running);
    writer.event(stream, 1_001, Event::GoStatus { go, thread, status });
    stream
}

fn log(message: StringId) -> Event {
    let (task, category) = (TaskId::BACKGROUND, StringId::EMPTY);
    Event::UserLog {
        task,
        category,
        message,
        stack: StackId::NONE,
    }
}

/// The logs of a trace that must be good.
fn logs(file: &[u8]) -> Vec<(i64, String)> {
    let events = Reader::new(file).expect("a header");
    let events = events.map(|event| event.expect("a good trace"));
    events
        .filter_map(|event| match event.kind {
            TraceEventKind::Log { message, .. } => Some((event.time.0, message.to_string())),
            _ => None,
        })
        .collect()
}

#[test]
fn go_accepts_a_written_trace_of_every_version() {
    for version in [Version::Go122, Version::Go123, Version::Go125] {
        let (mut writer, mut file) = begin(version);
        let stream = run(&mut writer);
        let message = writer.message("hello");
        writer.event(stream, 1_010, log(message));
        writer.finish_group(&mut file);
        assert_eq!(logs(&file), [(1_010, "hello".to_string())]);
        exectrace_referee::assert_bytes_accepted(&file);
    }
}

#[test]
fn a_file_is_good_after_each_group() {
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    for group in 0..5u64 {
        let message = writer.string(&format!("group {group}"));
        let stack = writer.stack(&[WireFrame {
            pc: group + 1,
            function: message,
            file: message,
            line: 1,
        }]);
        writer.cpu_sample(1_000 * group, ThreadId(7), ProcId(1), GoId(1), stack);
        writer.event(stream, 2_000 * (group + 1), log(message));
        let before = file.len();
        let counts = writer.finish_group(&mut file);
        assert_eq!((counts.strings, counts.stacks, counts.samples), (1, 1, 1));
        assert_eq!(counts.bytes, file.len() - before);
        assert!(writer.is_empty());
        assert_eq!(logs(&file).len() as u64, group + 1);
    }
    exectrace_referee::assert_bytes_accepted(&file);
}

#[test]
fn much_of_everything_is_cut_into_batches_of_legal_size() {
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    let long = "x".repeat(1_000);
    for index in 0..300u64 {
        let message = writer.message(&format!("{index}{long}"));
        writer.stack(&vec![
            WireFrame {
                pc: u64::MAX,
                function: message,
                file: message,
                line: 1
            };
            100
        ]);
        let (name, thread) = (long.clone().into(), ThreadId(index));
        writer.side_record(&SideRecord::ThreadName { thread, name });
        for _ in 0..1_000 {
            writer.event(stream, 1 << 40, log(message));
        }
    }
    let counts = writer.finish_group(&mut file);
    assert_eq!(counts.events, 300_002);
    let outcome = read(&file);
    assert_eq!(outcome.error, None);
    // Events, the first and the last sync, side data.
    assert_eq!(outcome.events.len(), 300_002 + 2 + 300);
    let batches = text::print(&file)
        .lines()
        .filter(|line| line.ends_with(" events"))
        .count();
    assert!(
        (25..60).contains(&batches),
        "{batches} batches of some 60 000 bytes"
    );
}

#[test]
fn strings_are_remembered_and_cut_at_a_character() {
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    assert_eq!(writer.string(""), StringId::EMPTY);
    assert_eq!(writer.message(""), StringId::EMPTY);
    let short = writer.string("short");
    assert_eq!(writer.string("short"), short);
    assert_eq!(writer.message("short"), short);
    let debug = "query from 127.0.0.1:40312 for name: example.com. type: A class: IN, ".repeat(3);
    let message = writer.message(&debug);
    assert_eq!(writer.message(&debug), message, "stored once a generation");
    // Two bytes per character, so that 1 024 falls between two, and behind one byte within one.
    let long = format!("a{}", "é".repeat(600));
    let cut = writer.string(&long);
    assert_eq!(writer.string(&long), cut);
    assert_ne!(
        writer.message(&long),
        cut,
        "long messages are not looked up"
    );
    writer.event(stream, 2_000, log(cut));
    writer.finish_group(&mut file);
    assert_eq!(logs(&file), [(2_000, format!("a{}", "é".repeat(511)))]);
}

#[test]
fn a_deep_stack_keeps_its_leaves_and_its_root() {
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    let frame = |pc| WireFrame {
        pc,
        function: StringId::EMPTY,
        file: StringId::EMPTY,
        line: pc,
    };
    let frames: Vec<WireFrame> = (1..=200).map(frame).collect();
    let stack = writer.stack(&frames);
    assert_eq!(writer.stack(&frames), stack);
    assert_ne!(writer.stack(&frames[..128]), stack);
    assert_eq!(writer.stack(&[]), StackId::NONE);
    writer.event(
        stream,
        2_000,
        Event::GoStop {
            reason: StringId::EMPTY,
            stack,
        },
    );
    writer.finish_group(&mut file);
    let stacks = read(&file)
        .events
        .into_iter()
        .filter_map(|event| event.stack);
    let pcs: Vec<u64> = stacks
        .last()
        .expect("a stack")
        .iter()
        .map(|frame| frame.pc)
        .collect();
    let expected: Vec<u64> = (1..=127).chain([200]).collect();
    assert_eq!(pcs, expected);
}

#[test]
fn ids_begin_anew_in_each_generation() {
    let (mut writer, mut file) = begin(Version::Go125);
    run(&mut writer);
    let old = writer.string("old");
    writer.finish_group(&mut file);
    writer.begin_generation(2, 5_000);
    Writer::sync_batch(Version::Go125, 2, 5_000, CLOCK, &mut file);
    let new = writer.string("new");
    assert_eq!(old, new);
    assert_eq!(writer.generation(), 2);
    let stream = writer.stream(ThreadId(7));
    writer.event(stream, 5_100, log(new));
    writer.finish_group(&mut file);
    assert_eq!(logs(&file), [(5_100, "new".to_string())]);
}

#[test]
fn a_time_that_goes_back_is_taken_for_the_same_time() {
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    let message = writer.string("m");
    writer.event(stream, 9_000, log(message));
    writer.event(stream, 8_000, log(message));
    writer.finish_group(&mut file);
    writer.event(stream, 7_000, log(message));
    writer.finish_group(&mut file);
    let times: Vec<i64> = logs(&file).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [9_000, 9_001, 9_002]);
}

#[test]
fn a_released_handle_becomes_another_threads_after_the_group() {
    let (mut writer, mut file) = begin(Version::Go125);
    let first = writer.stream(ThreadId(1));
    let second = writer.stream(ThreadId(2));
    writer.release(first);
    writer.release(first);
    assert_ne!(
        writer.stream(ThreadId(3)),
        first,
        "not before the group is finished"
    );
    assert_eq!(writer.stream(ThreadId(2)), second);
    writer.finish_group(&mut file);
    let fourth = writer.stream(ThreadId(4));
    let fifth = writer.stream(ThreadId(5));
    assert_eq!(fourth, first);
    assert_ne!(fourth, fifth, "a handle released twice is free once");
    // A thread that is back before the group ends keeps its stream, and so the order of its events.
    writer.release(second);
    assert_eq!(writer.stream(ThreadId(2)), second);
    writer.finish_group(&mut file);
    assert_eq!(writer.stream(ThreadId(2)), second);
}

fn span() -> SpanRecord {
    SpanRecord {
        first_ns: 1 << 40,
        end_ns: (1 << 40) + 9_840_000,
        busy_ns: 700_000,
        entries: 12,
        flow: GoId(7),
        task: TaskId(9),
        own_task: false,
        carried: true,
        inferred: false,
        parent_ns: 1 << 39,
        name: "save".into(),
    }
}

#[test]
fn every_kind_of_side_data_comes_back() {
    let records = [
        SideRecord::Capabilities {
            pairs: vec![("polls".into(), "all".into()), ("a".into(), "".into())],
        },
        SideRecord::ThreadName {
            thread: ThreadId(7),
            name: "main".into(),
        },
        SideRecord::ProcName {
            proc: ProcId(1),
            name: "worker 0".into(),
        },
        SideRecord::RuntimeName {
            id: 3,
            name: "io".into(),
        },
        SideRecord::Counter {
            name: "queue".into(),
            time_ns: 1 << 50,
            value: i64::MIN,
        },
        SideRecord::Link {
            time_ns: 5,
            from: TaskId(1),
            to: TaskId(2),
        },
        SideRecord::Inferred {
            time_ns: 6,
            what: Inferred::Wake,
            id: 9,
        },
        SideRecord::Lost {
            time_ns: 7,
            thread: ThreadId(1),
            records: 1_000_000,
        },
        SideRecord::BeganBefore {
            task: TaskId(1),
            time_ns: 3,
        },
        SideRecord::GeneratedBy {
            name: "exectrace".into(),
            version: "0.1.0".into(),
        },
        SideRecord::Span(span()),
        SideRecord::LeftOut {
            time_ns: 8,
            cause: LeftOut::Nested,
            count: 3,
        },
        SideRecord::ThreadTime {
            thread: ThreadId(1),
            time_ns: 9,
            cpu_ns: 1 << 40,
            wait_ns: 0,
        },
        SideRecord::CallCounts {
            time_ns: 10,
            thread: ThreadId(1),
            go: GoId(2),
            task: TaskId(3),
            call: "read".into(),
            calls: 4,
            total_ns: 5,
        },
        SideRecord::CallFailed {
            time_ns: 11,
            go: GoId(2),
            errno: 4,
        },
        SideRecord::CallStack {
            time_ns: 11,
            go: GoId(2),
            stack: StackId(3),
        },
        SideRecord::DriverWait {
            time_ns: 12,
            thread: ThreadId(1),
            duration_ns: 1 << 33,
            ready: 2,
        },
        SideRecord::Allocations {
            time_ns: 13,
            thread: ThreadId(1),
            go: GoId(2),
            task: TaskId(3),
            allocated_bytes: 1 << 40,
            allocations: 5,
            freed_bytes: 6,
            frees: 7,
        },
        SideRecord::ThreadUsage {
            thread: ThreadId(1),
            time_ns: 14,
            voluntary_switches: 2,
            involuntary_switches: 3,
            minor_faults: 4,
            major_faults: 5,
        },
        SideRecord::OffProcessor {
            time_ns: 15,
            thread: ThreadId(1),
            duration_ns: 16,
            is_preempted: true,
        },
        SideRecord::Thinned {
            time_ns: 17,
            source: "syscalls".into(),
            records: 18,
        },
        SideRecord::HeapSample {
            time_ns: 100,
            thread: ThreadId(3),
            go: GoId(4),
            task: TaskId(5),
            sample: u64::MAX,
            size_bytes: 48,
            interval_bytes: 1 << 19,
            stack: StackId(7),
            is_from_before: true,
        },
        SideRecord::HeapFree {
            time_ns: 101,
            sample: u64::MAX,
        },
        SideRecord::Unknown {
            kind: 77,
            bytes: vec![1, 2, 3],
        },
    ];
    let (file, found) = written(&records);
    assert_eq!(found, records);
    exectrace_referee::assert_bytes_accepted(&file);
}

/// A file with these records, and what is read of it.
fn written(records: &[SideRecord]) -> (Vec<u8>, Vec<SideRecord>) {
    let (mut writer, mut file) = begin(Version::Go125);
    records.iter().for_each(|record| writer.side_record(record));
    let count = writer.finish_group(&mut file).side_records;
    assert_eq!(count, records.len() as u64);
    let events = read(&file).events.into_iter();
    let found = events.filter_map(|event| match event.kind {
        TraceEventKind::SideData(record) => Some(record),
        _ => None,
    });
    (file, found.collect())
}

proptest! {
    #[test]
    fn a_span_record_of_any_numbers_comes_back(
        first_ns: u64,
        lasts_ns: u64,
        [busy_ns, entries, flow, task, parent_ns] in any::<[u64; 5]>(),
        [own_task, carried, inferred] in any::<[bool; 3]>(),
        name in ".{0,40}",
    ) {
        let record = SideRecord::Span(SpanRecord {
            first_ns,
            end_ns: first_ns.saturating_add(lasts_ns),
            busy_ns,
            entries,
            flow: GoId(flow),
            task: TaskId(task),
            own_task,
            carried,
            inferred,
            parent_ns,
            name: name.into(),
        });
        let records = [record, SideRecord::Span(span())];
        prop_assert_eq!(written(&records).1, records);
    }
}

#[test]
fn a_trace_in_which_everybody_waits_is_read_in_time() {
    // 20 000 threads wait to start the goroutine that thread 7 wakes and blocks 100 000 times. To try
    // all of them after each event would take many minutes.
    let (mut writer, mut file) = begin(Version::Go125);
    let stream = run(&mut writer);
    let (stack, reason) = (StackId::NONE, StringId::EMPTY);
    for thread in 0..20_000 {
        let stream = writer.stream(ThreadId(100 + thread));
        writer.event(
            stream,
            1_100,
            Event::GoStart {
                go: GoId(1),
                seq: 1_000_000,
            },
        );
    }
    let mut seq = 0;
    for step in 0..100_000 {
        let time_ns = 1_200 + step * 10;
        writer.event(stream, time_ns, Event::GoBlock { reason, stack });
        writer.event(
            stream,
            time_ns,
            Event::GoUnblock {
                go: GoId(1),
                seq: seq + 1,
                stack,
            },
        );
        seq += 2;
        writer.event(stream, time_ns, Event::GoStart { go: GoId(1), seq });
    }
    writer.finish_group(&mut file);
    let began = Instant::now();
    let outcome = read(&file);
    assert!(outcome.error.expect("stuck").contains("failed to advance"));
    assert_eq!(outcome.events.len(), 300_003);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "took {:?}",
        began.elapsed()
    );
}
