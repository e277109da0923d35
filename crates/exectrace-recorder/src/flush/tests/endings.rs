//! How recordings end, beside others that go on, and what is said where nothing is recorded.

use std::path::Path;

use exectrace_format::conventions::RECORDED;

use super::*;
use crate::group_file::GroupFile;
use crate::recording::{MAX_UNSEALED, SLOW_DISK};

#[test]
fn a_pass_is_due_when_the_time_of_a_recording_is_over() {
    let mut driven = Driven::new();
    let mut output = RecordingSink::of_writer(Bytes::default(), Version::Go125);
    output.stops_after = Some(Duration::from_millis(20));
    let id = driven.flusher.start(output).expect("a start");
    assert!(!driven.flusher.is_pass_due(Duration::from_millis(19)));
    assert!(driven.flusher.is_pass_due(Duration::from_millis(20)));
    driven.act(&Action::Idle(20));
    driven.flusher.flush();
    driven.flusher.stop_what_is_over();
    assert!(driven.flusher.recordings.is_empty());
    driven.stop_and_wait(id).expect("its report is kept");
}

/// A rotating recording with small files.
fn rotating(folder: &Path) -> RecordingSink {
    let rotation = Rotation::new(folder.join("x")).max_file_bytes(1);
    let files = RotatingFiles::start(rotation, Duration::from_secs(1)).unwrap();
    RecordingSink::new(Sink::Rotating(Box::new(files)), Version::Go125, None)
}

#[test]
fn no_recording_waits_for_the_disk_of_another() {
    let mut driven = Driven::new();
    let folder = tempfile::tempdir().unwrap();
    let disk = lock(&SLOW_DISK);
    let file = std::fs::File::create(folder.path().join("one")).unwrap();
    let file = Sink::File(GroupFile::new(file, None).unwrap());
    let slow = [
        rotating(folder.path()),
        RecordingSink::new(file, Version::Go125, None),
    ];
    let slow = slow.map(|output| driven.flusher.start(output).expect("a start"));
    let replies = slow.map(|id| {
        let reply = Reply::new();
        driven.flusher.stop(id, Some(reply.clone()));
        reply
    });
    let exit = Reply::new();
    driven.start(Version::Go125);
    driven.act(&Action::Region);
    driven.flusher.obey(Command::FinishAll(exit.clone()));
    driven.start(Version::Go125);
    driven.act(&Action::Region);
    // Two have stopped, and one runs.
    let (id, _) = driven.running.pop().unwrap();
    let report = driven.stop_and_wait(id).expect("a report");
    assert_eq!(report.records, 2);
    let no_time = Duration::ZERO;
    assert!(
        replies
            .iter()
            .all(|reply| reply.wait_for(no_time).is_none())
    );
    assert!(exit.wait_for(no_time).is_none());
    drop(disk);
    let [rotated, _] = replies.map(|reply| driven.wait_for(&reply).expect("a report"));
    assert_eq!(rotated.files, 1);
    driven.wait_for(&exit);
    driven.running.clear();
}

#[test]
fn while_a_disk_is_slow_files_are_lost_and_counted_rather_than_kept_without_end() {
    const FILES: usize = 50;
    let mut driven = Driven::new();
    let folder = tempfile::tempdir().unwrap();
    let id = driven
        .flusher
        .start(rotating(folder.path()))
        .expect("a start");
    let disk = lock(&SLOW_DISK);
    for _ in 0..FILES {
        for _ in 0..200 {
            driven.act(&Action::Region);
        }
        driven.act(&Action::Idle(1_100));
        driven.act(&Action::Flush);
    }
    let on_disk = || std::fs::read_dir(folder.path()).unwrap();
    // One is being sealed, and one written.
    assert!(on_disk().count() <= MAX_UNSEALED + 2);
    drop(disk);
    let error = driven.stop_and_wait(id).expect_err("files are lost");
    assert!(matches!(error.error(), SinkError::Seal { .. }), "{error}");
    let report = error.report();
    assert_eq!(report.files, on_disk().count() as u64);
    assert!(report.files_lost > 0);
    let (mut lost, mut regions) = (0, 0);
    for entry in on_disk() {
        let path = entry.unwrap().path();
        exectrace_referee::assert_accepted(&path);
        for event in read(&std::fs::read(path).unwrap()) {
            match event.kind {
                TraceEventKind::SideData(SideRecord::Lost { records, .. }) => lost += records,
                TraceEventKind::RegionBegin { .. } => regions += 1,
                _ => {}
            }
        }
    }
    assert_eq!(lost, report.records_dropped);
    assert_eq!(lost + 2 * regions, 2 * 200 * FILES as u64);
}

/// What a file says was recorded.
fn recorded(bytes: &Bytes) -> Vec<String> {
    let events = read(&lock(&bytes.0));
    let pairs = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(SideRecord::Capabilities { pairs }) => Some(pairs),
        _ => None,
    });
    let said = pairs.flatten().filter(|(key, _)| key == RECORDED);
    said.map(|(_, value)| value.to_string()).collect()
}

#[test]
fn a_recording_in_which_nothing_is_recorded_says_so_whatever_others_have() {
    let mut driven = Driven::new();
    driven.start(Version::Go125);
    driven.act(&Action::Region);
    let bytes = Bytes::default();
    let mut output = RecordingSink::of_writer(bytes.clone(), Version::Go125);
    let (said, was_said) = std::sync::mpsc::channel();
    output.on_nothing = Some(Box::new(move |nothing| said.send(*nothing).unwrap()));
    let id = driven.flusher.start(output).expect("a start");
    let nothing_of = |driven: &Driven| lock(&driven.flusher.process.published).nothing;
    assert_eq!(nothing_of(&driven), None);
    driven.act(&Action::Idle(6_000));
    driven.act(&Action::Flush);
    let nothing = was_said.try_recv().unwrap();
    assert_eq!(nothing_of(&driven), Some(nothing));
    driven.act(&Action::Region);
    driven.act(&Action::Idle(200));
    driven.act(&Action::Flush);
    driven.act(&Action::Flush);
    assert_eq!(nothing_of(&driven), None);
    driven.stop_and_wait(id).unwrap();
    assert!(was_said.try_recv().is_err(), "it is said once");
    let said = recorded(&bytes);
    let [first, second] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(*first, silence::value(nothing.cause));
    assert!(second.starts_with("yes, after "), "{second}");
    assert!(recorded(&driven.running[0].1).is_empty());
    driven.finish();
    // A status says it of recordings that run, and of no others.
    driven.start(Version::Go125);
    driven.act(&Action::Idle(6_000));
    driven.act(&Action::Flush);
    assert!(nothing_of(&driven).is_some());
    driven.finish();
    assert_eq!(nothing_of(&driven), None);
}
