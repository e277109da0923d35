//! `exectrace regions`: intervals inside async tasks, by name and place.

use clap::Args;
use exectrace_analysis::{Aspect, Options, RegionInstance, RegionKind, Regions};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::{Status, warn};
use crate::nearest;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, style, units};
use crate::question::{Fields, Page, Question};

/// Show spans and other regions by name and place, and where their time went
///
/// p50, p99, max, total: from first entry to close. self: of the total, while no other region was
/// inside, on the same async task or thread; concurrent spans inside are not taken off. busy: while entered, all entries together.
/// parts: in how many regions of single async tasks and threads the trace has them. run, delay,
/// wait: the shares of their time in which their async task ran, waited for a worker, waited for
/// something, of those spans of which the trace shows it.
#[derive(Debug, Args)]
pub(crate) struct RegionsCommand {
    #[command(flatten)]
    question: Question,
    /// Only regions of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// What `exectrace regions` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RegionsFields<'a> {
    /// Regions.
    regions: Option<&'a Regions>,
}

impl Fields for RegionsFields<'_> {
    const SCHEMA: &'static str = "exectrace.regions/1";
}

impl RegionsCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut answer = self.question.ask(Options {
            regions: true,
            ..Options::default()
        })?;
        if let (Some(regions), Some(name)) = (&mut answer.analysis.regions, &self.name) {
            regions.kinds.retain(|kind| kind.name == *name);
            if regions.kinds.is_empty() {
                let known = &answer.analysis.names.regions;
                let what = "span or region in this part of the trace";
                warn(&nearest::message(what, name, known, "regions"));
            }
        }
        let fields = RegionsFields {
            regions: answer.analysis.regions.as_ref(),
        };
        let top = self.question.top;
        answer.give(fields, out, |analysis, page| match &analysis.regions {
            Some(regions) if !regions.kinds.is_empty() => {
                print_kinds(&regions.kinds, usize::MAX, page)?;
                print_slowest(&regions.kinds, top, page)
            }
            _ => page.nothing("regions", "spans entered or `Region`s made while recording"),
        })
    }
}

/// Shows at most `limit` kinds.
pub(super) fn print_kinds(
    kinds: &[RegionKind],
    limit: usize,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    page.heading(
        "Spans and regions",
        "from first entry to close, by name and place, the most time first",
    )?;
    let mut table = Table::new()
        .text("name")
        .text("place")
        .minor(6)
        .number("count")
        .number("open")
        .minor(5)
        .number("p50")
        .number("p99")
        .minor(1)
        .number("max")
        .number("total")
        .minor(2)
        .number("self")
        .minor(1)
        .number("busy")
        .number("entries")
        .minor(7)
        .number("parts")
        .minor(8)
        .number("run")
        .minor(3)
        .number("delay")
        .minor(3)
        .number("wait")
        .minor(3);
    for kind in kinds.iter().take(limit) {
        let breakdown = &kind.breakdown;
        let whole = breakdown.total_ns;
        let (states, delays) = aspects(kind.concurrent > 0);
        if kind.broken_down < kind.count {
            page.gaps.note(states);
        }
        table.row([
            Cell::styled(names::name(&kind.name), style::NAME),
            names::place(kind.place.as_ref(), &kind.name).into(),
            units::count(kind.count).into(),
            units::count(kind.open).into(),
            units::quantile(&kind.durations, 0.5).into(),
            units::quantile(&kind.durations, 0.99).into(),
            units::longest(&kind.durations).into(),
            units::duration(kind.total_ns).into(),
            kind.self_ns.map_or_else(unknown, units::duration).into(),
            units::total(&kind.busy).into(),
            units::count(kind.entries).into(),
            units::count(kind.parts).into(),
            page.gaps.share(breakdown.running_ns, whole, states),
            page.gaps.share(breakdown.runnable_ns, whole, delays),
            page.gaps.share(breakdown.waiting_ns(), whole, states),
        ]);
    }
    page.table(&table, kinds.len().saturating_sub(limit))
}

fn print_slowest(kinds: &[RegionKind], top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    let mut slowest: Vec<&RegionInstance> = kinds.iter().flat_map(|kind| &kind.slowest).collect();
    slowest.sort_by_key(|region| std::cmp::Reverse(region.duration_ns));
    page.heading("Slowest", "")?;
    let mut table = Table::new()
        .number("took")
        .number("at")
        .text("name")
        .number("task")
        .minor(4)
        .number("user task")
        .minor(2)
        .number("self")
        .minor(4)
        .number("busy")
        .number("entries")
        .minor(5)
        .number("run")
        .minor(3)
        .number("delay")
        .minor(3)
        .number("wait")
        .minor(3)
        .text("most for")
        .minor(1);
    for region in slowest.into_iter().take(top) {
        let breakdown = &region.breakdown;
        let (states, delays) = aspects(region.is_concurrent);
        let most = breakdown.longest_wait();
        table.row([
            units::duration(region.duration_ns).into(),
            region
                .begin_ns
                .map_or_else(|| "before".to_owned(), units::instant)
                .into(),
            Cell::styled(names::name(&region.name), style::NAME),
            region.async_task.to_string().into(),
            region
                .user_task
                .map_or_else(String::new, |task| task.to_string())
                .into(),
            region.self_ns.map_or_else(unknown, units::duration).into(),
            region.busy_ns.map_or_else(unknown, units::duration).into(),
            region.entries.map_or_else(unknown, units::count).into(),
            page.gaps.duration(breakdown.running_ns, states),
            page.gaps.duration(breakdown.runnable_ns, delays),
            page.gaps.duration(breakdown.waiting_ns(), states),
            most.map_or("", |most| names::reason(&most.name)).into(),
        ]);
    }
    page.table(&table, 0)
}

/// Why states and delays of spans may not be known.
fn aspects(is_concurrent: bool) -> (Aspect, Aspect) {
    match is_concurrent {
        true => (Aspect::ConcurrentSpans, Aspect::ConcurrentSpans),
        false => (Aspect::States, Aspect::Delays),
    }
}

/// Of a span that is open, or begins before the trace; its self time, if it is concurrent with others.
fn unknown() -> String {
    "-".to_owned()
}
