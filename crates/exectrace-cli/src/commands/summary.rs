//! `exectrace summary`: what is in a trace, on a page.

use std::io::Write;

use clap::Args;
use exectrace_analysis::{
    Aspect, Counter, Finding, Gc, Options, Overview, Regions, Syscalls, Tasks, UserTasks,
    Utilization, Workers,
};
use exectrace_format::conventions::{CounterUnit, SystemCounter};
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar::Date;
use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, printable, style, units};
use crate::question::{Answer, Fields, Page, Question};

use super::{findings, regions, tasks, usertasks, workers};

/// Show what is in a trace, on a page
#[derive(Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    question: Question,
}

/// What `exectrace summary` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SummaryFields<'a> {
    /// As of `tasks`.
    tasks: Option<&'a Tasks>,
    /// As of `workers`.
    workers: Option<&'a Workers>,
    /// As of `usertasks`.
    user_tasks: Option<&'a UserTasks>,
    /// As of `regions`.
    regions: Option<&'a Regions>,
    /// As of `syscalls`.
    syscalls: Option<&'a Syscalls>,
    /// Garbage collection of Go programs.
    gc: Option<&'a Gc>,
    /// Quantities over time, by name.
    counters: &'a [Counter],
    /// As of `findings`.
    findings: &'a [Finding],
}

impl Fields for SummaryFields<'_> {
    const SCHEMA: &'static str = "exectrace.summary/1";
}

impl Summary {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        // Distributions of states have a command of their own.
        let answer = self.question.ask(Options {
            latencies: false,
            ..Options::all()
        })?;
        let analysis = &answer.analysis;
        let findings = analysis.findings();
        let fields = SummaryFields {
            tasks: analysis.tasks.as_ref(),
            workers: analysis.workers.as_ref(),
            user_tasks: analysis.user_tasks.as_ref(),
            regions: analysis.regions.as_ref(),
            syscalls: analysis.syscalls.as_ref(),
            gc: analysis.gc.as_ref(),
            counters: &analysis.counters,
            findings: &findings,
        };
        let top = self.question.top;
        answer.give(fields, out, |analysis, page| {
            print_overview(&answer, &analysis.overview, page)?;
            print_thread_time(analysis.workers.as_ref(), page)?;
            if !findings.is_empty() {
                page.heading("Findings", "`exectrace findings` shows the evidence")?;
            }
            for finding in &findings {
                write!(page.out, "  ")?;
                findings::print_line(finding, page)?;
            }
            if let Some(workers) = &analysis.workers {
                workers::print_workers(&workers.workers, page)?;
            }
            if let Some(tasks) = analysis
                .tasks
                .as_ref()
                .filter(|tasks| !tasks.groups.is_empty())
            {
                tasks::print_groups(&tasks.groups, top, page)?;
                let shown = &tasks.longest_runs[..tasks.longest_runs.len().min(SHOWN)];
                tasks::print_longest_runs(shown, page)?;
            }
            if let Some(tasks) = analysis
                .user_tasks
                .as_ref()
                .filter(|tasks| !tasks.kinds.is_empty())
            {
                usertasks::print_kinds(&tasks.kinds, top, page)?;
                usertasks::print_slowest(&tasks.kinds, SHOWN, page)?;
            }
            if let Some(regions) = analysis
                .regions
                .as_ref()
                .filter(|regions| !regions.kinds.is_empty())
            {
                regions::print_kinds(&regions.kinds, top, page)?;
            }
            if let Some(gc) = analysis.gc.as_ref().filter(|gc| gc.cycles > 0) {
                print_gc(gc, analysis.overview.duration_ns, page)?;
            }
            print_counters(&analysis.counters, page)
        })
    }
}

/// So many of the longest are shown here; the commands of their own show more.
const SHOWN: usize = 5;

fn print_overview(answer: &Answer, overview: &Overview, page: &mut Page<'_>) -> anyhow::Result<()> {
    let mut of = format!("go 1.{} trace", overview.header_version);
    if let Some(writer) = &overview.written_by {
        of.push_str(&format!(" of {}", printable(writer)));
    }
    if let Some(began) = overview.began_unix_ns {
        of.push_str(&format!(", begun {}", Date::of_unix_ns(began)));
    }
    page.heading(&answer.label(), &of)?;
    writeln!(
        page.out,
        "  {}, {}, {} ({} alive at the end), {}, {}",
        units::duration(overview.duration_ns),
        units::plural(overview.events.total, "event"),
        units::plural(overview.async_tasks, "async task"),
        units::count(overview.async_tasks_alive),
        units::plural(overview.workers, "worker"),
        units::plural(overview.threads, "thread"),
    )?;
    for (key, value) in &overview.capabilities {
        let dim = style::ASIDE;
        writeln!(
            page.out,
            "  {dim}{}: {}{dim:#}",
            printable(key),
            printable(value)
        )?;
    }
    Ok(())
}

/// Shows how long threads had a processor, and how long they waited for one.
fn print_thread_time(workers: Option<&Workers>, page: &mut Page<'_>) -> anyhow::Result<()> {
    match workers.and_then(|workers| workers.thread_time) {
        Some(time) => write!(
            page.out,
            "  between samples of them, threads were on a processor for {} and waited for one for {} ({}% of both)",
            units::duration(time.cpu_ns),
            units::duration(time.wait_ns),
            time.wait_percent()
        )?,
        None => {
            page.gaps.note(Aspect::Processors);
            return Ok(());
        }
    }
    if let Some(own) = workers.and_then(|workers| workers.recorder_time) {
        let cpu = units::duration(own.cpu_ns);
        write!(page.out, ", the recorder's own for {cpu}")?;
    }
    writeln!(page.out)?;
    Ok(())
}

fn print_gc(gc: &Gc, trace_ns: u64, page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading(
        "Garbage collection",
        &format!("{} cycles", units::count(gc.cycles)),
    )?;
    let mut table = Table::new()
        .text("what")
        .number("count")
        .number("p50")
        .number("p99")
        .number("max")
        .number("total");
    let stops = gc.stop_the_world.iter().map(|pause| {
        (
            format!("stop the world: {}", pause.reason),
            &pause.durations,
        )
    });
    let parts = [
        ("mark".to_owned(), &gc.mark),
        ("assist".to_owned(), &gc.assist),
        ("sweep".to_owned(), &gc.sweep),
    ];
    for (what, durations) in parts.into_iter().chain(stops) {
        if durations.count() > 0 {
            table.row([
                Cell::styled(what, style::NAME),
                units::count(durations.count()).into(),
                units::quantile(durations, 0.5).into(),
                units::quantile(durations, 0.99).into(),
                units::longest(durations).into(),
                units::duration(durations.total_ns()).into(),
            ]);
        }
    }
    page.table(&table, 0)?;
    let shares: Vec<String> = informative(&gc.minimum_utilization, trace_ns)
        .map(|point| {
            format!(
                "{:.0}% of {}",
                point.share * 100.0,
                units::duration(point.window_ns)
            )
        })
        .collect();
    if !shares.is_empty() {
        writeln!(
            page.out,
            "  least left to the program: {}",
            shares.join(", ")
        )?;
    }
    Ok(())
}

/// The points of the curve that are worth showing: from the longest window in which nothing is left to
/// the longest within the trace.
fn informative(curve: &[Utilization], trace_ns: u64) -> impl Iterator<Item = &Utilization> {
    let first = curve.iter().rposition(|point| point.share <= 0.0);
    let points = curve.iter().skip(first.unwrap_or(0));
    points.take_while(move |point| point.window_ns <= trace_ns)
}

fn print_counters(counters: &[Counter], page: &mut Page<'_>) -> anyhow::Result<()> {
    if counters.is_empty() {
        return Ok(());
    }
    page.heading("Counters", "")?;
    let mut table = Table::new()
        .text("name")
        .number("values")
        .number("least")
        .number("most")
        .number("last")
        .number("grew by");
    for counter in counters {
        let known = SystemCounter::of(&counter.name);
        let unit = match known {
            Some(known) => known.unit,
            // Go names the unit behind a colon.
            None if counter.name.ends_with(":bytes") => CounterUnit::Bytes,
            None => CounterUnit::Number,
        };
        // Of one that grew before the trace did, only the growth says something.
        let is_sum = known.is_some_and(|known| known.is_sum);
        let grew = is_sum.then(|| counter.last.saturating_sub(counter.first));
        let value = |value: i64| match u64::try_from(value) {
            Ok(value) if unit == CounterUnit::Bytes => units::bytes(value),
            Ok(value) if unit == CounterUnit::Nanoseconds => units::duration(value),
            Ok(value) if unit == CounterUnit::Thousandths => {
                format!("{}.{:03}", value / 1_000, value % 1_000)
            }
            Ok(value) => units::count(value),
            Err(_) => value.to_string(),
        };
        let shown = |number| match is_sum {
            true => String::new(),
            false => value(number),
        };
        table.row([
            Cell::styled(names::counter(&counter.name), style::NAME),
            units::count(counter.count).into(),
            shown(counter.min).into(),
            shown(counter.max).into(),
            shown(counter.last).into(),
            grew.map_or_else(String::new, value).into(),
        ]);
    }
    page.table(&table, 0)
}
