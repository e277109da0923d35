//! Tokio's own call sites, which exist if its feature `tracing` is on and the build has
//! `--cfg tokio_unstable`.
//!
//! Tokio has a span around each task (`runtime.spawn`) and an event at each operation on a task's waker.
//! From these the recorder makes wakes; they are not shown as spans and logs. Tokio's spans around resources
//! (`runtime.resource`: locks, sockets, timers) are not recorded. They would be most of a trace, and the
//! stacks of waiting tasks give the same information at a lower cost.

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Metadata};

/// The subject of a call site of Tokio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Spans around tasks.
    Task,
    /// Operations on wakers.
    Waker,
    /// Locks, sockets, timers.
    Resource,
}

/// The subject of this call site, if it is one of Tokio's runtime.
pub(crate) fn subject(metadata: &Metadata<'_>) -> Option<Subject> {
    match (metadata.target(), metadata.name()) {
        ("tokio::task" | "tokio::task::blocking", "runtime.spawn") => Some(Subject::Task),
        ("tokio::task::waker", _) => Some(Subject::Waker),
        (target, name) => {
            let is_resource =
                name.starts_with("runtime.resource") || target.starts_with("runtime::resource");
            is_resource.then_some(Subject::Resource)
        }
    }
}

/// Whether events of this call site may be wakes.
pub(crate) fn may_be_wake(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && subject(metadata) == Some(Subject::Waker)
}

/// The span of the task that is woken, if the event is a wake and not another operation on a waker.
pub(crate) fn woken_span(event: &Event<'_>) -> Option<u64> {
    let mut wake = WakeVisitor::default();
    event.record(&mut wake);
    wake.task.filter(|_| wake.is_wake)
}

#[derive(Default)]
struct WakeVisitor {
    is_wake: bool,
    task: Option<u64>,
}

impl Visit for WakeVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "op" {
            self.is_wake = matches!(value, "waker.wake" | "waker.wake_by_ref");
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // Despite its name the field holds the id of the task's span.
        if field.name() == "task.id" {
            self.task = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
