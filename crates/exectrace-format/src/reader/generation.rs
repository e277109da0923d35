//! The second layer of reading: one generation, its tables decoded, its events still bytes.
//!
//! All payloads of a generation lie in one arena; what they say of strings and stacks goes to its
//! [`Tables`].

use std::ops::Range;

use crate::ids::{GoId, ProcId, StackId, ThreadId};
use crate::wire::{
    self, ClockSnapshot, MAX_STACK_FRAMES, MAX_STRING_BYTES, SIDE_DATA_EXPERIMENT, Version,
    take_uvarint,
};

use super::error::TableError;
use super::framing::BatchHead;
use super::id_map::IdMap;
use super::tables::Tables;
use super::trace_event::{SyncClock, TraceTime};

/// Converts units of a file's clock to nanoseconds, as Go's reader does it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockRate(f64);

impl ClockRate {
    fn new(units_per_second: u64) -> Self {
        Self(1.0 / (units_per_second as f64 / 1e9))
    }

    #[inline]
    pub(super) fn nanoseconds(self, units: u64) -> i64 {
        let ns = units as f64 * self.0;
        // What does not fit becomes the smallest number, as it does on Go's main platform.
        if (-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&ns) {
            ns as i64
        } else {
            i64::MIN
        }
    }
}

/// One CPU sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Units of the clock while the generation is read, nanoseconds then.
    pub(super) time: i64,
    pub(super) thread: ThreadId,
    pub(super) proc: ProcId,
    pub(super) go: GoId,
    pub(super) stack: StackId,
    units: u64,
    /// Where in the file its batch begins.
    pub(super) offset: u64,
}

/// A batch of events: a place in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventBatch {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Base time, in units of the clock.
    pub(super) time: u64,
    /// Where in the file the payload begins.
    pub(super) payload_offset: u64,
    /// The next batch of the same thread.
    pub(super) next: Option<usize>,
}

/// The batches of one thread, as a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadBatches {
    pub(super) thread: u64,
    pub(super) first: usize,
    last: usize,
}

/// A generation, ready to be played.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) rate: ClockRate,
    pub(super) clock: Option<SyncClock>,
    /// Earliest base time of all batches, in units.
    pub(super) min_time: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) batches: Vec<EventBatch>,
    /// In the order of their first batches.
    pub(super) threads: Vec<ThreadBatches>,
    pub(super) samples: Vec<Sample>,
    /// Places of the payloads of experimental batches with our id.
    pub(super) side: Vec<Range<usize>>,
    pub(super) tables: Tables,
    by_thread: IdMap<usize>,
    units_per_second: Option<u64>,
    /// Trace time in units, and the clocks at that time.
    snapshot: Option<(u64, ClockSnapshot)>,
}

impl Generation {
    pub(super) fn new() -> Self {
        Self {
            number: 0,
            rate: ClockRate(1.0),
            clock: None,
            min_time: 0,
            bytes: Vec::new(),
            batches: Vec::new(),
            threads: Vec::new(),
            samples: Vec::new(),
            side: Vec::new(),
            tables: Tables::default(),
            by_thread: IdMap::default(),
            units_per_second: None,
            snapshot: None,
        }
    }

    /// Empties it for the next generation, keeping the memory.
    pub(super) fn reset(&mut self) {
        self.number = 0;
        self.clock = None;
        self.min_time = 0;
        self.bytes.clear();
        self.batches.clear();
        self.threads.clear();
        self.samples.clear();
        self.side.clear();
        self.tables.clear();
        self.by_thread.clear();
        self.units_per_second = None;
        self.snapshot = None;
    }

    /// Takes in a batch whose payload has just been appended to `bytes`.
    pub(super) fn add(&mut self, head: BatchHead, version: Version) -> Result<(), TableError> {
        let place = self.bytes.len() - head.size..self.bytes.len();
        if head.time != 0 && (self.min_time == 0 || head.time < self.min_time) {
            self.min_time = head.time;
        }
        if head.experiment != 0 {
            if head.experiment == SIDE_DATA_EXPERIMENT {
                self.side.push(place);
            }
            return Ok(());
        }
        match self.bytes[place.clone()].first() {
            None => Ok(()),
            Some(&wire::STRINGS) => self.add_strings(place),
            Some(&wire::STACKS) => self.add_stacks(place),
            Some(&wire::CPU_SAMPLES) => self.add_samples(place, head.offset),
            Some(&wire::SYNC) if version.has_sync_batch() => {
                self.add_sync(place.start + 1..place.end, head.time)
            }
            Some(&wire::FREQUENCY) if !version.has_sync_batch() => self.add_sync(place, head.time),
            Some(_) => {
                self.add_events(place, head);
                Ok(())
            }
        }
    }

    fn add_events(&mut self, place: Range<usize>, head: BatchHead) {
        let index = self.batches.len();
        self.batches.push(EventBatch {
            start: place.start,
            end: place.end,
            time: head.time,
            payload_offset: head.payload_offset,
            next: None,
        });
        match self.by_thread.get(&head.thread) {
            Some(&known) => {
                let chain = &mut self.threads[known];
                self.batches[chain.last].next = Some(index);
                chain.last = index;
            }
            None => {
                self.by_thread.insert(head.thread, self.threads.len());
                self.threads.push(ThreadBatches {
                    thread: head.thread,
                    first: index,
                    last: index,
                });
            }
        }
    }

    fn add_strings(&mut self, place: Range<usize>) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "string" };
        let mut rest = &self.bytes[place][1..];
        while let Some((&kind, after)) = rest.split_first() {
            rest = after;
            if kind != wire::STRING {
                return Err(TableError::UnexpectedEntry {
                    table: "string",
                    found: kind,
                });
            }
            let id = take_uvarint(&mut rest).ok_or(CUT)?;
            let length = take_uvarint(&mut rest).ok_or(CUT)?;
            if length > MAX_STRING_BYTES as u64 {
                return Err(TableError::StringTooLong(length));
            }
            let length = length as usize;
            let (string, after) = rest.split_at_checked(length).ok_or(CUT)?;
            rest = after;
            self.tables.add_string(id, string)?;
        }
        Ok(())
    }

    fn add_stacks(&mut self, place: Range<usize>) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "stack" };
        let mut rest = &self.bytes[place][1..];
        while let Some((&kind, after)) = rest.split_first() {
            rest = after;
            if kind != wire::STACK {
                return Err(TableError::UnexpectedEntry {
                    table: "stack",
                    found: kind,
                });
            }
            let id = take_uvarint(&mut rest).ok_or(CUT)?;
            let count = take_uvarint(&mut rest).ok_or(CUT)?;
            if count > MAX_STACK_FRAMES as u64 {
                return Err(TableError::StackTooDeep(count));
            }
            for _ in 0..count {
                let mut number = || take_uvarint(&mut rest).ok_or(CUT);
                let (pc, function, file, line) = (number()?, number()?, number()?, number()?);
                self.tables.push_frame(id, pc, function, file, line);
            }
            self.tables.add_stack(id)?;
        }
        Ok(())
    }

    fn add_samples(&mut self, place: Range<usize>, offset: u64) -> Result<(), TableError> {
        let mut rest = &self.bytes[place][1..];
        while let Some((&kind, after)) = rest.split_first() {
            rest = after;
            if kind != wire::CPU_SAMPLE {
                return Err(TableError::UnexpectedEntry {
                    table: "CPU sample",
                    found: kind,
                });
            }
            let mut number = || {
                take_uvarint(&mut rest).ok_or(TableError::EntryCut {
                    table: "CPU sample",
                })
            };
            self.samples.push(Sample {
                units: number()?,
                thread: ThreadId(number()?),
                proc: ProcId(number()?),
                go: GoId(number()?),
                stack: StackId(number()?),
                time: 0,
                offset,
            });
        }
        Ok(())
    }

    fn add_sync(&mut self, place: Range<usize>, time: u64) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "sync" };
        let mut rest = &self.bytes[place];
        while let Some((&kind, after)) = rest.split_first() {
            rest = after;
            let mut number = || take_uvarint(&mut rest).ok_or(CUT);
            match kind {
                wire::FREQUENCY => {
                    let rate = number()?;
                    if self.units_per_second.replace(rate).is_some() {
                        return Err(TableError::MultipleFrequencies);
                    }
                }
                wire::CLOCK_SNAPSHOT => {
                    let taken = time.wrapping_add(number()?);
                    let snapshot = ClockSnapshot {
                        monotonic_ns: number()?,
                        unix_seconds: number()?,
                        unix_nanoseconds: number()? as u32,
                    };
                    if self.snapshot.replace((taken, snapshot)).is_some() {
                        return Err(TableError::MultipleClocks);
                    }
                }
                other => return Err(TableError::UnexpectedInSync(other)),
            }
        }
        Ok(())
    }

    /// Checks what can only be checked when all batches are there, and converts times.
    pub(super) fn finish(&mut self, version: Version) -> Result<(), TableError> {
        let frequency = self.units_per_second.ok_or(TableError::NoFrequency)?;
        if version.has_sync_batch() && self.snapshot.is_none() {
            return Err(TableError::NoClock);
        }
        self.rate = ClockRate::new(frequency);
        self.clock = self.snapshot.map(|(taken, snapshot)| SyncClock {
            time: TraceTime(self.rate.nanoseconds(taken)),
            snapshot,
        });
        for sample in &mut self.samples {
            sample.time = self.rate.nanoseconds(sample.units);
        }
        self.samples.sort_by_key(|sample| sample.time);
        self.tables.resolve_frames()
    }
}
