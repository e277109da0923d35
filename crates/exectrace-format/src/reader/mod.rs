//! The reader: strict, streaming, for any bytes.
//!
//! Layers, lowest first, one file each:
//!
//! 1. `framing`: header and batches;
//! 2. `generations`: which batches make a generation; `generation`: its tables;
//! 3. `decode`, `merge`, `order`: events one by one, whose turn it is, and the rules, by which
//!    [`CompactEvent`]s are made;
//! 4. `owned`: from those to [`TraceEvent`]s, with the names of `tables`.
//!
//! `raw` shows what is between 1 and 3: batches and their events as they stand in the file.
//!
//! Between the bytes and the user's event nothing is copied, allocated or looked up in a map: a
//! cursor decodes one event of its batch in place, the rule writes what the user sees, and flows
//! and lanes are found by the lowest bits of their ids (`id_slab`), names by arrays (`tables`).
//! What happens for each event returns registers, so errors travel in boxes (`hindrance`).
//!
//! Traces of Go 1.21 and earlier are of another format: `v1` makes [`CompactEvent`]s of them.
//!
//! A generation is read whole, then played: its tables may stand at its end. The rules are those of Go's validating reader: what
//! it accepts is accepted, what it refuses is refused.

mod compact;
mod decode;
pub(crate) mod error;
pub(crate) mod framing;
mod generation;
mod generations;
mod hindrance;
mod id_map;
mod id_slab;
mod merge;
mod order;
mod owned;
mod raw;
mod tables;
mod trace_event;
mod v1;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::ids::GoId;
use crate::side::{SideDataError, SideRecord, SideRecords};
use crate::wire::Version;

pub use compact::{CompactEvent, CompactKind, Metric, RangeName};
pub use decode::WireEvent;
pub use error::{EventError, FramingError, Frontier, OrderError, ReadCause, ReadError, TableError};
pub use generations::MAX_GENERATION_BYTES;
pub use order::MAX_STATE_BYTES;
pub use raw::{Batch, BatchKind, Batches, WireEvents};
pub use tables::{FrameRef, Tables};
pub use trace_event::{
    GoState, ProcState, RangeScope, StackFrame, StateChange, SyncClock, TraceEvent, TraceEventKind,
    TraceTime,
};
pub use v1::MAX_V1_BYTES;
pub use v1::error::V1Error;

use compact::bare;
use generation::Generation;
use generations::{Generations, Next};
use merge::{Merge, Played};
use order::Order;
use owned::Shared;
use v1::{Scan, V1};

/// Reads a trace, event by event, in their true order.
///
/// Everything up to the damage is yielded, then one error, then nothing more. From header 26 on a
/// generation that is damaged or incomplete is discarded whole; up to header 25 its complete
/// batches are played first. Memory: one generation (at most [`MAX_GENERATION_BYTES`] of payload
/// and some times that for its tables) and what is open across generations (at most
/// [`MAX_STATE_BYTES`]); by [`open`](Self::open), of the payload only a batch of each thread. Time
/// is linear in the file, but for a logarithm of the number of threads.
///
/// The iterator yields events that own what they tell. [`next_into`](Self::next_into) and
/// [`next_compact`](Self::next_compact) are faster; the front page of the crate shows how.
///
/// Traces of Go 1.11 to 1.21 (headers 11, 19, 21) are converted: they tell what the newer format
/// would, as one generation with a sync in front and one at the end, without clocks. Their clock's
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
    merge: Merge,
    order: Order,
    side: SideCursor,
    stage: Stage,
    syncs: u64,
    shared: Shared,
    record: Option<SideRecord>,
}

/// The records of side data that are still to be yielded.
#[derive(Debug, Default)]
struct SideCursor {
    batch: usize,
    /// Where in the batch the next record begins; 0 before its head is checked.
    position: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A generation is to be read.
    Between,
    /// Side data of the generation come first.
    Side,
    Playing,
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

    /// Like [`new`](Self::new), but in little memory: a generation is not kept while it is played,
    /// but read from `file` again, a batch of each thread at a time.
    ///
    /// `file` has the bytes of `input`, the header at its beginning, and is moved about in. It is
    /// to be opened for this alone: a clone of a handle shares its place with the other. If the
    /// file changes meanwhile, events may be wrong, or one of the errors comes that damaged
    /// traces have.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn rereading(input: R, file: File) -> Result<Self, ReadError> {
        Self::with(input, Some(file))
    }

    fn with(input: R, again: Option<File>) -> Result<Self, ReadError> {
        let source = Generations::new(input)?;
        let stage = match source.version().is_v1() {
            true => Stage::V1,
            false => Stage::Between,
        };
        Ok(Self {
            source,
            generation: Box::new(Generation::new(again)),
            v1: None,
            trailing: None,
            damage: None,
            merge: Merge::default(),
            order: Order::new(),
            side: SideCursor::default(),
            stage,
            syncs: 0,
            shared: Shared::default(),
            record: None,
        })
    }

    /// Sets how many bytes of state may be open at once, in place of [`MAX_STATE_BYTES`]: flows, lanes,
    /// threads, user tasks and regions, 160 bytes each and more with their names.
    ///
    /// A trace that needs more is refused where it does. To be called before the first event is read.
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

    /// The side data that the last event told, if it was [`CompactKind::SideData`].
    pub fn side_record(&self) -> Option<&SideRecord> {
        self.record.as_ref()
    }

    /// The next event as plain numbers, or `None` at the end. Does not allocate.
    ///
    /// The events are those of the iterator, which may be mixed with this.
    ///
    /// # Errors
    ///
    /// Where and how the trace is damaged. From then on `None`.
    #[inline]
    pub fn next_compact(&mut self) -> Result<Option<CompactEvent>, ReadError> {
        let mut event = CompactEvent::default();
        match self.advance(&mut event) {
            Ok(true) => Ok(Some(event)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.end(error)),
        }
    }

    /// Like [`next_compact`](Self::next_compact), but writes the event to `event`; false at the end.
    /// Without copies of the event it takes about two thirds of the time.
    ///
    /// # Errors
    ///
    /// As there. What stands in `event` then, or at the end, has no meaning.
    #[inline]
    pub fn next_into(&mut self, event: &mut CompactEvent) -> Result<bool, ReadError> {
        match self.advance(event) {
            Ok(there_is_one) => Ok(there_is_one),
            Err(error) => Err(self.end(error)),
        }
    }

    #[cold]
    #[expect(clippy::boxed_local, reason = "it comes in a box, and leaves without")]
    fn end(&mut self, error: Box<ReadError>) -> ReadError {
        self.stage = Stage::Done;
        self.order.more.clear();
        self.damage = None;
        *error
    }

    /// Writes the next event to `out`; false at the end.
    fn advance(&mut self, out: &mut CompactEvent) -> Result<bool, Box<ReadError>> {
        loop {
            if self.stage != Stage::Playing || !self.order.more.is_empty() {
                if let Some(there_is_one) = self.advance_seldom(out)? {
                    return Ok(there_is_one);
                }
                continue;
            }
            let (merge, order) = (&mut self.merge, &mut self.order);
            match merge.step(&mut self.generation, order, out)? {
                Played::Event => return Ok(true),
                Played::Sample(index) => {
                    *out = self.sample(index)?;
                    return Ok(true);
                }
                Played::End => self.stage = Stage::Between,
            }
        }
    }

    /// The next event while no events are played, or a part of the last; `None` if that is over.
    #[cold]
    fn advance_seldom(&mut self, out: &mut CompactEvent) -> Result<Option<bool>, Box<ReadError>> {
        if let Some(event) = self.order.more.pop_front() {
            *out = self.timed(event);
            return Ok(Some(true));
        }
        if let Some(damage) = self.damage.take() {
            return Err(damage.into());
        }
        let event = match self.stage {
            Stage::Playing => return Ok(None),
            Stage::Done => None,
            Stage::Between => Some(self.next_generation()?),
            Stage::Side => match self.next_side_data() {
                Some(event) => Some(event),
                None => {
                    self.stage = Stage::Playing;
                    return Ok(None);
                }
            },
            Stage::V1 => self.next_v1()?,
        };
        if let Some(event) = event {
            *out = event;
        }
        Ok(Some(event.is_some()))
    }

    /// Reads a generation, or finds the end; either is a sync.
    fn next_generation(&mut self) -> Result<CompactEvent, Box<ReadError>> {
        if let Some(trailing) = self.trailing.take() {
            self.generation.reset();
            return Ok(self.last_sync(Some(trailing)));
        }
        match self.source.next(&mut self.generation) {
            Next::Generation(trailing) => {
                self.trailing = trailing;
                let generation = &mut *self.generation;
                self.order.begin_generation(generation.number);
                self.merge.begin(generation, &mut self.order)?;
                let (time, clock) = (
                    generation.rate.nanoseconds(generation.min_time),
                    generation.clock,
                );
                self.side = SideCursor::default();
                self.stage = Stage::Side;
                Ok(self.sync(time, clock))
            }
            Next::End => Ok(self.last_sync(None)),
            Next::Damaged(damage) => Ok(self.last_sync(Some(damage))),
        }
    }

    /// The next event of a trace of Go 1.21 or earlier, which is read whole before the first.
    fn next_v1(&mut self) -> Result<Option<CompactEvent>, Box<ReadError>> {
        let tables = &mut self.generation.tables;
        let v1 = match &mut self.v1 {
            Some(v1) => v1,
            None => {
                let version = self.source.version();
                let mut scan = Scan::new(version);
                let bytes = self
                    .source
                    .rest(MAX_V1_BYTES + 1, |bytes| scan.goes_on(bytes))?;
                let v1 = V1::read(bytes, version, tables)?;
                self.generation.number = v1::GENERATION;
                self.v1.insert(Box::new(v1))
            }
        };
        Ok(v1.next(tables)?)
    }

    /// The sync at the end of what can be read, which is before the damage.
    fn last_sync(&mut self, damage: Option<ReadError>) -> CompactEvent {
        self.damage = damage;
        self.stage = Stage::Done;
        self.sync(self.order.last_time().0, None)
    }

    /// What the user sees of a CPU sample.
    fn sample(&mut self, index: usize) -> Result<CompactEvent, ReadError> {
        let sample = self.generation.samples[index];
        let Some(stack) = self.generation.tables.stack_id(sample.stack.0) else {
            return Err(ReadError {
                offset: sample.offset,
                generation: self.generation.number,
                cause: TableError::SampleStack(sample.stack).into(),
            });
        };
        Ok(self.timed(CompactEvent {
            time: TraceTime(sample.time),
            thread: sample.thread,
            proc: sample.proc,
            // Samples say 0 for no flow.
            go: if sample.go.0 == 0 {
                GoId::NONE
            } else {
                sample.go
            },
            stack,
            kind: CompactKind::StackSample,
        }))
    }

    /// The event at its time, but later than the last in any case.
    fn timed(&mut self, event: CompactEvent) -> CompactEvent {
        CompactEvent {
            time: self.order.show_at(event.time.0),
            ..event
        }
    }

    fn sync(&mut self, time_ns: i64, clock: Option<SyncClock>) -> CompactEvent {
        self.syncs += 1;
        let number = self.syncs;
        let kind = CompactKind::Sync { number, clock };
        self.timed(bare(TraceTime(time_ns), kind))
    }

    /// The next record of side data of this generation, which have the time of its sync.
    fn next_side_data(&mut self) -> Option<CompactEvent> {
        self.record = None;
        let generation = &self.generation;
        let time = self.order.last_time();
        while let Some(payload) = generation.side.get(self.side.batch) {
            let records = SideRecords::new_at(payload, self.side.position);
            let next = match records {
                Ok(mut records) => {
                    let next = records.next();
                    self.side.position = records.position();
                    next
                }
                // Another program's, as Go's own allocation experiment.
                Err(SideDataError::Foreign) => None,
                Err(error) => {
                    self.side.position = payload.len();
                    Some(Err(error))
                }
            };
            if let Some(Ok(record)) = next {
                self.record = Some(record);
                return Some(bare(time, CompactKind::SideData));
            }
            self.side = SideCursor {
                batch: self.side.batch + 1,
                position: 0,
            };
            if let Some(Err(error)) = next {
                return Some(bare(time, CompactKind::UnreadableSideData(error)));
            }
        }
        None
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<TraceEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = CompactEvent::default();
        match self.next_into(&mut event) {
            Ok(false) => None,
            Ok(true) => {
                let record = self.record.take();
                Some(Ok(self.shared.own(&event, &self.generation.tables, record)))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
