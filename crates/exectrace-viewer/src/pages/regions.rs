//! Spans and other regions, by name and place.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Aspect, RegionInstance, RegionKind};
use maud::{Markup, html};

use crate::trace::Answer;

use super::chart;
use super::layout::Page;
use super::parts::{Table, duration, link, name, share, text};

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let sight = &answer.analysis.overview.sight;
    let kinds = answer
        .analysis
        .regions
        .as_ref()
        .map_or(&[][..], |regions| &regions.kinds);
    let mut table = Table::new()
        .text("name")
        .text("place")
        .number("count")
        .number("open")
        .number("p50")
        .number("p99")
        .number("max")
        .number("total")
        .number("self")
        .number("busy")
        .number("run")
        .number("delay")
        .number("wait");
    for kind in kinds {
        let breakdown = &kind.breakdown;
        let whole = breakdown.total_ns;
        let (states, delays) = match kind.concurrent > 0 {
            true => (Aspect::ConcurrentSpans, Aspect::ConcurrentSpans),
            false => (Aspect::States, Aspect::Delays),
        };
        table.row([
            name(&kind.name),
            text(names::place(kind.place.as_ref(), &kind.name)),
            text(units::count(kind.count)),
            text(units::count(kind.open)),
            text(units::quantile(&kind.durations, 0.5)),
            text(units::quantile(&kind.durations, 0.99)),
            text(units::longest(&kind.durations)),
            duration(kind.total_ns),
            kind.self_ns.map_or_else(|| text("-"), duration),
            text(units::total(&kind.busy)),
            share(breakdown.running_ns, whole, states, sight),
            share(breakdown.runnable_ns, whole, delays, sight),
            share(breakdown.waiting_ns(), whole, states, sight),
        ]);
    }
    html! {
        h1 { "Spans and regions" }
        @if kinds.is_empty() {
            p { "There are no regions in this part of the trace; it takes spans entered or `Region`s made while recording." }
        }
        (table.section("By name and place", "from first entry to close, the most time first"))
        (slowest(kinds, page))
        @for kind in kinds.iter().take(10) {
            section {
                h2 { bdi { (names::name(&kind.name)) } }
                (chart::histogram(&kind.durations))
            }
        }
    }
}

fn slowest(kinds: &[RegionKind], page: &Page<'_>) -> Markup {
    let mut slowest: Vec<&RegionInstance> = kinds.iter().flat_map(|kind| &kind.slowest).collect();
    slowest.sort_by_key(|region| std::cmp::Reverse(region.duration_ns));
    let mut table = Table::new()
        .number("took")
        .number("at")
        .text("name")
        .number("task")
        .number("user task")
        .text("time");
    for region in slowest.into_iter().take(50) {
        let begin = region.begin_ns.unwrap_or(0);
        let row = format!("g{}", region.async_task);
        let at = region
            .begin_ns
            .map_or_else(|| "before".to_owned(), units::instant);
        table.row([
            duration(region.duration_ns),
            link(&page.time_line(&row, begin, region.duration_ns), at),
            name(&region.name),
            link(
                &page.link(&format!("task/{}", region.async_task)),
                region.async_task.to_string(),
            ),
            region.user_task.map_or_else(
                || html! {},
                |id| link(&page.link(&format!("usertask/{id}")), id.to_string()),
            ),
            chart::bar(&region.breakdown),
        ]);
    }
    table.section("Slowest", "")
}
