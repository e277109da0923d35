//! The file of a recording: one that no other recording writes, in this process or another.
//!
//! A lock of the system (`flock`) belongs to the open file itself, so it holds by whatever path,
//! symbolic or hard link the file was opened, and ends with the process. It is advice: programs that
//! do not ask for it read and write as ever. `std`'s own has been there only since Rust 1.89.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Why there is no file to write to.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another recording writes to it.
    InUse,
    /// The system did not give it.
    Io(io::Error),
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
