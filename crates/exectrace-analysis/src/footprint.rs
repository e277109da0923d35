//! What the bytes of a file are spent on.
//!
//! Counts batch by batch what is in the file, and does not look whether it makes sense.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use exectrace_format::wire::HEADER_BYTES;
use exectrace_format::{
    Batch, BatchKind, Batches, CompactEvent, CompactKind, EventKind, ReadError, Reader, SideRecord,
    SideRecords, StateChange,
};
use serde::Serialize;

use crate::sources::{Source, Sources};

/// What the bytes of a file are spent on.
#[derive(Debug)]
pub struct Footprint {
    /// Generations.
    pub generations: u64,
    /// Batches.
    pub batches: u64,
    /// The most bytes first. Together they are the bytes of the file that could be read.
    pub kinds: Vec<KindAmount>,
    /// What was recorded beside the program's own code, and why not the rest.
    pub sources: Vec<Source>,
    /// Whether bytes are known. In traces of Go 1.21 and older, which are read as a whole, they are not.
    pub has_bytes: bool,
    /// Why the file could not be read to its end. What comes before is counted.
    pub damage: Option<ReadError>,
}

/// Bytes of one kind. The bytes of all kinds add up to the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KindAmount {
    /// `event`, `table`, `side data` or `framing`.
    pub class: &'static str,
    /// The event's name in the format's table, or what else it is.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// In how many bytes; 0 for single kinds of side data, which count in `all records`.
    pub bytes: u64,
}

const EVENT: &str = "event";
const TABLE: &str = "table";
const SIDE: &str = "side data";
const FRAMING: &str = "framing";

impl KindAmount {
    /// Whether it is a kind of events.
    pub fn is_event(&self) -> bool {
        self.class == EVENT
    }
}

/// The first bytes of traces that are read as a whole.
const OLD_HEADERS: [&[u8]; 3] = [b"go 1.11 ", b"go 1.19 ", b"go 1.21 "];

impl Footprint {
    /// Reads a file to its end, or to where it is damaged. Memory: one batch; for traces of Go 1.21 and older
    /// the whole trace.
    ///
    /// ```
    /// use exectrace_analysis::Footprint;
    /// use exectrace_format::text;
    ///
    /// let trace = text::parse("go 1.25\n")?;
    /// let footprint = Footprint::read(trace.as_slice())?;
    /// assert_eq!(footprint.bytes(), trace.len() as u64);
    /// assert_eq!(footprint.kinds[0].kind, "header");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Not even the header can be read.
    pub fn read<R: Read>(mut input: R) -> Result<Self, ReadError> {
        let mut header = Vec::new();
        let head = input
            .by_ref()
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut header);
        let is_old = OLD_HEADERS.iter().any(|old| header.starts_with(old));
        // The reader that comes next reports the error with its place.
        let failed = Failing(head.err());
        let whole = Cursor::new(header).chain(failed).chain(input);
        let mut amounts = Amounts::default();
        let outcome = match is_old {
            true => amounts.count_events(whole),
            false => amounts.count_batches(whole),
        };
        match outcome {
            Err(error) if amounts.kinds.is_empty() => Err(error),
            outcome => Ok(amounts.finish(!is_old, outcome.err())),
        }
    }

    /// All bytes that were counted; 0 where bytes are not known.
    pub fn bytes(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.bytes).sum()
    }
}

/// Input that fails once, if there is an error, and has no bytes.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Of one kind, how many and how many bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    count: u64,
    bytes: u64,
}

/// The amounts of a file, while they are counted.
#[derive(Debug, Default)]
struct Amounts {
    generations: u64,
    last_generation: u64,
    batches: u64,
    /// By class and kind.
    kinds: BTreeMap<(&'static str, String), Amount>,
    sources: Sources,
}

impl Amounts {
    fn add(&mut self, class: &'static str, kind: &str, count: u64, bytes: u64) {
        let amount = self.kinds.entry((class, kind.to_owned())).or_default();
        amount.count += count;
        amount.bytes += bytes;
    }

    fn count_batches<R: Read>(&mut self, input: R) -> Result<(), ReadError> {
        let mut batches = Batches::new(input)?;
        self.add(FRAMING, "header", 1, HEADER_BYTES as u64);
        // Most batches hold events: these are counted in an array.
        let mut events = [Amount::default(); 256];
        let outcome = loop {
            match batches.next_batch() {
                Ok(Some(batch)) => self.count_batch(&batch, &mut events),
                Ok(None) => break Ok(()),
                Err(damage) => break Err(damage),
            }
        };
        for &kind in EventKind::ALL {
            let amount = events[usize::from(kind.id())];
            if amount.count > 0 {
                self.add(EVENT, kind.name(), amount.count, amount.bytes);
                self.sources.kind(kind);
            }
        }
        outcome
    }

    fn count_batch(&mut self, batch: &Batch<'_>, events: &mut [Amount; 256]) {
        let size = batch.place.end - batch.place.start;
        let payload = batch.payload.len() as u64;
        if batch.kind == BatchKind::EndOfGeneration {
            self.add(FRAMING, "end of generation", 1, size);
            return;
        }
        self.batches += 1;
        self.generations += u64::from(batch.generation != self.last_generation);
        self.last_generation = batch.generation;
        self.add(FRAMING, "heads of batches", 1, size.saturating_sub(payload));
        match batch.kind {
            BatchKind::Events => {
                let mut decoded = batch.events();
                let mut before = 0;
                while let Some(Ok(event)) = decoded.next() {
                    let amount = &mut events[usize::from(event.kind.id())];
                    amount.count += 1;
                    amount.bytes += (decoded.position() - before) as u64;
                    before = decoded.position();
                }
                let rest = payload.saturating_sub(before as u64);
                if rest > 0 {
                    self.add(FRAMING, "undecodable", 1, rest);
                }
            }
            BatchKind::Strings => self.add(TABLE, "strings", entries(batch, skip_string), payload),
            BatchKind::Stacks => self.add(TABLE, "stacks", entries(batch, skip_stack), payload),
            BatchKind::CpuSamples => {
                self.sources.samples();
                self.add(
                    TABLE,
                    "CPU samples",
                    entries(batch, |rest| skip_numbers(rest, 5)),
                    payload,
                );
            }
            BatchKind::Sync => self.add(TABLE, "clocks", 1, payload),
            BatchKind::Experimental(_) => self.count_side_data(batch),
            _ => self.add(FRAMING, "others", 1, payload),
        }
    }

    fn count_side_data(&mut self, batch: &Batch<'_>) {
        let payload = batch.payload.len() as u64;
        let Ok(records) = SideRecords::new(batch.payload) else {
            self.add(SIDE, "not of exectrace", 1, payload);
            return;
        };
        let mut count = 0;
        for record in records {
            let Ok(record) = record else { break };
            self.sources.side_record(&record);
            let known = SideRecord::KINDS
                .iter()
                .find(|(number, ..)| *number == record.kind());
            let name = known.map_or("unknown kinds", |(_, name, _)| name);
            self.add(SIDE, name, 1, 0);
            count += 1;
        }
        // How many bytes each record takes is not known.
        self.add(SIDE, "all records", count, payload);
    }

    /// Counts the events of an old trace, of whose bytes it is not known which event has which.
    fn count_events<R: Read>(&mut self, input: R) -> Result<(), ReadError> {
        let mut reader = Reader::new(input)?;
        self.generations = 1;
        let mut event = CompactEvent::default();
        while reader.next_into(&mut event)? {
            self.sources.event(&event);
            let kind = match event.kind {
                CompactKind::StateTransition { change, .. } => match change {
                    StateChange::Go { .. } => "changes of flows",
                    StateChange::Proc { .. } => "changes of lanes",
                },
                CompactKind::Metric { .. } => "metrics",
                CompactKind::StackSample => "CPU samples",
                CompactKind::RangeBegin { .. }
                | CompactKind::RangeActive { .. }
                | CompactKind::RangeEnd { .. } => "ranges",
                CompactKind::TaskBegin { .. } | CompactKind::TaskEnd { .. } => "user tasks",
                CompactKind::RegionBegin { .. } | CompactKind::RegionEnd { .. } => "regions",
                CompactKind::Log { .. } => "logs",
                _ => "others",
            };
            self.add(EVENT, kind, 1, 0);
        }
        Ok(())
    }

    fn finish(self, has_bytes: bool, damage: Option<ReadError>) -> Footprint {
        let kinds = self.kinds.into_iter();
        let mut kinds: Vec<KindAmount> = kinds
            .map(|((class, kind), Amount { count, bytes })| KindAmount {
                class,
                kind,
                count,
                bytes,
            })
            .collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse((kind.bytes, kind.count)));
        Footprint {
            generations: self.generations,
            batches: self.batches,
            kinds,
            sources: self.sources.all(),
            has_bytes,
            damage,
        }
    }
}

/// Counts the entries of a table: each is a byte, then what `skip` takes off.
fn entries(batch: &Batch<'_>, skip: impl Fn(&mut &[u8]) -> Option<()>) -> u64 {
    let mut rest = batch.payload.get(1..).unwrap_or_default();
    let mut count = 0;
    while let Some((_, after)) = rest.split_first() {
        rest = after;
        if skip(&mut rest).is_none() {
            break;
        }
        count += 1;
    }
    count
}

fn skip_string(rest: &mut &[u8]) -> Option<()> {
    take_number(rest)?;
    let length = usize::try_from(take_number(rest)?).ok()?;
    *rest = rest.get(length..)?;
    Some(())
}

fn skip_stack(rest: &mut &[u8]) -> Option<()> {
    take_number(rest)?;
    let frames = take_number(rest)?;
    skip_numbers(rest, frames.checked_mul(4)?)
}

fn skip_numbers(rest: &mut &[u8], count: u64) -> Option<()> {
    for _ in 0..count {
        take_number(rest)?;
    }
    Some(())
}

/// Takes a number off the front: seven bits a byte, the lowest first.
fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
