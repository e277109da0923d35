//! Async tasks that wait since long before the end and were never woken: a wake may be lost.

use crate::{Analysis, Place, TaskInstance};

use super::{Exemplar, Finding, Severity, plural, shown};

/// Waits from here on are told, if they are half of the trace or more.
const LONG_NS: u64 = 1_000_000_000;
/// Reasons that say the wait is meant to last, or is the runtime's own.
const EXPECTED: [&str; 5] = ["forever", "network", "sleep", "system goroutine wait", "GC"];

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let end = analysis.overview.duration_ns;
    let is_long = |task: &&TaskInstance| {
        let waited = end.saturating_sub(task.state_since_ns);
        waited >= LONG_NS
            && waited >= end / 2
            && task.first_run_ns.is_some()
            && !EXPECTED
                .iter()
                .any(|expected| task.reason.starts_with(expected))
    };
    let stuck: Vec<&TaskInstance> = analysis
        .tasks
        .as_ref()?
        .never_woken
        .iter()
        .filter(is_long)
        .collect();
    let worst = stuck.first()?;
    let exemplar = |task: &&TaskInstance| Exemplar {
        what: format!("{} waits for {}", task.name, task.reason),
        begin_ns: Some(task.state_since_ns),
        duration_ns: Some(end.saturating_sub(task.state_since_ns)),
        async_task: Some(task.id),
        place: Place::of_program(&task.stack).cloned(),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "never_woken",
        severity: Severity::Info,
        message: format!(
            "{} waiting and never woken, {} since {} before the end",
            plural(stuck.len() as u64, "task"),
            worst.name,
            shown(end.saturating_sub(worst.state_since_ns))
        ),
        count: stuck.len() as u64,
        exemplars: stuck.iter().map(exemplar).collect(),
        rule: "A task that ran, waits at the end for a second and half of the trace or more, and was \
               never woken; not for the network or a timer.",
        help: "If it ought to have gone on, look at who should wake it: a waker that is not kept, a \
               channel whose other end lives on.",
        ..Finding::default()
    })
}
