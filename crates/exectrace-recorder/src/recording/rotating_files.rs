//! The files of a rotating recording, as the flush thread writes them, one after the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::file_name::FileName;
use super::folder::Folder;
use super::rotation::Rotation;
use super::sealed::Contents;
use super::sealer::{Sealer, Seals, ToSeal};
use crate::control::Closing;
use crate::file_lock::is_removed;
use crate::group_file::{GroupFile, Packing};
use crate::report::{SinkError, StartError};

/// How often a file is tried after one could not be written, and how often it is looked whether the present one still
/// has a name.
const LOOK_NS: u64 = 1_000_000_000;

/// Why a file is lost that was written.
const REMOVED: &str = "the file was removed while it was written";
const TOO_MANY: &str = "too many files waited for the disk";

/// When something is, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileTime {
    pub(crate) ns: u64,
    /// Since 1970.
    pub(crate) wall: Duration,
}

#[derive(Debug)]
pub(crate) struct RotatingFiles {
    folder: Folder,
    file_limit: u64,
    file_age: Option<Duration>,
    zstd_level: Option<i32>,
    sealer: Sealer,
    /// The file that is written. `None` while none can be.
    current: Option<Current>,
    /// Made before it was asked for, so that a start can say why it cannot be.
    made: Option<(FileName, GroupFile)>,
    next_number: u64,
    /// The time of the last question whether something is due, and when the next look is.
    now_ns: u64,
    look_ns: u64,
    /// Why there is no file.
    cause: Option<Arc<io::Error>>,
    /// Why the file before was lost, if it was.
    lost_by: &'static str,
    /// Bytes on the disk of all files.
    disk_bytes: u64,
}

#[derive(Debug)]
struct Current {
    file: GroupFile,
    name: FileName,
    begin: FileTime,
    /// What was written, before compression.
    bytes: u64,
    /// What it began with.
    preamble_bytes: u64,
    /// Whether it had no name any more at the last look.
    is_removed: bool,
}

impl RotatingFiles {
    /// Makes the first file, and starts the threads.
    pub(crate) fn start(rotation: Rotation, now: Duration) -> Result<Self, StartError> {
        let path = rotation.path.clone();
        let failed = |cause| StartError::Create { path, cause };
        let folder = match Folder::of(&rotation.path) {
            Ok(folder) => folder,
            Err(cause) => return Err(failed(cause)),
        };
        let file_limit = rotation.file_limit();
        let budget = rotation.budget_bytes.saturating_sub(file_limit);
        let name = FileName::new(now, std::process::id(), 1, rotation.zstd_level.is_some());
        let made = match create(&folder, name, rotation.zstd_level) {
            Ok(made) => made,
            Err(cause) => return Err(failed(cause)),
        };
        let sealer =
            Sealer::start(folder.clone(), budget, rotation.on_sealed).map_err(|cause| {
                folder.discard(&made.0);
                StartError::Thread(cause)
            })?;
        Ok(Self {
            folder,
            file_limit,
            file_age: rotation.file_age,
            zstd_level: rotation.zstd_level,
            sealer,
            current: None,
            made: Some(made),
            next_number: 1,
            now_ns: 0,
            look_ns: 0,
            cause: None,
            lost_by: REMOVED,
            disk_bytes: 0,
        })
    }

    /// Begins a file with these bytes. The one before has been sealed.
    pub(crate) fn begin(&mut self, preamble: &[u8], begin: FileTime) -> io::Result<()> {
        let begun = self.try_begin(preamble, begin);
        self.look_ns = begin.ns.saturating_add(LOOK_NS);
        match begun {
            Ok(current) => {
                self.disk_bytes += current.file.bytes();
                self.current = Some(current);
                self.cause = None;
                self.lost_by = REMOVED;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn try_begin(&mut self, preamble: &[u8], begin: FileTime) -> io::Result<Current> {
        let (name, mut file) = match self.made.take() {
            Some(made) => made,
            None => {
                let is_packed = self.zstd_level.is_some();
                let number = self.next_number;
                let name = FileName::new(begin.wall, std::process::id(), number, is_packed);
                create(&self.folder, name, self.zstd_level)?
            }
        };
        self.next_number = name.number + 1;
        if let Err(error) = file.write_group(preamble) {
            self.folder.discard(&name);
            return Err(error);
        }
        Ok(Current {
            file,
            name,
            begin,
            bytes: preamble.len() as u64,
            preamble_bytes: preamble.len() as u64,
            is_removed: false,
        })
    }

    /// Writes a group to the present file.
    pub(crate) fn write(&mut self, group: &[u8]) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let before = current.file.bytes();
        current.file.write_group(group)?;
        current.bytes += group.len() as u64;
        self.disk_bytes += current.file.bytes() - before;
        Ok(())
    }

    /// Whether the present file is to be sealed and another to be begun.
    pub(crate) fn is_due(&mut self, now_ns: u64) -> bool {
        self.now_ns = now_ns;
        let Some(current) = &mut self.current else {
            return now_ns >= self.look_ns;
        };
        if now_ns >= self.look_ns {
            self.look_ns = now_ns.saturating_add(LOOK_NS);
            current.is_removed = is_removed(current.file.file());
        }
        // What a file begins with must not be most of what is written.
        let is_full =
            current.file.bytes() >= self.file_limit && current.bytes >= 2 * current.preamble_bytes;
        let age_ns = now_ns.saturating_sub(current.begin.ns);
        let is_old = |age: Duration| u128::from(age_ns) >= age.as_nanos();
        let has_more = current.bytes > current.preamble_bytes;
        current.is_removed || is_full || has_more && self.file_age.is_some_and(is_old)
    }

    /// Whether there is a file to write to.
    pub(crate) fn has_file(&self) -> bool {
        self.current.is_some()
    }

    /// Whether what was written to the present file is gone.
    pub(crate) fn is_current_removed(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| is_removed(current.file.file()))
    }

    /// Ends the present file, whose last event was at `end`. Says whether it will be sealed: if too many wait for
    /// that, it is removed.
    pub(crate) fn seal(&mut self, end: Duration, contents: Contents) -> bool {
        self.seal_current(end, contents, false)
    }

    fn seal_current(&mut self, end: Duration, mut contents: Contents, is_last: bool) -> bool {
        let Some(current) = self.current.take() else {
            return true;
        };
        contents.trace_bytes = current.bytes;
        let to_seal = ToSeal {
            bytes: current.file.bytes(),
            // What compresses it is not kept until then.
            file: current.file.into_file(),
            name: current.name,
            begin: current.begin.wall,
            end,
            contents,
        };
        let Err(refused) = self.sealer.seal(to_seal, is_last) else {
            return true;
        };
        self.folder.discard(&refused.name);
        self.disk_bytes = self.disk_bytes.saturating_sub(refused.bytes);
        self.sealer.lose(SinkError::Seal {
            path: self.folder.finished(&refused.name),
            cause: Arc::new(io::Error::other(TOO_MANY)),
        });
        self.lost_by = TOO_MANY;
        false
    }

    /// Ends the present file, and the recording. `closing` is over when all files have been sealed.
    pub(crate) fn close(&mut self, end: Duration, contents: Contents, closing: Closing) {
        self.seal_current(end, contents, true);
        self.sealer.end(closing);
    }

    /// Remembers why there is no file. Returns the error to be reported, if this is news.
    pub(crate) fn pause(&mut self, cause: io::Error) -> Option<SinkError> {
        self.look_ns = self.now_ns.saturating_add(LOOK_NS);
        let is_news = self.cause.is_none();
        self.cause = Some(Arc::new(cause));
        self.why_paused().filter(|_| is_news)
    }

    pub(crate) fn why_paused(&self) -> Option<SinkError> {
        self.cause.as_ref().map(|cause| SinkError::Paused {
            folder: self.folder.path.clone(),
            cause: Arc::clone(cause),
        })
    }

    /// Why what was written before the next file is in none.
    pub(crate) fn why_missing(&self) -> String {
        match &self.cause {
            Some(cause) => cause.to_string(),
            None => self.lost_by.into(),
        }
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    pub(crate) fn seals(&self) -> &Arc<Seals> {
        self.sealer.seals()
    }
}

impl Drop for RotatingFiles {
    fn drop(&mut self) {
        // A start that went no further leaves no empty file.
        if let Some((name, _locked)) = &self.made {
            self.folder.discard(name);
        }
    }
}

fn create(
    folder: &Folder,
    name: FileName,
    zstd_level: Option<i32>,
) -> io::Result<(FileName, GroupFile)> {
    let packing = zstd_level.map(Packing::new).transpose()?;
    let (name, file) = folder.create(name)?;
    Ok((name, GroupFile::new(file, packing)?))
}
