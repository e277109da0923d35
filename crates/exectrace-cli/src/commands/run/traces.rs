//! The traces that a command has written: those files of a folder that were not there before, or are newer.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use crate::failure::Usage;

/// A folder, and what was in it before the command ran.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether it was made for this.
    is_new: bool,
    files: HashMap<PathBuf, SystemTime>,
}

/// A trace that the command has written.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Folder {
    /// The folder in which the traces will be, by the pattern of their path.
    pub(super) fn of_output(output: &Path) -> anyhow::Result<Self> {
        let path = output.parent().unwrap_or(Path::new("/")).to_owned();
        if path.as_os_str().as_encoded_bytes().contains(&b'%') {
            return Err(Usage::error(
                format!(
                    "the traces would be in several folders by {}",
                    output.display()
                ),
                "%p, %n and %t in the name of the file alone",
            ));
        }
        if output.is_dir() {
            return Err(Usage::error(
                format!("{} is a folder", output.display()),
                format!("{}/%n-%p.trace", output.display()),
            ));
        }
        if output.is_file() {
            replace(output)?;
        }
        let is_new = !path.exists();
        fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let files = files(&path).collect();
        Ok(Self {
            path,
            is_new,
            files,
        })
    }

    /// The traces that came since, oldest first.
    pub(super) fn new_traces(&self) -> Vec<Trace> {
        let is_new = |(path, time): &(PathBuf, SystemTime)| {
            self.files.get(path).is_none_or(|before| before < time)
        };
        let mut new: Vec<_> = files(&self.path).filter(is_new).collect();
        new.sort_by(|(a, a_time), (b, b_time)| (a_time, a).cmp(&(b_time, b)));
        let trace = |(path, _): (PathBuf, SystemTime)| {
            let bytes = fs::metadata(&path).ok()?.len();
            is_trace(&path).then_some(Trace { path, bytes })
        };
        new.into_iter().filter_map(trace).collect()
    }

    /// Removes the folder if it was made for nothing.
    pub(super) fn remove_if_empty(&self) {
        if self.is_new {
            // If there is something in it, it is not removed.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Makes room for a trace where there is one, as it is the user who names the file.
fn replace(output: &Path) -> anyhow::Result<()> {
    if !is_trace(output) {
        return Err(Usage::error(
            format!("{} exists and is not a trace", output.display()),
            "another file",
        ));
    }
    fs::remove_file(output).with_context(|| format!("cannot replace {}", output.display()))
}

/// The files in a folder, and when they were written last.
fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, SystemTime)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.path(), about.modified().ok()?))
    })
}

/// Whether a file begins as a trace does, as it is or compressed.
fn is_trace(path: &Path) -> bool {
    let mut begin = [0; 5];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    let zstd = [0x28, 0xb5, 0x2f, 0xfd];
    read.is_ok() && (begin == *b"go 1." || begin[..4] == zstd)
}
