//! The second layer of reading: one generation, its tables decoded, its events still bytes.
//!
//! The strings and stacks in the payloads are put into its [`Tables`]; payloads that hold events are
//! kept until their turn comes, or read again then.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::ids::{GoId, ProcId, StackId, ThreadId};
use crate::wire::{
    self, ClockSnapshot, MAX_STACK_FRAMES, MAX_STRING_BYTES, SIDE_DATA_EXPERIMENT, Version,
    take_uvarint,
};

use super::error::TableError;
use super::event::SyncClock;
use super::framing::BatchHead;
use super::id_map::IdMap;
use super::tables::Tables;
use super::time::TraceTime;

/// Converts units of a file's clock to nanoseconds, as Go's reader does it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockRate(f64);

impl ClockRate {
    fn new(units_per_second: u64) -> Self {
        Self(1.0 / (units_per_second as f64 / 1e9))
    }

    #[inline]
    pub(super) fn nanoseconds(self, units: u64) -> i64 {
        // The product of those always fits, and small numbers are converted faster.
        if self.0 < 1e9
            && let Ok(units) = u32::try_from(units)
        {
            return (f64::from(units) * self.0) as i64;
        }
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
pub(super) struct CpuSample {
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

/// A batch of events.
#[derive(Debug)]
pub(super) struct EventBatch {
    payload: EventPayload,
    /// Base time, in units of the clock.
    pub(super) time: u64,
    /// Where in the file the payload begins.
    pub(super) payload_offset: u64,
    /// The next batch of the same thread.
    pub(super) next: Option<u32>,
}

/// The bytes of a batch of events.
#[derive(Debug)]
enum EventPayload {
    Held(Box<[u8]>),
    /// So many bytes in the file, to be read again.
    InFile(usize),
}

/// The batches of one thread, as a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadBatches {
    pub(super) thread: u64,
    pub(super) first: u32,
    last: u32,
}

/// A generation whose events can be put in order.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) rate: ClockRate,
    pub(super) clock: Option<SyncClock>,
    /// Earliest base time of all batches, in units.
    pub(super) min_time: u64,
    /// Bytes of all payloads together.
    pub(super) payload_bytes: u64,
    /// The file from which payloads are read again, if there is one.
    again: Option<File>,
    pub(super) batches: Vec<EventBatch>,
    /// In the order of their first batches.
    pub(super) threads: Vec<ThreadBatches>,
    pub(super) samples: Vec<CpuSample>,
    /// The payloads of experimental batches that may be side data.
    pub(super) side: Vec<Box<[u8]>>,
    pub(super) tables: Tables,
    by_thread: IdMap<usize>,
    units_per_second: Option<u64>,
    /// Trace time in units, and the clocks at that time.
    snapshot: Option<(u64, ClockSnapshot)>,
}

impl Generation {
    /// An empty one, which holds its payloads unless it can read them `again`.
    pub(super) fn new(again: Option<File>) -> Self {
        Self {
            number: 0,
            rate: ClockRate(1.0),
            clock: None,
            min_time: 0,
            payload_bytes: 0,
            again,
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
        self.payload_bytes = 0;
        self.batches.clear();
        self.threads.clear();
        self.samples.clear();
        self.side.clear();
        self.tables.clear();
        self.by_thread.clear();
        self.units_per_second = None;
        self.snapshot = None;
    }

    /// Takes in a batch.
    pub(super) fn add(
        &mut self,
        head: BatchHead,
        payload: &[u8],
        version: Version,
    ) -> Result<(), TableError> {
        if head.time != 0 && (self.min_time == 0 || head.time < self.min_time) {
            self.min_time = head.time;
        }
        if head.experiment != 0 {
            if head.experiment == SIDE_DATA_EXPERIMENT {
                self.side.push(payload.into());
            }
            return Ok(());
        }
        match payload {
            [] => Ok(()),
            [wire::STRINGS, table @ ..] => self.add_strings(table),
            [wire::STACKS, table @ ..] => self.add_stacks(table),
            [wire::CPU_SAMPLES, table @ ..] => self.add_samples(table, head.offset),
            [wire::SYNC, table @ ..] if version.has_sync_batch() => self.add_sync(table, head.time),
            [wire::FREQUENCY, ..] if !version.has_sync_batch() => self.add_sync(payload, head.time),
            _ => {
                self.add_events(payload, head);
                Ok(())
            }
        }
    }

    fn add_events(&mut self, payload: &[u8], head: BatchHead) {
        // Each takes five bytes of the file at least, of which a generation has 4 GiB at most.
        let index = self.batches.len() as u32;
        self.batches.push(EventBatch {
            payload: match self.again {
                Some(_) => EventPayload::InFile(payload.len()),
                None => EventPayload::Held(payload.into()),
            },
            time: head.time,
            payload_offset: head.payload_offset,
            next: None,
        });
        match self.by_thread.get(&head.thread) {
            Some(&known) => {
                let chain = &mut self.threads[known];
                self.batches[chain.last as usize].next = Some(index);
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

    /// Puts the payload of a batch of events into `bytes`. It is not held any longer.
    pub(super) fn load(&mut self, batch: u32, bytes: &mut Vec<u8>) -> io::Result<()> {
        let batch = &mut self.batches[batch as usize];
        match (&mut batch.payload, &mut self.again) {
            (EventPayload::InFile(size), Some(file)) => {
                bytes.resize(*size, 0);
                file.seek(SeekFrom::Start(batch.payload_offset))?;
                file.read_exact(bytes)
            }
            (EventPayload::Held(held), _) => {
                *bytes = std::mem::take(held).into_vec();
                Ok(())
            }
            // Only what has a file is left in it.
            (EventPayload::InFile(_), None) => {
                bytes.clear();
                Ok(())
            }
        }
    }

    fn add_strings(&mut self, mut rest: &[u8]) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "string" };
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

    fn add_stacks(&mut self, mut rest: &[u8]) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "stack" };
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

    fn add_samples(&mut self, mut rest: &[u8], offset: u64) -> Result<(), TableError> {
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
            self.samples.push(CpuSample {
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

    fn add_sync(&mut self, mut rest: &[u8], time: u64) -> Result<(), TableError> {
        const CUT: TableError = TableError::EntryCut { table: "sync" };
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
                    let snapshot = snapshot(number()?, number()?, number()?);
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

/// A snapshot as it stands in the file, with less than a second of nanoseconds, as Go shows it.
fn snapshot(monotonic_ns: u64, seconds: u64, nanoseconds: u64) -> ClockSnapshot {
    const SECOND_NS: i64 = 1_000_000_000;
    // Both are signed in Go.
    let (seconds, nanoseconds) = (seconds as i64, nanoseconds as i64);
    let whole_seconds = nanoseconds.div_euclid(SECOND_NS);
    ClockSnapshot {
        monotonic_ns,
        unix_seconds: seconds.wrapping_add(whole_seconds) as u64,
        unix_nanoseconds: nanoseconds.rem_euclid(SECOND_NS) as u32,
    }
}
