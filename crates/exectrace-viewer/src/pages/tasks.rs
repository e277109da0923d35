//! Async tasks by name, and where their time went.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Aspect, Run, Sight, TaskGroup, TaskInstance};
use maud::{Markup, html};

use crate::question::of_group;
use crate::trace::Answer;

use super::chart;
use super::layout::Page;
use super::parts::{Table, duration, kernel, known, link, name, stack, text};

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let sight = &answer.analysis.overview.sight;
    html! {
        h1 { "Async tasks" }
        @if let Some(tasks) = &answer.analysis.tasks {
            (groups(&tasks.groups, usize::MAX, sight, page))
            (longest_runs(&tasks.longest_runs, usize::MAX, page))
            (instances(&tasks.never_woken, "Never woken", "they wait at the end, and nobody woke them since they began to", page))
            (instances(&tasks.never_ran, "Never ran", "spawned, and ended or still ready without a run", page))
            (instances(&tasks.alive, "Alive at the end", "the oldest first", page))
        }
    }
}

/// At most `limit` groups.
pub(super) fn groups(groups: &[TaskGroup], limit: usize, sight: &Sight, page: &Page<'_>) -> Markup {
    let has_kernel = sight.has_kernel_waits();
    let has_allocated = groups.iter().any(|group| group.allocated.is_some());
    let mut table = Table::new()
        .text("name")
        .text("what")
        .number("count")
        .number("alive")
        .text("time")
        .number("run");
    if has_kernel {
        table = table.number("kernel");
    }
    table = table
        .number("poll p99")
        .number("longest")
        .number("delay")
        .number("wake p99")
        .number("wait")
        .text("most for")
        .number("syscall");
    if has_allocated {
        table = table.number("allocated");
    }
    for group in groups.iter().take(limit) {
        let breakdown = &group.breakdown;
        let most = breakdown.longest_wait();
        let filter = page.filtered("tasks", &of_group(&group.name));
        let mut cells = vec![
            link(&filter, names::name(&group.name)),
            text(names::kind(group.kind)),
            text(units::count(group.count)),
            text(units::count(group.alive)),
            chart::bar(breakdown),
            known(breakdown.running_ns, Aspect::States, sight),
        ];
        if has_kernel {
            cells.push(kernel(breakdown.kernel, sight, units::duration));
        }
        cells.extend([
            text(units::quantile(&group.runs, 0.99)),
            text(units::longest(&group.runs)),
            known(breakdown.runnable_ns, Aspect::Delays, sight),
            text(units::quantile(&group.wake_delays, 0.99)),
            known(breakdown.waiting_ns(), Aspect::States, sight),
            text(most.map_or("", |most| names::reason(&most.name))),
            known(breakdown.all_syscalls_ns(), Aspect::Syscalls, sight),
        ]);
        if has_allocated {
            let allocated = group.allocated.map(|sum| units::bytes(sum.allocated_bytes));
            cells.push(text(allocated.unwrap_or_default()));
        }
        table.row(cells);
    }
    table.section("By name", "the most running time first")
}

/// At most `limit` of the longest polls.
pub(super) fn longest_runs(runs: &[Run], limit: usize, page: &Page<'_>) -> Markup {
    let mut table = Table::new()
        .number("took")
        .number("at")
        .number("worker")
        .number("task")
        .text("name")
        .text("then")
        .text("where it stopped");
    for run in runs.iter().take(limit) {
        let then = match run.reason.as_str() {
            "" => run.next.replace('_', " "),
            reason => format!("{} ({reason})", run.next),
        };
        let row = run
            .worker
            .map_or_else(|| format!("g{}", run.task), |worker| format!("w{worker}"));
        table.row([
            duration(run.duration_ns),
            link(
                &page.time_line(&row, run.begin_ns, run.duration_ns),
                units::instant(run.begin_ns),
            ),
            text(run.worker.map_or_else(String::new, |id| id.to_string())),
            link(
                &page.link(&format!("task/{}", run.task)),
                run.task.to_string(),
            ),
            name(&run.name),
            text(then),
            stack(&run.stack, &run.name),
        ]);
    }
    table.section("Longest polls", "a worker did nothing else meanwhile")
}

fn instances(tasks: &[TaskInstance], title: &str, aside: &str, page: &Page<'_>) -> Markup {
    let mut table = Table::new()
        .number("task")
        .text("name")
        .number("since")
        .text("state")
        .text("where");
    for task in tasks {
        let state = match task.reason.as_str() {
            "" => task.state.to_owned(),
            reason => format!("{} ({reason})", task.state),
        };
        table.row([
            link(
                &page.link(&format!("task/{}", task.id)),
                task.id.to_string(),
            ),
            name(&task.name),
            text(units::instant(task.state_since_ns)),
            text(state),
            stack(&task.stack, &task.name),
        ]);
    }
    table.section(title, aside)
}
