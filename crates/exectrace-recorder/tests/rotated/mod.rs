//! The folders of rotating recordings, what has a file begin, and a test program that runs itself.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};

use exectrace_recorder::{Recording, RecordingOptions, Rotation, SinkError, region};

/// Set in a child to what it is to do, and where.
const ROLE: &str = "EXECTRACE_TEST_ROLE";
const FOLDER: &str = "EXECTRACE_TEST_FOLDER";

/// The files in a folder. Those of one recording are in their order, whatever the wall clock does.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // The number stands behind the time.
    let number = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.rsplit('-').next().map(str::to_owned)
    };
    paths.sort_by_cached_key(|path| (number(path), path.clone()));
    paths
}

/// The bytes of all files in a folder.
pub(crate) fn size_of_all(folder: &Path) -> u64 {
    let sizes = files(folder)
        .into_iter()
        .map(|path| fs::metadata(path).unwrap().len());
    sizes.sum()
}

/// Has the flush thread apply and write all that was recorded, and begin the files that are due.
pub(crate) fn write_out() {
    let recording = RecordingOptions::new().start_writer(std::io::sink());
    recording.unwrap().stop().unwrap();
}

pub(crate) fn is_sealed(path: &Path) -> bool {
    path.extension() == Some("trace".as_ref())
}

pub(crate) fn has_unsealed(folder: &Path) -> bool {
    folder.exists() && files(folder).iter().any(|path| !is_sealed(path))
}

/// Starts a recording whose errors are received.
pub(crate) fn start(rotation: Rotation) -> (Recording, Receiver<SinkError>) {
    let (send, errors) = mpsc::channel();
    let options = RecordingOptions::new().on_error(move |error| {
        // Nobody may be interested any more.
        let _ = send.send(error.clone());
    });
    (options.start_rotating(rotation).unwrap(), errors)
}

pub(crate) fn small_files(folder: &Path) -> Rotation {
    Rotation::new(folder.join("x")).max_file_bytes(1)
}

/// Records and writes out until this is so.
pub(crate) fn work_until(name: &'static str, mut is_so: impl FnMut() -> bool) {
    loop {
        for _ in 0..100 {
            drop(region(name));
        }
        write_out();
        if is_so() {
            return;
        }
    }
}

/// A command that runs a test of this program in a role.
pub(crate) fn in_role(test: &str, role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder);
    command
}

/// The role of this process, and its folder.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    let folder = std::env::var_os(FOLDER)?;
    Some((std::env::var(ROLE).ok()?, folder.into()))
}
