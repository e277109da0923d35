//! How a recording is spread over files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sealed::Sealed;

/// The default for [`Rotation::max_file_bytes`].
const DEFAULT_FILE_BYTES: u64 = 64 << 20;
/// The default for [`Rotation::budget_bytes`].
const DEFAULT_BUDGET_BYTES: u64 = 1 << 30;

pub(crate) type SealedCallback = Box<dyn FnMut(&Sealed) + Send>;

/// How a recording is spread over files: how large and how old they become, and how many bytes of them are kept.
///
/// ```
/// use exectrace_recorder::{RecordingOptions, Rotation, region};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # std::env::set_current_dir(&folder)?;
/// let rotation = Rotation::new("traces/my-service")
///     .max_file_bytes(16 << 20)
///     .max_file_age(Duration::from_secs(600))
///     .budget_bytes(500 << 20)
///     .on_sealed(|sealed| println!("{} is finished", sealed.path.display()));
/// let recording = RecordingOptions::new().start_rotating(rotation)?;
/// drop(region("work"));
/// let report = recording.stop()?;
/// assert_eq!(report.files, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Files
///
/// A file is named `my-service-20261129T021500.123Z-4711-0001.trace`: when it begins (UTC), the process, and its number in
/// the recording. Names sort by time. While a file is written its name ends with `.part`; when it is *sealed*, that is
/// finished and on the disk, it gets its final name. Each file is a trace of its own. It begins with what is open at
/// that time, and ends where the next one begins, so that no event is in two files or in none.
///
/// Files of other names in the same folder are not touched. Processes with the same folder and name share the
/// budget, and write files of their own.
///
/// # Processes that end
///
/// A process that exits in an orderly way seals its last file. One that is killed leaves a file whose name ends with
/// `.part`, and which holds all that was recorded until two tenths of a second before. The next recording of the same
/// folder and name finds it when it starts, or seals one of its own: then nobody holds the file's lock, and it is sealed
/// with its whole groups, or removed if it has none. Where the file system has no locks, and on other systems than
/// Unix, nobody can know that, so such files are left alone. A file that may not be opened is too; that is reported once.
///
/// Machines must not share a folder and a name if the locks of one do not reach the others: a file that is written there
/// would be taken for that of a dead process. NFS passes them on, unless it is mounted with `nolock` or `local_lock`.
///
/// # When a file cannot be written
///
/// If the disk is full, for example, the file is sealed as it was before. From then on the recording drops what
/// is recorded, and tries once a second to begin another file. That one says in a message of the tracer what is missing before it and why, and
/// counts it as lost. A folder that was removed is made again. Each such fault is reported to
/// [`RecordingOptions::on_error`](crate::RecordingOptions::on_error); the recording ends with an error if it
/// cannot write when it is stopped. No sealed file is given up for room beyond the budget.
///
/// A file that cannot be put on the disk under its final name keeps the other, and is counted as lost; the next recording
/// tries again. If more than 4 of one recording are so, the oldest is removed. While the disk is slow, up to 32 files wait
/// for that, and recordings go on; of more, the newest is lost, as the one after it says.
#[must_use = "a rotation does nothing until a recording is started with it"]
pub struct Rotation {
    pub(crate) path: PathBuf,
    pub(crate) file_bytes: u64,
    pub(crate) file_age: Option<Duration>,
    pub(crate) budget_bytes: u64,
    /// `None`: not compressed.
    pub(crate) zstd_level: Option<i32>,
    pub(crate) on_sealed: Option<SealedCallback>,
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation")
            .field("path", &self.path)
            .field("file_bytes", &self.file_bytes)
            .field("file_age", &self.file_age)
            .field("budget_bytes", &self.budget_bytes)
            .field("zstd_level", &self.zstd_level)
            .finish_non_exhaustive()
    }
}

impl Rotation {
    /// Files in the folder of `path`, whose names begin with its last part: `traces/my-service`. The folder is
    /// made if it is missing.
    ///
    /// By default a file has up to 64 MiB, of any age, and all together 1 GiB.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            file_bytes: DEFAULT_FILE_BYTES,
            file_age: None,
            budget_bytes: DEFAULT_BUDGET_BYTES,
            zstd_level: None,
            on_sealed: None,
        }
    }

    /// At this size, in bytes, the next file begins.
    ///
    /// The file may be larger by one group of events, which is a tenth of a second and at most some megabytes. It has
    /// at most a quarter of the budget, and at least twice what it begins with.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes;
        self
    }

    /// At this age the next file begins, to a tenth of a second.
    pub fn max_file_age(mut self, age: Duration) -> Self {
        self.file_age = Some(age);
        self
    }

    /// How many bytes the files of this folder and name may have in all, where one process writes them.
    ///
    /// When a file is sealed, the oldest sealed files are removed until the others leave room for one more of
    /// [`max_file_bytes`](Self::max_file_bytes), the present one. The one that was sealed last is not removed. Files that
    /// are not finished are neither removed nor counted: whoever writes or left them, they cost no finished file. So each
    /// further process may add a file that it writes, and each that died one until it is sealed. Files that cannot be
    /// removed do not count either; that is reported, once.
    pub fn budget_bytes(mut self, bytes: u64) -> Self {
        self.budget_bytes = bytes;
        self
    }

    /// Compresses the files, by Zstandard at this level (1 to 22); their names end with `.trace.zst`.
    ///
    /// Sizes of files are then those after compression. The flush thread compresses, so a high level makes all recordings
    /// late; level 1 to 3 is for busy programs. Each group can be unpacked when it is written, also from the file of a
    /// process that was killed.
    #[cfg(feature = "zstd")]
    pub fn zstd(mut self, level: i32) -> Self {
        self.zstd_level = Some(level.clamp(1, 22));
        self
    }

    /// Has `callback` called with each file that is sealed, one after the other, also when the recording stops, and with
    /// those of dead processes that this recording has sealed.
    ///
    /// It runs on a thread of its own, and may block, and start and stop recordings: meanwhile files are written and
    /// sealed, and the budget is kept. While 1,024 files wait for it, it is not called for further ones.
    /// [`Recording::stop`](crate::Recording::stop) returns when it was called for all; a process that exits waits some
    /// seconds for that. A panic in it is caught; both are counted in
    /// [`Report::seal_calls_failed`](crate::Report::seal_calls_failed).
    pub fn on_sealed(mut self, callback: impl FnMut(&Sealed) + Send + 'static) -> Self {
        self.on_sealed = Some(Box::new(callback));
        self
    }

    /// The size at which the next file begins: the budget has to have room for some.
    pub(crate) fn file_limit(&self) -> u64 {
        self.file_bytes.min(self.budget_bytes / 4)
    }
}
