//! The reader: strict, streaming, for any bytes.
//!
//! Layers, lowest first, one file each:
//!
//! 1. `framing`: header and batches;
//! 2. `generations`: which batches make a generation; `generation`: its tables;
//! 3. `decode`, `merge`, `order`: events one by one, whose turn it is, and the rules;
//! 4. `owned`: from [`CompactEvent`]s to [`TraceEvent`]s, with the names of `tables`.
//!
//! A generation is read whole, then played. The rules are those of Go's validating reader: what
//! it accepts is accepted, what it refuses is refused.

mod compact;
mod decode;
pub(crate) mod error;
pub(crate) mod framing;
mod generation;
mod generations;
mod id_map;
mod id_slab;
mod merge;
mod order;
mod owned;
mod raw;
mod tables;
mod trace_event;
mod v1;

use std::io::Read;

use crate::ids::GoId;
use crate::side::{SideDataError, SideRecord, SideRecords};
use crate::wire::Version;

pub use compact::{CompactEvent, CompactKind, Metric, RangeName};
pub use error::{EventError, FramingError, Frontier, OrderError, ReadCause, ReadError, TableError};
pub use generations::MAX_GENERATION_BYTES;
pub use order::MAX_STATE_BYTES;
pub use raw::{Batch, BatchKind, Batches, WireEvent, WireEvents};
pub use tables::{FrameRef, Tables};
pub use trace_event::{
    GoState, ProcState, RangeScope, StackFrame, StateChange, SyncClock, TraceEvent, TraceEventKind,
    TraceTime,
};
pub use v1::MAX_V1_BYTES;
pub use v1::error::V1Error;

use compact::bare;
use generation::{Generation, Sample};
use generations::{Generations, Next};
use merge::{Merge, Played};
use order::Order;
use owned::Shared;
use v1::V1;

/// Reads a trace, event by event, in their true order.
///
/// Everything up to the damage is yielded, then one error, then nothing more. From header 26 on a
/// generation that is damaged or incomplete is discarded whole; up to header 25 its complete
/// batches are played first. Memory: one generation (at most [`MAX_GENERATION_BYTES`] of payload
/// and some times that for its tables) and what is open across generations (at most
/// [`MAX_STATE_BYTES`]). Time is linear in the file, but for a logarithm of the number of threads.
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
    last_ns: i64,
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

impl<R: Read> Reader<R> {
    /// Reads the header; the rest is read as it is asked for.
    ///
    /// # Errors
    ///
    /// The input fails, is no trace, or is of a version other than 11, 19, 21, 22, 23, 25 and 26.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let source = Generations::new(input)?;
        let stage = match source.version().is_v1() {
            true => Stage::V1,
            false => Stage::Between,
        };
        Ok(Self {
            source,
            generation: Box::new(Generation::new()),
            v1: None,
            trailing: None,
            damage: None,
            merge: Merge::default(),
            order: Order::new(),
            side: SideCursor::default(),
            stage,
            syncs: 0,
            last_ns: 0,
            shared: Shared::default(),
            record: None,
        })
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
    pub fn next_compact(&mut self) -> Result<Option<CompactEvent>, ReadError> {
        let next = self.advance();
        if next.is_err() {
            self.stage = Stage::Done;
            self.order.more.clear();
            self.damage = None;
        }
        next
    }

    fn advance(&mut self) -> Result<Option<CompactEvent>, ReadError> {
        loop {
            if let Some(event) = self.order.more.pop_front() {
                return Ok(Some(self.timed(event)));
            }
            if let Some(damage) = self.damage.take() {
                return Err(damage);
            }
            match self.stage {
                Stage::Done => return Ok(None),
                Stage::Between => return self.next_generation().map(Some),
                Stage::Side => match self.next_side_data() {
                    Some(event) => return Ok(Some(event)),
                    None => self.stage = Stage::Playing,
                },
                Stage::Playing => {
                    if let Some(event) = self.play()? {
                        return Ok(Some(event));
                    }
                }
                Stage::V1 => return self.next_v1(),
            }
        }
    }

    /// Reads a generation, or finds the end; either is a sync.
    fn next_generation(&mut self) -> Result<CompactEvent, ReadError> {
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
    fn next_v1(&mut self) -> Result<Option<CompactEvent>, ReadError> {
        let tables = &mut self.generation.tables;
        let v1 = match &mut self.v1 {
            Some(v1) => v1,
            None => {
                let bytes = self.source.rest(MAX_V1_BYTES + 1)?;
                let v1 = V1::read(bytes, self.source.version(), tables)?;
                self.generation.number = v1::GENERATION;
                self.v1.insert(Box::new(v1))
            }
        };
        v1.next(tables)
    }

    /// The sync at the end of what can be read, which is before the damage.
    fn last_sync(&mut self, damage: Option<ReadError>) -> CompactEvent {
        self.damage = damage;
        self.stage = Stage::Done;
        self.sync(self.last_ns, None)
    }

    /// Lets one event happen; `None` at the end of the generation.
    fn play(&mut self) -> Result<Option<CompactEvent>, ReadError> {
        match self.merge.step(&mut self.generation, &mut self.order)? {
            Played::Event => Ok(Some(self.timed(self.order.happened))),
            Played::End => {
                self.stage = Stage::Between;
                Ok(None)
            }
            Played::Sample(sample) => self.sample(sample).map(Some),
        }
    }

    /// What the user sees of a CPU sample.
    fn sample(&mut self, sample: Sample) -> Result<CompactEvent, ReadError> {
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
        self.last_ns = event.time.0.max(self.last_ns.saturating_add(1));
        CompactEvent {
            time: TraceTime(self.last_ns),
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
        let time = TraceTime(self.last_ns);
        while let Some(place) = generation.side.get(self.side.batch) {
            let payload = &generation.bytes[place.clone()];
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
        let next = self.next_compact().transpose()?;
        let record = self.record.take();
        Some(next.map(|event| self.shared.own(event, &self.generation.tables, record)))
    }
}
