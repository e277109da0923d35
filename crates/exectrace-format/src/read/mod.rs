//! The reader: strict, streaming, for any bytes.
//!
//! The way of an event, from the bytes up, a file for each step:
//!
//! 1. `framing` cuts the file into header and batches;
//! 2. `generations` says which batches make a generation, `generation` reads them: texts and stacks into
//!    `tables`, clocks, samples, side data;
//! 3. `advance` decides what comes next: a sync, side data (`side_cursor`), or an event of
//! 4. `merge`, which has a cursor for each thread, takes the next event of each out of its batch (`decode`), and
//!    asks
//! 5. `order` for the earliest of them that can happen: the rules (`order/`) check it, update what is known of
//!    goroutines, procs and threads, and write the [`CompactEvent`]; an event that has to wait comes back when
//!    what it waits for has changed;
//! 6. `owned` makes a [`TraceEvent`] of that, if one is wanted, and `show` a line of text.
//!
//! What users see is in `event`, `kind`, `state` and `time`; what can be wrong in `error` and `order_error`.
//!
//! `raw` ends after the first step: batches and their events as they stand in the file.
//!
//! `checkpoint` lets a reader go on in the middle of a file, where a generation begins.
//!
//! Between the bytes and the user's event nothing is copied, allocated or looked up in a map: a
//! cursor decodes one event of its batch in place, the rule writes what the user sees, and goroutines
//! and procs are found by the lowest bits of their ids (`id_slab`), names by arrays (`tables`).
//! A function that is called for each event returns what fits a register, so errors are boxed (`hindrance`).
//!
//! Traces of Go 1.21 and earlier are of another format: `v1` makes [`CompactEvent`]s of them.
//!
//! A generation is read whole before its first event is yielded, as its tables may stand at its end. The rules
//! are those of Go's validating reader: what that accepts is accepted, what that refuses is refused.

mod advance;
mod checkpoint;
mod decode;
pub(crate) mod error;
mod event;
pub(crate) mod framing;
mod generation;
mod generations;
mod hindrance;
mod id_map;
mod id_slab;
mod kind;
mod merge;
mod order;
mod order_error;
mod owned;
mod raw;
mod show;
mod side_cursor;
mod state;
mod tables;
mod time;
mod v1;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::side::SideRecord;
use crate::wire::Version;

pub use checkpoint::ReaderCheckpoint;
pub use decode::WireEvent;
pub use error::{EventError, FramingError, ReadCause, ReadError, ResumeError, TableError};
pub use event::{CompactEvent, StackFrame, SyncClock, TraceEvent};
pub use generations::MAX_GENERATION_BYTES;
pub use kind::{ById, CompactKind, EventForm, Metric, Owned, RangeName, TraceEventKind};
pub use order::MAX_STATE_BYTES;
pub use order_error::{Frontier, OrderError};
pub use raw::{Batch, BatchKind, Batches, WireEvents};
pub use state::{GoState, ProcState, RangeScope, StateChange};
pub use tables::{FrameRef, Tables};
pub use time::TraceTime;
pub use v1::MAX_V1_BYTES;
pub use v1::error::V1Error;

use generation::Generation;
use generations::Generations;
use merge::EventMerge;
use order::Order;
use owned::SharedNames;
use side_cursor::SideCursor;
use v1::V1;

/// Reads a trace, event by event, in their true order.
///
/// Everything up to the damage is yielded, then one error, then nothing more. From header 26 on a
/// generation that is damaged or incomplete is discarded whole; up to header 25 its complete
/// batches are read first. Memory: one generation (at most [`MAX_GENERATION_BYTES`] of payload
/// and some times that for its tables) and what is open across generations (at most
/// [`MAX_STATE_BYTES`]); by [`open`](Self::open), of the payload only a batch of each thread. Time
/// is linear in the file, but for a logarithm of the number of threads.
///
/// The iterator yields events that own their texts and stacks. [`next_into`](Self::next_into) is faster; the
/// front page of the crate shows how.
///
/// Traces of Go 1.11 to 1.21 (headers 11, 19, 21) are converted to what the newer format would
/// have, as one generation with a sync in front and one at the end, without clocks. Their clock's
/// speed stands at the end of the file, so all of it (at most [`MAX_V1_BYTES`]) is read before the
/// first event, and a file that is cut or whose order is damaged yields the error alone. Memory:
/// some ten times the file, for hostile files up to forty times.
///
/// ```
/// use exectrace_format::{ClockSnapshot, Reader, TraceEventKind, Version, Writer};
///
/// let mut file = Writer::header(Version::Go125).to_vec();
/// let clock = ClockSnapshot { monotonic_ns: 5, unix_seconds: 1_700_000_000, unix_nanoseconds: 1 };
/// Writer::sync_batch(Version::Go125, 1, 1_000, clock, &mut file);
///
/// let events: Vec<_> = Reader::new(file.as_slice())?.collect::<Result<_, _>>()?;
/// assert_eq!(events.len(), 2, "one sync at the beginning of the generation, one at the end");
/// assert!(matches!(events[0].kind, TraceEventKind::Sync { number: 1, clock: Some(_) }));
/// # Ok::<(), exectrace_format::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: Generations<R>,
    generation: Box<Generation>,
    /// The whole trace, if it is of Go 1.21 or earlier.
    v1: Option<Box<V1>>,
    /// What follows the last good batch of the current generation.
    trailing: Option<ReadError>,
    /// To be yielded as soon as the queue is empty.
    damage: Option<ReadError>,
    merge: EventMerge,
    order: Order,
    side: SideCursor,
    stage: ReadStage,
    syncs: u64,
    shared: SharedNames,
    record: Option<SideRecord>,
    /// The begin of the current generation, if checkpoints are to be given.
    checkpoint: Option<ReaderCheckpoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadStage {
    /// The next generation must be read.
    Between,
    /// Side data of the generation come first.
    Side,
    /// Its events come.
    Events,
    /// The trace is of Go 1.21 or earlier.
    V1,
    Done,
}

impl Reader<File> {
    /// Opens a file, to be read in little memory: that of one generation's tables and of a batch
    /// of each thread (64 KiB at most), and what is open across generations.
    ///
    /// What is no regular file, as a pipe, is read as by [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read, is no trace, or is of a version other than 11, 19, 21,
    /// 22, 23, 25 and 26.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let open = || -> std::io::Result<_> {
            let file = File::open(&path)?;
            let again = match file.metadata()?.is_file() {
                true => Some(File::open(&path)?),
                false => None,
            };
            Ok((file, again))
        };
        let (file, again) = open().map_err(|error| ReadError {
            offset: 0,
            generation: 0,
            cause: error.into(),
        })?;
        Self::with(file, again)
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header; the rest is read as it is asked for.
    ///
    /// # Errors
    ///
    /// The input fails, is no trace, or is of a version other than 11, 19, 21, 22, 23, 25 and 26.
    pub fn new(input: R) -> Result<Self, ReadError> {
        Self::with(input, None)
    }

    /// Like [`new`](Self::new), but in little memory: a generation is not kept while its events are read,
    /// but read from `file` again, a batch of each thread at a time.
    ///
    /// `file` has the bytes of `input`, with the header at its beginning. The reader seeks in it, so it must be
    /// opened for this alone: a clone of a handle shares its position with the other. If the file changes
    /// meanwhile, events may be wrong, or reading ends with one of the errors of damaged traces.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn rereading(input: R, file: File) -> Result<Self, ReadError> {
        Self::with(input, Some(file))
    }

    fn with(input: R, again: Option<File>) -> Result<Self, ReadError> {
        Ok(Self::of(Generations::new(input)?, again))
    }

    fn of(source: Generations<R>, again: Option<File>) -> Self {
        let stage = match source.version().is_v1() {
            true => ReadStage::V1,
            false => ReadStage::Between,
        };
        Self {
            source,
            generation: Box::new(Generation::new(again)),
            v1: None,
            trailing: None,
            damage: None,
            merge: EventMerge::default(),
            order: Order::new(),
            side: SideCursor::default(),
            stage,
            syncs: 0,
            shared: SharedNames::default(),
            record: None,
            checkpoint: None,
        }
    }

    /// Sets how many bytes of state may be open at once, in place of [`MAX_STATE_BYTES`]: goroutines, procs,
    /// threads, user tasks and regions, 160 bytes each and more with their names.
    ///
    /// A trace that needs more is refused where it does. Call this before the first event is read.
    #[must_use]
    pub fn with_max_state_bytes(mut self, bytes: u64) -> Self {
        self.order.max_state_bytes = bytes;
        self
    }

    /// The version of the file.
    pub fn version(&self) -> Version {
        self.source.version()
    }

    /// The number of the generation that the last event belongs to; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// The names and stacks of the generation that the last event belongs to.
    pub fn tables(&self) -> &Tables {
        &self.generation.tables
    }

    /// The side record of the last event, if that was a [`CompactKind::SideData`].
    pub fn side_record(&self) -> Option<&SideRecord> {
        self.record.as_ref()
    }

    /// Writes the next event, as plain numbers, to `event`; false at the end. Does not allocate.
    ///
    /// The events are those of the iterator, which may be mixed with this.
    ///
    /// # Errors
    ///
    /// Where and how the trace is damaged. From then on false. What stands in `event` then, or at the end,
    /// has no meaning.
    #[inline]
    pub fn next_into(&mut self, event: &mut CompactEvent) -> Result<bool, ReadError> {
        match self.advance(event) {
            Ok(there_is_one) => Ok(there_is_one),
            Err(error) => Err(self.end(error)),
        }
    }

    /// The last event, with its texts and stacks, as the iterator yields it. Allocates for each text and stack
    /// that was not asked for before in this generation.
    pub fn resolve(&mut self, event: &CompactEvent) -> TraceEvent {
        let record = match event.kind {
            CompactKind::SideData(()) => self.record.clone(),
            _ => None,
        };
        self.shared.begin(self.syncs);
        self.shared.own(event, &self.generation.tables, record)
    }

    #[cold]
    #[expect(clippy::boxed_local, reason = "it comes in a box, and leaves without")]
    fn end(&mut self, error: Box<ReadError>) -> ReadError {
        self.stage = ReadStage::Done;
        self.order.more.clear();
        self.damage = None;
        *error
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<TraceEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = CompactEvent::default();
        match self.next_into(&mut event) {
            Ok(false) => None,
            Ok(true) => Some(Ok(self.resolve(&event))),
            Err(error) => Some(Err(error)),
        }
    }
}
