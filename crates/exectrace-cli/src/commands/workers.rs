//! `exectrace workers`: how busy workers and threads were.

use clap::Args;
use exectrace_analysis::{
    Aspect, DriverWaits, OffProcessor, Options, Pool, Worker, WorkerSecond, WorkerSeconds, Workers,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, bar, names, style, units};
use crate::question::{Fields, Page, Question};

/// Show how busy workers and threads were
///
/// busy: running async tasks. scheduling: held by a thread that looks for work. idle: parked.
#[derive(Debug, Args)]
pub(crate) struct WorkersCommand {
    #[command(flatten)]
    question: Question,
}

/// What `exectrace workers` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WorkersFields<'a> {
    /// Workers and threads.
    workers: Option<&'a Workers>,
}

impl Fields for WorkersFields<'_> {
    const SCHEMA: &'static str = "exectrace.workers/1";
}

impl WorkersCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let answer = self.question.ask(Options {
            workers: true,
            ..Options::default()
        })?;
        let fields = WorkersFields {
            workers: answer.analysis.workers.as_ref(),
        };
        answer.give(fields, out, |analysis, page| {
            let Some(workers) = &analysis.workers else {
                return Ok(());
            };
            print_workers(&workers.workers, page)?;
            print_pools(&workers.pools, page)?;
            print_threads(workers, page)?;
            print_driver_waits(&workers.driver_waits, page)?;
            match &workers.seconds {
                Some(seconds) => print_seconds(seconds, page),
                None => Ok(()),
            }
        })
    }
}

/// Columns of a bar for the whole time.
const BAR_COLUMNS: usize = 20;

/// Shows each worker.
pub(super) fn print_workers(workers: &[Worker], page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("Workers", "")?;
    let mut table = Table::new()
        .number("worker")
        .text("name")
        .number("busy")
        .bar("of its time")
        .number("own code")
        .minor(1)
        .number("syscall")
        .minor(3)
        .number("scheduling")
        .minor(2)
        .number("idle")
        .number("polls")
        .minor(1)
        .number("longest")
        .minor(2)
        .number("migrated")
        .minor(4)
        .number("parks")
        .minor(4);
    for worker in workers {
        let whole = worker.total_ns;
        // Whether a thread's own code kept it busy was not seen.
        let is_known = worker.own_code_ns == 0 || worker.busy_ns > 0;
        let busy_ns = is_known.then_some(worker.busy_ns);
        table.row([
            worker.id.to_string().into(),
            Cell::styled(worker.name.as_str(), style::NAME),
            page.gaps.share(busy_ns, whole, Aspect::States),
            bar::bar(worker.busy_ns, whole, BAR_COLUMNS).into(),
            units::percent(worker.own_code_ns, whole).into(),
            page.gaps.share(worker.syscall_ns, whole, Aspect::Syscalls),
            units::percent(worker.scheduling_ns, whole).into(),
            units::percent(worker.idle_ns, whole).into(),
            units::count(worker.runs).into(),
            units::duration(worker.longest_run_ns).into(),
            units::count(worker.migrations).into(),
            units::count(worker.parks).into(),
        ]);
    }
    page.table(&table, 0)
}

/// Shows the pools of more than one worker.
fn print_pools(pools: &[Pool], page: &mut Page<'_>) -> anyhow::Result<()> {
    let shared: Vec<&Pool> = pools.iter().filter(|pool| pool.workers.len() > 1).collect();
    if shared.is_empty() {
        return Ok(());
    }
    page.heading(
        "Pools",
        "imbalance: how much busier the busiest worker was than their mean",
    )?;
    let mut table = Table::new()
        .text("name")
        .number("workers")
        .number("busy")
        .number("imbalance");
    for pool in shared {
        table.row([
            Cell::styled(names::name(&pool.name), style::NAME),
            units::count(pool.workers.len() as u64).into(),
            format!("{:.1}%", pool.busy_share * 100.0).into(),
            format!("{:.2}×", pool.imbalance).into(),
        ]);
    }
    page.table(&table, 0)
}

fn print_threads(workers: &Workers, page: &mut Page<'_>) -> anyhow::Result<()> {
    // Where no thread has it, a line below says so.
    let has_time = workers.thread_time.is_some();
    let note = match has_time {
        true => {
            "on cpu, waited for one, blocked: as the system counts, between the samples of each thread"
        }
        false => "",
    };
    page.heading("Threads", note)?;
    let table = Table::new()
        .number("thread")
        .text("name")
        .number("first seen")
        .minor(3)
        .number("last seen")
        .minor(3)
        .number("busy")
        .number("own code");
    let table = match has_time {
        true => table
            .number("on cpu")
            .number("waited for one")
            .number("blocked")
            .minor(1),
        false => table,
    };
    // Exact, where the kernel reported it.
    let has_switches = workers
        .threads
        .iter()
        .any(|thread| thread.off_processor.is_some());
    let table = match has_switches {
        true => table.number("preempted").number("longest").minor(1),
        false => table,
    };
    let mut table = table
        .number("syscall")
        .minor(2)
        .number("polls")
        .minor(1)
        .number("samples")
        .minor(2);
    if !has_time {
        page.gaps.note(Aspect::Processors);
    }
    for thread in &workers.threads {
        let mut row: Vec<Cell> = vec![
            thread.id.to_string().into(),
            Cell::styled(thread.name.as_str(), style::NAME),
            units::instant(thread.first_ns).into(),
            units::instant(thread.last_ns).into(),
            units::duration(thread.busy_ns).into(),
            units::duration(thread.own_code_ns).into(),
        ];
        if has_time {
            let time = thread.time;
            let parts = [
                time.map(|time| time.cpu_ns),
                time.map(|time| time.wait_ns),
                time.map(|time| time.blocked_ns),
            ];
            row.extend(parts.map(|part| page.gaps.duration(part, Aspect::Processors)));
        }
        if has_switches {
            let shown = |part: fn(OffProcessor) -> u64| {
                let ns = thread.off_processor.map(part);
                ns.map_or_else(|| "-".to_owned(), units::duration)
            };
            row.push(shown(|off| off.preempted_ns).into());
            row.push(shown(|off| off.longest_preempted_ns).into());
        }
        row.extend([
            page.gaps.duration(thread.syscall_ns, Aspect::Syscalls),
            units::count(thread.runs).into(),
            units::count(thread.cpu_samples).into(),
        ]);
        table.row(row);
    }
    page.table(&table, 0)
}

/// Shows how long threads waited in the drivers of their runtimes, and what ended that.
fn print_driver_waits(all: &[DriverWaits], page: &mut Page<'_>) -> anyhow::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    page.heading(
        "Waits in drivers",
        "source: sockets and the like were ready; time: a timer, or a signal, ended the wait",
    )?;
    let mut table = Table::new()
        .text("ended by")
        .number("count")
        .number("p50")
        .number("p99")
        .number("max")
        .number("total")
        .number("sources ready")
        .minor(1);
    for waits in all {
        table.row([
            waits.ended_by.into(),
            units::count(waits.durations.count()).into(),
            units::quantile(&waits.durations, 0.5).into(),
            units::quantile(&waits.durations, 0.99).into(),
            units::longest(&waits.durations).into(),
            units::total(&waits.durations).into(),
            units::count(waits.ready).into(),
        ]);
    }
    page.table(&table, 0)
}

/// So many slices of time are shown at most.
const MAX_SECONDS: usize = 20;

/// Shows when the threads of workers waited for a processor: those seconds in which they did so the longest.
fn print_seconds(seconds: &WorkerSeconds, page: &mut Page<'_>) -> anyhow::Result<()> {
    let waited = |slice: &&WorkerSecond| slice.time.wait_ns > 0;
    let mut shown: Vec<&WorkerSecond> = seconds.slices.iter().filter(waited).collect();
    if shown.is_empty() {
        return Ok(());
    }
    shown.sort_by_key(|slice| std::cmp::Reverse(slice.time.wait_ns));
    shown.truncate(MAX_SECONDS);
    shown.sort_by_key(|slice| (slice.begin_ns, slice.worker));
    let slice = units::duration(seconds.slice_ns);
    page.heading(
        "Ready, and not run",
        &format!("waited for one: the worker's thread was ready and the kernel ran others; in each {slice}, the longest"),
    )?;
    let mut table = Table::new()
        .number("from")
        .number("worker")
        .number("thread")
        .minor(1)
        .number("on cpu")
        .number("waited for one")
        .number("of ready time")
        .number("blocked")
        .minor(1);
    for slice in shown {
        let time = slice.time;
        table.row([
            units::instant(slice.begin_ns).into(),
            slice.worker.to_string().into(),
            slice.thread.to_string().into(),
            units::duration(time.cpu_ns).into(),
            units::duration(time.wait_ns).into(),
            format!("{}%", time.wait_percent()).into(),
            units::duration(time.blocked_ns).into(),
        ]);
    }
    page.table(&table, 0)
}
