//! Threads for traces of Go 1.21 and older, as the newer format wants them.
//!
//! An old trace names the thread of a proc where the proc starts, and no more: the proc may go on elsewhere
//! while its goroutine stays in a system call, the end of the call is reported when the goroutine runs again,
//! and the collector begins on no thread. The newer format wants a thread for each, and one proc and one
//! goroutine a thread. So procs and calls are given threads here: the one that the trace names while it is
//! free, else a number of our own. A call keeps its thread when its proc goes on.

use std::collections::{BTreeMap, BTreeSet};

use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, ProcId, ProcState, StackId, StateChange, StringId,
    ThreadId,
};

use exectrace_replay::State;

/// The first number of our own; the system's are below.
const OWN_NUMBERS: u64 = 1 << 40;

/// Which threads procs and system calls have.
#[derive(Debug, Default)]
pub(super) struct V1Threads {
    of_procs: Holders<ProcId>,
    of_calls: Holders<GoId>,
    /// Numbers of our own that were given back, and how many there are.
    free_numbers: BTreeSet<u64>,
    numbers: u64,
}

/// Who holds a thread, and which threads are held.
#[derive(Debug)]
struct Holders<T> {
    threads: BTreeMap<T, ThreadId>,
    held: BTreeSet<ThreadId>,
}

impl<T> Default for Holders<T> {
    fn default() -> Self {
        Self {
            threads: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }
}

impl<T: Ord> Holders<T> {
    fn get(&self, holder: &T) -> Option<&ThreadId> {
        self.threads.get(holder)
    }

    fn holds(&self, thread: ThreadId) -> bool {
        self.held.contains(&thread)
    }

    fn insert(&mut self, holder: T, thread: ThreadId) {
        if let Some(before) = self.threads.insert(holder, thread) {
            self.held.remove(&before);
        }
        self.held.insert(thread);
    }

    fn remove(&mut self, holder: &T) -> Option<ThreadId> {
        let thread = self.threads.remove(holder)?;
        self.held.remove(&thread);
        Some(thread)
    }
}

impl V1Threads {
    /// The events to be written for one of an old trace, in their order; `state` is that before it.
    pub(super) fn in_full(&mut self, event: &CompactEvent, state: &State) -> Vec<CompactEvent> {
        let change = match event.kind {
            CompactKind::StateTransition { change, .. } => Some(change),
            _ => None,
        };
        let mut events = Vec::new();
        match change {
            Some(StateChange::Proc { proc, to, .. }) => {
                let thread = match to {
                    ProcState::Running => self.start(proc, event.thread),
                    _ => self.stop(proc, state),
                };
                events.push(on(event, thread));
            }
            Some(StateChange::Go {
                go,
                from: GoState::Syscall,
                to,
            }) if to != GoState::Running => self.end_call(event, go, to, state, &mut events),
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
                self.leave_call(event, change, state, &mut events);
                events.push(on(event, self.thread_of(event, state)));
            }
        }
        events
    }

    /// The thread of an event that changes none.
    fn thread_of(&self, event: &CompactEvent, state: &State) -> ThreadId {
        if event.kind == CompactKind::StackSample {
            return event.thread;
        }
        if let Some(&thread) = self.of_procs.get(&event.proc) {
            return thread;
        }
        let is_range = matches!(
            event.kind,
            CompactKind::RangeBegin { .. } | CompactKind::RangeEnd { .. }
        );
        let of_goroutine = thread_of(event.go, state);
        let thread = is_range.then(|| of_goroutine.or_else(|| any_running(state)));
        thread.flatten().unwrap_or(ThreadId::NONE)
    }

    /// A proc starts on the thread that is named, if that is free.
    fn start(&mut self, proc: ProcId, named: ThreadId) -> ThreadId {
        if let Some(left) = self.of_procs.remove(&proc) {
            self.leave(left);
        }
        let thread = self.free(named);
        self.of_procs.insert(proc, thread);
        thread
    }

    /// A proc stops; a goroutine in a system call keeps the thread.
    fn stop(&mut self, proc: ProcId, state: &State) -> ThreadId {
        let Some(thread) = self.of_procs.remove(&proc) else {
            return ThreadId::NONE;
        };
        match state.goroutine_in_syscall(proc) {
            Some(goroutine) => self.of_calls.insert(goroutine.id, thread),
            None => self.leave(thread),
        }
        thread
    }

    fn is_taken(&self, thread: ThreadId) -> bool {
        self.of_procs.holds(thread) || self.of_calls.holds(thread)
    }

    /// This thread, if neither a proc nor a call has it, else the first of our own that is free.
    fn free(&mut self, named: ThreadId) -> ThreadId {
        if named != ThreadId::NONE && !self.is_taken(named) {
            return named;
        }
        // Numbers that were given back may have been taken again under the name of a thread.
        while let Some(number) = self.free_numbers.pop_first() {
            if !self.is_taken(ThreadId(number)) {
                return ThreadId(number);
            }
        }
        loop {
            let thread = ThreadId(OWN_NUMBERS.saturating_add(self.numbers));
            self.numbers += 1;
            if !self.is_taken(thread) {
                return thread;
            }
        }
    }

    /// A proc or a call has left the thread.
    fn leave(&mut self, thread: ThreadId) {
        let is_own = (OWN_NUMBERS..OWN_NUMBERS.saturating_add(self.numbers)).contains(&thread.0);
        if is_own && !self.is_taken(thread) {
            self.free_numbers.insert(thread.0);
        }
    }

    /// The end of a call: on the thread that it kept, or with the proc, if that waited for it.
    fn end_call(
        &mut self,
        event: &CompactEvent,
        go: GoId,
        to: GoState,
        state: &State,
        events: &mut Vec<CompactEvent>,
    ) {
        if let Some(thread) = self.of_calls.remove(&go) {
            self.leave(thread);
            events.push(on(event, thread));
            return;
        }
        let thread = thread_of(go, state);
        let event = on(event, thread.unwrap_or(ThreadId::NONE));
        events.push(go_change(&event, go, GoState::Syscall, GoState::Running));
        events.push(go_change(&event, go, GoState::Running, to));
    }

    /// A proc that runs another goroutine has left the thread on which its last one is in a system call.
    fn leave_call(
        &mut self,
        event: &CompactEvent,
        change: Option<StateChange>,
        state: &State,
        events: &mut Vec<CompactEvent>,
    ) {
        let proc = event.proc;
        let Some(&thread) = self.of_procs.get(&proc) else {
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
        let in_call = state.goroutine_in_syscall(proc);
        let Some(in_call) = in_call.filter(|in_call| in_call.id != go) else {
            return;
        };
        self.of_calls.insert(in_call.id, thread);
        events.push(proc_change(
            event,
            thread,
            ProcState::Running,
            ProcState::Idle,
        ));
        let thread = self.start(proc, ThreadId::NONE);
        events.push(proc_change(
            event,
            thread,
            ProcState::Idle,
            ProcState::Running,
        ));
    }
}

/// The thread on which a goroutine runs or is in a system call.
fn thread_of(go: GoId, state: &State) -> Option<ThreadId> {
    state.goroutines().get(go)?.thread_in_format()
}

/// The first of the threads that hold a proc and run a goroutine.
fn any_running(state: &State) -> Option<ThreadId> {
    let alive = state.goroutines().alive().into_iter();
    let threads = alive.filter_map(|(_, slot)| state.goroutines().at(slot).thread_in_format());
    let holds_proc = |&thread: &ThreadId| state.thread(thread).is_some_and(|it| it.proc.is_some());
    threads.filter(holds_proc).min()
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

fn proc_change(
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
