//! The traces that a command has written: those files of a folder that were not there before, or are newer.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use crate::failure::{Usage, warn};
use crate::input;

/// A folder, and what was in it before the command ran.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether it was made for this.
    is_new: bool,
    files: HashMap<PathBuf, SystemTime>,
    /// The trace that a new one takes the place of.
    replaced: Option<Replaced>,
}

/// A file that was moved aside, until there is another in its place.
#[derive(Debug)]
struct Replaced {
    path: PathBuf,
    aside: PathBuf,
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
        let mut replaced = None;
        if output.is_file() {
            replaced = Some(Replaced::new(output)?);
        }
        let is_new = !path.exists();
        fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let mut files: HashMap<PathBuf, SystemTime> = files(&path).collect();
        if let Some(Replaced { path, aside }) = &replaced
            && let Some(&time) = files.get(aside)
        {
            // If it comes back, it is not new.
            files.insert(path.clone(), time);
        }
        Ok(Self {
            path,
            is_new,
            files,
            replaced,
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

    /// Removes what the new traces took the place of; if there are none, it is back.
    pub(super) fn finish(&self) {
        let Some(replaced) = &self.replaced else {
            return;
        };
        let Replaced { path, aside } = replaced;
        let done = match path.exists() {
            true => fs::remove_file(aside),
            false => fs::rename(aside, path),
        };
        if done.is_err() {
            let (path, aside) = (path.display(), aside.display());
            warn(&format!("what was {path} before is in {aside} now"));
        }
    }

    /// Removes the folder if it was made for nothing.
    pub(super) fn remove_if_empty(&self) {
        if self.is_new {
            // If there is something in it, it is not removed.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Replaced {
    /// Makes room for a trace where there is one, as it is the user who names the file.
    fn new(path: &Path) -> anyhow::Result<Self> {
        if !is_trace(path) {
            return Err(Usage::error(
                format!("{} exists and is not a trace", path.display()),
                "another file",
            ));
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.before", std::process::id()));
        let aside = PathBuf::from(aside);
        fs::rename(path, &aside).with_context(|| format!("cannot replace {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            aside,
        })
    }
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
    let read =
        input::open(path).and_then(|(input, _)| Ok(input.silent().read_exact(&mut begin)?));
    read.is_ok() && begin == *b"go 1."
}
