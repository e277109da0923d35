//! `exectrace stat`: what the bytes of a file are spent on.

use std::io::Write;

use clap::Args;
use exectrace_analysis::{Footprint, KindAmount, Source};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::format::{Format, FormatArgument};
use crate::input::{self, TraceArgument};
use crate::output::table::{Cell, Table};
use crate::output::{Out, bar, json, printable, sources, style, units};
use crate::question::Page;
use crate::reading;

/// Show what the bytes of a trace are spent on, by kind of event, and which sources it has
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
    kinds: &'a [KindAmount],
    /// What was recorded beside the program's own code, and why not the rest.
    sources: &'a [Source],
    /// Where it cannot be read on, if that is so.
    damage: Option<StatDamage>,
}

impl StatDocument<'_> {
    pub(crate) const SCHEMA: &'static str = "exectrace.stat/1";
}

/// Where and why a file could not be read on.
#[derive(Debug, Serialize, JsonSchema)]
struct StatDamage {
    /// The byte of the file at which the damaged batch begins.
    offset: u64,
    /// What is wrong.
    message: String,
}

impl Stat {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let (input, origin) = input::open(&self.trace.path)?;
        let mut footprint =
            Footprint::read(input).map_err(|error| reading::of_input(error, &origin))?;
        if let Some(damage) = footprint.damage.take() {
            footprint.damage = Some(reading::damage_of_trace(damage, &origin)?);
        }
        match self.format.format {
            Format::Json => print_json(&footprint, &origin.label, out)?,
            Format::Text => print(&footprint, &origin.label, out)?,
        }
        match footprint.damage {
            Some(damage) => reading::damaged(damage, &origin, out),
            None => Ok(Status::Ok),
        }
    }
}

fn print_json(footprint: &Footprint, label: &str, out: &mut Out) -> anyhow::Result<()> {
    let document = StatDocument {
        schema: StatDocument::SCHEMA,
        trace: label,
        bytes: footprint.bytes(),
        generations: footprint.generations,
        batches: footprint.batches,
        kinds: &footprint.kinds,
        sources: &footprint.sources,
        damage: footprint.damage.as_ref().map(|error| StatDamage {
            offset: error.offset,
            message: error.cause.to_string(),
        }),
    };
    json::document(&document, out)
}

fn print(footprint: &Footprint, label: &str, out: &mut Out) -> anyhow::Result<()> {
    const BAR_COLUMNS: usize = 20;
    let whole = footprint.bytes();
    let rows = footprint.kinds.iter();
    let events = rows.filter(|row| row.is_event());
    let events: u64 = events.map(|row| row.count).sum();
    let mut about = format!("{} events", units::count(events));
    if footprint.has_bytes {
        about.push_str(&format!(
            " in {}, {}, {}; {:.1} bytes an event",
            units::bytes(whole),
            units::plural(footprint.generations, "generation"),
            match footprint.batches {
                1 => "1 batch".to_owned(),
                batches => format!("{} batches", units::count(batches)),
            },
            whole as f64 / events.max(1) as f64,
        ));
    }
    let mut page = Page::new(out);
    page.heading(&printable(label), &about)?;
    let mut table = Table::new().text("kind").text("class").number("count");
    if footprint.has_bytes {
        table = table.number("bytes").number("share").number("each").bar("");
    }
    for row in &footprint.kinds {
        let (count, bytes) = (row.count, row.bytes);
        let mut cells: Vec<Cell> = vec![
            Cell::styled(row.kind.as_str(), style::NAME),
            row.class.into(),
            units::count(count).into(),
        ];
        // Records of side data have no bytes of their own.
        if footprint.has_bytes && bytes > 0 {
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
    page.heading("Sources", "")?;
    sources::print(&footprint.sources, "  ", page.out)?;
    page.out.flush()?;
    Ok(())
}
