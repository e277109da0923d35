//! What the newer format wants to know and traces of Go 1.21 and older do not say.
//!
//! There a flow may be in a system call on no thread, as its lane goes on elsewhere, and the end of the call
//! is told when the flow runs again, long after its thread has gone on. And the collector begins on no thread.

use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, ProcState, StackId, StateChange, StringId, ThreadId,
};

use super::world::World;

/// The thread of a flow in a system call, where the trace names none, is numbered from here on by the flow.
const UNNAMED_THREADS: u64 = 1 << 40;

/// The events to be written for one of an old trace, in their order.
pub(super) fn in_full(event: &CompactEvent, world: &World) -> Vec<CompactEvent> {
    let event = with_thread(event, world);
    if let CompactKind::StateTransition {
        change: StateChange::Go { go, from, to },
        ..
    } = event.kind
        && (from, to) == (GoState::Syscall, GoState::Runnable)
    {
        return match world.goes.get(&go) {
            // It was written when its thread went on.
            Some(known) if known.state == to => Vec::new(),
            _ => end_of_call(&event, go, world),
        };
    }
    let mut events = match call_on_thread_that_goes_on(&event, world) {
        Some(go) => end_of_call(&event, go, world),
        None => Vec::new(),
    };
    events.push(event);
    events
}

/// The event with the thread on which it must be written.
fn with_thread(event: &CompactEvent, world: &World) -> CompactEvent {
    let mut event = *event;
    if event.thread != ThreadId::NONE {
        return event;
    }
    let of_flow = |go: GoId| world.goes.get(&go).and_then(|go| go.thread);
    let thread = match event.kind {
        CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            ..
        } if from == GoState::Syscall || to == GoState::Syscall => {
            of_flow(go).or(Some(ThreadId(UNNAMED_THREADS.saturating_add(go.0))))
        }
        CompactKind::RangeBegin { .. } | CompactKind::RangeEnd { .. } => {
            of_flow(event.go).or_else(|| any_running_thread(world))
        }
        _ => None,
    };
    event.thread = thread.unwrap_or(ThreadId::NONE);
    event
}

fn any_running_thread(world: &World) -> Option<ThreadId> {
    let mut threads = world.threads.iter();
    let running = threads.find(|(_, thread)| thread.proc.is_some() && thread.go.is_some());
    running.map(|(&thread, _)| thread)
}

/// The flow that is in a system call on the event's thread, if the event says that the thread runs another or
/// has a lane again.
fn call_on_thread_that_goes_on(event: &CompactEvent, world: &World) -> Option<GoId> {
    let CompactKind::StateTransition { change, .. } = event.kind else {
        return None;
    };
    let thread = world.threads.get(&event.thread)?;
    let in_call = thread.go?;
    let goes_on = match change {
        StateChange::Go { go, to, .. } => go != in_call && to == GoState::Running,
        StateChange::Proc { to, .. } => to == ProcState::Running && thread.proc.is_none(),
    };
    let is_in_call = world.goes.get(&in_call)?.state == GoState::Syscall;
    (goes_on && is_in_call).then_some(in_call)
}

/// The end of the system call of a flow, on the thread and at the time of an event: with the lane, if the
/// thread still has it.
fn end_of_call(at: &CompactEvent, go: GoId, world: &World) -> Vec<CompactEvent> {
    let change = |from, to| CompactEvent {
        go,
        stack: StackId::NONE,
        kind: CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            reason: StringId::EMPTY,
            stack: StackId::NONE,
        },
        ..*at
    };
    let thread = world.threads.get(&at.thread);
    match thread.is_some_and(|thread| thread.proc.is_some()) {
        true => vec![
            change(GoState::Syscall, GoState::Running),
            change(GoState::Running, GoState::Runnable),
        ],
        false => vec![change(GoState::Syscall, GoState::Runnable)],
    }
}
