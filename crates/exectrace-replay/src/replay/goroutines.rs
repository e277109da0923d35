//! Changes of goroutines' states.

use exectrace_format::conventions::THREAD_FILE;
use exectrace_format::{GoId, GoState, StackId, StringId, TaskId, ThreadId};

use crate::names::{Stack, Text};
use crate::observer::{Input, Observer, Wake};
use crate::state::{End, Goroutine, GoroutineKind, GoroutineState, Next, Origin, Slot, State};

use super::Replay;

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
            // Wakes alone have a mark there.
            GoState::Runnable => state.names.leaf_function(stack),
            _ => Text::EMPTY,
        };
        if let Some(slot) = known
            && is_no_change(state, slot, (from, to), leaf)
        {
            return Ok(());
        }
        let reason = state.names.text(tables, reason);
        let own = match own_stack == event.stack {
            true => stack,
            false => state.names.stack(tables, own_stack),
        };
        let slot = match known {
            Some(slot) => slot,
            None => {
                let slot = new_goroutine(state, id, from, stack);
                observer.appear(state, slot)?;
                slot
            }
        };
        if own != Stack::NONE && state.goroutines.at(slot).first_stack == Stack::NONE {
            name(state, slot, own);
            observer.named(state, slot)?;
        }

        let goroutine = state.goroutines.at(slot);
        let before = goroutine.state;
        let entered = GoroutineState::of(to);
        let is_wake = entered == GoroutineState::Runnable
            && (from == GoState::NotExist || before == GoroutineState::Waiting && !is_new);
        let is_concluded = is_wake && leaf == state.marks.wake_not_seen;
        let mut origin = match from {
            GoState::NotExist => Origin::Spawned,
            _ => Origin::Before,
        };
        if known.is_some() {
            let mut span = goroutine.span_until(state.now);
            span.next = match to {
                GoState::NotExist => Next::End,
                _ => Next::State(entered),
            };
            (span.end_reason, span.end_stack, span.own_end_stack) = (reason, stack, own);
            origin = Origin::From(before);
            observer.leave(state, slot, &span)?;
            if is_wake {
                let wake = Wake {
                    wait: Some(&span),
                    stack,
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
        } else if is_wake {
            let wake = Wake {
                wait: None,
                stack,
                is_concluded,
            };
            observer.wake(state, slot, &wake)?;
        }

        let (now, proc, thread) = (state.now, state.proc, state.thread);
        let goroutine = state.goroutines.at_mut(slot);
        goroutine.state = entered;
        goroutine.since = now;
        goroutine.proc_lost = None;
        goroutine.origin = origin;
        goroutine.reason = reason;
        goroutine.stack = stack;
        goroutine.own_stack = own;
        goroutine.actor = event.go;
        goroutine.proc = proc;
        goroutine.thread = thread;
        goroutine.is_wake_concluded = is_concluded && known.is_some();
        goroutine.in_format = to;
        goroutine.thread_in_format = thread;
        match to {
            GoState::Running => {
                goroutine.started.get_or_insert(now);
            }
            GoState::Syscall => {
                if let Some(proc) = state.procs.get_mut(proc) {
                    proc.in_syscall = Some(slot);
                }
            }
            GoState::Waiting if reason == state.marks.forever => {
                self.state.goroutines.at_mut(slot).ended = Some(now);
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
        if own_stack == StackId::NONE || goroutine.first_stack != Stack::NONE {
            return Ok(());
        }
        let own = state.names.stack(input.tables, own_stack);
        name(state, slot, own);
        observer.named(state, slot)
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

/// Names the goroutine by the root of the first stack of its own.
#[cold]
fn name(state: &mut State, slot: Slot, own: Stack) {
    let Some(&root) = state.names.root(own) else {
        return;
    };
    let kind = match state.names.get(root.file) {
        THREAD_FILE => GoroutineKind::Thread,
        _ => GoroutineKind::Task,
    };
    let goroutine = state.goroutines.at_mut(slot);
    goroutine.first_stack = own;
    goroutine.name = root.function;
    goroutine.root = Some(root);
    goroutine.kind = kind;
}
