//! The folder of a rotating recording: new files, those of dead processes, and the budget.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file_name::FileName;
use super::sealed::Sealed;
use crate::file_lock::{self, Lock, is_removed};
use crate::group_file::whole_bytes;
use crate::report::SinkError;

/// How many names are tried for a file. Another one is taken only if another process has the number of this one.
const MAX_NAMES: u64 = 1_000;

/// Held by a test while the disk takes its time.
#[cfg(test)]
pub(crate) static SLOW_DISK: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Where the files of a name are.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    name: OsString,
}

/// A file that is there.
struct Found {
    name: FileName,
    is_finished: bool,
    bytes: u64,
}

impl Folder {
    /// The folder of a path, for files whose names begin with its last part.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "there is no name for files");
        let name = path.file_name().ok_or_else(no_name)?.to_owned();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // So that the program can change its working directory.
        let path = std::path::absolute(folder)?;
        Ok(Self { path, name })
    }

    fn unfinished(&self, name: &FileName) -> PathBuf {
        self.path.join(name.unfinished(&self.name))
    }

    pub(crate) fn finished(&self, name: &FileName) -> PathBuf {
        self.path.join(name.finished(&self.name))
    }

    /// Makes a file that nobody else writes, with the first number from this one on that is free.
    pub(crate) fn create(&self, mut name: FileName) -> io::Result<(FileName, File)> {
        fs::create_dir_all(&self.path)?;
        for _ in 0..MAX_NAMES {
            match self.try_create(&name)? {
                Some(file) => return Ok((name, file)),
                None => name.number += 1,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn try_create(&self, name: &FileName) -> io::Result<Option<File>> {
        let path = self.unfinished(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            result => result?,
        };
        // Until it is locked, another process may take it for that of a dead one, and remove it.
        if matches!(file_lock::try_lock(&file), Lock::InUse) || is_removed(&file) {
            return Ok(None);
        }
        // Who had this name before has it still, or has given the file its final name.
        if self.finished(name).exists() {
            fs::remove_file(&path)?;
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// Puts what was written on the disk, under its final name.
    pub(crate) fn seal(&self, name: &FileName, file: &File) -> io::Result<PathBuf> {
        #[cfg(test)]
        drop(crate::enabled::lock(&SLOW_DISK));
        file.sync_data()?;
        let path = self.finished(name);
        fs::rename(self.unfinished(name), &path)?;
        // The new name too; some systems cannot, and then it is there when the system chooses.
        let _ = File::open(&self.path).and_then(|folder| folder.sync_all());
        Ok(path)
    }

    /// Removes a file that holds nothing.
    pub(crate) fn discard(&self, name: &FileName) {
        let _ = fs::remove_file(self.unfinished(name));
    }

    fn list(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some((name, is_finished)) = FileName::parse(&entry.file_name(), &self.name) else {
                continue;
            };
            // It may have been removed or renamed just now.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                found.push(Found {
                    name,
                    is_finished,
                    bytes: metadata.len(),
                });
            }
        }
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The files that are not finished: those that are written, and those of processes that ended without finishing
    /// them.
    pub(crate) fn unfinished_files(&self) -> io::Result<Vec<FileName>> {
        let found = self.list()?.into_iter();
        let unfinished = found.filter(|found| !found.is_finished);
        Ok(unfinished.map(|found| found.name).collect())
    }

    /// Seals a file if its process has ended without doing it. `None` if that is not so, or there was nothing in it.
    pub(crate) fn seal_if_dead(&self, name: &FileName) -> Result<Option<Sealed>, SinkError> {
        match self.try_seal_if_dead(name) {
            // It was sealed by its own process meanwhile, or by another.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SinkError::Seal {
                path: self.unfinished(name),
                cause: Arc::new(error),
            }),
            Ok(sealed) => Ok(sealed),
        }
    }

    fn try_seal_if_dead(&self, name: &FileName) -> io::Result<Option<Sealed>> {
        let path = self.unfinished(name);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        if !matches!(file_lock::try_lock(&file), Lock::Taken) {
            return Ok(None);
        }
        let end = file.metadata()?.modified()?;
        let bytes = whole_bytes(&file, name.is_packed)?;
        if bytes == 0 {
            fs::remove_file(&path)?;
            return Ok(None);
        }
        file.set_len(bytes)?;
        let path = self.seal(name, &file)?;
        file_lock::release(&file);
        Ok(Some(Sealed {
            path,
            number: name.number,
            begin: wall(Duration::from_millis(name.begin_ms)),
            end,
            bytes,
            contents: None,
        }))
    }

    /// Removes the oldest sealed files but `newest` until all that are left have no more than `budget` bytes. Files that
    /// are not finished do not count: they cannot be removed, and nobody's are to cost what is finished.
    ///
    /// Nor do those that cannot be removed; the first error is returned when all is done.
    pub(crate) fn keep_budget(&self, budget: u64, newest: Option<&FileName>) -> io::Result<()> {
        let mut found = self.list()?;
        found.retain(|found| found.is_finished);
        let mut bytes: u64 = found.iter().map(|found| found.bytes).sum();
        let mut kept = Ok(());
        for found in found.iter().filter(|found| Some(&found.name) != newest) {
            if bytes <= budget {
                break;
            }
            let removed = fs::remove_file(self.finished(&found.name));
            bytes -= found.bytes;
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    kept = kept.and(Err(error));
                }
                _ => {}
            }
        }
        kept
    }
}

/// A time since 1970.
pub(crate) fn wall(since_1970: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(since_1970).unwrap_or(UNIX_EPOCH)
}
