//! Recordings that start and stop while the program runs.

mod common;

use std::time::Instant;

use common::{Shared, count_regions, count_tasks, messages, ns, read, turn};
use exectrace_recorder::{RecordingOptions, Task, log, note, region, set_capability};

fn record() -> (exectrace_recorder::Recording, Shared) {
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    (recording, bytes)
}

#[test]
fn what_a_program_did_is_in_the_trace_exactly_once() {
    let _turn = turn();
    let (recording, bytes) = record();
    let task = Task::new("main start");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let task = &task;
            scope.spawn(move || {
                for round in 0..1_000 {
                    let _region = task.region("step");
                    if round % 100 == 0 {
                        task.log_args("progress", format_args!("{thread}: {round}"));
                    }
                }
                drop(task.child("part"));
            });
        }
    });
    drop(task);
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    assert_eq!(report.bytes, bytes.bytes().len() as u64);
    let events = read(&bytes.bytes());
    assert_eq!(count_regions(&events, "step"), 4_000);
    assert_eq!(count_tasks(&events, "main start"), 1);
    assert_eq!(count_tasks(&events, "part"), 4);
    assert_eq!(messages(&events, "progress").len(), 40);
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
}

#[test]
fn a_region_lies_between_the_programs_own_clock_readings() {
    use exectrace_format::TraceEventKind;
    let _turn = turn();
    let (recording, bytes) = record();
    let origin = Instant::now();
    let clock_ns = || u64::try_from(origin.elapsed().as_nanos()).unwrap();
    // For each region: the clock before and after its begin, and before and after its end.
    let mut readings = Vec::new();
    for _ in 0..200 {
        let before = clock_ns();
        let region = region("measured");
        let begun = clock_ns();
        while clock_ns() < begun + 20_000 {}
        let ending = clock_ns();
        drop(region);
        readings.push((before, begun, ending, clock_ns()));
    }
    recording.stop().unwrap();
    let events = read(&bytes.bytes());
    let times = |begins: bool| {
        let times = events.iter().filter(move |event| match &event.kind {
            TraceEventKind::RegionBegin { .. } => begins,
            TraceEventKind::RegionEnd { .. } => !begins,
            _ => false,
        });
        times.map(ns)
    };
    let regions: Vec<(u64, u64)> = times(true).zip(times(false)).collect();
    assert_eq!(regions.len(), readings.len());
    // The two clocks differ by a constant, which the first region gives to within its bounds.
    const ALLOWED_NS: i64 = 1_000;
    let offset_low = |(region, reading): (&(u64, u64), &(u64, u64, u64, u64))| {
        (region.0 as i64 - reading.1 as i64).max(region.1 as i64 - reading.3 as i64)
    };
    let offset_high = |(region, reading): (&(u64, u64), &(u64, u64, u64, u64))| {
        (region.0 as i64 - reading.0 as i64).min(region.1 as i64 - reading.2 as i64)
    };
    let low = regions.iter().zip(&readings).map(offset_low).max().unwrap();
    let high = regions
        .iter()
        .zip(&readings)
        .map(offset_high)
        .min()
        .unwrap();
    // Some offset fits all regions: each lies inside what is around it and around what is inside.
    assert!(low <= high + ALLOWED_NS, "{low} {high}");
}

#[test]
fn of_two_recordings_at_once_each_is_whole_and_the_late_one_names_what_was_open() {
    let _turn = turn();
    let (first, first_bytes) = record();
    let task = Task::new("long task");
    let open = task.region("long region");
    drop(region("before"));
    let (second, second_bytes) = record();
    drop(region("during"));
    first.stop().unwrap();
    drop(region("after"));
    drop(open);
    drop(task);
    second.stop().unwrap();
    let (first, second) = (read(&first_bytes.bytes()), read(&second_bytes.bytes()));
    let count = |name| (count_regions(&first, name), count_regions(&second, name));
    assert_eq!(count("before"), (1, 0));
    assert_eq!(count("during"), (1, 1));
    assert_eq!(count("after"), (0, 1));
    assert_eq!(count("long region"), (1, 1));
    assert_eq!(count_tasks(&second, "long task"), 1);
    exectrace_referee::assert_bytes_accepted(&first_bytes.bytes());
    exectrace_referee::assert_bytes_accepted(&second_bytes.bytes());
}

#[test]
fn nothing_is_recorded_while_off_and_what_is_open_across_a_start_or_stop_breaks_nothing() {
    let _turn = turn();
    let (recording, first) = record();
    let task = Task::new("crosses");
    let crossing = task.region("crosses");
    recording.stop().unwrap();
    drop(region("while off"));
    log("off", "while off");
    let (recording, second) = record();
    drop(crossing);
    drop(task.region("of a task from before"));
    drop(task);
    drop(region("while on"));
    recording.stop().unwrap();
    let second = read(&second.bytes());
    assert_eq!(count_regions(&second, "while off"), 0);
    assert_eq!(messages(&second, "off").len(), 0);
    assert_eq!(count_regions(&second, "while on"), 1);
    assert_eq!(count_regions(&read(&first.bytes()), "crosses"), 1);
}

#[test]
fn what_is_said_of_the_build_is_in_recordings_that_run_and_in_later_ones() {
    use exectrace_format::{SideRecord, TraceEventKind};
    let _turn = turn();
    let (running, bytes) = record();
    set_capability("test.sees", "something");
    running.stop().unwrap();
    let (later, later_bytes) = record();
    later.stop().unwrap();
    for bytes in [bytes, later_bytes] {
        let events = read(&bytes.bytes());
        assert_eq!(messages(&events, "test.sees"), ["something"]);
        let is_in_side_data = events.iter().any(|event| match &event.kind {
            TraceEventKind::SideData(SideRecord::Capabilities { pairs }) => {
                pairs.iter().any(|(key, _)| **key == *"test.sees")
            }
            _ => false,
        });
        assert!(is_in_side_data);
    }
}

#[test]
fn threads_have_their_names_and_those_that_end_give_their_buffers_back() {
    use exectrace_format::{SideRecord, TraceEventKind};
    let _turn = turn();
    let (recording, bytes) = record();
    // More threads than the pool has chunks.
    for number in 0..5_000 {
        let thread = std::thread::Builder::new().name(format!("short {}", number % 10));
        thread
            .spawn(|| drop(region("life")))
            .unwrap()
            .join()
            .unwrap();
    }
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    let events = read(&bytes.bytes());
    assert_eq!(count_regions(&events, "life"), 5_000);
    let named = |begin: &str| {
        let names = events.iter().filter(|event| {
            matches!(&event.kind, TraceEventKind::SideData(SideRecord::ThreadName { name, .. }) if name.starts_with(begin))
        });
        names.count()
    };
    assert_eq!(named("short "), 5_000);
    assert_eq!(named("exectrace"), 1, "the tracer's own");
    let lanes = events
        .iter()
        .filter_map(|event| event.proc)
        .map(|lane| lane.0);
    assert!(lanes.max() < Some(200), "lanes are used again");
}

#[test]
fn a_file_for_older_tools_and_notes_of_the_tracer() {
    let _turn = turn();
    let bytes = Shared::default();
    let recording = RecordingOptions::new()
        .compatible_with_go_1_23()
        .start_writer(bytes.clone())
        .unwrap();
    note("filter changed to info");
    drop(region("work"));
    recording.stop().unwrap();
    assert!(bytes.bytes().starts_with(b"go 1.23 trace\0\0\0"));
    let events = read(&bytes.bytes());
    assert_eq!(messages(&events, "exectrace"), ["filter changed to info"]);
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
}
