//! How busy workers and threads were.

use exectrace_analysis::display::units;
use exectrace_analysis::{Aspect, Sight, Worker, Workers};
use maud::{Markup, html};

use crate::trace::Answer;

use super::layout::Page;
use super::parts::{Table, duration, known, link, name, share, text};

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let sight = &answer.analysis.overview.sight;
    html! {
        h1 { "Workers" }
        @if let Some(all) = &answer.analysis.workers {
            (workers(&all.workers, sight, page))
            (idle_while_runnable(all, page))
            (threads(all, sight))
        }
    }
}

/// Each worker.
pub(super) fn workers(workers: &[Worker], sight: &Sight, page: &Page<'_>) -> Markup {
    let mut table = Table::new()
        .number("worker")
        .text("name")
        .number("busy")
        .number("own code")
        .number("syscall")
        .number("scheduling")
        .number("idle")
        .number("polls")
        .number("longest")
        .number("migrated")
        .number("parks");
    for worker in workers {
        let whole = worker.total_ns;
        // Whether a thread's own code kept it busy was not seen.
        let is_known = worker.own_code_ns == 0 || worker.busy_ns > 0;
        table.row([
            link(
                &page.time_line(&format!("w{}", worker.id), 0, whole),
                worker.id.to_string(),
            ),
            name(&worker.name),
            share(
                is_known.then_some(worker.busy_ns),
                whole,
                Aspect::States,
                sight,
            ),
            text(units::percent(worker.own_code_ns, whole)),
            share(worker.syscall_ns, whole, Aspect::Syscalls, sight),
            text(units::percent(worker.scheduling_ns, whole)),
            text(units::percent(worker.idle_ns, whole)),
            text(units::count(worker.runs)),
            duration(worker.longest_run_ns),
            text(units::count(worker.migrations)),
            text(units::count(worker.parks)),
        ]);
    }
    table.section(
        "Workers",
        "busy: running async tasks; scheduling: held by a thread that looks for work; idle: parked",
    )
}

fn idle_while_runnable(workers: &Workers, page: &Page<'_>) -> Markup {
    let idle = workers.idle_while_runnable;
    html! {
        @if idle.count > 0 {
            p {
                "A worker was idle while a task was ready " (units::plural(idle.count, "time")) ", for "
                (duration(idle.total_ns)) " in all; the longest took " (duration(idle.longest_ns)) " at "
                a href=(page.time_line("", idle.longest_begin_ns, idle.longest_ns)) { (units::instant(idle.longest_begin_ns)) } "."
            }
        }
    }
}

fn threads(workers: &Workers, sight: &Sight) -> Markup {
    let mut table = Table::new()
        .number("thread")
        .text("name")
        .number("first seen")
        .number("last seen")
        .number("busy")
        .number("own code")
        .number("on cpu")
        .number("waited for one")
        .number("blocked")
        .number("syscall")
        .number("polls")
        .number("samples");
    for thread in &workers.threads {
        let time = thread.time;
        table.row([
            text(thread.id.to_string()),
            name(&thread.name),
            text(units::instant(thread.first_ns)),
            text(units::instant(thread.last_ns)),
            duration(thread.busy_ns),
            duration(thread.own_code_ns),
            known(time.map(|time| time.cpu_ns), Aspect::Processors, sight),
            known(time.map(|time| time.wait_ns), Aspect::Processors, sight),
            known(time.map(|time| time.blocked_ns), Aspect::Processors, sight),
            known(thread.syscall_ns, Aspect::Syscalls, sight),
            text(units::count(thread.runs)),
            text(units::count(thread.cpu_samples)),
        ]);
    }
    table.section(
        "Threads",
        "on cpu, waited for one, blocked: as the system counts, between the samples of each thread",
    )
}
