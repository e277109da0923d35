//! States of async tasks: who changes them, why, and who woke whom.

use exectrace_format::GoId;
use exectrace_format::conventions::WAKE_NOT_SEEN;
use exectrace_replay::{
    End, GoroutineKind, GoroutineState, Next, Origin, Slot, Stack, State, StateSpan, Text, Wake,
};

use crate::error::ExportError;

use super::TrackWriter;
use super::change::{AfterRun, Change, Ready, WakeArrow};
use super::observer::Tracks;
use super::task::{StateSlice, TrackState};

impl<W: TrackWriter> Tracks<'_, W> {
    /// An async task leaves its state, or the trace ends.
    pub(super) fn leave_state(
        &mut self,
        state: &State,
        slot: Slot,
        span: &StateSpan<'_>,
    ) -> Result<(), ExportError> {
        let kind = state.goroutines().at(slot).kind;
        let end = match span.next {
            Next::TraceEnd => End::WithTrace,
            _ => End::Seen,
        };
        if end == End::WithTrace {
            self.end_runs_with_trace(state, slot)?;
        } else {
            let next = match span.next {
                Next::State(next) => TrackState::of(next, kind),
                _ => None,
            };
            let after = AfterRun {
                state: next,
                reason: span.end_reason,
                stack: span.own_end_stack,
            };
            // Who is in a call stays where it is, also while it waits there.
            let was_in_call = state.goroutines().at(slot).is_in_call();
            let waited = was_in_call && span.state == GoroutineState::Waiting;
            let stays = span.enters_call || waited;
            self.leave_lanes(state, slot, after, (was_in_call, stays))?;
        }
        let drawn = self.tasks.at_mut(slot);
        drawn.ready = None;
        let Some(slice) = drawn.now.take() else {
            return Ok(());
        };
        drawn.ready = slice.ready;
        self.write_of(state, slot, |task| Change::Left { task, slice, end })
    }

    /// An async task is made ready by another one.
    pub(super) fn woken(
        &mut self,
        state: &State,
        slot: Slot,
        wake: &Wake<'_>,
    ) -> Result<(), ExportError> {
        let goroutine = state.goroutines().at(slot);
        if goroutine.waits_in_call {
            // Nobody woke it: its call is over.
            return Ok(());
        }
        self.wakes += 1;
        self.wake = Some(Ready {
            since: state.now(),
            waker: state.goroutine(),
            wake: self.wakes,
            is_seen: goroutine.kind != GoroutineKind::Thread && !wake.is_concluded,
        });
        let arrow = WakeArrow {
            number: self.wakes,
            woken: goroutine.id,
            is_spawn: wake.wait.is_none(),
            waker: state.goroutine(),
            worker: state.current_proc(),
            thread: state.current_thread(),
        };
        self.write(state, Change::Wake(arrow))
    }

    /// An async task enters a state.
    pub(super) fn enter_state(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        let goroutine = state.goroutines().at(slot);
        let wake = self.wake.take();
        let Some(shown) = TrackState::of(goroutine.state, goroutine.kind) else {
            return Ok(());
        };
        let is_begin_seen = goroutine.origin != Origin::Before;
        let begin = match is_begin_seen {
            true => goroutine.since,
            false => state.generation_begin(),
        };
        let ready = match goroutine.state {
            GoroutineState::Runnable => wake.or_else(|| {
                let is_concluded = state.names().has_leaf(goroutine.stack, WAKE_NOT_SEEN);
                Some(Ready {
                    since: begin,
                    waker: GoId::NONE,
                    wake: 0,
                    is_seen: goroutine.kind != GoroutineKind::Thread && !is_concluded,
                })
            }),
            GoroutineState::Running if shown == TrackState::Running => self.tasks.at(slot).ready,
            _ => None,
        };
        let slice = StateSlice {
            state: shown,
            begin,
            is_begin_seen,
            reason: goroutine.reason,
            stack: match wake {
                Some(_) => goroutine.stack,
                None => goroutine.own_stack,
            },
            call: match goroutine.is_in_call() && !state.is_of_go() {
                true => leaf_function(state, goroutine.own_stack),
                false => Text::EMPTY,
            },
            worker: goroutine.proc,
            thread: goroutine.thread,
            ready,
        };
        self.tasks.at_mut(slot).now = Some(slice);
        self.write_of(state, slot, Change::Entered)?;
        match shown.is_executing() || goroutine.is_in_call() {
            true => self.take_lanes(state, slot, &slice),
            false => Ok(()),
        }
    }
}

/// The function in which a stack ends.
fn leaf_function(state: &State, stack: Stack) -> Text {
    let leaf = state.names().leaf(stack);
    leaf.map_or(Text::EMPTY, |leaf| leaf.function)
}
