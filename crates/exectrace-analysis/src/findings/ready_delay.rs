//! Async tasks that are ready wait long for a worker.

use crate::{Analysis, TaskGroup};

use super::machine::Machine;
use super::{Exemplar, Finding, shown, tasks_of};

/// A 99th percentile from here on is reported.
const LONG_NS: u64 = 10_000_000;
/// Of so many wakes at least.
const MIN_WAKES: u64 = 100;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let groups = &analysis.tasks.as_ref()?.groups;
    let is_late = |group: &&TaskGroup| {
        group.wake_delays.count() >= MIN_WAKES && group.wake_delays.quantile(0.99) >= LONG_NS
    };
    let mut late: Vec<&TaskGroup> = groups.iter().filter(is_late).collect();
    late.sort_by_key(|group| std::cmp::Reverse(group.wake_delays.quantile(0.99)));
    let worst = late.first()?;
    let exemplar = |group: &&TaskGroup| Exemplar {
        what: format!(
            "{}: half of {} wakes within {}, one in a hundred after {}, the worst after {}",
            group.name,
            group.wake_delays.count(),
            shown(group.wake_delays.quantile(0.5)),
            shown(group.wake_delays.quantile(0.99)),
            shown(group.wake_delays.max_ns())
        ),
        duration_ns: Some(group.wake_delays.max_ns()),
        place: group.place.clone(),
        ..Exemplar::default()
    };
    let machine = Machine::of_analysis(analysis);
    Some(Finding {
        id: "ready_delay",
        severity: machine.warning(),
        message: format!(
            "{} wait long for a worker once woken: one run in a hundred of {} begins after {}{}",
            tasks_of(late.len()),
            worst.name,
            shown(worst.wake_delays.quantile(0.99)),
            machine.doubt()
        ),
        count: late.len() as u64,
        total_ns: late.iter().map(|group| group.wake_delays.total_ns()).sum(),
        exemplars: late.iter().map(exemplar).collect(),
        rule: "The 99th percentile of the time from a wake to the run is 10 ms or more, of 100 wakes or more. No \
               warning where the machine was full.",
        help: "Look for long runs on the same workers; give the runtime more workers.",
        basis: machine.basis(),
    })
}
