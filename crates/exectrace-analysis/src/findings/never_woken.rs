//! Async tasks that wait since long before the end: in Go for what was never sent, elsewhere for a lock
//! that nobody released.
//!
//! A task of a Tokio program that waits for a message, a signal, a timer or another task does what it is
//! there for, however long it waits.

use exectrace_format::GoId;
use exectrace_format::conventions::{FOREVER, NETWORK, SLEEP, SYNC, SYSTEM_GOROUTINE_WAIT};
use exectrace_replay::{GoroutineKind, GoroutineState, Stack, Text};

use crate::time::{Flow, World};
use crate::top::Top;

use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown};

/// Waits from here on are reported, if they are half of the trace or more.
const LONG_NS: u64 = 1_000_000_000;
/// Reasons of Go's that say the wait is meant to last, or is the runtime's own.
const EXPECTED: [&str; 5] = [FOREVER, NETWORK, SLEEP, SYSTEM_GOROUTINE_WAIT, "GC"];
/// What the functions of locks are called, among all that wait for that reason.
const LOCKS: [&str; 4] = ["mutex", "Mutex", "rwlock", "RwLock"];

#[derive(Debug)]
pub(super) struct NeverWokenWatch {
    count: u64,
    worst: Top<Stuck>,
}

#[derive(Clone, Copy, Debug)]
struct Stuck {
    task: GoId,
    name: Text,
    reason: Text,
    stack: Stack,
    since: i64,
    waited: u64,
}

impl Default for NeverWokenWatch {
    fn default() -> Self {
        Self {
            count: 0,
            worst: Top::new(MAX_EXEMPLARS),
        }
    }
}

impl NeverWokenWatch {
    pub(super) fn flow_ends(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        let waits = flow.state == GoroutineState::Waiting && flow.kind == GoroutineKind::Task;
        let waited = world.clip.between(flow.since, world.now);
        let length = world.clip.between(world.begin, world.now);
        let is_long = waited >= LONG_NS && waited >= length / 2 && flow.started.is_some();
        if waits && is_long && is_odd(world, flow) {
            self.count += 1;
            let stuck = Stuck {
                task: flow.id,
                name: flow.name,
                reason: flow.reason,
                stack: flow.stack,
                since: flow.since,
                waited,
            };
            self.worst.push(waited, stuck);
        }
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let worst = self.worst.iter().next()?;
        let exemplar = |stuck: &Stuck| Exemplar {
            what: format!(
                "{} waits for {}",
                world.names().get(stuck.name),
                world.names().get(stuck.reason)
            ),
            begin_ns: Some(world.since_begin(stuck.since)),
            duration_ns: Some(stuck.waited),
            async_task: Some(stuck.task.0),
            place: world.place_of_program(stuck.stack),
            ..Exemplar::default()
        };
        Some(Finding {
            id: "never_woken",
            severity: Severity::Info,
            message: format!(
                "{} waiting and never woken, {} since {} before the end",
                plural(self.count, "task"),
                world.names().get(worst.name),
                shown(worst.waited)
            ),
            count: self.count,
            exemplars: self.worst.iter().map(exemplar).collect(),
            rule: "A task that ran and waits at the end for a second and half of the trace or more: in Go \
                   for anything but the network or a timer, if it was never woken; elsewhere for a lock.",
            help: "If it ought to have gone on, look at who should wake it: who holds the lock, a channel \
                   whose other end lives on.",
            basis: String::new(),
            ..Finding::default()
        })
    }
}

/// Whether such a wait is more than what tasks are for.
fn is_odd(world: &World<'_>, flow: &Flow<'_>) -> bool {
    let reason = world.names().get(flow.reason);
    if world.is_of_go() {
        return flow.time.wakes == 0
            && !EXPECTED.iter().any(|expected| reason.starts_with(expected));
    }
    let mut functions = world
        .names()
        .locations(flow.stack)
        .map(|frame| world.names().get(frame.function));
    reason == SYNC && functions.any(|function| LOCKS.iter().any(|lock| function.contains(lock)))
}
