//! `exectrace tasks`: async tasks by name, and where their time went.

use clap::Args;
use exectrace_analysis::{Allocated, Aspect, Options, Run, TaskGroup, TaskInstance, Tasks};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, style, units};
use crate::question::{Fields, Page, Question};

/// Show async tasks (goroutines) by name, and where their time went
///
/// run: running on a worker, calls apart. kernel: of run, how long the thread was ready and the kernel
/// ran others; `≤` or a range where only bounds are known. poll p99, longest: whole polls, with the calls
/// in them. delay: ready to run, waiting for a worker; wake p99 is that of one wake. wait: waiting for
/// something, and most for what. allocated: bytes, freed since or not, where the program counts them.
#[derive(Debug, Args)]
pub(crate) struct TasksCommand {
    #[command(flatten)]
    question: Question,
    /// List every single task, by its number
    #[arg(long)]
    each: bool,
}

/// What `exectrace tasks` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TasksFields<'a> {
    /// Async tasks.
    tasks: Option<&'a Tasks>,
}

impl Fields for TasksFields<'_> {
    const SCHEMA: &'static str = "exectrace.tasks/1";
}

impl TasksCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let answer = self.question.ask(Options {
            tasks: true,
            each_task: self.each,
            ..Options::default()
        })?;
        let fields = TasksFields {
            tasks: answer.analysis.tasks.as_ref(),
        };
        answer.give(fields, out, |analysis, page| {
            let Some(tasks) = &analysis.tasks else {
                return Ok(());
            };
            if self.each {
                return print_each(&tasks.each, page);
            }
            print_groups(&tasks.groups, usize::MAX, page)?;
            print_longest_runs(&tasks.longest_runs, page)?;
            for (title, aside, tasks) in [
                (
                    "Never woken",
                    "they wait at the end, and nobody woke them since they began to",
                    &tasks.never_woken,
                ),
                (
                    "Never ran",
                    "spawned, and ended or still ready without a run",
                    &tasks.never_ran,
                ),
            ] {
                if !tasks.is_empty() {
                    page.heading(title, aside)?;
                    page.table(&table_of(tasks), 0)?;
                }
            }
            Ok(())
        })
    }
}

/// Shows at most `limit` groups.
pub(super) fn print_groups(
    groups: &[TaskGroup],
    limit: usize,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    page.heading(
        "Async tasks, and threads' own code",
        "by name, the most running time first",
    )?;
    let mut table = Table::new()
        .text("name")
        .text("what")
        .minor(4)
        .number("count")
        .number("alive")
        .minor(3)
        .number("run");
    let has_kernel = page.gaps.has_kernel();
    if has_kernel {
        table = table.number("kernel").minor(2);
    }
    table = table
        .number("poll p99")
        .minor(5)
        .number("longest")
        .minor(2)
        .number("delay")
        .number("wake p99")
        .minor(3)
        .number("wait")
        .text("most for")
        .minor(1)
        .number("syscall")
        .minor(4);
    let has_allocated = groups.iter().any(|group| group.allocated.is_some());
    if has_allocated {
        table = table.number("allocated").minor(2);
    }
    for group in groups.iter().take(limit) {
        let breakdown = &group.breakdown;
        let most = breakdown.longest_wait();
        let mut cells = vec![
            Cell::styled(names::name(&group.name), style::NAME),
            names::kind(group.kind).into(),
            units::count(group.count).into(),
            units::count(group.alive).into(),
            page.gaps.duration(breakdown.running_ns, Aspect::States),
        ];
        if has_kernel {
            cells.push(page.gaps.kernel(breakdown.kernel));
        }
        cells.extend([
            units::quantile(&group.runs, 0.99).into(),
            units::longest(&group.runs).into(),
            page.gaps.duration(breakdown.runnable_ns, Aspect::Delays),
            units::quantile(&group.wake_delays, 0.99).into(),
            page.gaps.duration(breakdown.waiting_ns(), Aspect::States),
            most.map_or("", |most| names::reason(&most.name)).into(),
            page.gaps
                .duration(breakdown.all_syscalls_ns(), Aspect::Syscalls),
        ]);
        if has_allocated {
            cells.push(allocated(group.allocated).into());
        }
        table.row(cells);
    }
    page.table(&table, groups.len().saturating_sub(limit))
}

/// Bytes that were allocated, where the trace says it.
pub(super) fn allocated(allocated: Option<Allocated>) -> String {
    allocated.map_or_else(String::new, |sum| units::bytes(sum.allocated_bytes))
}

/// Shows the longest polls.
pub(super) fn print_longest_runs(runs: &[Run], page: &mut Page<'_>) -> anyhow::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    page.heading("Longest polls", "a worker did nothing else meanwhile")?;
    let mut table = Table::new()
        .number("took")
        .number("at")
        .number("worker")
        .minor(3)
        .number("task")
        .text("name")
        .text("then")
        .minor(2)
        .text("where it stopped")
        .minor(1);
    for run in runs {
        let then = match run.reason.as_str() {
            "" => run.next.replace('_', " "),
            reason => format!("{} ({reason})", run.next),
        };
        table.row([
            units::duration(run.duration_ns).into(),
            units::instant(run.begin_ns).into(),
            run.worker
                .map_or_else(String::new, |id| id.to_string())
                .into(),
            run.task.to_string().into(),
            Cell::styled(names::name(&run.name), style::NAME),
            then.into(),
            names::where_in_program(&run.stack, &run.name).into(),
        ]);
    }
    page.table(&table, 0)
}

fn table_of(tasks: &[TaskInstance]) -> Table {
    let mut table = Table::new()
        .number("task")
        .text("name")
        .number("since")
        .text("state")
        .text("where")
        .minor(1)
        .text("spawned at")
        .minor(2);
    for task in tasks {
        let state = match task.reason.as_str() {
            "" => task.state.to_owned(),
            reason => format!("{} ({reason})", task.state),
        };
        table.row([
            task.id.to_string().into(),
            Cell::styled(names::name(&task.name), style::NAME),
            units::instant(task.state_since_ns).into(),
            state.into(),
            names::where_in_program(&task.stack, &task.name).into(),
            names::place(task.spawned_at.as_ref(), &task.name).into(),
        ]);
    }
    table
}

fn print_each(tasks: &[TaskInstance], page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("Async tasks", "each, by its number")?;
    let mut table = Table::new()
        .number("task")
        .text("name")
        .number("begin")
        .number("life")
        .number("runs")
        .minor(3)
        .number("run");
    let has_kernel = page.gaps.has_kernel();
    if has_kernel {
        table = table.number("kernel").minor(2);
    }
    table = table
        .number("longest")
        .minor(2)
        .number("delay")
        .number("wait")
        .number("syscall")
        .minor(4)
        .text("at the end")
        .minor(1);
    for task in tasks {
        let breakdown = &task.breakdown;
        let state = match task.reason.as_str() {
            "" => task.state.to_owned(),
            reason => format!("{} ({reason})", task.state),
        };
        let mut cells = vec![
            task.id.to_string().into(),
            Cell::styled(names::name(&task.name), style::NAME),
            begin(task).into(),
            units::duration(breakdown.total_ns).into(),
            units::count(task.runs).into(),
            page.gaps.duration(breakdown.running_ns, Aspect::States),
        ];
        if has_kernel {
            cells.push(page.gaps.kernel(breakdown.kernel));
        }
        cells.extend([
            units::duration(task.longest_run_ns).into(),
            page.gaps.duration(breakdown.runnable_ns, Aspect::Delays),
            page.gaps.duration(breakdown.waiting_ns(), Aspect::States),
            page.gaps
                .duration(breakdown.all_syscalls_ns(), Aspect::Syscalls),
            state.into(),
        ]);
        table.row(cells);
    }
    page.table(&table, 0)
}

/// When a task began, as far as the trace knows.
fn begin(task: &TaskInstance) -> String {
    match task.parent {
        None if task.begin_ns == 0 => "before".to_owned(),
        _ => units::instant(task.begin_ns),
    }
}
