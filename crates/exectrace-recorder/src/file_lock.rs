//! The file of a recording: one that no other recording writes, in this process or another.
//!
//! A lock of the system (`flock`) belongs to the open file itself, so it holds by whatever path,
//! symbolic or hard link the file was opened, and ends with the process. It is advice: programs that
//! do not ask for it read and write as ever. `std`'s own has been there only since Rust 1.89.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::report::StartError;

/// Why there is no file to write to.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another recording writes to it.
    InUse,
    /// There is one already, and it was to be new.
    Exists,
    /// The system did not give it.
    Io(io::Error),
}

impl Refused {
    /// The same of a recording that was to be in this file.
    pub(crate) fn at(self, path: &Path) -> StartError {
        let path = path.to_owned();
        match self {
            Self::InUse => StartError::InUse { path },
            Self::Exists => StartError::Exists { path },
            Self::Io(cause) => StartError::Create { path, cause },
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Makes the file, or empties it if there is one to which no recording writes.
pub(crate) fn create(path: &Path) -> Result<File, Refused> {
    // It is emptied only when it is known to be nobody else's.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    // Devices and pipes may have several writers, and no length.
    if file.metadata()?.is_file() {
        // File systems without locks must not keep anybody from recording.
        if matches!(try_lock(&file), Lock::InUse) {
            return Err(Refused::InUse);
        }
        file.set_len(0)?;
    }
    Ok(file)
}

/// A file with nothing in it, and whether it was made for this.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) file: File,
    pub(crate) is_made: bool,
}

/// Makes the file, or takes one that is empty and has been given to nobody. Follows no symbolic link.
pub(crate) fn create_new(path: &Path) -> Result<NewFile, Refused> {
    let mut options = OpenOptions::new();
    options.write(true);
    match options.clone().create_new(true).open(path) {
        // Somebody may have found it empty, and have locked it first.
        Ok(file) => {
            if try_lock(&file) == Lock::InUse {
                return Err(Refused::InUse);
            }
            // It may even be done with it.
            let is_ours = file.metadata().is_ok_and(|about| about.len() == 0) && !is_removed(&file);
            return match is_ours {
                true => Ok(NewFile {
                    file,
                    is_made: true,
                }),
                false => Err(Refused::Exists),
            };
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let is_empty = |about: &fs::Metadata| about.is_file() && about.len() == 0;
    // Before it is opened, as opening a pipe waits for its reader.
    if !fs::symlink_metadata(path).is_ok_and(|about| is_empty(&about)) {
        return Err(Refused::Exists);
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    let file = options.open(path).map_err(|_| Refused::Exists)?;
    // By the lock alone it is known that its maker is not about to write.
    match try_lock(&file) {
        Lock::Taken => {}
        Lock::InUse => return Err(Refused::InUse),
        Lock::Unknown => return Err(Refused::Exists),
    }
    let is_ours = file.metadata().is_ok_and(|about| is_empty(&about)) && !is_removed(&file);
    match is_ours {
        true => Ok(NewFile {
            file,
            is_made: false,
        }),
        false => Err(Refused::Exists),
    }
}

/// Whether the file has no name any more.
#[cfg(unix)]
pub(crate) fn is_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// A file that is open cannot be removed, or nobody can say.
#[cfg(not(unix))]
pub(crate) fn is_removed(_: &File) -> bool {
    false
}

/// What became of an attempt to lock a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It is ours.
    Taken,
    /// Somebody else has it.
    InUse,
    /// The system, or the file system, has no locks.
    Unknown,
}

/// Locks the file, if nobody else has it locked.
#[cfg(unix)]
pub(crate) fn try_lock(file: &File) -> Lock {
    match lock(file, libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => Lock::Taken,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Lock::InUse,
        Err(_) => Lock::Unknown,
    }
}

#[cfg(not(unix))]
pub(crate) fn try_lock(_: &File) -> Lock {
    Lock::Unknown
}

/// Lets others have the file, also while a forked child still has it open.
pub(crate) fn release(file: &File) {
    #[cfg(unix)]
    // An error means that it was not locked.
    let _ = lock(file, libc::LOCK_UN);
    #[cfg(not(unix))]
    let _ = file;
}

#[cfg(unix)]
fn lock(file: &File, operation: libc::c_int) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the call touches no memory; the descriptor is open as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), operation) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
