//! Finished files of a rotating recording go to an object store: S3, Google Cloud Storage, Azure, a folder.
//!
//! [`Uploader`] takes files from [`Rotation::on_sealed`](crate::Rotation::on_sealed) and puts them into any
//! [`ObjectStore`], on a thread of its own. The program depends on `object_store` with the features of its store
//! (`aws`, `gcp`, `azure`); the feature `upload` of this crate switches none of them on.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use exectrace::upload::Uploader;
//! use exectrace::{RecordingOptions, Rotation};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop");
//! // Or `object_store::aws::AmazonS3Builder::from_env()`, or `object_store::parse_url_opts`.
//! let store = Arc::new(object_store::memory::InMemory::new());
//! let uploader = Uploader::options(store).resume(&path).start()?;
//!
//! let sealed = uploader.clone();
//! let rotation = Rotation::new(&path).on_sealed(move |file| sealed.push(file));
//! let recording = RecordingOptions::new().start_rotating(rotation)?;
//! drop(exectrace::region("work"));
//! recording.stop()?;
//!
//! let status = uploader.finish(Duration::from_secs(30));
//! assert_eq!((status.uploaded, status.waiting), (1, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # Names in the store
//!
//! ```text
//! PREFIX/service=shop/host=web1/date=2026-11-29/shop-20261129T021500.123Z-4711-0001.trace
//! PREFIX/service=shop/host=web1/date=2026-11-29/shop-20261129T021500.123Z-4711-0001.trace.manifest.json
//! ```
//!
//! The date is that of the file's begin, UTC. Query engines read such folders as columns (*hive partitioning*), as they
//! do those of the Parquet tables that `exectrace export parquet` makes of traces. The service is what
//! `OTEL_SERVICE_NAME` says, or `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, or else the program's name; the host is
//! `host.name` there, or else what the system says.
//!
//! The manifest is written after the trace has been found whole in the store. So a trace without a manifest is not
//! complete, and one with a manifest is. [`Manifest`] has its fields.
//!
//! # What can go wrong
//!
//! - **The store fails, does not answer, or has something else than what was sent.** The file is tried again, after a
//!   second, two, four and so on up to a minute (each between half and all of that, by chance), until it is there. A
//!   request that takes longer than [`UploaderOptions::request_timeout`] counts as failed. After each upload the
//!   store is asked for the size and the tag of what it has.
//! - **More files come than go.** At most [`UploaderOptions::max_backlog`] wait. The oldest of them are left out for
//!   new ones, and counted; they stay on the disk, within the budget of the rotation.
//! - **The file is gone or cannot be read.** It is left out and counted: the budget of the rotation was too small
//!   for the time in which the store was away.
//! - **The process ends.** What was not uploaded stays on the disk. The next process that calls
//!   [`UploaderOptions::resume`] with the path of the same rotation uploads each finished file there whose manifest the
//!   store does not have.

mod backlog;
mod key;
mod manifest;
mod origin;
mod transfer;
mod worker;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use exectrace_recorder::Sealed;
use object_store::ObjectStore;

use backlog::{Backlog, Item};
pub use manifest::Manifest;
use origin::Origin;
use worker::Worker;

/// Puts finished files into an object store. Clones are handles of the same uploader.
///
/// Its thread, `exectrace-upload`, ends with [`finish`](Self::finish), or when the last handle is dropped; then it does
/// not wait for files that are not uploaded yet.
#[derive(Clone)]
pub struct Uploader {
    shared: Arc<Shared>,
}

/// The longest that an uploader waits.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// How long after its time the thread is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the thread with the last handle.
struct Shared {
    backlog: Arc<Backlog>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.backlog.finish_until(Instant::now());
    }
}

impl fmt::Debug for Uploader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploader")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// What has become of the files of an [`Uploader`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadStatus {
    /// Files that wait, the one that is being uploaded included.
    pub waiting: u64,
    /// Files that are in the store with their manifests.
    pub uploaded: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Files of earlier processes whose manifests were in the store already.
    pub found_uploaded: u64,
    /// Files that were left out because too many waited. They are still on the disk.
    pub left_out: u64,
    /// Files that were gone or could not be read.
    pub unreadable: u64,
    /// Attempts that failed and were, or will be, followed by another one.
    pub failed_attempts: u64,
    /// Why the last of them failed.
    pub last_error: Option<String>,
}

/// How an [`Uploader`] works. [`Uploader::options`] makes it.
#[must_use = "nothing is uploaded until it is started"]
pub struct UploaderOptions {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    origin: Origin,
    resume: Vec<PathBuf>,
    delete_uploaded: bool,
    max_backlog: usize,
    request_timeout: Duration,
    retry: (Duration, Duration),
}

impl fmt::Debug for UploaderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploaderOptions")
            .field("store", &self.store.to_string())
            .field("prefix", &self.prefix)
            .field("origin", &self.origin)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

impl Uploader {
    /// An uploader into this store, with the default options.
    pub fn options(store: Arc<dyn ObjectStore>) -> UploaderOptions {
        UploaderOptions {
            store,
            prefix: String::new(),
            origin: Origin::of_environment(),
            resume: Vec::new(),
            delete_uploaded: false,
            max_backlog: 1_024,
            request_timeout: Duration::from_secs(60),
            retry: (Duration::from_secs(1), Duration::from_secs(60)),
        }
    }

    /// Takes a finished file. Returns at once.
    pub fn push(&self, file: &Sealed) {
        self.shared.backlog.push(Item::sealed(file));
    }

    /// What has become of the files so far.
    #[must_use]
    pub fn status(&self) -> UploadStatus {
        self.shared.backlog.status()
    }

    /// Waits until all files that were pushed are uploaded, at most for so long, and ends the uploader: files that are
    /// pushed later, by this or another handle, are left out. [`UploadStatus::waiting`] says how many were not uploaded.
    ///
    /// Stop the recording first: its last file is finished then.
    pub fn finish(&self, at_most: Duration) -> UploadStatus {
        // A century is as good as for ever, and never more than the clock can count.
        let deadline = Instant::now() + at_most.min(A_CENTURY);
        self.shared.backlog.finish_until(deadline);
        // The thread gives up by itself then, unless the disk keeps it, or it was not taken along into a forked child.
        self.shared.backlog.wait_for_end(deadline + GRACE);
        self.status()
    }
}

impl UploaderOptions {
    /// The names of all objects begin with this folder, which may have several parts: `traces/eu`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The service, in place of what the environment says.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.origin.service = name.into();
        self
    }

    /// The host, in place of what the environment or the system says.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.origin.host = name.into();
        self
    }

    /// Also uploads the finished files of the rotation at this path, as [`Rotation::new`](crate::Rotation::new) takes
    /// it, that are there now and whose manifests the store does not have: those of earlier processes.
    pub fn resume(mut self, rotation: impl AsRef<Path>) -> Self {
        self.resume.push(rotation.as_ref().to_owned());
        self
    }

    /// Removes each file from the disk when it is in the store, with its manifest.
    pub fn delete_uploaded(mut self, delete: bool) -> Self {
        self.delete_uploaded = delete;
        self
    }

    /// How many files may wait; at least one. The default is 1,024.
    pub fn max_backlog(mut self, files: usize) -> Self {
        self.max_backlog = files.max(1);
        self
    }

    /// How long a request to the store may take; large files take several. The default is a minute.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long to wait after the first failed attempt in a row, and at most. The default is a second, and a minute.
    pub fn retry(mut self, first: Duration, longest: Duration) -> Self {
        self.retry = (first, longest.max(first));
        self
    }

    /// Starts the uploader, on a thread of its own with a runtime of its own. So it works in any program, and what
    /// it awaits is in no other runtime's way.
    ///
    /// # Errors
    ///
    /// The system gives no thread, or no runtime.
    pub fn start(self) -> io::Result<Uploader> {
        let backlog = Arc::new(Backlog::new(self.max_backlog));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let worker = Worker::new(Arc::clone(&backlog), self);
        let end = backlog::EndMark(Arc::clone(&backlog));
        thread::Builder::new()
            .name("exectrace-upload".to_owned())
            .spawn(move || {
                let _end = end;
                runtime.block_on(worker.run());
                // What blocks in it must not keep us.
                runtime.shutdown_background();
            })?;
        let shared = Arc::new(Shared { backlog });
        Ok(Uploader { shared })
    }
}
