//! User tasks by name, and one of them: its parts in time, its critical path.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{
    Aspect, CriticalPath, UserTaskInstance, UserTaskKind, UserTaskPart, UserTaskTree,
};
use maud::{Markup, html};

use crate::trace::Answer;

use super::chart;
use super::layout::Page;
use super::parts::{Table, duration, link, name, share, stack, text};

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let sight = &answer.analysis.overview.sight;
    let kinds = answer
        .analysis
        .user_tasks
        .as_ref()
        .map_or(&[][..], |tasks| &tasks.kinds);
    let mut table = Table::new()
        .text("name")
        .number("count")
        .number("open")
        .number("p50")
        .number("p90")
        .number("p99")
        .number("max")
        .text("time")
        .number("run")
        .number("delay")
        .number("wait");
    for kind in kinds.iter().filter(|kind| !kind.is_of_the_tracer()) {
        let breakdown = &kind.breakdown;
        let whole = breakdown.total_ns;
        table.row([
            name(&kind.name),
            text(units::count(kind.count)),
            text(units::count(kind.open)),
            text(units::quantile(&kind.durations, 0.5)),
            text(units::quantile(&kind.durations, 0.9)),
            text(units::quantile(&kind.durations, 0.99)),
            text(units::longest(&kind.durations)),
            chart::bar(breakdown),
            share(breakdown.running_ns, whole, Aspect::States, sight),
            share(breakdown.runnable_ns, whole, Aspect::Delays, sight),
            share(breakdown.waiting_ns(), whole, Aspect::States, sight),
        ]);
    }
    html! {
        h1 { "User tasks" }
        @if kinds.iter().all(UserTaskKind::is_of_the_tracer) {
            p { "There are no user tasks in this part of the trace; it takes root spans or `Task`s made while recording." }
        }
        (table.section("By name", "the most time first"))
        (slowest(kinds, 50, page))
        @for kind in kinds.iter().filter(|kind| !kind.is_of_the_tracer()).take(10) {
            section {
                h2 { bdi { (names::name(&kind.name)) } " " small { (units::plural(kind.durations.count(), "value")) } }
                (chart::histogram(&kind.durations))
            }
        }
    }
}

/// At most `limit` of the slowest of all kinds.
pub(super) fn slowest(kinds: &[UserTaskKind], limit: usize, page: &Page<'_>) -> Markup {
    let kinds = kinds.iter().filter(|kind| !kind.is_of_the_tracer());
    let mut slowest: Vec<&UserTaskInstance> = kinds.flat_map(|kind| &kind.slowest).collect();
    slowest.sort_by_key(|task| std::cmp::Reverse(task.duration_ns));
    let mut table = Table::new()
        .number("took")
        .number("at")
        .number("id")
        .text("name")
        .text("end")
        .text("distributed trace");
    for task in slowest.into_iter().take(limit) {
        let begin = task.begin_ns.unwrap_or(0);
        let at = task
            .begin_ns
            .map_or_else(|| "before".to_owned(), units::instant);
        table.row([
            duration(task.duration_ns),
            link(
                &page.time_line(&format!("u{}", task.id), begin, task.duration_ns),
                at,
            ),
            link(
                &page.link(&format!("usertask/{}", task.id)),
                task.id.to_string(),
            ),
            name(&task.name),
            text(if task.end_ns.is_some() { "" } else { "open" }),
            text(task.trace_id.as_deref().unwrap_or_default()),
        ]);
    }
    table.section("Slowest user tasks", "")
}

/// The page of one.
pub(super) fn one(answer: &Answer, page: &Page<'_>) -> Markup {
    let trees = answer
        .analysis
        .user_tasks
        .as_ref()
        .map_or(&[][..], |tasks| &tasks.trees);
    let Some(tree) = trees.first() else {
        return html! { h1 { "There is no such user task in this part of the trace" } };
    };
    let task = &tree.task;
    html! {
        h1 { bdi { (names::name(&task.name)) } " " small { "user task " (task.id) } }
        p {
            "It took " (duration(task.duration_ns))
            @if task.end_ns.is_none() { ", and was open when the trace ended" }
            "." @if let Some(id) = &task.trace_id { " Distributed trace " code { (id) } "." }
            " " a href=(page.time_line(&format!("u{}", task.id), task.begin_ns.unwrap_or(0), task.duration_ns)) { "Time line" }
        }
        @if let Some(path) = &answer.analysis.critical_path { (critical_path(path, page)) }
        (parts(tree, page))
    }
}

/// All that happened in it, by time; what is inside is further to the right.
fn parts(tree: &UserTaskTree, page: &Page<'_>) -> Markup {
    let origin = tree.task.begin_ns.unwrap_or(0) as i64;
    let mut table = Table::new()
        .number("since begin")
        .number("took")
        .text("what")
        .text("where the time went")
        .text("async task");
    for (depth, part) in tree.parts() {
        let since = text(units::signed_duration(
            (part.time_ns() as i64).wrapping_sub(origin),
        ));
        let indent = "\u{2003}".repeat(depth.min(32));
        match part {
            UserTaskPart::Region(region) => table.row([
                since,
                duration(region.duration_ns),
                html! { (indent) (name(&region.name)) },
                chart::bar(&region.breakdown),
                link(&page.link(&format!("task/{}", region.async_task)), region.async_task.to_string()),
            ]),
            UserTaskPart::Log(log) => table.row([
                since,
                html! {},
                html! { (indent) span.log { @if !log.category.is_empty() { "[" (log.category) "] " } bdi { (log.message) } } },
                html! {},
                log.async_task.map_or_else(|| html! {}, |id| link(&page.link(&format!("task/{id}")), id.to_string())),
            ]),
            UserTaskPart::Task(child) => {
                let task = &child.task;
                table.row([
                    since,
                    duration(task.duration_ns),
                    html! { (indent) strong { (link(&page.link(&format!("usertask/{}", task.id)), names::name(&task.name))) } },
                    html! {},
                    html! {},
                ]);
            }
        }
    }
    html! {
        (table.section("What happened in it", "by time"))
        @if tree.left_out > 0 { p { "and " (units::count(tree.left_out)) " more parts" } }
    }
}

/// What it was waiting for at each moment.
fn critical_path(path: &CriticalPath, page: &Page<'_>) -> Markup {
    let mut totals = Table::new()
        .number("time")
        .number("share")
        .text("state")
        .text("region");
    for total in &path.totals {
        totals.row([
            duration(total.duration_ns),
            text(units::percent(total.duration_ns, path.duration_ns)),
            text(names::state(total.state, &total.reason)),
            name(&total.region),
        ]);
    }
    let mut steps = Table::new()
        .number("since begin")
        .number("for")
        .text("state")
        .text("async task")
        .text("region")
        .text("where")
        .text("woken by");
    for step in &path.steps {
        let row = format!("g{}", step.async_task);
        let since =
            units::signed_duration((step.begin_ns as i64).wrapping_sub(path.begin_ns as i64));
        steps.row([
            link(
                &page.time_line(&row, step.begin_ns, step.duration_ns),
                since,
            ),
            duration(step.duration_ns),
            text(names::state(step.state, &step.reason)),
            link(
                &page.link(&format!("task/{}", step.async_task)),
                names::name(&step.name),
            ),
            text(&step.region),
            stack(&step.stack, &step.name),
            step.woken_by.map_or_else(
                || html! {},
                |id| link(&page.link(&format!("task/{id}")), id.to_string()),
            ),
        ]);
    }
    html! {
        (totals.section("Critical path, in sum", "what it was waiting for"))
        (steps.section("Critical path", "what it was waiting for at each moment"))
        @if path.left_out > 0 { p { "and " (units::count(path.left_out)) " more steps" } }
    }
}
