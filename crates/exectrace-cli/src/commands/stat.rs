//! `exectrace stat`: what the bytes of a file are spent on.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use clap::Args;
use exectrace_format::wire::HEADER_BYTES;
use exectrace_format::{
    Batch, BatchKind, Batches, CompactEvent, CompactKind, EventKind, ReadError, SideRecord,
    SideRecords,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::format::{Format, FormatArgument};
use crate::input::{self, Origin, TraceArgument};
use crate::output::table::{Cell, Table};
use crate::output::{Out, bar, json, printable, style, units};
use crate::question::Page;
use crate::reading;

/// Show what the bytes of a trace are spent on, by kind of event
///
/// Counts the contents of the file batch by batch, and does not look whether they make sense: that is
/// what `check` is for.
#[derive(Debug, Args)]
pub(crate) struct Stat {
    #[command(flatten)]
    trace: TraceArgument,
    #[command(flatten)]
    format: FormatArgument,
}

/// Of one kind, how many and how many bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
struct Amount {
    /// How many.
    count: u64,
    /// In how many bytes; 0 for single kinds of side data, which count in `all records`.
    bytes: u64,
}

/// The amounts of a file.
#[derive(Debug, Default)]
struct Amounts {
    generations: u64,
    last_generation: u64,
    batches: u64,
    /// By what stands in front of the name, and the name.
    kinds: BTreeMap<(&'static str, String), Amount>,
    /// Whether bytes are known: not in traces of Go 1.21 and older, which are read as a whole.
    has_bytes: bool,
}

/// What `exectrace stat` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatDocument<'a> {
    /// The name of the document, and its version.
    schema: &'static str,
    /// The trace, as on the command line.
    trace: &'a str,
    /// Bytes that were counted; 0 for traces of Go 1.21 and older.
    bytes: u64,
    /// Generations.
    generations: u64,
    /// Batches.
    batches: u64,
    /// The most bytes first.
    kinds: Vec<KindAmount<'a>>,
    /// Where it cannot be read on, if that is so.
    damage: Option<StatDamage>,
}

impl StatDocument<'_> {
    pub(crate) const SCHEMA: &'static str = "exectrace.stat/1";
}

/// Bytes of one kind. The bytes of all kinds add up to the file.
#[derive(Debug, Serialize, JsonSchema)]
struct KindAmount<'a> {
    /// `event`, `table`, `side data` or `framing`.
    class: &'static str,
    /// The event's name in the format's table, or what else it is.
    kind: &'a str,
    #[serde(flatten)]
    amount: Amount,
}

/// Where and why a file could not be read on.
#[derive(Debug, Serialize, JsonSchema)]
struct StatDamage {
    /// The byte of the file at which the damaged batch begins.
    offset: u64,
    /// What is wrong.
    message: String,
}

const EVENT: &str = "event";
const TABLE: &str = "table";
const SIDE: &str = "side data";
const FRAMING: &str = "framing";

impl Stat {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let (mut input, origin) = input::open(&self.trace.path)?;
        let mut header = Vec::new();
        let head = input.by_ref().take(HEADER_BYTES as u64);
        { head }
            .read_to_end(&mut header)
            .map_err(|error| input::unreadable(error, &origin.label))?;
        let is_old = [&b"go 1.11 "[..], b"go 1.19 ", b"go 1.21 "]
            .iter()
            .any(|old| header.starts_with(old));
        let whole = Cursor::new(header).chain(input);
        let mut amounts = Amounts {
            has_bytes: !is_old,
            ..Amounts::default()
        };
        let outcome = match is_old {
            true => amounts.count_events(whole),
            false => amounts.count_batches(whole),
        };
        let damage = match outcome {
            Ok(()) => None,
            // Without even a header there is nothing to show.
            Err(error) if amounts.kinds.is_empty() => {
                return Err(reading::of_input(error, &origin));
            }
            Err(error) => Some(reading::damage_of_trace(error, &origin)?),
        };
        match self.format.format {
            Format::Json => amounts.print_json(&origin, damage.as_ref(), out)?,
            Format::Text => amounts.print(&origin, out)?,
        }
        match damage {
            Some(damage) => reading::damaged(damage, &origin, out),
            None => Ok(Status::Ok),
        }
    }
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
        let mut reader = exectrace_format::Reader::new(input)?;
        self.generations = 1;
        let mut event = CompactEvent::default();
        while reader.next_into(&mut event)? {
            let kind = match event.kind {
                CompactKind::StateTransition { change, .. } => match change {
                    exectrace_format::StateChange::Go { .. } => "changes of flows",
                    exectrace_format::StateChange::Proc { .. } => "changes of lanes",
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

    /// All bytes that were counted.
    fn bytes(&self) -> u64 {
        self.kinds.values().map(|amount| amount.bytes).sum()
    }

    fn rows(&self) -> Vec<KindAmount<'_>> {
        let rows = self.kinds.iter();
        let mut rows: Vec<KindAmount<'_>> = rows
            .map(|((class, kind), &amount)| KindAmount {
                class,
                kind,
                amount,
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.amount.bytes, row.amount.count)));
        rows
    }

    fn print_json(
        &self,
        origin: &Origin,
        damage: Option<&ReadError>,
        out: &mut Out,
    ) -> anyhow::Result<()> {
        let document = StatDocument {
            schema: StatDocument::SCHEMA,
            trace: &origin.label,
            bytes: self.bytes(),
            generations: self.generations,
            batches: self.batches,
            kinds: self.rows(),
            damage: damage.map(|error| StatDamage {
                offset: error.offset,
                message: error.cause.to_string(),
            }),
        };
        json::document(&document, out)
    }

    fn print(&self, origin: &Origin, out: &mut Out) -> anyhow::Result<()> {
        const BAR_COLUMNS: usize = 20;
        let whole = self.bytes();
        let rows = self.rows();
        let events = rows.iter().filter(|row| row.class == EVENT);
        let events: u64 = events.map(|row| row.amount.count).sum();
        let mut about = format!("{} events", units::count(events));
        if self.has_bytes {
            about.push_str(&format!(
                " in {}, {}, {}; {:.1} bytes an event",
                units::bytes(whole),
                units::plural(self.generations, "generation"),
                match self.batches {
                    1 => "1 batch".to_owned(),
                    batches => format!("{} batches", units::count(batches)),
                },
                whole as f64 / events.max(1) as f64,
            ));
        }
        let mut page = Page::new(out);
        page.heading(&printable(&origin.label), &about)?;
        let mut table = Table::new().text("kind").text("class").number("count");
        if self.has_bytes {
            table = table.number("bytes").number("share").number("each").bar("");
        }
        for row in rows {
            let Amount { count, bytes } = row.amount;
            let mut cells: Vec<Cell> = vec![
                Cell::styled(row.kind, style::NAME),
                row.class.into(),
                units::count(count).into(),
            ];
            // Records of side data have no bytes of their own.
            if self.has_bytes && bytes > 0 {
                cells.extend([
                    units::count(bytes).into(),
                    units::percent(bytes, whole).into(),
                    format!("{:.1}", bytes as f64 / count.max(1) as f64).into(),
                    bar::bar(bytes, whole, BAR_COLUMNS).into(),
                ]);
            }
            table.row(cells);
        }
        page.table(&table, 0)?;
        page.out.flush()?;
        Ok(())
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
