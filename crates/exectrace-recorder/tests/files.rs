//! Recordings into files that other recordings write.

mod common;

use std::path::Path;
use std::process::Command;

use common::{count_regions, read, turn};
use exectrace_recorder::{RecordingOptions, StartError, region, start};

/// Names the file to which another process writes.
const PATH_VARIABLE: &str = "EXECTRACE_TEST_FILE_IN_USE";

#[track_caller]
fn assert_in_use(path: &Path) {
    let error = start(path).unwrap_err();
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()));
}

#[test]
fn a_file_has_one_recording_at_a_time_by_whatever_link_and_in_whatever_process() {
    let _turn = turn();
    if let Some(path) = std::env::var_os(PATH_VARIABLE) {
        return assert_in_use(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.out");
    let [hard, symbolic] = ["hard.out", "symbolic.out"].map(|name| folder.path().join(name));
    std::fs::write(
        &path,
        "something old, longer than a trace is: ".repeat(1_000),
    )
    .unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    std::os::unix::fs::symlink(&path, &symbolic).unwrap();
    let recording = start(&path).unwrap();
    for path in [&path, &hard, &symbolic] {
        assert_in_use(path);
        let other = Command::new(std::env::current_exe().unwrap())
            .env(PATH_VARIABLE, path)
            .output()
            .unwrap();
        assert!(other.status.success(), "{other:?}");
    }
    drop(region("first"));
    recording.stop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(count_regions(&read(&bytes), "first"), 1);
    // A finished file is overwritten.
    let recording = start(&symbolic).unwrap();
    drop(region("second"));
    recording.stop().unwrap();
    let events = read(&std::fs::read(&path).unwrap());
    assert_eq!(count_regions(&events, "first"), 0);
    assert_eq!(count_regions(&events, "second"), 1);
}

#[test]
fn devices_may_have_several_recordings() {
    let _turn = turn();
    let recordings = [start("/dev/null").unwrap(), start("/dev/null").unwrap()];
    for recording in recordings {
        recording.stop().unwrap();
    }
}

#[test]
fn a_new_file_is_one_that_nobody_has_written_to() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let [full, empty, link, new] =
        ["full", "empty", "link", "new"].map(|name| folder.path().join(name));
    std::fs::write(&full, "something").unwrap();
    std::fs::write(&empty, "").unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
    let start = |path: &Path| RecordingOptions::new().start_new_file(path);
    for path in [&full, &link, Path::new("/dev/null")] {
        let error = start(path).unwrap_err();
        assert!(matches!(error, StartError::Exists { .. }), "{error}");
    }
    assert_eq!(std::fs::read(&full).unwrap(), b"something");
    assert!(!folder.path().join("elsewhere").exists());
    for path in [&empty, &new] {
        let recording = start(path).unwrap();
        let error = start(path).unwrap_err();
        assert!(
            matches!(error, StartError::InUse { .. } | StartError::Exists { .. }),
            "{error}"
        );
        drop(region("work"));
        recording.stop().unwrap();
        assert!(matches!(start(path), Err(StartError::Exists { .. })));
        let events = read(&std::fs::read(path).unwrap());
        assert_eq!(count_regions(&events, "work"), 1);
    }
}
