//! The sinks of recordings: files and writers, which the flush thread writes.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exectrace_format::Version;

use crate::file_lock;
use crate::process;
use crate::report::SinkError;

/// Is called with a sink's errors.
pub(crate) type ErrorCallback = Box<dyn Fn(&SinkError) + Send>;

/// A write that takes longer is reported to the callback: buffers hold about so much of a busy program.
pub(crate) const SLOW_WRITE: Duration = Duration::from_secs(1);

/// Where a recording's bytes go.
pub(crate) enum Sink {
    File {
        file: File,
        length: u64,
    },
    Writer(Box<dyn Write + Send>),
    /// It failed, and was dropped.
    Gone,
}

/// A sink, and what was written to it.
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
    pub(crate) fn new(sink: Sink, version: Version, on_error: Option<ErrorCallback>) -> Self {
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
            self.report(&SinkError::Slow { blocked: took });
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
        self.report(&error);
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

    fn report(&self, error: &SinkError) {
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
