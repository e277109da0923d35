//! Changes of goroutines' states.

use exectrace_format::conventions::THREAD_FILE;
use exectrace_format::{GoId, GoState, StackId, StringId, TaskId, ThreadId};

use crate::names::{Stack, Text};
use crate::observer::{Input, Observer, Wake};
use crate::state::{End, Goroutine, GoroutineKind, GoroutineState, Next, Origin, Slot, State};

use super::Replay;

/// What an event says of a goroutine, with ids that hold for the trace.
#[derive(Clone, Copy)]
struct Change {
    from: GoState,
    to: GoState,
    reason: Text,
    stack: Stack,
    own_stack: Stack,
    /// The innermost function of the stack of a wake, where the recorder marks wakes.
    leaf: Text,
    /// What it enters is a wait in a call.
    waits_in_call: bool,
}

impl Replay {
    /// A goroutine changes its state, or the trace reports the state of one that it has not had before.
    #[inline]
    pub(super) fn transition<O: Observer>(
        &mut self,
        input: &Input<'_>,
        (id, from, to): (GoId, GoState, GoState),
        (reason, own_stack): (StringId, StackId),
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let (event, tables) = (input.event, input.tables);
        let is_new = matches!(from, GoState::Undetermined | GoState::NotExist);
        let state = &mut self.state;
        let known = state.goroutines.find(id).filter(|_| !is_new);
        let stack = state.names.stack(tables, event.stack);
        let leaf = match to {
            GoState::Runnable => state.names.leaf_function(stack),
            _ => Text::EMPTY,
        };
        if let Some(slot) = known
            && is_no_change(state, slot, (from, to), leaf)
        {
            return Ok(());
        }
        let mut change = Change {
            from,
            to,
            reason: state.names.text(tables, reason),
            stack,
            own_stack: match own_stack == event.stack {
                true => stack,
                false => state.names.stack(tables, own_stack),
            },
            leaf,
            waits_in_call: false,
        };
        if to == GoState::Waiting {
            let own = change.own_stack;
            change.waits_in_call = state.marks.ends_in_waiting_call(&state.names, own);
        }
        let slot = match known {
            Some(slot) => slot,
            None => {
                let slot = new_goroutine(state, id, from, stack);
                observer.appear(state, slot)?;
                slot
            }
        };
        let own = change.own_stack;
        if own != Stack::NONE
            && state.goroutines.at(slot).name == Text::EMPTY
            && name(state, slot, own)
        {
            observer.named(state, slot)?;
        }
        match known {
            Some(_) => self.leave(slot, change, observer)?,
            None => self.begin(slot, change, observer)?,
        }
        self.enter(slot, change, observer)
    }

    /// The goroutine leaves its state.
    // Inlined always, as `enter`: else the change goes through memory, 15 instructions an event.
    #[inline(always)]
    fn leave<O: Observer>(
        &mut self,
        slot: Slot,
        change: Change,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let goroutine = state.goroutines.at(slot);
        let before = goroutine.state;
        let is_wake = change.to == GoState::Runnable && before == GoroutineState::Waiting;
        let is_concluded = is_wake && change.leaf == state.marks.wake_not_seen;
        let mut span = goroutine.span_until(state.now);
        span.next = match change.to {
            GoState::NotExist => Next::End,
            to => Next::State(GoroutineState::of(to)),
        };
        span.end_reason = change.reason;
        span.end_stack = change.stack;
        span.own_end_stack = change.own_stack;
        span.enters_call = change.to == GoState::Syscall || change.waits_in_call;
        observer.leave(state, slot, &span)?;
        if is_wake {
            let wake = Wake {
                wait: Some(&span),
                stack: change.stack,
                is_concluded,
            };
            observer.wake(state, slot, &wake)?;
        }
        if before == GoroutineState::Syscall
            && let Some(proc) = state.procs.get_mut(span.proc)
        {
            // The proc may have been taken since, and be in another's call.
            proc.in_syscall.take_if(|in_call| *in_call == slot);
        }
        let goroutine = state.goroutines.at_mut(slot);
        goroutine.origin = Origin::From(before);
        goroutine.is_wake_concluded = is_concluded;
        goroutine.waits_in_call &= is_wake;
        Ok(())
    }

    /// The goroutine is new, and enters its first state.
    #[inline(never)]
    fn begin<O: Observer>(
        &mut self,
        slot: Slot,
        change: Change,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        if change.from != GoState::NotExist {
            return Ok(());
        }
        let state = &mut self.state;
        state.goroutines.at_mut(slot).origin = Origin::Spawned;
        if change.to != GoState::Runnable {
            return Ok(());
        }
        let wake = Wake {
            wait: None,
            stack: change.stack,
            is_concluded: change.leaf == state.marks.wake_not_seen,
        };
        observer.wake(state, slot, &wake)
    }

    /// The goroutine enters a state, or has ended.
    #[inline(always)]
    fn enter<O: Observer>(
        &mut self,
        slot: Slot,
        change: Change,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let (now, proc, thread) = (state.now, state.proc, state.thread);
        let goroutine = state.goroutines.at_mut(slot);
        goroutine.state = GoroutineState::of(change.to);
        goroutine.waits_in_call |= change.waits_in_call;
        goroutine.since = now;
        goroutine.proc_lost = None;
        goroutine.reason = change.reason;
        goroutine.stack = change.stack;
        goroutine.own_stack = change.own_stack;
        goroutine.actor = state.goroutine;
        goroutine.proc = proc;
        goroutine.thread = thread;
        goroutine.in_format = change.to;
        goroutine.thread_in_format = thread;
        if (change.to == GoState::Syscall || change.waits_in_call)
            && let Some(stack) = state.calls_ahead.remove(&(goroutine.id, now))
        {
            goroutine.is_called_at(stack);
        }
        match change.to {
            GoState::Running => {
                goroutine.started.get_or_insert(now);
            }
            GoState::Syscall => {
                if let Some(proc) = state.procs.get_mut(proc) {
                    proc.in_syscall = Some(slot);
                }
            }
            GoState::Waiting if change.reason == state.marks.forever => {
                goroutine.ended = Some(now);
                self.end_regions(slot, End::WithGoroutine, observer)?;
            }
            GoState::NotExist => return self.end_goroutine(slot, observer),
            _ => {}
        }
        observer.enter(&self.state, slot)
    }

    /// A generation says again in which state a goroutine is, on which thread, and perhaps what it is called.
    #[inline(never)]
    pub(super) fn goes_on<O: Observer>(
        &mut self,
        input: &Input<'_>,
        id: GoId,
        own_stack: StackId,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let Some(slot) = state.goroutines.find(id) else {
            return Ok(());
        };
        let goroutine = state.goroutines.at_mut(slot);
        if input.event.thread != ThreadId::NONE {
            goroutine.thread_in_format = input.event.thread;
        }
        if own_stack == StackId::NONE || goroutine.name != Text::EMPTY {
            return Ok(());
        }
        let own = state.names.stack(input.tables, own_stack);
        match name(state, slot, own) {
            true => observer.named(state, slot),
            false => Ok(()),
        }
    }

    #[inline(never)]
    fn end_goroutine<O: Observer>(&mut self, slot: Slot, observer: &mut O) -> Result<(), O::Error> {
        self.state.goroutines.at_mut(slot).ended = Some(self.state.now);
        self.end_regions(slot, End::WithGoroutine, observer)?;
        self.end_ranges_of(self.state.goroutines.at(slot).id, observer)?;
        observer.vanish(&self.state, slot, End::Seen)?;
        self.state.goroutines.remove(slot);
        Ok(())
    }
}

/// Whether the trace says here what never happened, and only notes it then. `leaf` is the innermost
/// function of the stack of a wake.
///
/// The recorder shows tasks that were aborted or dropped to run on its own proc for an instant, as
/// only what runs can end. And of a task whose poll was under way when the recording began, the trace
/// says that it waits, until the poll ends.
#[inline]
fn is_no_change(state: &mut State, slot: Slot, change: (GoState, GoState), leaf: Text) -> bool {
    let is_wake = matches!(change, (GoState::Waiting, GoState::Runnable));
    let is_run = matches!(change, (GoState::Runnable, GoState::Running));
    if !is_wake && !is_run {
        return false;
    }
    let (proc, thread) = (state.proc, state.thread);
    let goroutine = state.goroutines.at_mut(slot);
    let is_task = goroutine.kind == GoroutineKind::Task;
    let ends_without_running = is_task && state.recorder == Some(proc);
    let is_unknown = is_run && is_task && goroutine.state == GoroutineState::Unknown;
    let is_polled_since_before = is_unknown || is_wake && leaf == state.marks.polled_before;
    if !ends_without_running && !is_polled_since_before {
        return false;
    }
    if !ends_without_running {
        goroutine.state = GoroutineState::Unknown;
    }
    goroutine.in_format = change.1;
    goroutine.thread_in_format = thread;
    true
}

/// A goroutine that the trace reports for the first time.
#[inline(never)]
fn new_goroutine(state: &mut State, id: GoId, from: GoState, stack: Stack) -> Slot {
    let spawner = state.goroutines.get(state.goroutine);
    let inherited = spawner.map_or(TaskId::BACKGROUND, Goroutine::user_task);
    let slot = state.goroutines.add(id);
    let goroutine = state.goroutines.at_mut(slot);
    if from == GoState::NotExist {
        goroutine.created = state.now;
        goroutine.parent = Some(state.goroutine);
        goroutine.spawned_at = stack;
        goroutine.inherited_user_task = inherited;
    } else {
        goroutine.created = state.generation_begin;
    }
    slot
}

/// Names the goroutine by the root of a stack of its own, and returns whether that has a name: in a trace of Go
/// it may be a frame that the program's symbols do not have.
#[cold]
fn name(state: &mut State, slot: Slot, own: Stack) -> bool {
    let root = state.names.root(own).copied();
    let goroutine = state.goroutines.at_mut(slot);
    if goroutine.first_stack == Stack::NONE {
        goroutine.first_stack = own;
    }
    let Some(root) = root.filter(|root| root.function != Text::EMPTY) else {
        return false;
    };
    goroutine.name = root.function;
    goroutine.root = Some(root);
    goroutine.kind = match state.names.get(root.file) {
        THREAD_FILE => GoroutineKind::Thread,
        _ => GoroutineKind::Task,
    };
    true
}
