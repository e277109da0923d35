//! Async tasks wait for a worker while workers have nothing to do.

use crate::Analysis;

use super::machine::Machine;
use super::{Exemplar, Finding, Severity, shown};

/// This share of the trace is reported: a hundredth.
const SHARE: u64 = 100;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let idle = &analysis.workers.as_ref()?.idle_while_runnable;
    if idle.count == 0 || idle.total_ns < analysis.overview.duration_ns / SHARE {
        return None;
    }
    let machine = Machine::of_analysis(analysis);
    Some(Finding {
        id: "idle_while_runnable",
        severity: Severity::Info,
        message: format!(
            "tasks were ready while a worker of their runtime slept for {} in all, once for {}{}",
            shown(idle.total_ns),
            shown(idle.longest_ns),
            machine.doubt()
        ),
        count: idle.count,
        total_ns: idle.total_ns,
        exemplars: vec![Exemplar {
            what: "the longest".to_owned(),
            begin_ns: Some(idle.longest_begin_ns),
            duration_ns: Some(idle.longest_ns),
            ..Exemplar::default()
        }],
        rule: "Spans of time of 100 µs or more with a ready task and a sleeping shared worker of its runtime, a \
               hundredth of the trace or more in all; outside Go, tasks that are not known to have \
               run apart, which may be for blocking threads.",
        help: "Tasks may be bound to a worker (a LocalSet, a current-thread runtime), or were put \
               into the slot of a worker that runs long; or the machine has no CPU left for the worker that \
               was woken.",
        basis: machine.basis(),
    })
}
