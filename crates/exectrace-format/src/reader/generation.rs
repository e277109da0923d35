//! The second layer of reading: one generation, its tables decoded, its events still bytes.
//!
//! All payloads of a generation lie in one arena. Strings and stacks are kept as places in it and
//! become shared values when an event first names them.

use std::ops::Range;
use std::sync::Arc;

use crate::ids::{GoId, ProcId, StackId, StringId, ThreadId};
use crate::wire::{
    self, ClockSnapshot, MAX_STACK_FRAMES, MAX_STRING_BYTES, SIDE_DATA_EXPERIMENT, Version,
    take_uvarint,
};

use super::error::TableError;
use super::framing::BatchHead;
use super::id_map::{IdMap, IdTable};
use super::trace_event::{StackFrame, SyncClock, TraceTime};

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

/// A string of the file: as text, and as bytes where it is none.
///
/// Two different strings stay different even if their texts are the same after repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    invalid: Option<Arc<[u8]>>,
}

impl Name {
    pub(super) fn empty() -> Self {
        Self {
            text: Arc::from(""),
            invalid: None,
        }
    }

    fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                text: text.into(),
                invalid: None,
            },
            Err(_) => {
                let text = String::from_utf8_lossy(bytes);
                Self {
                    text: text.into(),
                    invalid: Some(bytes.into()),
                }
            }
        }
    }
}

#[derive(Debug)]
struct StringEntry {
    start: usize,
    length: usize,
    name: Option<Name>,
}

#[derive(Debug)]
struct StackEntry {
    /// Indices of `Generation::frames`, leaf first, in `Generation::stack_frames`.
    frames: Range<usize>,
    resolved: Option<Arc<[StackFrame]>>,
}

#[derive(Clone, Copy, Debug)]
struct FrameEntry {
    pc: u64,
    function: u64,
    file: u64,
    line: u64,
    /// The stack that defined it, for error messages.
    stack: u64,
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
    strings: IdTable<StringEntry>,
    stacks: IdTable<StackEntry>,
    stack_frames: Vec<u32>,
    frames: Vec<FrameEntry>,
    by_pc: IdMap<u32>,
    by_thread: IdMap<usize>,
    units_per_second: Option<u64>,
    /// Trace time in units, and the clocks at that time.
    snapshot: Option<(u64, ClockSnapshot)>,
    empty: Name,
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
            strings: IdTable::default(),
            stacks: IdTable::default(),
            stack_frames: Vec::new(),
            frames: Vec::new(),
            by_pc: IdMap::default(),
            by_thread: IdMap::default(),
            units_per_second: None,
            snapshot: None,
            empty: Name::empty(),
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
        self.strings.clear();
        self.stacks.clear();
        self.stack_frames.clear();
        self.frames.clear();
        self.by_pc.clear();
        self.by_thread.clear();
        self.units_per_second = None;
        self.snapshot = None;
    }

    /// The string with this id; the empty one has id 0.
    pub(super) fn string(&mut self, id: StringId) -> Option<Name> {
        if id == StringId::EMPTY {
            return Some(self.empty.clone());
        }
        let entry = self.strings.get_mut(id.0)?;
        let bytes = &self.bytes[entry.start..entry.start + entry.length];
        Some(entry.name.get_or_insert_with(|| Name::new(bytes)).clone())
    }

    pub(super) fn has_string(&self, id: StringId) -> bool {
        id == StringId::EMPTY || self.strings.get(id.0).is_some()
    }

    pub(super) fn has_stack(&self, id: StackId) -> bool {
        id == StackId::NONE || self.stacks.get(id.0).is_some()
    }

    /// The frames of a stack, leaf first; `None` for id 0 and for ids without a definition.
    pub(super) fn stack(&mut self, id: StackId) -> Option<Arc<[StackFrame]>> {
        let entry = self.stacks.get(id.0)?;
        if let Some(resolved) = &entry.resolved {
            return Some(resolved.clone());
        }
        let mut frames = Vec::with_capacity(entry.frames.len());
        for index in entry.frames.clone() {
            let frame = self.frames[self.stack_frames[index] as usize];
            frames.push(StackFrame {
                pc: frame.pc,
                function: self.text(frame.function),
                file: self.text(frame.file),
                line: frame.line,
            });
        }
        let resolved: Arc<[StackFrame]> = frames.into();
        if let Some(entry) = self.stacks.get_mut(id.0) {
            entry.resolved = Some(resolved.clone());
        }
        Some(resolved)
    }

    fn text(&mut self, id: u64) -> Arc<str> {
        self.string(StringId(id))
            .map_or_else(|| self.empty.text.clone(), |name| name.text)
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
        let end = place.end;
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
            let start = end - rest.len();
            rest = rest.get(length..).ok_or(CUT)?;
            let entry = StringEntry {
                start,
                length,
                name: None,
            };
            if id == 0 || self.strings.insert(id, entry).is_err() {
                return Err(TableError::DuplicateString(StringId(id)));
            }
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
            let first = self.stack_frames.len();
            for _ in 0..count {
                let mut number = || take_uvarint(&mut rest).ok_or(CUT);
                let frame = FrameEntry {
                    pc: number()?,
                    function: number()?,
                    file: number()?,
                    line: number()?,
                    stack: id,
                };
                // Frames are known by their pc: the first definition holds.
                let index = *self.by_pc.entry(frame.pc).or_insert_with(|| {
                    self.frames.push(frame);
                    self.frames.len() as u32 - 1
                });
                self.stack_frames.push(index);
            }
            let entry = StackEntry {
                frames: first..self.stack_frames.len(),
                resolved: None,
            };
            if id == 0 || self.stacks.insert(id, entry).is_err() {
                return Err(TableError::DuplicateStack(StackId(id)));
            }
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
        for frame in &self.frames {
            for (what, id) in [("func", frame.function), ("file", frame.file)] {
                if !self.has_string(StringId(id)) {
                    let (string, stack) = (StringId(id), StackId(frame.stack));
                    return Err(TableError::FrameString {
                        what,
                        string,
                        stack,
                    });
                }
            }
        }
        Ok(())
    }
}
