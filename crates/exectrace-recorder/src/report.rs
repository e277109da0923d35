//! How a recording went: what it wrote, and what went wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sink::SLOW_WRITE;
use crate::status::NothingCause;

/// What a recording wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Events in the trace.
    pub events: u64,
    /// Bytes written, before compression.
    pub bytes: u64,
    /// Bytes that the trace has in its files: fewer than `bytes` where it is compressed.
    pub disk_bytes: u64,
    /// Files of a rotating recording that were sealed; 0 for other recordings.
    pub files: u64,
    /// Files of a rotating recording that could not be sealed, or were removed while they were written. One that could not
    /// be sealed may still be there, with `.part` at the end of its name.
    pub files_lost: u64,
    /// Calls of [`Rotation::on_sealed`](crate::Rotation::on_sealed)'s callback that panicked, or were left out as too many
    /// files waited for it.
    pub seal_calls_failed: u64,
    /// Generations begun, the preamble included.
    pub generations: u64,
    /// Records that were read from the threads' buffers.
    pub records: u64,
    /// Records that were lost, for whatever reason: because the buffers were full, or a rotating recording
    /// could not write, if it is none of the two below.
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
    /// CPU samples in the trace.
    pub cpu_samples: u64,
    /// Those of them whose stack ends before the root of its thread, or of its async task: code without frame
    /// pointers was in the way, or the stack was deeper than is kept.
    pub cpu_samples_cut: u64,
    /// CPU samples that were lost, as the flush thread came too late.
    pub cpu_samples_lost: u64,
    /// From start to stop.
    pub duration: Duration,
    /// The longest time that the sink took for one write.
    pub slowest_write: Duration,
    /// Sources that the system refused, or does not have, and why; by the names that they have in a trace, such as
    /// `kernel.switches`. Sources that the settings switch off are not among them.
    pub refused: Vec<(&'static str, String)>,
    /// Why nothing was recorded, if that is so.
    pub(crate) nothing: Option<NothingCause>,
}

impl Report {
    /// If the program recorded nothing at all: the likely cause, in words.
    #[must_use]
    pub fn nothing_recorded(&self) -> Option<&'static str> {
        self.nothing.map(NothingCause::text)
    }

    /// The same cause, for programs.
    #[must_use]
    pub fn nothing_cause(&self) -> Option<NothingCause> {
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
        if self.files > 0 {
            write!(f, "; {} files of {} bytes", self.files, self.disk_bytes)?;
        }
        if self.files_lost > 0 {
            write!(f, "; {} files lost", self.files_lost)?;
        }
        if self.untracked > 0 {
            write!(f, "; {} spans, tasks and regions left out", self.untracked)?;
        }
        for (source, why) in &self.refused {
            write!(f, "; no {source}: {why}")?;
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

/// Why a recording did not start. Nothing is recorded then.
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
    /// There is a file, or something else, where a new file was to be made. It is left as it is.
    #[error("{} exists already, and is left as it is", path.display())]
    Exists {
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
    #[error("a thread of the tracer could not be started: {0}")]
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
    /// The reader of its [`Stream`](crate::Stream) was behind by more bytes than were allowed. The recording ends
    /// there, and says so in the trace.
    #[error("the reader of the trace was too slow, so the recording ended after {bytes} bytes")]
    ReaderTooSlow {
        /// Bytes of the trace that were written before.
        bytes: u64,
    },
    /// It took long for one write. The recording goes on; records may have been dropped meanwhile.
    #[error("the trace's writer blocked for {blocked:.1?}")]
    Slow {
        /// How long.
        blocked: Duration,
    },
    /// A rotating recording cannot write. What is recorded is dropped until it can again.
    #[error("no trace can be written to {}, so records are dropped until one can: {cause}", folder.display())]
    Paused {
        /// The folder of the files.
        folder: PathBuf,
        /// What the system says.
        cause: Arc<io::Error>,
    },
    /// A file of a rotating recording could not be put on the disk under its final name, or that of a process that has
    /// ended before. The recording goes on; for a file of its own [`Recording::stop`](crate::Recording::stop) has this error.
    #[error("the trace {} could not be finished: {cause}", path.display())]
    Seal {
        /// Where it was to be.
        path: PathBuf,
        /// What the system says.
        cause: Arc<io::Error>,
    },
    /// The files of a rotating recording could not be listed or removed, so there may be more bytes than its budget. The
    /// recording goes on.
    #[error("the traces in {} could not be tidied up: {cause}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: Arc<io::Error>,
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

    pub(crate) fn report_mut(&mut self) -> &mut Report {
        &mut self.report
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
