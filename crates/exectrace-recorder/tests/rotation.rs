//! Recordings whose files take turns.

mod common;
mod rotated;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Shared, count_events, count_regions, read, turn};
use exectrace_format::{TraceEvent, TraceEventKind, TraceTime};
use exectrace_recorder::{Recording, RecordingOptions, Rotation, Sealed, Task, log, region};
use rotated::{files, size_of_all, write_out};

/// A size at which a file is full with what it begins with and a few groups.
const SMALL: u64 = 1;

/// What is in a file, unpacked.
fn contents(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    match path.extension() == Some(OsStr::new("zst")) {
        false => bytes,
        #[cfg(feature = "zstd")]
        true => zstd::decode_all(bytes.as_slice()).unwrap(),
        #[cfg(not(feature = "zstd"))]
        true => panic!("nothing compresses in this build"),
    }
}

fn start(rotation: Rotation) -> Recording {
    RecordingOptions::new().start_rotating(rotation).unwrap()
}

/// The events of a trace behind the generation that it begins with, without those that only say where
/// a generation begins.
fn events_behind_the_preamble(events: Vec<TraceEvent>) -> Vec<TraceEvent> {
    let mut syncs = 0;
    let mut behind = Vec::new();
    for mut event in events {
        if let TraceEventKind::SideData(_) = event.kind {
            // That of the event before.
            event.time = TraceTime(0);
        }
        match event.kind {
            TraceEventKind::Sync { .. } => syncs += 1,
            _ if syncs > 1 => behind.push(event),
            _ => {}
        }
    }
    behind
}

/// Records what is open across many files, and what is not, in so many rounds.
fn work(rounds: usize, mut after_each: impl FnMut()) {
    let task = Task::new("long task");
    let _open = task.region("long region");
    for round in 0..rounds {
        let part = task.child("part");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    drop(part.region("of a thread"));
                }
            });
        });
        log("round", &round.to_string());
        drop(region("of main"));
        after_each();
    }
}

fn assert_joined_files_equal_one(rotation: Rotation, folder: &Path) {
    let whole = Shared::default();
    let one = RecordingOptions::new().start_writer(whole.clone()).unwrap();
    let rotating = start(rotation);
    work(30, write_out);
    let report = rotating.stop().unwrap();
    one.stop().unwrap();
    let files = files(folder);
    assert!(files.len() > 5, "{files:?}");
    assert_eq!(report.files, files.len() as u64);
    assert_eq!(report.disk_bytes, size_of_all(folder));
    assert_eq!(report.records_dropped, 0);
    let (mut joined, mut events, mut bytes, mut regions) = (Vec::new(), 0, 0, 0);
    for path in &files {
        let file = contents(path);
        exectrace_referee::assert_bytes_accepted(&file);
        bytes += file.len() as u64;
        let of_file = read(&file);
        events += count_events(&of_file);
        regions += count_regions(&of_file, "of a thread");
        if Some(path) == files.last() {
            // Its last generation goes on in the other recording, and side data stand first in a generation.
            continue;
        }
        joined.extend(events_behind_the_preamble(of_file));
    }
    assert_eq!((report.bytes, report.events), (bytes, events));
    let whole = events_behind_the_preamble(read(&whole.bytes()));
    // The one began before the others, and ended after them.
    let begin = whole.iter().position(|event| *event == joined[0]).unwrap();
    assert!(whole.len() >= begin + joined.len());
    for (place, (one, of_files)) in whole[begin..].iter().zip(&joined).enumerate() {
        assert_eq!(one, of_files, "event {place}");
    }
    assert_eq!(regions, 600);
}

#[test]
fn the_files_joined_hold_what_one_file_holds() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation::new(folder.path().join("x")).max_file_bytes(SMALL);
    assert_joined_files_equal_one(rotation, folder.path());
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_files_joined_hold_what_one_file_holds() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation::new(folder.path().join("x"));
    let rotation = rotation.max_file_bytes(SMALL).zstd(1);
    assert_joined_files_equal_one(rotation, folder.path());
}

#[test]
fn a_callback_gets_each_file_as_it_is_on_the_disk_and_stop_waits_for_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let sealed: Arc<Mutex<Vec<Sealed>>> = Arc::default();
    let list = Arc::clone(&sealed);
    let rotation = Rotation::new(folder.path().join("x"))
        .max_file_age(Duration::ZERO)
        .on_sealed(move |sealed| {
            // The size is that of a finished file.
            assert_eq!(sealed.bytes, fs::metadata(&sealed.path).unwrap().len());
            list.lock().unwrap().push(sealed.clone());
        });
    let recording = start(rotation);
    work(5, write_out);
    let report = recording.stop().unwrap();
    assert_eq!(report.seal_calls_failed, 0);
    let sealed = sealed.lock().unwrap();
    let paths: Vec<_> = sealed.iter().map(|sealed| sealed.path.clone()).collect();
    assert_eq!(paths, files(folder.path()));
    assert!(paths.len() > 3, "{paths:?}");
    let contents = || sealed.iter().map(|sealed| sealed.contents.unwrap());
    assert_eq!(
        contents().map(|file| file.trace_bytes).sum::<u64>(),
        report.bytes
    );
    assert_eq!(
        contents().map(|file| file.events).sum::<u64>(),
        report.events
    );
    assert_eq!(
        contents().map(|file| file.records).sum::<u64>(),
        report.records
    );
    let numbers: Vec<_> = sealed.iter().map(|sealed| sealed.number).collect();
    assert_eq!(numbers, (1..=paths.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_callback_that_panics_or_blocks_holds_up_neither_files_nor_the_budget() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (let_go_on, go_on) = mpsc::channel::<()>();
    let rotation = Rotation::new(folder.path().join("x"))
        .max_file_bytes(SMALL)
        .budget_bytes(50_000)
        .on_sealed(move |sealed| {
            entered.send(sealed.number).unwrap();
            // An error: the other end is gone.
            let _ = go_on.recv();
            panic!("as the test wants it");
        });
    let recording = start(rotation);
    work(2, write_out);
    assert_eq!(has_entered.recv().unwrap(), 1);
    work(40, write_out);
    drop(let_go_on);
    let report = recording.stop().unwrap();
    assert!(report.files > 20, "{report}");
    assert_eq!(report.seal_calls_failed, report.files);
    assert_eq!(report.records_dropped, 0);
    assert!(size_of_all(folder.path()) <= 50_000);
    assert!(report.disk_bytes > 100_000, "{report}");
}

#[test]
fn the_oldest_files_of_the_name_are_removed_and_no_others() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let of_others = [
        "y-20200101T000000.000Z-1-0001.trace",
        "x-20200101T000000.000Z-1-0001.trace.json",
        "x.trace",
    ];
    for name in of_others {
        fs::write(folder.path().join(name), "not ours").unwrap();
    }
    let old = folder.path().join("x-20200101T000000.000Z-1-0001.trace");
    fs::write(&old, "of a recording before").unwrap();
    let sealed: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let list = Arc::clone(&sealed);
    let rotation = Rotation::new(folder.path().join("x"))
        .max_file_bytes(SMALL)
        .budget_bytes(60_000)
        .on_sealed(move |sealed| list.lock().unwrap().push(sealed.path.clone()));
    let recording = start(rotation);
    work(30, write_out);
    recording.stop().unwrap();
    assert!(!old.exists());
    let sealed = sealed.lock().unwrap();
    let left: Vec<_> = sealed.iter().skip_while(|path| !path.exists()).collect();
    assert!(left.len() < sealed.len() && left.iter().all(|path| path.exists()));
    assert_eq!(files(folder.path()).len(), left.len() + of_others.len());
    assert!(left.len() > 1);
}
