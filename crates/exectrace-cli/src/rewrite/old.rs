//! Threads for traces of Go 1.21 and older, as the newer format wants them.
//!
//! An old trace names the thread of a lane where the lane starts, and no more: the lane may go on elsewhere
//! while its flow stays in a system call, the end of the call is told when the flow runs again, and the
//! collector begins on no thread. The newer format wants a thread for each, and one lane and one flow a
//! thread. So lanes and calls are given threads here: the one that the trace names while it is free, else a
//! number of our own. A call keeps its thread when its lane goes on.

use std::collections::BTreeMap;

use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, ProcId, ProcState, StackId, StateChange, StringId,
    ThreadId,
};

use super::world::World;

/// The first number of our own; the system's are below.
const OWN_NUMBERS: u64 = 1 << 40;

/// Which threads lanes and system calls have.
#[derive(Debug, Default)]
pub(super) struct Threads {
    of_lanes: BTreeMap<ProcId, ThreadId>,
    of_calls: BTreeMap<GoId, ThreadId>,
}

impl Threads {
    /// The events to be written for one of an old trace, in their order; `world` is the state before it.
    pub(super) fn in_full(&mut self, event: &CompactEvent, world: &World) -> Vec<CompactEvent> {
        let change = match event.kind {
            CompactKind::StateTransition { change, .. } => Some(change),
            _ => None,
        };
        let mut events = Vec::new();
        match change {
            Some(StateChange::Proc { proc, to, .. }) => {
                let thread = match to {
                    ProcState::Running => self.start(proc, event.thread),
                    _ => self.stop(proc, world),
                };
                events.push(on(event, thread));
            }
            Some(StateChange::Go {
                go,
                from: GoState::Syscall,
                to,
            }) if to != GoState::Running => self.end_call(event, go, to, world, &mut events),
            Some(StateChange::Go {
                go,
                from: GoState::Undetermined,
                to: GoState::Syscall,
            }) => {
                let thread = self.free(ThreadId::NONE);
                self.of_calls.insert(go, thread);
                events.push(on(event, thread));
            }
            _ => {
                self.leave_call(event, change, world, &mut events);
                events.push(on(event, self.thread_of(event, world)));
            }
        }
        events
    }

    /// The thread of an event that changes none.
    fn thread_of(&self, event: &CompactEvent, world: &World) -> ThreadId {
        if event.kind == CompactKind::StackSample {
            return event.thread;
        }
        if let Some(&thread) = self.of_lanes.get(&event.proc) {
            return thread;
        }
        let is_range = matches!(
            event.kind,
            CompactKind::RangeBegin { .. } | CompactKind::RangeEnd { .. }
        );
        let of_flow = world.goes.get(&event.go).and_then(|go| go.thread);
        let any = || {
            let mut threads = world.threads.iter();
            let running = threads.find(|(_, thread)| thread.proc.is_some() && thread.go.is_some());
            running.map(|(&thread, _)| thread)
        };
        let thread = is_range.then(|| of_flow.or_else(any)).flatten();
        thread.unwrap_or(ThreadId::NONE)
    }

    /// A lane starts on the thread that is named, if that is free.
    fn start(&mut self, proc: ProcId, named: ThreadId) -> ThreadId {
        self.of_lanes.remove(&proc);
        let thread = self.free(named);
        self.of_lanes.insert(proc, thread);
        thread
    }

    /// A lane stops; a flow in a system call keeps the thread.
    fn stop(&mut self, proc: ProcId, world: &World) -> ThreadId {
        let Some(thread) = self.of_lanes.remove(&proc) else {
            return ThreadId::NONE;
        };
        if let Some(go) = call_on(thread, world) {
            self.of_calls.insert(go, thread);
        }
        thread
    }

    /// This thread, if neither a lane nor a call has it, else the first of our own that is free.
    fn free(&self, named: ThreadId) -> ThreadId {
        let taken = |thread: ThreadId| {
            let mut all = self.of_lanes.values().chain(self.of_calls.values());
            all.any(|&other| other == thread)
        };
        if named != ThreadId::NONE && !taken(named) {
            return named;
        }
        let mut own = (OWN_NUMBERS..).map(ThreadId);
        own.find(|&thread| !taken(thread)).unwrap_or(named)
    }

    /// The end of a call: on the thread that it kept, or with the lane, if that waited for it.
    fn end_call(
        &mut self,
        event: &CompactEvent,
        go: GoId,
        to: GoState,
        world: &World,
        events: &mut Vec<CompactEvent>,
    ) {
        if let Some(thread) = self.of_calls.remove(&go) {
            events.push(on(event, thread));
            return;
        }
        let thread = world.goes.get(&go).and_then(|go| go.thread);
        let event = on(event, thread.unwrap_or(ThreadId::NONE));
        events.push(go_change(&event, go, GoState::Syscall, GoState::Running));
        events.push(go_change(&event, go, GoState::Running, to));
    }

    /// A lane that runs another flow has left the thread on which its last one is in a system call.
    fn leave_call(
        &mut self,
        event: &CompactEvent,
        change: Option<StateChange>,
        world: &World,
        events: &mut Vec<CompactEvent>,
    ) {
        let proc = event.proc;
        let Some(&thread) = self.of_lanes.get(&proc) else {
            return;
        };
        let Some(StateChange::Go {
            go,
            to: GoState::Running,
            ..
        }) = change
        else {
            return;
        };
        let Some(in_call) = call_on(thread, world).filter(|&in_call| in_call != go) else {
            return;
        };
        self.of_calls.insert(in_call, thread);
        events.push(lane_change(
            event,
            thread,
            ProcState::Running,
            ProcState::Idle,
        ));
        let thread = self.start(proc, ThreadId::NONE);
        events.push(lane_change(
            event,
            thread,
            ProcState::Idle,
            ProcState::Running,
        ));
    }
}

/// The flow that is in a system call on a thread.
fn call_on(thread: ThreadId, world: &World) -> Option<GoId> {
    let go = world.threads.get(&thread)?.go?;
    (world.goes.get(&go)?.state == GoState::Syscall).then_some(go)
}

fn on(event: &CompactEvent, thread: ThreadId) -> CompactEvent {
    CompactEvent { thread, ..*event }
}

fn go_change(at: &CompactEvent, go: GoId, from: GoState, to: GoState) -> CompactEvent {
    let change = StateChange::Go { go, from, to };
    CompactEvent {
        go,
        ..transition(at, change)
    }
}

fn lane_change(
    at: &CompactEvent,
    thread: ThreadId,
    from: ProcState,
    to: ProcState,
) -> CompactEvent {
    let change = StateChange::Proc {
        proc: at.proc,
        from,
        to,
    };
    CompactEvent {
        thread,
        go: GoId::NONE,
        ..transition(at, change)
    }
}

/// A change at the time and place of an event, without a reason.
fn transition(at: &CompactEvent, change: StateChange) -> CompactEvent {
    CompactEvent {
        stack: StackId::NONE,
        kind: CompactKind::StateTransition {
            change,
            is_status: false,
            reason: StringId::EMPTY,
            stack: StackId::NONE,
        },
        ..*at
    }
}
