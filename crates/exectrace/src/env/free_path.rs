//! The file that a recording may take: a new one, never one that is there.
//!
//! Whose a file is that is there cannot be known: processes of one command may have nothing in common that others have
//! not, such as a process group. So only what was made for this recording is written to. The recorder makes it, in one
//! step with the question whether it is there.

use std::fs;
use std::path::{Path, PathBuf};

use super::FromEnvError;
use crate::{Recording, RecordingOptions, StartError};

/// Other names that are tried.
const MAX_OTHER_NAMES: u32 = 1_000;

/// Starts a recording into a new file, or into one with the process's id in its name if there is one of this name. What
/// is no file, such as a device or a pipe, is written to as it is.
pub(super) fn start(
    path: &Path,
    options: impl Fn() -> RecordingOptions,
) -> Result<(Recording, PathBuf), FromEnvError> {
    make_folder(path)?;
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return start_over(path, options);
    }
    start_new(path, 0, options)
}

/// Starts a recording into this file, in place of what is in it, or into a new one if another recording writes to it.
#[cfg(feature = "macros")]
pub(super) fn replace(
    path: &Path,
    options: impl Fn() -> RecordingOptions,
) -> Result<(Recording, PathBuf), FromEnvError> {
    make_folder(path)?;
    match start_over(path, &options) {
        Err(FromEnvError::Start(StartError::InUse { .. })) => start_new(path, 1, options),
        result => result,
    }
}

fn make_folder(path: &Path) -> Result<(), FromEnvError> {
    let folder = path.parent();
    let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|cause| FromEnvError::Folder {
        path: folder.to_owned(),
        cause,
    })
}

fn start_over(
    path: &Path,
    options: impl Fn() -> RecordingOptions,
) -> Result<(Recording, PathBuf), FromEnvError> {
    let recording = options().start_file(path).map_err(FromEnvError::Start)?;
    Ok((recording, path.to_owned()))
}

/// Tries names from this one on.
fn start_new(
    path: &Path,
    first: u32,
    options: impl Fn() -> RecordingOptions,
) -> Result<(Recording, PathBuf), FromEnvError> {
    let path = path.to_owned();
    let mut error = StartError::Exists { path: path.clone() };
    for number in first..first + MAX_OTHER_NAMES {
        let path = match number {
            0 => path.clone(),
            number => other_name(&path, number),
        };
        match options().start_new_file(&path) {
            Ok(recording) => return Ok((recording, path)),
            Err(taken @ (StartError::InUse { .. } | StartError::Exists { .. })) => error = taken,
            Err(error) => return Err(FromEnvError::Start(error)),
        }
    }
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
