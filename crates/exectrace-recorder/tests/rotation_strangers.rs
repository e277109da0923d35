//! Rotating recordings whose folder has files that others wrote, or that they cannot finish themselves.
#![cfg(target_os = "linux")]

mod common;
mod rotated;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;

use common::{count_regions, read, turn};
use exectrace_recorder::{RecordingOptions, SinkError, region};
use rotated::{files, is_sealed, small_files, start, work_until};

/// The name of a file of another process that is not finished.
const UNFINISHED: &str = "x-20200101T000000.000Z-1-0001.trace.part";

#[test]
fn a_file_of_others_that_cannot_be_opened_is_reported_once_and_costs_no_file_of_ours() {
    let _turn = turn();
    // A program that runs cannot be opened for writing, whoever asks. The link is as large as that, which is more than
    // the budget.
    let program = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
    fs::hard_link(&program, folder.path().join(UNFINISHED)).unwrap();
    let (recording, errors) = start(small_files(folder.path()).budget_bytes(1 << 20));
    let mut rounds = 0;
    work_until("work", || {
        rounds += 1;
        rounds > 5
    });
    let report = recording.stop().unwrap();
    assert_eq!(report.files_lost, 0);
    let sealed = files(folder.path());
    let sealed = sealed.iter().filter(|path| is_sealed(path)).count();
    assert!(sealed > 1);
    assert_eq!(sealed as u64, report.files, "none is removed");
    let reported: Vec<_> = errors.iter().collect();
    let [SinkError::Seal { path, .. }] = &reported[..] else {
        panic!("{reported:?}")
    };
    assert!(path.ends_with(UNFINISHED), "{path:?}");
}

#[test]
fn a_file_that_cannot_be_finished_is_lost_until_the_next_recording_finds_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (sealed, is_sealed) = mpsc::channel();
    let rotation = small_files(folder.path()).on_sealed(move |file| {
        sealed.send(file.clone()).unwrap();
    });
    let (recording, errors) = start(rotation);
    drop(region("in the way"));
    let [part] = files(folder.path()).try_into().unwrap();
    // A folder has the name that the file is to have, for some time.
    let name = part.with_extension("");
    fs::create_dir(&name).unwrap();
    work_until("work", || errors.try_recv().is_ok());
    fs::remove_dir(&name).unwrap();
    let mut rounds = 0;
    work_until("work", || {
        rounds += 1;
        rounds > 3
    });
    let error = recording.stop().unwrap_err();
    assert!(matches!(error.error(), SinkError::Seal { path, .. } if *path == name));
    let report = error.report();
    let called: Vec<_> = is_sealed.into_iter().collect();
    assert_eq!((report.files_lost, report.files), (1, called.len() as u64));
    assert!(called.iter().all(|file| file.contents.is_some()));
    assert!(part.exists());

    let (found, are_found) = mpsc::channel::<PathBuf>();
    let rotation = small_files(folder.path()).on_sealed(move |file| {
        if file.contents.is_none() {
            found.send(file.path.clone()).unwrap();
        }
    });
    let next = RecordingOptions::new().start_rotating(rotation).unwrap();
    next.stop().unwrap();
    assert!(are_found.iter().eq([name.clone()]));
    assert_eq!(
        count_regions(&read(&fs::read(name).unwrap()), "in the way"),
        1
    );
}
