//! The file that a recording may take: never one of another process.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::FromEnvError;
use super::started::is_from_before;
use crate::{Recording, RecordingOptions, StartError};

/// Other names that are tried.
const MAX_OTHER_NAMES: u32 = 1_000;

/// Starts a recording into the file, or into one with the process's id in its name if another process has that.
pub(super) fn start(
    path: &Path,
    options: impl Fn() -> RecordingOptions,
) -> Result<(Recording, PathBuf), FromEnvError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|cause| FromEnvError::Folder {
            path: folder.to_owned(),
            cause,
        })?;
    }
    let mut in_use = None;
    for number in 0..MAX_OTHER_NAMES {
        let path = match number {
            0 => path.to_owned(),
            number => other_name(path, number),
        };
        if !is_free(&path)? {
            continue;
        }
        match options().start_file(&path) {
            Ok(recording) => return Ok((recording, path)),
            Err(error @ StartError::InUse { .. }) => in_use = Some(error),
            Err(error) => return Err(FromEnvError::Start(error)),
        }
    }
    let path = path.to_owned();
    let error = in_use.unwrap_or(StartError::InUse { path });
    Err(FromEnvError::Start(error))
}

/// `trace.out` as `trace.1234.out`, and after the first as `trace.1234-2.out`.
fn other_name(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Whether the file is this process's: it was not there and is made, it is from before, or it is no file at all, but a
/// device or a pipe.
fn is_free(path: &Path) -> Result<bool, FromEnvError> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        // The start will say what is wrong.
        Err(_) => return Ok(true),
    }
    match fs::metadata(path) {
        Ok(file) if file.is_file() && !is_trace(path) => Err(FromEnvError::NotATrace {
            path: path.to_owned(),
        }),
        Ok(file) => Ok(!file.is_file() || is_from_before(&file)),
        // It has gone meanwhile, or it is a link to nothing.
        Err(_) => Ok(true),
    }
}

/// Whether a file begins as a trace does, or is empty, as one is whose recording has just begun.
fn is_trace(path: &Path) -> bool {
    const BEGIN: &[u8] = b"go 1.";
    let mut begin = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(BEGIN.len() as u64).read_to_end(&mut begin));
    // One that may not be read is for the start to refuse.
    read.is_err() || BEGIN.starts_with(&begin)
}
