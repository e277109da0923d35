//! Recordings: consumers of the trace, from their start to their stop.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exectrace_format::Version;

use crate::control::{self, RecordingId};
use crate::enabled;
use crate::file_lock::{self, Refused};
use crate::process;

/// Starts a recording into a new file at `path`, which is overwritten if it exists.
///
/// Returns when records are switched on. See [`RecordingOptions`] for more.
///
/// # Errors
/// See [`StartError`].
pub fn start(path: impl AsRef<Path>) -> Result<Recording, StartError> {
    RecordingOptions::new().start_file(path)
}

/// Is told of a sink's errors.
pub(crate) type ErrorCallback = Box<dyn Fn(&SinkError) + Send>;

/// How a recording is to be made.
#[must_use = "options do nothing until a recording is started"]
pub struct RecordingOptions {
    version: Version,
    on_error: Option<ErrorCallback>,
}

impl fmt::Debug for RecordingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingOptions")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Default for RecordingOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordingOptions {
    /// A file for the tools of Go 1.25 and newer; errors are told by [`Recording::stop`] only.
    pub fn new() -> Self {
        Self {
            version: Version::Go125,
            on_error: None,
        }
    }

    /// Writes a file that the tools of Go 1.23 and 1.24 read as well. It lacks the wall clock.
    pub fn compatible_with_go_1_23(mut self) -> Self {
        self.version = Version::Go123;
        self
    }

    /// Has `callback` told of the sink's errors when they happen.
    ///
    /// It runs on the flush thread: while it runs nothing is written, it cannot start a recording, and
    /// one that it stops or drops is stopped after it has returned. A panic in it is caught and
    /// ignored.
    pub fn on_error(mut self, callback: impl Fn(&SinkError) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(callback));
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
        let file = file_lock::create(path).map_err(|refused| {
            let path = path.to_owned();
            match refused {
                Refused::InUse => StartError::InUse { path },
                Refused::Io(cause) => StartError::Create { path, cause },
            }
        })?;
        self.start_sink(Sink::File { file, length: 0 })
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
        self.start_sink(Sink::Writer(Box::new(writer)))
    }

    fn start_sink(self, sink: Sink) -> Result<Recording, StartError> {
        let output = RecordingSink::new(sink, self.version, self.on_error);
        let process = process::number();
        let id = control::start(output)?;
        // Also if something recorded before: it may have stopped meanwhile.
        enabled::call_listeners();
        Ok(Recording {
            id: Some(id),
            process,
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
}

impl Recording {
    /// Stops the recording and returns when all that was recorded is written.
    ///
    /// Records made before this call are in the trace. For a file, what the report counts is on the
    /// disk: the system was told to write it through.
    ///
    /// # Errors
    /// [`StopError`] if the sink failed at any time. What was written before is a valid trace.
    /// [`SinkError::Forked`] in a forked child of the process that records, and
    /// [`SinkError::OnFlushThread`] where a sink or a callback of the tracer calls this.
    pub fn stop(mut self) -> Result<Report, StopError> {
        self.finish()
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
        let result = control::stop(id);
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

/// What a recording wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Events in the trace.
    pub events: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Generations begun, the preamble included.
    pub generations: u64,
    /// Records that were read from the threads' buffers.
    pub records: u64,
    /// Records that were lost, for whatever reason: because the buffers were full, if it is none of the
    /// two below.
    pub records_dropped: u64,
    /// Those of them that were lost because the formatting of one of their values panicked.
    pub records_unformatted: u64,
    /// Those of them that were lost because their thread was in the middle of another one, as those are that
    /// a value's own formatting makes, or had handed its buffer over at its end.
    pub records_nested: u64,
    /// Begins, ends and wakes that were concluded, not recorded; the trace marks them.
    pub inferred: u64,
    /// Spans, tasks and regions left out because a table was full.
    pub untracked: u64,
    /// Waits of async tasks whose stack could not be taken, for want of frame pointers.
    pub stacks_missed: u64,
    /// From start to stop.
    pub duration: Duration,
    /// The longest time that the sink took for one write.
    pub slowest_write: Duration,
    /// Why nothing was recorded, if that is so.
    pub(crate) nothing: Option<&'static str>,
}

impl Report {
    /// If the program recorded nothing at all: the likely cause, in words.
    #[must_use]
    pub fn nothing_recorded(&self) -> Option<&'static str> {
        self.nothing
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events in {} bytes and {} generations, over {:.3?}; {} records, {} dropped",
            self.events,
            self.bytes,
            self.generations,
            self.duration,
            self.records,
            self.records_dropped,
        )?;
        let others = [
            (
                self.records_unformatted,
                "as the formatting of a value panicked",
            ),
            (self.records_nested, "inside another record"),
        ];
        for (count, why) in others.iter().filter(|(count, _)| *count > 0) {
            write!(f, " ({count} {why})")?;
        }
        if self.untracked > 0 {
            write!(f, "; {} spans, tasks and regions left out", self.untracked)?;
        }
        if let Some(cause) = self.nothing {
            write!(f, "; nothing was recorded: {cause}")?;
        }
        if self.slowest_write >= SLOW_WRITE {
            write!(f, "; a write took {:.1?}", self.slowest_write)?;
        }
        Ok(())
    }
}

/// A write that takes longer is told to the callback: buffers hold about so much of a busy program.
const SLOW_WRITE: Duration = Duration::from_secs(1);

/// Why a recording did not start. Nothing was switched on.
///
/// Its text ends with the cause, which is therefore not its `source()` as well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The file could not be made.
    #[error("cannot create the trace file {}: {cause}", path.display())]
    Create {
        /// Where it was to be.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another recording writes to the file, in this process or another.
    #[error(
        "another recording writes to {}; stop it first, or choose another file", path.display()
    )]
    InUse {
        /// Where it was to be.
        path: PathBuf,
    },
    /// The sink did not take the first bytes.
    #[error("the beginning of the trace could not be written: {0}")]
    Sink(SinkError),
    /// The system refused the memory for the buffers.
    #[error("no memory for buffers of {bytes} bytes; set less with `Settings::memory_bytes`")]
    Memory {
        /// How much was asked for.
        bytes: usize,
    },
    /// The system refused a thread.
    #[error("the flush thread could not be started: {0}")]
    Thread(io::Error),
    /// A sink or a callback of the tracer tried it, on the thread that would have to start it.
    #[error("a sink or a callback of the tracer cannot start a recording; use another thread")]
    OnFlushThread,
    /// The tracer itself failed.
    #[error("the tracer failed; please report it")]
    Internal,
}

/// What went wrong with a sink.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It returned an error. The recording ends there.
    #[error("the trace could not be written further after {bytes} bytes: {cause}")]
    Write {
        /// Bytes of the trace that were written before.
        bytes: u64,
        /// What the sink says.
        cause: Arc<io::Error>,
    },
    /// It panicked. The recording ends there.
    #[error("the trace's writer panicked after {bytes} bytes")]
    Panicked {
        /// Bytes of the trace that were written before.
        bytes: u64,
    },
    /// It took long for one write. The recording goes on; records may have been dropped meanwhile.
    #[error("the trace's writer blocked for {blocked:.1?}")]
    Slow {
        /// How long.
        blocked: Duration,
    },
    /// A sink or a callback of the tracer stopped the recording, on the thread that has to stop it.
    /// It is stopped after that call has returned, and its report is lost.
    #[error("a sink or a callback of the tracer cannot wait for the end of a recording")]
    OnFlushThread,
    /// This process was forked from the one that records. That one goes on recording.
    #[error("the recording is that of the process from which this one was forked")]
    Forked,
    /// The tracer itself failed. All recordings end there.
    #[error("the tracer failed; please report it")]
    Internal,
}

/// A recording ended with an error; what was written before it is a valid trace.
#[derive(Debug, thiserror::Error)]
#[error("the recording is incomplete: {error} ({report})")]
pub struct StopError {
    /// In a box, as an error should be small.
    report: Box<Report>,
    error: SinkError,
}

impl StopError {
    pub(crate) fn new(report: Report, error: SinkError) -> Self {
        let report = Box::new(report);
        Self { report, error }
    }

    /// What was written until then.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The first error that ended the recording.
    #[must_use]
    pub fn error(&self) -> &SinkError {
        &self.error
    }
}

/// Where a recording's bytes go.
enum Sink {
    File {
        file: File,
        length: u64,
    },
    Writer(Box<dyn Write + Send>),
    /// It failed, and was dropped.
    Gone,
}

/// A recording's end of the flush thread.
pub(crate) struct RecordingSink {
    /// The number of the process that writes to it.
    process: u32,
    sink: Sink,
    pub(crate) version: Version,
    on_error: Option<ErrorCallback>,
    bytes: u64,
    slowest_write: Duration,
    error: Option<SinkError>,
}

impl fmt::Debug for RecordingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingSink")
            .field("version", &self.version)
            .field("bytes", &self.bytes)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl RecordingSink {
    fn new(sink: Sink, version: Version, on_error: Option<ErrorCallback>) -> Self {
        Self {
            process: process::number(),
            sink,
            version,
            on_error,
            bytes: 0,
            slowest_write: Duration::ZERO,
            error: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn of_writer(writer: impl Write + Send + 'static, version: Version) -> Self {
        Self::new(Sink::Writer(Box::new(writer)), version, None)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn slowest_write(&self) -> Duration {
        self.slowest_write
    }

    pub(crate) fn error(&self) -> Option<&SinkError> {
        self.error.as_ref()
    }

    /// Writes whole batches with one call. After an error nothing is written any more.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // Another sink may have forked just now: then this is the child, and the sink the parent's.
        if self.error.is_some() || bytes.is_empty() || self.process != process::number() {
            return;
        }
        let begin = Instant::now();
        match self.attempt(|sink| sink.write_all(bytes)) {
            Ok(()) => self.bytes += bytes.len() as u64,
            Err(error) => self.fail(error),
        }
        let took = begin.elapsed();
        self.slowest_write = self.slowest_write.max(took);
        // After an error the recording does not go on, as this one says.
        if took >= SLOW_WRITE && self.error.is_none() {
            self.tell(&SinkError::Slow { blocked: took });
        }
    }

    /// Has what was written kept for good, and gives the sink up.
    pub(crate) fn close(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.attempt(Sink::sync)
        {
            self.fail(error);
        }
        self.drop_sink();
    }

    /// Ends the recording for a reason of the tracer's own.
    pub(crate) fn fail(&mut self, error: SinkError) {
        self.tell(&error);
        self.error = Some(error);
        self.drop_sink();
    }

    /// Runs a sink's code, which is not ours and may panic.
    fn attempt(&mut self, f: impl FnOnce(&mut Sink) -> io::Result<()>) -> Result<(), SinkError> {
        let bytes = self.bytes;
        match catch_unwind(AssertUnwindSafe(|| f(&mut self.sink))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(SinkError::Write {
                bytes,
                cause: Arc::new(cause),
            }),
            Err(_) => Err(SinkError::Panicked { bytes }),
        }
    }

    fn drop_sink(&mut self) {
        let sink = std::mem::replace(&mut self.sink, Sink::Gone);
        if let Sink::File { file, .. } = &sink {
            file_lock::release(file);
        }
        // A writer may panic in its destructor as well; nobody could do anything about it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(sink)));
    }

    fn tell(&self, error: &SinkError) {
        if let Some(callback) = &self.on_error {
            let _ = catch_unwind(AssertUnwindSafe(|| callback(error)));
        }
    }
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::File { file, length } => {
                if let Err(error) = file.write_all(bytes) {
                    // A group that was written in part is taken back, so that the file stays whole.
                    let _ = file.set_len(*length);
                    return Err(error);
                }
                *length += bytes.len() as u64;
                Ok(())
            }
            Sink::Writer(writer) => {
                writer.write_all(bytes)?;
                writer.flush()
            }
            Sink::Gone => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self {
            Sink::File { file, .. } => match file.sync_data() {
                // A pipe or a device has nothing to sync.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                result => result,
            },
            Sink::Writer(writer) => writer.flush(),
            Sink::Gone => Ok(()),
        }
    }
}
