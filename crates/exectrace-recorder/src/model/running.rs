//! Which flow runs on which thread: each change of that, with the events that readers want for it.

use exectrace_format::{Event, GoId, GoStatus, StackId, ThreadId};

use super::flow::{Flow, FlowId, FlowState};
use super::names::{FrameId, Leaf, NameId};
use super::threads::{Machine, ThreadIndex};

impl Machine {
    /// Sees to it that the thread holds a lane and runs a flow, and that this generation knows both:
    /// that is what annotations need.
    ///
    /// Returns `false` if the thread is not known.
    #[inline]
    pub(crate) fn run(&mut self, index: ThreadIndex) -> bool {
        let Some(thread) = self.thread(index) else {
            return false;
        };
        match thread.current {
            Some(current) => {
                let generation = self.emitter.generation();
                let flow = self.flows.get_mut(current);
                if flow.is_some_and(|flow| flow.mark_announced(generation)) {
                    self.hold_lane(index);
                    self.write_status(index, current, GoStatus::Running);
                }
            }
            None => self.run_own(index),
        }
        true
    }

    /// Has the thread run its own flow.
    fn run_own(&mut self, index: ThreadIndex) {
        self.hold_lane(index);
        let Some(thread) = self.thread(index) else {
            return;
        };
        let (own, root) = (thread.own, thread.root);
        let own = own.unwrap_or_else(|| self.create(index, root, StackId::NONE));
        if let Some(thread) = self.thread_mut(index) {
            thread.own = Some(own);
        }
        self.start(index, own, Leaf::None);
        self.close_regions_that_are_over(index);
    }

    pub(super) fn write_status(&mut self, index: ThreadIndex, id: FlowId, status: GoStatus) {
        let (Some(stream), Some(flow)) = (self.stream(index), self.flows.get(id)) else {
            return;
        };
        let (go, root) = (flow.go, flow.root);
        let stack = self.emitter.stack(&mut self.names, Leaf::None, root);
        let thread = match status {
            GoStatus::Running | GoStatus::Syscall => {
                self.thread(index).map_or(ThreadId(0), |thread| thread.id)
            }
            _ => ThreadId(0),
        };
        let event = Event::GoStatusStack {
            go,
            thread,
            status,
            stack,
        };
        match status {
            GoStatus::Running | GoStatus::Syscall => self.emitter.event(stream, event),
            // Not on the thread's stream, where it could stand before the lane's status.
            _ => self.emitter.event_of_no_thread(event),
        }
    }

    /// Writes the state of a flow that does not run, if this generation does not have it.
    fn announce_flow(&mut self, index: ThreadIndex, id: FlowId) {
        let generation = self.emitter.generation();
        let Some(flow) = self.flows.get_mut(id) else {
            return;
        };
        if flow.mark_announced(generation) {
            let status = match flow.state {
                FlowState::Runnable => GoStatus::Runnable,
                _ => GoStatus::Waiting,
            };
            self.write_status(index, id, status);
        }
    }

    /// Makes a runnable flow, on a thread that holds a lane. `stack` is its maker's.
    pub(crate) fn create(&mut self, index: ThreadIndex, root: FrameId, stack: StackId) -> FlowId {
        let go = GoId(self.next_go);
        self.next_go += 1;
        let go_stack = self.emitter.stack(&mut self.names, Leaf::None, root);
        let event = Event::GoCreate {
            go,
            go_stack,
            stack,
        };
        self.event(index, event);
        let generation = self.emitter.generation();
        let wait = self.reasons.unknown;
        let flow = Flow::new(go, root, FlowState::Runnable, wait, generation);
        self.flows.insert(flow)
    }

    /// Takes a flow in that waited before the recording. Only before the first generation.
    pub(crate) fn adopt(&mut self, root: FrameId) -> FlowId {
        let go = GoId(self.next_go);
        self.next_go += 1;
        let wait = self.reasons.unknown;
        self.flows
            .insert(Flow::new(go, root, FlowState::Waiting, wait, 0))
    }

    /// Makes a waiting flow runnable, from a thread. Returns `false` if it does not wait.
    pub(crate) fn unblock(&mut self, index: ThreadIndex, id: FlowId, leaf: Leaf) -> bool {
        let waits = self
            .flows
            .get(id)
            .is_some_and(|flow| flow.state == FlowState::Waiting);
        if !waits {
            return false;
        }
        self.announce_flow(index, id);
        let stack = self.stack(index, leaf);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.state = FlowState::Runnable;
            let (go, seq) = (flow.go, flow.next_seq());
            self.event(index, Event::GoUnblock { go, seq, stack });
        }
        true
    }

    /// As [`unblock`](Self::unblock), where nobody knows from which thread.
    pub(crate) fn unblock_by_unknown(&mut self, id: FlowId, leaf: Leaf) {
        self.announce_flow(ThreadIndex::TRACER, id);
        let stack = self.stack(ThreadIndex::TRACER, leaf);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.state = FlowState::Runnable;
            let (go, seq) = (flow.go, flow.next_seq());
            self.emitter
                .event_of_no_thread(Event::GoUnblock { go, seq, stack });
        }
    }

    /// Has a flow run on a thread, whatever it and the thread did before.
    ///
    /// `waker` is the stack's leaf of a wake that must be concluded, if it waits.
    pub(crate) fn start(&mut self, index: ThreadIndex, id: FlowId, waker: Leaf) {
        self.leave_call(index);
        self.leave_call_of(id);
        self.hold_lane(index);
        if self
            .thread(index)
            .is_some_and(|thread| thread.current.is_some())
        {
            self.stop(index, self.reasons.lost, Leaf::None);
        }
        if let Some(FlowState::Running(elsewhere)) = self.flows.get(id).map(|flow| flow.state) {
            self.stop(elsewhere, self.reasons.lost, Leaf::None);
        }
        self.unblock(index, id, waker);
        self.announce_flow(index, id);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.state = FlowState::Running(index);
            let (go, seq) = (flow.go, flow.next_seq());
            self.event(index, Event::GoStart { go, seq });
            if let Some(thread) = self.thread_mut(index) {
                thread.current = Some(id);
            }
        }
        self.write_lane_count(index);
    }

    /// Writes how many lanes there are, if that has changed. Only a running flow can do so.
    fn write_lane_count(&mut self, index: ThreadIndex) {
        if self.emitter.take_lanes_grew() {
            let stack = self.stack(index, Leaf::None);
            let procs = self.lanes.reader_count();
            self.event(index, Event::ProcsChange { procs, stack });
        }
    }

    /// Has the thread's flow wait.
    pub(crate) fn block(&mut self, index: ThreadIndex, reason: NameId, leaf: Leaf) {
        if !self.prepare_to_leave(index) {
            return;
        }
        let stack = self.stack(index, leaf);
        let text = self.string(reason);
        self.event(
            index,
            Event::GoBlock {
                reason: text,
                stack,
            },
        );
        self.leave(index, FlowState::Waiting, (reason, leaf));
    }

    /// Has the thread's flow yield: it could run on.
    pub(crate) fn stop(&mut self, index: ThreadIndex, reason: NameId, leaf: Leaf) {
        if !self.prepare_to_leave(index) {
            return;
        }
        let stack = self.stack(index, leaf);
        let text = self.string(reason);
        self.event(
            index,
            Event::GoStop {
                reason: text,
                stack,
            },
        );
        self.leave(index, FlowState::Runnable, (reason, leaf));
    }

    /// Ends the thread's flow.
    pub(crate) fn destroy(&mut self, index: ThreadIndex) -> Option<Flow> {
        if !self.prepare_to_leave(index) {
            return None;
        }
        self.event(index, Event::GoDestroy);
        let thread = self.thread_mut(index)?;
        let current = thread.current.take()?;
        if thread.own == Some(current) {
            thread.own = None;
        }
        self.flows.remove(current)
    }

    /// Whether a flow runs on the thread; if so, this generation knows it.
    fn prepare_to_leave(&mut self, index: ThreadIndex) -> bool {
        self.thread(index)
            .is_some_and(|thread| thread.current.is_some())
            && self.run(index)
    }

    fn leave(&mut self, index: ThreadIndex, state: FlowState, wait: (NameId, Leaf)) {
        let current = self
            .thread_mut(index)
            .and_then(|thread| thread.current.take());
        if let Some(flow) = current.and_then(|current| self.flows.get_mut(current)) {
            flow.state = state;
            flow.wait = wait;
        }
    }

    /// Has the thread run a task's flow for a poll; what ran there waits.
    pub(crate) fn poll(&mut self, index: ThreadIndex, id: FlowId, waker: Leaf) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        let (current, own) = (thread.current, thread.own);
        match current {
            Some(current) if current == id => return self.repeat_poll(index),
            Some(current) if Some(current) == own => {
                self.block(index, self.reasons.polling, Leaf::None);
            }
            Some(current) => {
                self.block(index, self.reasons.nested, Leaf::None);
                if let Some(thread) = self.thread_mut(index) {
                    thread.outer.push(current);
                }
                self.polls_nested = true;
            }
            None => {}
        }
        self.start(index, id, waker);
    }

    /// A poll begins of the task that is polled already: the end of that poll was lost.
    fn repeat_poll(&mut self, index: ThreadIndex) {
        let current = self.thread(index).and_then(|thread| thread.current);
        self.stop(index, self.reasons.lost, Leaf::None);
        if let Some(current) = current {
            self.start(index, current, Leaf::None);
        }
    }

    /// After a poll: has the thread go on with what the poll had interrupted, if anything.
    pub(crate) fn resume_outer(&mut self, index: ThreadIndex) {
        let Some(thread) = self.thread_mut(index) else {
            return;
        };
        if thread.current.is_some() {
            return;
        }
        while let Some(outer) = self.thread_mut(index).and_then(|thread| thread.outer.pop()) {
            let waits = self
                .flows
                .get(outer)
                .is_some_and(|flow| flow.state == FlowState::Waiting);
            if waits {
                self.start(index, outer, Leaf::None);
                return;
            }
        }
    }

    /// Forgets a flow where it may be waiting to be resumed.
    pub(crate) fn forget_outer(&mut self, id: FlowId) {
        if !self.polls_nested {
            return;
        }
        for thread in self.threads.iter_mut().flatten() {
            if !thread.outer.is_empty() {
                thread.outer.retain(|&outer| outer != id);
            }
        }
    }
}
