//! Flows in a call: what the format says of it, from begin to end.
//!
//! A flow in a call stays with its thread, whatever the format calls its state: in a system call, with its thread's
//! lane or without it, or waiting. So whatever else is to happen to it, or on its thread, ends the call first.

use exectrace_format::{Event, GoId, GoStatus, SideRecord};

use super::flow::FlowState;
use super::names::{Leaf, NameId};
use super::threads::{Machine, ThreadIndex};

/// The call that a thread is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InCall {
    /// The ticks of its begin.
    began: u64,
    /// The time of the event with which it began.
    pub(super) began_ns: u64,
    pub(super) kind: InCallKind,
    /// Where it was made.
    pub(super) leaf: Leaf,
}

/// What a call is in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InCallKind {
    /// A system call.
    Syscall,
    /// A wait, for this reason.
    Wait(NameId),
}

impl Machine {
    /// The call that a thread is in, by the ticks of its begin.
    #[inline]
    pub(super) fn call_of(&self, index: ThreadIndex) -> Option<u64> {
        Some(self.thread(index)?.call?.began)
    }

    /// Whether the thread was in this call, and is not any more.
    pub(super) fn has_left_call(&self, index: ThreadIndex, began: u64) -> bool {
        self.thread(index)
            .is_some_and(|thread| thread.left_call == began)
    }

    /// Whether a runtime runs on the thread and polls nothing, so that what the thread does is nobody's.
    pub(super) fn is_between_polls(&self, index: ThreadIndex) -> bool {
        let Some(thread) = self.thread(index) else {
            return true;
        };
        let polled = |own| {
            let own = self.flows.get(own);
            own.is_some_and(|own| own.wait.0 == self.reasons.polling)
        };
        thread.current.is_none() && (thread.worker.is_some() || thread.own.is_some_and(polled))
    }

    /// What runs on the thread begins a system call. A long one of a thread that is no worker gives the lane up.
    pub(super) fn begin_syscall(
        &mut self,
        index: ThreadIndex,
        began: u64,
        is_long: bool,
        leaf: Leaf,
    ) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        let (Some(lane), stream, is_worker) = (thread.lane, thread.stream, thread.worker.is_some())
        else {
            return;
        };
        let stack = self.stack(index, leaf);
        let began_ns = self.emitter.time_ns();
        self.lanes
            .begin_syscall(lane, stack, stream, &mut self.emitter);
        self.enter_call(index, began, began_ns, InCallKind::Syscall, leaf);
        if is_long && !is_worker {
            self.stop_lane_in_call(index);
        }
    }

    /// What runs on the thread begins to wait, in a call. A thread that is no worker gives its lane up.
    pub(super) fn begin_wait(
        &mut self,
        index: ThreadIndex,
        began: u64,
        reason: NameId,
        leaf: Leaf,
    ) {
        let stack = self.stack(index, leaf);
        let text = self.string(reason);
        let began_ns = self.emitter.time_ns();
        self.event(
            index,
            Event::GoBlock {
                reason: text,
                stack,
            },
        );
        self.enter_call(index, began, began_ns, InCallKind::Wait(reason), leaf);
        if self
            .thread(index)
            .is_some_and(|thread| thread.worker.is_none())
        {
            self.stop_lane_in_call(index);
        }
    }

    fn enter_call(
        &mut self,
        index: ThreadIndex,
        began: u64,
        began_ns: u64,
        kind: InCallKind,
        leaf: Leaf,
    ) {
        if let Some(flow) = self.current_mut(index) {
            flow.state = FlowState::InCall(index);
        }
        if let Some(thread) = self.thread_mut(index) {
            thread.call = Some(InCall {
                began,
                began_ns,
                kind,
                leaf,
            });
        }
    }

    /// The lane of a thread in a call becomes idle; it is still the thread's.
    pub(super) fn stop_lane_in_call(&mut self, index: ThreadIndex) {
        self.announce_call(index);
        self.stop_lane(index);
    }

    /// The call that the thread is in has failed.
    pub(super) fn call_failed(&mut self, index: ThreadIndex, errno: u64) {
        if let Some((go, call)) = self.who_calls(index) {
            self.emitter.side(&SideRecord::CallFailed {
                time_ns: call.began_ns,
                go,
                errno,
            });
        }
    }

    /// Where the call that the thread is in was made, which its begin did not say.
    pub(super) fn call_was_made_at(&mut self, index: ThreadIndex, leaf: Leaf) {
        if let Some((go, call)) = self.who_calls(index) {
            let stack = self.stack(index, leaf);
            self.emitter.side(&SideRecord::CallStack {
                time_ns: call.began_ns,
                go,
                stack,
            });
        }
    }

    /// The flow that is in a call on the thread, and the call.
    fn who_calls(&self, index: ThreadIndex) -> Option<(GoId, InCall)> {
        Some((self.current(index)?.go, self.thread(index)?.call?))
    }

    /// Writes the states of a thread's lane and of its flow, which is in a call, if this generation does not have
    /// them.
    fn announce_call(&mut self, index: ThreadIndex) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        let (stream, holds, lane, call) = (thread.stream, thread.holds, thread.lane, thread.call);
        let (Some(call), Some(current)) = (call, thread.current) else {
            return;
        };
        if let (true, Some(lane)) = (holds, lane) {
            self.lanes.announce(lane, stream, &mut self.emitter);
        }
        let generation = self.emitter.generation();
        let flow = self.flows.get_mut(current);
        if flow.is_some_and(|flow| flow.mark_announced(generation)) {
            let status = match call.kind {
                InCallKind::Syscall => GoStatus::Syscall,
                InCallKind::Wait(_) => GoStatus::Waiting,
            };
            self.write_status(index, current, status);
        }
    }

    /// Ends the call that the thread is in, if it is in one: what ran there runs again.
    pub(super) fn leave_call(&mut self, index: ThreadIndex) {
        self.announce_call(index);
        let Some(thread) = self.thread_mut(index) else {
            return;
        };
        let (Some(call), Some(current)) = (thread.call.take(), thread.current) else {
            return;
        };
        thread.left_call = call.began;
        let (stream, holds, lane) = (thread.stream, thread.holds, thread.lane);
        match (call.kind, lane) {
            (InCallKind::Syscall, Some(lane)) if holds => {
                self.lanes.end_syscall(lane, stream, &mut self.emitter);
                if let Some(flow) = self.flows.get_mut(current) {
                    flow.state = FlowState::Running(index);
                }
                return;
            }
            (InCallKind::Syscall, _) => {
                self.event(index, Event::GoSyscallEndBlocked);
                if let Some(flow) = self.flows.get_mut(current) {
                    flow.state = FlowState::Runnable;
                }
            }
            (InCallKind::Wait(_), _) => {
                if let Some(flow) = self.flows.get_mut(current) {
                    flow.state = FlowState::Waiting;
                }
                self.unblock_by_unknown(current, Leaf::None);
            }
        }
        if let Some(thread) = self.thread_mut(index) {
            thread.current = None;
        }
        self.start(index, current, Leaf::None);
    }

    /// Ends the call that a flow is in, if it is in one.
    pub(super) fn leave_call_of(&mut self, id: super::flow::FlowId) {
        if let Some(FlowState::InCall(thread)) = self.flows.get(id).map(|flow| flow.state) {
            self.leave_call(thread);
        }
    }
}
