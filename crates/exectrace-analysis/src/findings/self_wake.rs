//! Async tasks that are ready again whenever they have run: they poll in a loop.

use crate::{Analysis, TaskGroup};

use super::{Exemplar, Finding, Severity, tasks_of};

/// So many runs that end ready make a loop ...
const MIN_YIELDS: u64 = 1_000;
/// ... if they are so many in a hundred of all runs.
const MIN_PERCENT: u64 = 90;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let groups = &analysis.tasks.as_ref()?.groups;
    let loops = |group: &&TaskGroup| {
        group.yields >= MIN_YIELDS
            && group.yields * 100 >= group.runs.count() * MIN_PERCENT
            // Go's sweeper yields after each span.
            && !group.is_of_go_runtime
    };
    let looping: Vec<&TaskGroup> = groups.iter().filter(loops).collect();
    let worst = looping.iter().max_by_key(|group| group.yields)?;
    let exemplar = |group: &&TaskGroup| Exemplar {
        what: format!(
            "{}: {} of {} runs ended ready",
            group.name,
            group.yields,
            group.runs.count()
        ),
        duration_ns: group.breakdown.running_ns,
        place: group.place.clone(),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "self_wake",
        severity: Severity::Warning,
        message: format!(
            "{} poll in a loop, {} most often",
            tasks_of(looping.len()),
            worst.name
        ),
        count: looping.iter().map(|group| group.yields).sum(),
        total_ns: looping
            .iter()
            .filter_map(|group| group.breakdown.running_ns)
            .sum(),
        exemplars: looping.iter().map(exemplar).collect(),
        rule: "1,000 runs or more, nine in ten of all, after which the task was ready at \
               once; Go's own tasks apart.",
        help: "Wait for what is awaited instead of waking oneself; look for wake_by_ref in a poll that returns pending.",
        basis: String::new(),
    })
}
