//! An async task made a system call that kept its worker from other tasks.

use crate::{Analysis, SyscallInstance};

use super::{Exemplar, Finding, Severity, plural, shown};

/// Calls from here on are reported.
const LONG_NS: u64 = 1_000_000;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let syscalls = analysis.syscalls.as_ref()?;
    // Go takes the worker from a goroutine in a long call, so there it does no harm.
    let is_runtimes_worker = |id: Option<u64>| {
        let mut workers = analysis.shared_workers();
        workers.any(|worker| Some(worker.id) == id && !worker.name.is_empty())
    };
    let mut calls: Vec<(&str, &SyscallInstance)> = Vec::new();
    for kind in &syscalls.by_name {
        let harmful = kind.longest.iter().filter(|call| {
            call.duration_ns >= LONG_NS && !call.is_handed_over && is_runtimes_worker(call.worker)
        });
        calls.extend(harmful.map(|call| (kind.name.as_str(), call)));
    }
    calls.sort_by_key(|(_, call)| std::cmp::Reverse(call.duration_ns));
    let (name, worst) = *calls.first()?;
    let exemplar = |&(name, call): &(&str, &SyscallInstance)| Exemplar {
        what: format!(
            "{} was in {name} for {}",
            call.task_name,
            shown(call.duration_ns)
        ),
        begin_ns: Some(call.begin_ns),
        duration_ns: Some(call.duration_ns),
        async_task: Some(call.async_task),
        worker: call.worker,
        place: call.stack.get(1).or(call.stack.first()).cloned(),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "blocking_call",
        severity: Severity::Warning,
        message: format!(
            "{} on a worker, the longest in {name} for {}",
            plural(calls.len() as u64, "blocking call"),
            shown(worst.duration_ns)
        ),
        count: calls.len() as u64,
        total_ns: calls.iter().map(|(_, call)| call.duration_ns).sum(),
        exemplars: calls.iter().map(exemplar).collect(),
        rule: "A system call of 1 ms or more of an async task that keeps its runtime's worker.",
        help: "Use the async form of the call, or spawn_blocking.",
        basis: String::new(),
    })
}
