//! Recordings: consumers of the trace, from their start to their stop.

mod file_name;
mod folder;
mod rotating_files;
mod rotation;
mod sealed;
mod sealer;

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exectrace_format::Version;

use crate::control::{self, RecordingId};
use crate::enabled;
use crate::file_lock::{self, NewFile, Refused};
use crate::group_file::GroupFile;
use crate::process;
use crate::report::{Report, SinkError, StartError, StopError};
use crate::sink::{ErrorCallback, NothingCallback, RecordingSink, Sink};
use crate::status::{Destination, NothingRecorded};
use crate::stream::{self, Stream};
use crate::thread_buffer;

pub use file_name::utc;
#[cfg(test)]
pub(crate) use folder::SLOW_DISK;
pub(crate) use rotating_files::{FileTime, RotatingFiles};
pub use rotation::Rotation;
pub use sealed::{Contents, Sealed};
#[cfg(test)]
pub(crate) use sealer::MAX_UNSEALED;
pub(crate) use sealer::{Seals, Tally};

/// Starts a recording into a new file at `path`, which is overwritten if it exists.
///
/// Returns when records are written. See [`RecordingOptions`] for more.
///
/// # Errors
/// See [`StartError`].
pub fn start(path: impl AsRef<Path>) -> Result<Recording, StartError> {
    RecordingOptions::new().start_file(path)
}

/// How a recording is to be made.
#[must_use = "options do nothing until a recording is started"]
pub struct RecordingOptions {
    version: Version,
    on_error: Option<ErrorCallback>,
    on_nothing: Option<NothingCallback>,
    stops_after: Option<Duration>,
}

impl fmt::Debug for RecordingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingOptions")
            .field("version", &self.version)
            .field("stops_after", &self.stops_after)
            .finish_non_exhaustive()
    }
}

impl Default for RecordingOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordingOptions {
    /// A file for the tools of Go 1.25 and newer; errors are returned by [`Recording::stop`] only.
    pub fn new() -> Self {
        Self {
            version: Version::Go125,
            on_error: None,
            on_nothing: None,
            stops_after: None,
        }
    }

    /// Writes a file that the tools of Go 1.23 and 1.24 read as well. It lacks the wall clock.
    pub fn compatible_with_go_1_23(mut self) -> Self {
        self.version = Version::Go123;
        self
    }

    /// Has `callback` called with the sink's errors when they happen.
    ///
    /// It runs on the flush thread: while it runs nothing is written, it cannot start a recording, and
    /// one that it stops or drops is stopped after it has returned. A panic in it is caught and
    /// ignored.
    pub fn on_error(mut self, callback: impl Fn(&SinkError) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(callback));
        self
    }

    /// Has `callback` called once if the recording has recorded nothing of the program's for some seconds
    /// ([`Settings::warn_if_nothing_for`](crate::Settings::warn_if_nothing_for)), with the likely cause.
    ///
    /// Whether that is a mistake, [`NothingCause::is_fault`](crate::NothingCause::is_fault) says. exectrace itself
    /// prints nothing. It runs on the flush thread, as [`on_error`](Self::on_error) does.
    pub fn on_nothing_recorded(
        mut self,
        callback: impl Fn(&NothingRecorded) + Send + 'static,
    ) -> Self {
        self.on_nothing = Some(Box::new(callback));
        self
    }

    /// Has the recording stop by itself after this time, or up to some milliseconds later.
    ///
    /// [`Recording::stop`] returns its report then as well, and stops it before. Nothing waits for the end: the flush
    /// thread looks at the time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let options = exectrace_recorder::RecordingOptions::new().stop_after(Duration::from_millis(1));
    /// let (recording, stream) = options.start_stream(1 << 20)?;
    /// // The stream ends when the recording does.
    /// let bytes: usize = stream.map(|part| part.len()).sum();
    /// assert_eq!(recording.stop()?.bytes, bytes as u64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_after(mut self, time: Duration) -> Self {
        self.stops_after = Some(time);
        self
    }

    /// Starts a recording into a new file at `path`, which is overwritten if it exists.
    ///
    /// While the recording runs, its file is locked (with `flock`, where the system has that), so that
    /// no other recording of this or another process can be started into it, by whatever link.
    ///
    /// # Errors
    /// [`StartError::Create`] if the file cannot be made, [`StartError::InUse`] if another recording
    /// writes to it; the others of [`StartError`].
    pub fn start_file(self, path: impl AsRef<Path>) -> Result<Recording, StartError> {
        // Before the file is made: it may be another recording's.
        control::can_start()?;
        let path = path.as_ref();
        let file = file_lock::create(path).map_err(|refused| refused.at(path))?;
        self.start_group_file(file, path)
    }

    /// Starts a recording into a file at `path` that did not exist, or was empty: one that has something in it is left as
    /// it is. Symbolic links are not followed.
    ///
    /// While the recording runs, its file is locked, as with [`start_file`](Self::start_file). A file that was made for
    /// a recording that then does not start is removed.
    ///
    /// # Errors
    /// [`StartError::Exists`] if there is something by this name; those of [`start_file`](Self::start_file).
    pub fn start_new_file(self, path: impl AsRef<Path>) -> Result<Recording, StartError> {
        control::can_start()?;
        let path = path.as_ref();
        let failed = |cause| Refused::Io(cause).at(path);
        let NewFile { file, is_made } =
            file_lock::create_new(path).map_err(|refused| refused.at(path))?;
        // With the lock, so that nobody else has taken the file when it is removed.
        let held = file.try_clone();
        let started = match &held {
            Ok(_) => self.start_group_file(file, path),
            Err(error) => Err(failed(error.kind().into())),
        };
        if is_made && started.is_err() {
            // If it cannot be removed, it is empty.
            let _ = fs::remove_file(path);
        }
        started
    }

    fn start_group_file(self, file: File, path: &Path) -> Result<Recording, StartError> {
        let file = GroupFile::new(file, None).map_err(|cause| Refused::Io(cause).at(path))?;
        self.start_sink(Sink::File(file), Destination::File(path.to_owned()))
    }

    /// Starts a recording into one file after the other, for as long as the program likes: see [`Rotation`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # std::env::set_current_dir(&folder)?;
    /// use exectrace_recorder::{RecordingOptions, Rotation};
    ///
    /// let rotation = Rotation::new("traces/my-service");
    /// let recording = RecordingOptions::new().start_rotating(rotation)?;
    /// recording.stop()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StartError::Create`] if the folder or the first file cannot be made, [`StartError::Thread`] if there is no
    /// thread to seal files; the others of [`StartError`].
    pub fn start_rotating(self, rotation: Rotation) -> Result<Recording, StartError> {
        // Before a file is made.
        control::can_start()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let destination = Destination::Rotating(rotation.path.clone());
        let files = RotatingFiles::start(rotation, now.unwrap_or_default())?;
        self.start_sink(Sink::Rotating(Box::new(files)), destination)
    }

    /// Starts a recording into a writer.
    ///
    /// Each group of events, ten a second, is one `write_all`, followed by one `flush`. The writer
    /// is used, and dropped, on the flush thread, where a slow one delays all recordings: what the
    /// buffers cannot hold meanwhile is dropped and counted. A recording that the writer stops or
    /// drops is stopped after the writer has returned.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start_writer(
        self,
        writer: impl Write + Send + 'static,
    ) -> Result<Recording, StartError> {
        self.start_sink(Sink::Writer(Box::new(writer)), Destination::Writer)
    }

    /// Starts a recording whose bytes are read from a [`Stream`] while it is made.
    ///
    /// At most `capacity_bytes` wait for the reader, or one group of events, which is about a megabyte where much is
    /// recorded, and more at the start if millions of tasks are alive. If the reader is further behind than that, the
    /// recording ends with [`SinkError::ReaderTooSlow`]: neither the program nor other recordings wait for it. The
    /// trace up to there is valid, and says why it ends.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start_stream(self, capacity_bytes: usize) -> Result<(Recording, Stream), StartError> {
        let (writer, stream) = stream::stream(capacity_bytes);
        let recording = self.start_sink(Sink::Stream(writer), Destination::Stream)?;
        Ok((recording, stream))
    }

    fn start_sink(self, sink: Sink, destination: Destination) -> Result<Recording, StartError> {
        let mut output = RecordingSink::new(sink, self.version, self.on_error);
        output.on_nothing = self.on_nothing;
        output.destination = destination;
        output.stops_after = self.stops_after;
        let seals = output.seals();
        let process = process::number();
        let id = control::start(output)?;
        // Also if something recorded before: it may have stopped meanwhile.
        enabled::call_listeners();
        Ok(Recording {
            id: Some(id),
            process,
            seals,
        })
    }
}

/// A recording that runs.
///
/// Dropping it stops it; errors then only reach [`RecordingOptions::on_error`]. A recording that
/// still runs when the process exits in an orderly way is stopped then.
#[derive(Debug)]
#[must_use = "a recording stops when it is dropped"]
pub struct Recording {
    /// `None` once it was stopped.
    id: Option<RecordingId>,
    /// The number of the process that records.
    process: u32,
    /// Who seals its files, if it has one after the other.
    seals: Option<Arc<Seals>>,
}

impl Recording {
    /// Stops the recording and returns when all that was recorded is written.
    ///
    /// Records made before this call are in the trace. For a file, what the report counts is on the
    /// disk: the system was asked to write it through. Other recordings go on meanwhile.
    ///
    /// # Errors
    /// [`StopError`] if the sink failed at any time. What was written before is a valid trace.
    /// [`SinkError::Forked`] in a forked child of the process that records, and
    /// [`SinkError::OnFlushThread`] where a sink or a callback of the tracer calls this.
    pub fn stop(mut self) -> Result<Report, StopError> {
        self.finish()
    }

    /// Stops the recording and returns at once, for those who must not wait, such as an async task.
    ///
    /// The flush thread stops it with its next step; the report is lost, and errors only reach
    /// [`RecordingOptions::on_error`].
    pub fn stop_in_background(mut self) {
        if let Some(id) = self.id.take()
            && !self.is_of_parent()
        {
            control::stop_in_background(id);
        }
    }

    /// Its number in a [`Status`](crate::Status).
    #[must_use]
    pub fn number(&self) -> u64 {
        self.id.map_or(0, |id| id.0)
    }

    /// Whether this process was forked from the one that records, so that nothing of what it does is
    /// recorded, and stopping the recording is an error.
    ///
    /// A forked child can start recordings of its own.
    #[must_use]
    pub fn is_of_parent(&self) -> bool {
        self.process != process::number()
    }

    fn finish(&mut self) -> Result<Report, StopError> {
        let Some(id) = self.id.take() else {
            return Ok(Report::default());
        };
        if self.is_of_parent() {
            return Err(StopError::new(Report::default(), SinkError::Forked));
        }
        let mut result = control::stop(id);
        if let Some(seals) = &self.seals {
            // The thread that runs the callback does not wait for itself, nor does the flush thread for this one.
            if !thread_buffer::is_flush_thread() {
                seals.wait_for_calls();
            }
            let report = match &mut result {
                Ok(report) => report,
                Err(error) => error.report_mut(),
            };
            report.seal_calls_failed = seals.tally().calls_failed;
        }
        if !enabled::is_enabled() {
            enabled::call_listeners();
        }
        result
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // The callback has the error, if anybody wants it.
        let _ = self.finish();
    }
}
