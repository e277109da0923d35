//! One async task, in the order of time: who spawned it, where it ran, what it waited for, and who woke it.

use exectrace_analysis::display::{names, units};
use maud::{Markup, html};
use serde::Deserialize;

use crate::index::{Index, NextState, Run, RunKind};

use super::layout::Page;
use super::parts::{Table, duration, link, stack_lines, text};

/// Runs on one page.
const SHOWN: usize = 200;

/// Which of its runs are shown.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Part {
    /// The first of them.
    #[serde(default)]
    run: usize,
}

/// `None`: there is no such task.
pub(super) fn page(index: &Index, id: u64, part: Part, page: &Page<'_>) -> Option<Markup> {
    let number = index.task_number(id)?;
    let task = index.runs.tasks.get(number as usize)?;
    let runs = index.runs.by_task.row(u64::from(number));
    let first = part.run.min(runs.len());
    let last = first.saturating_add(SHOWN).min(runs.len());
    let end = task.end_ns.unwrap_or(index.duration_ns);
    Some(html! {
        @for missing in index.missing() { p.warning role="alert" { (missing) } }
        h1 { bdi { (names::name(index.task_name(number))) } " " small { "async task " (id) } }
        p {
            @match task.parent {
                Some(parent) => {
                    "Spawned at " (units::instant(task.begin_ns)) " by " (task_link(index, parent, page)) ". "
                }
                None => { "It lived before the trace began. " }
            }
            @match task.end_ns {
                Some(end) => { "It ended at " (units::instant(end)) "." }
                None => { "It lived when the trace ended." }
            }
            " " a href=(page.time_line(&format!("g{id}"), task.begin_ns, end.saturating_sub(task.begin_ns))) { "Time line" }
        }
        @let spawned_at = stack_lines(&index.names, task.spawned_at);
        @if !spawned_at.is_empty() {
            details { summary { "Spawned here: " (spawned_at[0]) } ol.stack { @for line in &spawned_at { li { (line) } } } }
        }
        (story(index, (task.begin_ns, id, task.first), &runs[..last], first, page))
        p {
            @if first > 0 { a href={ "?run=" (first.saturating_sub(SHOWN)) } { "earlier runs" } " " }
            @if last < runs.len() { a href={ "?run=" (last) } { "later runs" } " (" (units::count((runs.len() - last) as u64)) " more)" }
        }
    })
}

fn task_link(index: &Index, id: u64, page: &Page<'_>) -> Markup {
    match index.task_number(id) {
        Some(number) => {
            let title = format!("{} ({id})", names::name(index.task_name(number)));
            link(&page.link(&format!("task/{id}")), title)
        }
        None => html! { "a task that is not in the trace (" (id) ")" },
    }
}

/// Each run with what came before it.
fn story(
    index: &Index,
    (begin, id, first_state): (u64, u64, NextState),
    runs: &[u32],
    first: usize,
    page: &Page<'_>,
) -> Markup {
    let mut table = Table::new()
        .number("at")
        .text("before it")
        .text("woken by")
        .number("ready for")
        .number("took")
        .text("then")
        .text("where");
    let run_of = |number: usize| &index.runs.all[runs[number] as usize];
    for number in first..runs.len() {
        let run = run_of(number);
        let before = number.checked_sub(1).map(run_of);
        let row = format!("g{id}");
        table.row([
            link(&page.time_line(&row, run.begin_ns, run.end_ns - run.begin_ns), units::instant(run.begin_ns)),
            before_it(index, before, run, (begin, first_state)),
            match index.runs.tasks.get(run.woken_by as usize) {
                Some(by) => task_link(index, by.id, page),
                None => html! {},
            },
            run.delay_ns.map_or_else(|| text("-"), duration),
            duration(run.end_ns - run.begin_ns),
            text(then(index, run)),
            match stack_lines(&index.names, run.stack).as_slice() {
                [] => html! {},
                [only] => text(only),
                lines => html! { details { summary { (lines[0]) } ol.stack { @for line in lines { li { (line) } } } } },
            },
        ]);
    }
    table.section("What it did", "each time that it had a thread")
}

fn then(index: &Index, run: &Run) -> String {
    let what = match run.kind {
        RunKind::Run => "ran, then ",
        RunKind::Syscall => "in a system call, then ",
        RunKind::OwnCode => "a thread's own code, then ",
    };
    match index.names.get(run.reason) {
        "" => format!("{what}{}", run.next.name()),
        reason => format!("{what}{} ({reason})", run.next.name()),
    }
}

/// What it did before a run since the one before: what that led to.
fn before_it(
    index: &Index,
    before: Option<&Run>,
    run: &Run,
    (begin, first): (u64, NextState),
) -> Markup {
    let since = before.map_or(begin, |before| before.end_ns);
    let ready = run.delay_ns.unwrap_or(0);
    let length = run.begin_ns.saturating_sub(since).saturating_sub(ready);
    let reason = before.map_or("", |before| index.names.get(before.reason));
    let state = before.map_or(first, |before| before.next);
    html! {
        @if length > 0 {
            @match state {
                NextState::Waiting => {
                    "waited " (duration(length)) " (" (names::reason(reason)) ")"
                }
                NextState::Runnable => { "was ready for " (duration(length)) }
                NextState::Syscall => { "was in a system call for " (duration(length)) }
                _ => { "did not run for " (duration(length)) ", and more is not in the trace" }
            }
        }
    }
}
