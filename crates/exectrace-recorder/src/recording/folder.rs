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

    /// Seals the files of processes that have ended without doing it. Calls `sealed` with each, or with
    /// what went wrong.
    pub(crate) fn seal_of_the_dead(
        &self,
        sealed: &mut dyn FnMut(Result<Sealed, SinkError>),
    ) -> io::Result<()> {
        for found in self.list()?.iter().filter(|found| !found.is_finished) {
            match self.seal_if_dead(&found.name) {
                Ok(None) => {}
                // It was sealed by its own process meanwhile, or by another.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(Some(found)) => sealed(Ok(found)),
                Err(error) => sealed(Err(SinkError::Seal {
                    path: self.unfinished(&found.name),
                    cause: Arc::new(error),
                })),
            }
        }
        Ok(())
    }

    fn seal_if_dead(&self, name: &FileName) -> io::Result<Option<Sealed>> {
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

    /// Removes the oldest sealed files but `newest` until all that are left have no more than `budget` bytes.
    pub(crate) fn keep_budget(&self, budget: u64, newest: Option<&FileName>) -> io::Result<()> {
        let found = self.list()?;
        let mut bytes: u64 = found.iter().map(|found| found.bytes).sum();
        let removable = |found: &&Found| found.is_finished && Some(&found.name) != newest;
        for found in found.iter().filter(removable) {
            if bytes <= budget {
                break;
            }
            match fs::remove_file(self.finished(&found.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => bytes -= found.bytes,
            }
        }
        Ok(())
    }
}

/// A time since 1970.
pub(crate) fn wall(since_1970: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(since_1970).unwrap_or(UNIX_EPOCH)
}
