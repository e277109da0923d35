//! The folders of rotating recordings, and what has a file begin.

use std::fs;
use std::path::{Path, PathBuf};

use exectrace_recorder::RecordingOptions;

/// The files in a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
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
