//! What Tokio says through `tracing`, where its feature of that name is on and the build has
//! `--cfg tokio_unstable`.
//!
//! A span around each task (`runtime.spawn`) and an event at each operation on a task's waker tell who
//! wakes whom. They become wakes, and are not shown as spans and logs. Tokio's spans around resources
//! (`runtime.resource`: locks, sockets, timers) are not recorded: they would be most of a trace, and say
//! what the stacks of waiting tasks say for less.

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Metadata};

/// What a call site of Tokio's is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Spans around tasks.
    Task,
    /// Operations on wakers.
    Waker,
    /// Locks, sockets, timers.
    Resource,
}

/// What this call site is about, if it is one of Tokio's runtime.
pub(crate) fn part(metadata: &Metadata<'_>) -> Option<Part> {
    match (metadata.target(), metadata.name()) {
        ("tokio::task" | "tokio::task::blocking", "runtime.spawn") => Some(Part::Task),
        ("tokio::task::waker", _) => Some(Part::Waker),
        (target, name) => {
            let is_resource =
                name.starts_with("runtime.resource") || target.starts_with("runtime::resource");
            is_resource.then_some(Part::Resource)
        }
    }
}

/// Whether events of this call site may be wakes.
pub(crate) fn tells_wakes(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && part(metadata) == Some(Part::Waker)
}

/// The span of the task that the event says is woken; `None` for other operations on its waker.
pub(crate) fn woken(event: &Event<'_>) -> Option<u64> {
    let mut wake = Wake::default();
    event.record(&mut wake);
    wake.task.filter(|_| wake.is_wake)
}

#[derive(Default)]
struct Wake {
    is_wake: bool,
    task: Option<u64>,
}

impl Visit for Wake {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "op" {
            self.is_wake = matches!(value, "waker.wake" | "waker.wake_by_ref");
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // It is called so, and is the id of the task's span.
        if field.name() == "task.id" {
            self.task = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
