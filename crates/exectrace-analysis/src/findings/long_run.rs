//! An async task ran so long without yielding that others on its worker had to wait.

use crate::names::is_of_go_runtime;
use crate::{Analysis, Place, Run, TaskGroup};

use super::{Exemplar, Finding, Severity, plural, shown};

/// Runs from here on are too long whatever the task: twice what Go lets a goroutine run.
const TOO_LONG_NS: u64 = 20_000_000;
/// Runs from here on may be too long for the task.
const LONG_NS: u64 = 1_000_000;
/// A run is too long for a task if it is so many times the 99th percentile of the task's runs ...
const TIMES_P99: u64 = 10;
/// ... and these are so many.
const MIN_RUNS: u64 = 200;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let tasks = analysis.tasks.as_ref()?;
    let is_too_long = |group: &TaskGroup, run: &Run| {
        let is_odd = group.runs.count() >= MIN_RUNS
            && run.duration_ns >= group.runs.quantile(0.99).saturating_mul(TIMES_P99);
        (run.duration_ns >= TOO_LONG_NS || run.duration_ns >= LONG_NS && is_odd)
            && run.reason != "preempted"
            && analysis.is_shared_worker(run.worker)
    };
    let mut runs: Vec<&Run> = Vec::new();
    // What Go's collector does is not the program's to change.
    let of_program = tasks.groups.iter();
    for group in of_program.filter(|group| !is_of_go_runtime(&group.name)) {
        runs.extend(
            group
                .longest_runs
                .iter()
                .filter(|run| is_too_long(group, run)),
        );
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.duration_ns));
    let worst = runs.first()?;
    let exemplar = |run: &&Run| Exemplar {
        what: format!("{} ran for {}", run.name, shown(run.duration_ns)),
        begin_ns: Some(run.begin_ns),
        duration_ns: Some(run.duration_ns),
        async_task: Some(run.task),
        user_task: run.user_task,
        worker: run.worker,
        place: Place::of_program(&run.stack).cloned(),
    };
    Some(Finding {
        id: "long_run",
        severity: Severity::Warning,
        message: format!(
            "{} without yielding, the longest by {} for {}",
            plural(runs.len() as u64, "long run"),
            worst.name,
            shown(worst.duration_ns)
        ),
        count: runs.len() as u64,
        total_ns: runs.iter().map(|run| run.duration_ns).sum(),
        exemplars: runs.iter().map(exemplar).collect(),
        rule: "A run on a shared worker of 20 ms or more; or of 1 ms or more that is ten times the \
               99th percentile of the runs of tasks of its name, if these are 200 or more. Go's own \
               tasks apart.",
        help: "Move the work to a blocking thread, or yield within it.",
    })
}
