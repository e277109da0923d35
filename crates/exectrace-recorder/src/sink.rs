//! The sinks of recordings: files and writers, which the flush thread writes.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exectrace_format::Version;

use crate::control::{self, Closing};
use crate::enabled::lock;
use crate::file_lock;
use crate::group_file::GroupFile;
use crate::own_thread;
use crate::process;
use crate::recording::{Contents, FileTime, RotatingFiles, Seals, Tally};
use crate::report::SinkError;
use crate::status::{Destination, NothingRecorded};
use crate::stream::StreamWriter;
use crate::thread_buffer;

/// Is called with a sink's errors.
pub(crate) type ErrorCallback = Box<dyn Fn(&SinkError) + Send>;

/// Is called when nothing was recorded for some time.
pub(crate) type NothingCallback = Box<dyn Fn(&NothingRecorded) + Send>;

/// A write that takes longer is reported to the callback: buffers hold about so much of a busy program.
pub(crate) const SLOW_WRITE: Duration = Duration::from_secs(1);

/// Where a recording's bytes go.
pub(crate) enum Sink {
    File(GroupFile),
    /// One file after the other.
    Rotating(Box<RotatingFiles>),
    Writer(Box<dyn Write + Send>),
    Stream(StreamWriter),
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
    pub(crate) on_nothing: Option<NothingCallback>,
    pub(crate) destination: Destination,
    /// After which time it stops by itself.
    pub(crate) stops_after: Option<Duration>,
    bytes: u64,
    slowest_write: Duration,
    error: Option<SinkError>,
    /// Something that was written is lost, but the recording goes on.
    loss: Option<SinkError>,
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
            on_nothing: None,
            destination: Destination::Writer,
            stops_after: None,
            bytes: 0,
            slowest_write: Duration::ZERO,
            error: None,
            loss: None,
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

    /// Writes what a recording begins with. After an error it does not begin.
    pub(crate) fn begin(&mut self, preamble: &[u8], begin: FileTime) {
        let Some(files) = self.files() else {
            self.write(preamble);
            return;
        };
        match files.begin(preamble, begin) {
            Ok(()) => self.bytes += preamble.len() as u64,
            Err(cause) => self.fail(SinkError::Write {
                bytes: 0,
                cause: Arc::new(cause),
            }),
        }
    }

    /// Writes what the next file begins with; says whether that is done.
    pub(crate) fn begin_next(&mut self, preamble: &[u8], begin: FileTime) -> bool {
        self.timed(preamble, |files, bytes| files.begin(bytes, begin))
    }

    /// Writes whole batches with one call; says whether that is done. After an error nothing is written any more,
    /// but for a recording that can go on in another file.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        if let Sink::Rotating(files) = &self.sink {
            return files.has_file() && self.timed(bytes, RotatingFiles::write);
        }
        // Another sink may have forked just now: then this is the child, and the sink the parent's.
        if self.error.is_some() || bytes.is_empty() || self.process != process::number() {
            return false;
        }
        let begin = Instant::now();
        match self.attempt(|sink| sink.write_all(bytes)) {
            Ok(()) => self.bytes += bytes.len() as u64,
            Err(error @ SinkError::ReaderTooSlow { .. }) => {
                // The sink stays for a last word.
                self.report(&error);
                self.error = Some(error);
            }
            Err(error) => self.fail(error),
        }
        self.took(begin.elapsed());
        self.error.is_none()
    }

    /// Writes to the files of a rotating recording.
    fn timed(
        &mut self,
        bytes: &[u8],
        write: impl FnOnce(&mut RotatingFiles, &[u8]) -> io::Result<()>,
    ) -> bool {
        let Sink::Rotating(files) = &mut self.sink else {
            return false;
        };
        if self.process != process::number() {
            return false;
        }
        let begin = Instant::now();
        let written = write(files, bytes);
        let is_written = written.is_ok();
        let news = written.err().and_then(|cause| files.pause(cause));
        self.bytes += if is_written { bytes.len() as u64 } else { 0 };
        self.took(begin.elapsed());
        if let Some(news) = news {
            self.report(&news);
        }
        is_written
    }

    fn took(&mut self, took: Duration) {
        self.slowest_write = self.slowest_write.max(took);
        // After an error the recording does not go on, as this one says.
        if took >= SLOW_WRITE && self.error.is_none() {
            self.report(&SinkError::Slow { blocked: took });
        }
    }

    /// The files, if there is one after the other.
    pub(crate) fn files(&mut self) -> Option<&mut RotatingFiles> {
        match &mut self.sink {
            Sink::Rotating(files) if self.process == process::number() => Some(files),
            _ => None,
        }
    }

    /// Reports what went wrong when files were sealed.
    pub(crate) fn report_seals(&mut self) {
        let Some(files) = self.files() else { return };
        for fault in files.seals().take_faults() {
            self.report(&fault.error);
            if fault.is_loss {
                self.loss.get_or_insert(fault.error);
            }
        }
    }

    /// What became of files, and how many bytes they have.
    pub(crate) fn tally(&mut self) -> (Tally, u64) {
        let bytes = self.bytes;
        match self.files() {
            Some(files) => (files.seals().tally(), files.disk_bytes()),
            None => (Tally::default(), bytes),
        }
    }

    pub(crate) fn seals(&mut self) -> Option<Arc<Seals>> {
        self.files().map(|files| Arc::clone(files.seals()))
    }

    /// Gives a sink up whose reader was too slow, with a last part for it.
    pub(crate) fn write_last(&mut self, bytes: &[u8]) {
        if let Sink::Stream(stream) = &self.sink {
            stream.push_last(bytes);
            self.bytes += bytes.len() as u64;
        }
        self.drop_sink();
    }

    /// Whether a last part is to be written.
    pub(crate) fn wants_last(&self) -> bool {
        matches!(self.error, Some(SinkError::ReaderTooSlow { .. }))
            && !matches!(self.sink, Sink::Gone)
    }

    /// Says that nothing was recorded for some time.
    pub(crate) fn report_nothing(&self, nothing: &NothingRecorded) {
        if let Some(callback) = &self.on_nothing {
            let _ = catch_unwind(AssertUnwindSafe(|| callback(nothing)));
        }
    }

    /// Has what was written kept for good, by another thread if that may take its time: no other recording waits for it.
    /// `closing` is over when that is done. `end` is when the last event was, and `contents` are those of the last file, if
    /// there is one after the other.
    pub(crate) fn close(&mut self, end: Duration, contents: Contents, mut closing: Closing) {
        if let Some(files) = self.files() {
            return files.close(end, contents, closing);
        }
        if matches!(&self.sink, Sink::File(_))
            && let Sink::File(file) = std::mem::replace(&mut self.sink, Sink::Gone)
        {
            return sync_elsewhere(file, closing);
        }
        let flushed = match self.error {
            None => self.attempt(Sink::flush),
            Some(_) => Ok(()),
        };
        if let Err(error) = flushed {
            self.fail(error);
        }
        closing.set(Ok(()));
    }

    /// It is closed, so nothing becomes of it any more.
    pub(crate) fn closed(&mut self, result: io::Result<()>) {
        self.report_seals();
        if let Some(files) = self.files() {
            // It was reported when it began.
            let paused = files.why_paused();
            self.error = self.error.take().or(paused).or(self.loss.take());
        }
        if let (None, Err(cause)) = (&self.error, result) {
            let (bytes, cause) = (self.bytes, Arc::new(cause));
            let error = SinkError::Write { bytes, cause };
            self.report(&error);
            self.error = Some(error);
        }
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
            Ok(Err(cause))
                if cause.kind() == io::ErrorKind::WouldBlock
                    && matches!(self.sink, Sink::Stream(_)) =>
            {
                Err(SinkError::ReaderTooSlow { bytes })
            }
            Ok(Err(cause)) => Err(SinkError::Write {
                bytes,
                cause: Arc::new(cause),
            }),
            Err(_) => Err(SinkError::Panicked { bytes }),
        }
    }

    pub(crate) fn drop_sink(&mut self) {
        let sink = std::mem::replace(&mut self.sink, Sink::Gone);
        if let Sink::File(file) = &sink {
            file_lock::release(file.file());
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
            Sink::File(file) => file.write_group(bytes),
            Sink::Writer(writer) => {
                writer.write_all(bytes)?;
                writer.flush()
            }
            Sink::Stream(stream) => Ok(stream.push(bytes)?),
            Sink::Rotating(_) | Sink::Gone => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Writer(writer) => writer.flush(),
            Sink::File(_) | Sink::Rotating(_) | Sink::Stream(_) | Sink::Gone => Ok(()),
        }
    }
}

/// Has a file put on the disk by a thread of its own, or by this one if there is none.
fn sync_elsewhere(file: GroupFile, closing: Closing) {
    let sync = |(file, mut closing): (GroupFile, Closing)| {
        let synced = file.sync();
        file_lock::release(file.file());
        // Before anybody may want it again.
        drop(file);
        closing.set(synced);
    };
    // The thread has it, unless that cannot be started.
    let owned = Arc::new(Mutex::new(Some((file, closing))));
    let of_thread = Arc::clone(&owned);
    let started = own_thread::spawn(c"exectrace-sync", move || {
        control::block_signals();
        thread_buffer::mute_this_thread();
        let owned = lock(&of_thread).take();
        owned.into_iter().for_each(sync);
    });
    if started.is_err() {
        let owned = lock(&owned).take();
        owned.into_iter().for_each(sync);
    }
}
