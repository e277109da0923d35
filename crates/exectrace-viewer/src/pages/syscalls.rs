//! Calls into the system, by name, by task and by place.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Aspect, Calls, Syscalls};
use maud::{Markup, html};

use crate::trace::Answer;

use super::layout::Page;
use super::parts::{Table, duration, link, name, stack, text};

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let sight = &answer.analysis.overview.sight;
    let calls = answer
        .analysis
        .syscalls
        .as_ref()
        .filter(|calls| !calls.by_name.is_empty());
    html! {
        h1 { "System calls" }
        @match calls {
            Some(calls) => { (all(calls, page)) }
            None => { p { (sight.why(Aspect::Syscalls).unwrap_or("There are no calls in this part of the trace.")) } }
        }
    }
}

fn all(syscalls: &Syscalls, page: &Page<'_>) -> Markup {
    let mut by_name = columns("name");
    for call in &syscalls.by_name {
        by_name.row(cells(name(&call.name), &call.calls));
    }
    let mut by_task = columns("async task or thread");
    for task in &syscalls.by_task {
        let called = match task.kind {
            None => text("(runtimes, signal handlers)"),
            Some(_) => name(&task.name),
        };
        by_task.row(cells(called, &task.calls));
    }
    let mut by_place = columns("call, and where it is made");
    for place in syscalls.by_place.iter().take(100) {
        let at = html! { (name(&place.name)) " " (stack(&place.stack, &place.name)) };
        by_place.row(cells(at, &place.calls));
    }
    html! {
        (by_name.section("By name", "the most time first; counted: calls that were short, or of a kind that is not recorded"))
        (longest(syscalls, page))
        (by_task.section("By async task and thread", ""))
        (by_place.section("By place", ""))
    }
}

fn columns(of: &'static str) -> Table {
    Table::new()
        .text(of)
        .number("calls")
        .number("total")
        .number("counted")
        .number("p50")
        .number("p99")
        .number("max")
        .number("on worker")
        .number("failed")
}

fn cells(of: Markup, calls: &Calls) -> [Markup; 9] {
    let untimed = "calls on sockets are not timed unless the recorder's settings say so";
    [
        of,
        text(units::count(calls.all())),
        match calls.all_ns() {
            Some(ns) => duration(ns),
            None => html! { abbr.gap title=(untimed) { "-" } },
        },
        text(units::count(calls.counted)),
        text(units::quantile(&calls.durations, 0.5)),
        text(units::quantile(&calls.durations, 0.99)),
        text(units::longest(&calls.durations)),
        duration(calls.on_worker_ns),
        text(units::count(calls.all_failed())),
    ]
}

fn longest(syscalls: &Syscalls, page: &Page<'_>) -> Markup {
    let each = |call: &'_ exectrace_analysis::Syscall| call.longest.len();
    let mut longest: Vec<_> = Vec::with_capacity(syscalls.by_name.iter().map(each).sum());
    for call in &syscalls.by_name {
        longest.extend(call.longest.iter().map(|instance| (&call.name, instance)));
    }
    longest.sort_by_key(|(_, instance)| std::cmp::Reverse(instance.duration_ns));
    let mut table = Table::new()
        .number("took")
        .number("at")
        .text("call")
        .number("task")
        .text("of")
        .text("called from");
    for (call, instance) in longest.into_iter().take(50) {
        let row = format!("g{}", instance.async_task);
        let at = page.time_line(&row, instance.begin_ns, instance.duration_ns);
        table.row([
            duration(instance.duration_ns),
            link(&at, units::instant(instance.begin_ns)),
            name(call),
            link(
                &page.link(&format!("task/{}", instance.async_task)),
                instance.async_task.to_string(),
            ),
            text(names::name(&instance.task_name)),
            stack(&instance.stack, call),
        ]);
    }
    table.section("Longest", "")
}
