//! What the tracer is doing now, for whoever asks.
//!
//! The flush thread leaves what it knows in a place of the process each time that it has done something. Who
//! asks copies it from there, and so never waits for the flush thread, which may be stuck in a sink.

mod counts;
mod nothing;
mod text;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

pub use counts::RecordCounts;
pub use nothing::{NothingCause, NothingRecorded, explain as explain_nothing_by};
pub(crate) use nothing::{Seen, why_nothing};

use crate::budget::{self, Source};
use crate::capabilities;
use crate::chunk::CHUNK_BYTES;
use crate::enabled::lock;
use crate::process;
use crate::report::{Report, SinkError};
use crate::settings::{Settings, SettingsInForce};
use crate::thread_buffer::{LOST_ELSEWHERE, LOST_IN_FORMATTING};

/// Returns what the tracer is doing now.
///
/// The counts are those of the flush thread's last pass, of which there are ten a second while something records;
/// [`Status::since_last_pass`] says how old they are. Takes a lock for a moment and allocates, but waits neither for
/// the flush thread nor for a sink: some microseconds. Not for signal handlers.
///
/// ```
/// let recording = exectrace_recorder::RecordingOptions::new().start_writer(std::io::sink())?;
/// drop(exectrace_recorder::region("work"));
/// let status = exectrace_recorder::status();
/// assert_eq!(status.recordings.len(), 1);
/// assert_eq!(status.recordings[0].error.as_ref().map(ToString::to_string), None);
///
/// recording.stop()?;
/// let status = exectrace_recorder::status();
/// assert!(status.recordings.is_empty());
/// assert!(status.records.annotations >= 2);
/// assert!(status.last_record.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn status() -> Status {
    let process = process::existing();
    let published = process.map(|process| lock(&process.published).clone());
    let published = published.unwrap_or_default();
    let pool = process.and_then(|process| process.pool.get());
    let memory = pool.map_or(Memory::default(), |pool| Memory {
        limit_bytes: pool.chunks() * CHUNK_BYTES,
        used_bytes: (pool.chunks() - pool.free()) * CHUNK_BYTES,
    });
    let is_recording = !published.recordings.is_empty();
    Status {
        since_last_pass: published
            .passed
            .filter(|_| is_recording)
            .map(|at| at.elapsed()),
        recordings: published.recordings,
        records: published.records,
        dropped: Dropped {
            buffers_full: published.lost,
            // Relaxed: counts that guard nothing.
            unformatted: LOST_IN_FORMATTING.load(Ordering::Relaxed),
            nested: LOST_ELSEWHERE.load(Ordering::Relaxed),
            cpu_samples: published.cpu_samples_lost,
            thinned: Source::ALL
                .map(|source| (source, budget::of(source).left_out()))
                .to_vec(),
        },
        last_record: published.last_record,
        threads: published.threads,
        memory,
        nothing_recorded: published.nothing,
        settings: Settings::in_force().shown(),
        capabilities: capabilities::all(),
    }
}

/// What the tracer is doing. Returned by [`status`].
///
/// Its text, by `Display`, is for people: a line for each subject.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The recordings that run, in the order of their starts. One whose sink has failed is among them until it
    /// is stopped.
    pub recordings: Vec<RecordingStatus>,
    /// Records that were read from the threads' buffers since the process began.
    pub records: RecordCounts,
    /// Records that are in no trace, since the process began.
    pub dropped: Dropped,
    /// When the last record was made that was read, by the wall clock; `None` before the first. Records are read a
    /// tenth of a second after they were made, or two.
    pub last_record: Option<SystemTime>,
    /// Threads that have recorded and live, as of the last pass.
    pub threads: usize,
    /// The memory of the threads' buffers.
    pub memory: Memory,
    /// How long ago the flush thread's last pass was; `None` while nothing records. Normally at most a tenth of a
    /// second. More means that a sink blocks it, or that it lacks a processor.
    pub since_last_pass: Option<Duration>,
    /// That a recording which runs has recorded nothing of the program's in the seconds since it started, and the likely
    /// cause.
    pub nothing_recorded: Option<NothingRecorded>,
    /// The settings in force.
    pub settings: SettingsInForce,
    /// What the tracer can see in this build of the program, as its traces have it: keys, such as `tracing.filter` and
    /// `tokio.runtimes`, with their values.
    pub capabilities: Vec<(&'static str, String)>,
}

/// A recording that runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordingStatus {
    /// Its number: recordings of a process are counted from 1 up.
    pub number: u64,
    /// Where it goes.
    pub destination: Destination,
    /// When it was started.
    pub started: SystemTime,
    /// After which time it stops by itself, if that was set
    /// ([`RecordingOptions::stop_after`](crate::RecordingOptions::stop_after)).
    pub stops_after: Option<Duration>,
    /// What was written until now.
    pub written: Report,
    /// The error that has ended it, after which nothing more is written.
    pub error: Option<SinkError>,
}

/// Where a recording goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// A file, at the path that it was started with.
    File(PathBuf),
    /// One file after the other, whose names begin with this path ([`Rotation`](crate::Rotation)).
    Rotating(PathBuf),
    /// A writer of the program's.
    Writer,
    /// Whoever reads its [`Stream`](crate::Stream).
    Stream,
}

/// Records that are in no trace, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The buffers were full. Of which kind these records would have been was not recorded.
    pub buffers_full: u64,
    /// The formatting of one of their values panicked.
    pub unformatted: u64,
    /// They were made in the middle of another record, or after their thread had handed over its buffer.
    pub nested: u64,
    /// CPU samples for which the flush thread came too late.
    pub cpu_samples: u64,
    /// What sources left out that had more than their budgets.
    pub thinned: Vec<(Source, u64)>,
}

/// The memory of the threads' buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// What they may have: 0 before the first recording.
    pub limit_bytes: usize,
    /// What threads and the flush thread hold of it.
    pub used_bytes: usize,
}

/// What the flush thread leaves for those who ask.
#[derive(Clone, Default)]
pub(crate) struct Published {
    pub(crate) recordings: Vec<RecordingStatus>,
    pub(crate) records: RecordCounts,
    pub(crate) lost: u64,
    pub(crate) cpu_samples_lost: u64,
    pub(crate) last_record: Option<SystemTime>,
    pub(crate) threads: usize,
    pub(crate) nothing: Option<NothingRecorded>,
    /// When its last pass was over.
    pub(crate) passed: Option<Instant>,
}
