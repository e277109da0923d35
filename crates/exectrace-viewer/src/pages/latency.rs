//! How the lengths of states are distributed.

use exectrace_analysis::StateLatency;
use exectrace_analysis::display::{names, units};
use maud::{Markup, html};

use crate::trace::Answer;

use super::chart;
use super::layout::Page;
use super::parts::{Table, text};

pub(super) fn page(answer: &Answer, _page: &Page<'_>) -> Markup {
    let Some(latencies) = &answer.analysis.latencies else {
        return html! {};
    };
    html! {
        h1 { "Latency" }
        p { "How long each stay in a state took: polls (running), delays between being ready and running (runnable), waits by their reason. " }
        (table(&latencies.all).section("All async tasks", ""))
        @for state in latencies.all.iter().filter(|state| state.durations.count() > 0) {
            section { h2 { (title(state)) } (chart::histogram(&state.durations)) }
        }
        @for group in latencies.groups.iter().take(50) {
            (table(&group.states).section(&names::name(&group.name), ""))
        }
    }
}

fn title(state: &StateLatency) -> String {
    match (state.state, state.reason.as_str()) {
        ("waiting", reason) => format!("waiting ({})", names::reason(reason)),
        (state, _) => state.to_owned(),
    }
}

fn table(states: &[StateLatency]) -> Table {
    let mut table = Table::new()
        .text("state")
        .number("count")
        .number("mean")
        .number("p50")
        .number("p90")
        .number("p99")
        .number("p99.9")
        .number("max")
        .number("total");
    for state in states {
        let durations = &state.durations;
        let mean = match durations.count() {
            0 => "-".to_owned(),
            _ => units::duration(durations.mean_ns()),
        };
        let quantiles = [0.5, 0.9, 0.99, 0.999].map(|q| text(units::quantile(durations, q)));
        let head = [
            text(title(state)),
            text(units::count(durations.count())),
            text(mean),
        ];
        let tail = [
            text(units::longest(durations)),
            text(units::total(durations)),
        ];
        table.row(head.into_iter().chain(quantiles).chain(tail));
    }
    table
}
