//! The trace does not have everything: it is damaged, or records were dropped.

use crate::Analysis;

use super::{Exemplar, Finding, Severity, nothing_recorded, plural};

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let lost = &analysis.overview.lost;
    let unreadable = analysis.overview.unreadable_side_data;
    let mut parts = Vec::new();
    if let Some(damage) = &analysis.damage {
        parts.push(format!(
            "it cannot be read on from byte {}: {}",
            damage.offset, damage.cause
        ));
    }
    if lost.records > 0 {
        parts.push(format!(
            "the recorder dropped {}",
            plural(lost.records, "record")
        ));
    }
    let others = [
        (lost.unformatted, "with a value whose formatting panicked"),
        (
            lost.nested,
            "made inside another record or at a thread's end",
        ),
    ];
    for (records, which) in others.into_iter().filter(|(records, _)| *records > 0) {
        parts.push(format!("it lacks {} {which}", plural(records, "record")));
    }
    if lost.untracked > 0 {
        parts.push(format!(
            "it lacks {} spans, tasks and regions for which a table of the recorder had no room",
            lost.untracked
        ));
    }
    let until = nothing_recorded::recorded(analysis).and_then(|said| said.strip_prefix("until "));
    if let Some(until) = until {
        parts.push(format!("it was recorded until {until}"));
    }
    if unreadable > 0 {
        parts.push(format!("{unreadable} batches of side data cannot be read"));
    }
    if parts.is_empty() {
        return None;
    }
    let exemplar = |by_thread: &crate::LostByThread| Exemplar {
        what: format!(
            "thread {} lost {}",
            by_thread.thread,
            plural(by_thread.records, "record")
        ),
        begin_ns: Some(by_thread.first_ns),
        duration_ns: Some(by_thread.last_ns.saturating_sub(by_thread.first_ns)),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "incomplete",
        severity: if analysis.damage.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        },
        message: format!("The trace is incomplete: {}", parts.join("; ")),
        count: [
            lost.records,
            lost.unformatted,
            lost.nested,
            lost.untracked,
            unreadable,
            u64::from(until.is_some()),
            u64::from(analysis.damage.is_some()),
        ]
        .into_iter()
        .fold(0, u64::saturating_add),
        exemplars: lost.threads.iter().map(exemplar).collect(),
        rule: "The file ends before its end mark, breaks a rule of the format, or reports drops.",
        help: "Give the recorder more memory, or record less; keep the file whole when copying.",
        basis: String::new(),
        ..Finding::default()
    })
}
