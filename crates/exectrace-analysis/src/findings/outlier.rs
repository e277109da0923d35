//! User tasks and regions that took far longer than others of their kind.

use crate::{Analysis, Histogram};

use super::machine::Machine;
use super::{Exemplar, Finding, Severity, plural, shown};

/// From here on a duration is looked at.
const LONG_NS: u64 = 10_000_000;
/// It is far slower from so many times the 90th percentile on ...
const TIMES_P90: u64 = 10;
/// ... of so many at least.
const MIN_COUNT: u64 = 20;

fn is_outlier(durations: &Histogram, duration_ns: u64) -> bool {
    durations.count() >= MIN_COUNT
        && duration_ns >= LONG_NS
        && duration_ns >= durations.quantile(0.9).saturating_mul(TIMES_P90)
}

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let mut slow: Vec<Exemplar> = Vec::new();
    for kind in analysis
        .user_tasks
        .iter()
        .flat_map(|user_tasks| &user_tasks.kinds)
    {
        let outliers = kind
            .slowest
            .iter()
            .filter(|task| is_outlier(&kind.durations, task.duration_ns));
        slow.extend(outliers.map(|task| Exemplar {
            what: sentence("user task", &kind.name, &kind.durations, task.duration_ns),
            begin_ns: task.begin_ns,
            duration_ns: Some(task.duration_ns),
            user_task: Some(task.id),
            async_task: task.begun_by,
            ..Exemplar::default()
        }));
    }
    for kind in analysis.regions.iter().flat_map(|regions| &regions.kinds) {
        let outliers = kind
            .slowest
            .iter()
            .filter(|region| is_outlier(&kind.durations, region.duration_ns));
        slow.extend(outliers.map(|region| Exemplar {
            what: sentence("region", &kind.name, &kind.durations, region.duration_ns),
            begin_ns: region.begin_ns,
            duration_ns: Some(region.duration_ns),
            user_task: region.user_task,
            async_task: Some(region.async_task),
            place: kind.place.clone(),
            ..Exemplar::default()
        }));
    }
    slow.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.duration_ns));
    let worst = slow.first()?.what.clone();
    let machine = Machine::of_analysis(analysis);
    Some(Finding {
        id: "outlier",
        severity: Severity::Info,
        message: format!(
            "{} far longer than others of their kind: {worst}",
            plural(slow.len() as u64, "case")
        ),
        count: slow.len() as u64,
        total_ns: slow
            .iter()
            .filter_map(|exemplar| exemplar.duration_ns)
            .sum(),
        exemplars: slow,
        rule: "10 ms or more, and ten times the 90th percentile of 20 or more of the same name.",
        help: "Look at its critical path.",
        basis: machine.basis(),
    })
}

fn sentence(what: &str, name: &str, durations: &Histogram, duration_ns: u64) -> String {
    format!(
        "{what} {name} took {}, nine in ten take {} at most",
        shown(duration_ns),
        shown(durations.quantile(0.9))
    )
}
