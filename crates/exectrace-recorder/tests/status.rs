//! What the tracer says of itself while it runs, recordings that stop by themselves, and those that are read as streams.

mod common;

use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use common::{Shared, capability, count_regions, read, turn};
use exectrace_recorder::{
    Destination, NothingCause, RecordingOptions, RecordingStatus, SinkError, Status, Task,
    is_enabled, region, status,
};

/// Waits for the flush thread to have left a status of which this holds.
fn status_when(holds: impl Fn(&Status) -> bool) -> Status {
    loop {
        let status = status();
        if holds(&status) {
            return status;
        }
        std::thread::yield_now();
    }
}

fn of(status: &Status, number: u64) -> &RecordingStatus {
    let mut recordings = status.recordings.iter();
    recordings
        .find(|recording| recording.number == number)
        .unwrap()
}

#[test]
fn the_status_counts_what_was_recorded_and_for_whom_while_it_is() {
    let _turn = turn();
    let before = status();
    assert!(before.recordings.is_empty());
    assert_eq!(before.since_last_pass, None);
    let began = SystemTime::now();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.out");
    let file = exectrace_recorder::start(&path).unwrap();
    let limit = Duration::from_secs(3_600);
    let options = RecordingOptions::new().stop_after(limit);
    let writer = options.start_writer(std::io::sink()).unwrap();
    let task = Task::new("task");
    (0..10).for_each(|_| drop(task.region("region")));
    drop(task);
    let made = 22;
    let now = status_when(|status| {
        status.records.annotations == before.records.annotations + made
            && status
                .recordings
                .iter()
                .all(|recording| recording.written.records >= made)
    });
    let numbers: Vec<_> = now
        .recordings
        .iter()
        .map(|recording| recording.number)
        .collect();
    let [first, second] = numbers[..] else {
        panic!("{numbers:?}")
    };
    assert_eq!(of(&now, first).destination, Destination::File(path.clone()));
    assert_eq!(of(&now, second).destination, Destination::Writer);
    assert_eq!(of(&now, second).stops_after, Some(limit));
    assert!(of(&now, first).started >= began);
    assert!(now.last_record.unwrap() >= began && now.last_record.unwrap() <= SystemTime::now());
    assert!(now.memory.used_bytes > 0 && now.memory.used_bytes <= now.memory.limit_bytes);
    assert!(now.threads > 0);
    assert_eq!(now.nothing_recorded, None);
    let text = now.to_string();
    assert!(
        text.contains(&format!("recording {first} to {}", path.display())),
        "{text}"
    );
    // What it says of each is in what that has, which has grown since.
    let last = status();
    let report = file.stop().unwrap();
    assert!(of(&last, first).written.bytes <= report.bytes);
    writer.stop().unwrap();
    let after = status();
    assert!(after.recordings.is_empty());
    assert_eq!(after.records.annotations, before.records.annotations + made);
}

#[test]
fn a_recording_stops_by_itself_after_its_time_and_keeps_its_report() {
    let _turn = turn();
    let options = RecordingOptions::new().stop_after(Duration::from_millis(20));
    let (recording, stream) = options.start_stream(1 << 20).unwrap();
    // Fewer than the stream has room for. On a busy machine it may have stopped before the first.
    let mut made = 0;
    while is_enabled() && made < 1_000 {
        drop(region("work"));
        made += 1;
    }
    let bytes: Vec<u8> = stream.flatten().collect();
    status_when(|status| status.recordings.is_empty());
    assert!(!is_enabled());
    drop(region("later"));
    let report = recording.stop().unwrap();
    assert_eq!(report.bytes, bytes.len() as u64);
    assert!(report.duration >= Duration::from_millis(20));
    let events = read(&bytes);
    let recorded = count_regions(&events, "work");
    // It may have stopped between the last look and the region.
    assert!(
        recorded == made || recorded + 1 == made,
        "{recorded} of {made}"
    );
    assert_eq!(count_regions(&events, "later"), 0);
    exectrace_referee::assert_bytes_accepted(&bytes);
}

#[test]
fn a_reader_that_is_too_slow_gets_a_valid_trace_that_says_where_it_ends_and_others_get_all() {
    let _turn = turn();
    let (failed, has_failed) = mpsc::channel();
    let options =
        RecordingOptions::new().on_error(move |error| failed.send(error.clone()).unwrap());
    let (slow, stream) = options.start_stream(1).unwrap();
    let all = Shared::default();
    let other = RecordingOptions::new().start_writer(all.clone()).unwrap();
    drop(region("work"));
    let error = has_failed.recv().unwrap();
    assert!(matches!(error, SinkError::ReaderTooSlow { .. }), "{error}");
    drop(region("later"));
    let report = slow.stop().unwrap_err();
    other.stop().unwrap();
    let bytes: Vec<u8> = stream.flatten().collect();
    assert_eq!(report.report().bytes, bytes.len() as u64);
    let events = read(&bytes);
    let recorded: Vec<_> = capability(&events, "recorded").collect();
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert!(
        recorded[0].starts_with("until its reader was too slow"),
        "{recorded:?}"
    );
    assert_eq!(count_regions(&events, "later"), 0);
    exectrace_referee::assert_bytes_accepted(&bytes);
    let events = read(&all.bytes());
    assert_eq!(
        count_regions(&events, "work") + count_regions(&events, "later"),
        2
    );
}

#[test]
fn a_stream_that_nobody_reads_any_more_ends_its_recording() {
    let _turn = turn();
    let (failed, has_failed) = mpsc::channel();
    let options =
        RecordingOptions::new().on_error(move |error| failed.send(error.clone()).unwrap());
    let (recording, stream) = options.start_stream(1 << 20).unwrap();
    drop(stream);
    drop(region("work"));
    let error = has_failed.recv().unwrap();
    assert!(matches!(error, SinkError::Write { .. }), "{error}");
    recording.stop_in_background();
    status_when(|status| status.recordings.is_empty());
    assert!(!is_enabled());
}

#[test]
fn a_recording_that_stops_with_nothing_after_others_had_something_is_called_idle() {
    let _turn = turn();
    let first = RecordingOptions::new()
        .start_writer(std::io::sink())
        .unwrap();
    drop(region("work"));
    first.stop().unwrap();
    let bytes = Shared::default();
    let second = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    let report = second.stop().unwrap();
    assert_eq!(report.nothing_cause(), Some(NothingCause::Idle));
    let events = read(&bytes.bytes());
    let recorded: Vec<_> = capability(&events, "recorded").collect();
    assert_eq!(recorded, [format!("idle: {}", NothingCause::Idle)]);
}
