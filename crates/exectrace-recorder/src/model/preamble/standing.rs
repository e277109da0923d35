//! Who runs where as a file begins: threads with their lanes, flows and open regions, and those that are idle.

use exectrace_format::{
    Event, GoId, GoStatus, ProcId, ProcStatus, SideRecord, StackId, StreamId, ThreadId,
};

use super::PreambleWriter;
use crate::model::flow::{Flow, FlowState};
use crate::model::in_call::{InCall, InCallKind};
use crate::model::names::Leaf;
use crate::model::threads::{Thread, ThreadIndex};

impl PreambleWriter<'_> {
    /// A flow that runs on a thread.
    pub(super) fn running(
        &mut self,
        stream: StreamId,
        thread: ThreadId,
        flow: &Flow,
        stack: StackId,
    ) {
        let event = Event::GoStatusStack {
            go: flow.go,
            thread,
            status: GoStatus::Running,
            stack,
        };
        self.event(stream, event);
    }

    /// A thread, the lane it holds, the flow it runs, and the regions open there.
    pub(super) fn thread(&mut self, thread: &Thread) {
        let stream = self.writer.stream(thread.id);
        let is_in_call = thread.call.is_some();
        if let (Some(lane), true) = (thread.lane, thread.holds || is_in_call) {
            let status = ProcStatus::Running;
            self.event(stream, Event::ProcStatus { proc: lane, status });
        }
        let machine = &self.model.machine;
        if let Some(flow) = thread
            .current
            .and_then(|current| machine.flows.get(current))
        {
            match &thread.call {
                Some(call) => self.in_call(stream, thread, flow, call),
                None => {
                    let stack = self.stack(Leaf::None, flow.root);
                    self.running(stream, thread.id, flow, stack);
                    self.regions(stream, flow);
                }
            }
        }
        self.thread_name(thread);
    }

    /// A flow in a call: it is shown to run, for its regions, and to begin the call.
    fn in_call(&mut self, stream: StreamId, thread: &Thread, flow: &Flow, call: &InCall) {
        let stack = self.stack(call.leaf, flow.root);
        if thread.lane.is_none() {
            // Without a lane there can be no regions.
            let (status, on, stream) = match call.kind {
                InCallKind::Syscall => (GoStatus::Syscall, thread.id, stream),
                InCallKind::Wait(_) => {
                    let no_thread = self.writer.stream(ThreadId::NONE);
                    (GoStatus::Waiting, ThreadId(0), no_thread)
                }
            };
            let event = Event::GoStatusStack {
                go: flow.go,
                thread: on,
                status,
                stack,
            };
            return self.event(stream, event);
        }
        let root = self.stack(Leaf::None, flow.root);
        self.running(stream, thread.id, flow, root);
        self.regions(stream, flow);
        let event = match call.kind {
            // The lane has its status in this generation, and no number yet.
            InCallKind::Syscall => Event::GoSyscallBegin { proc_seq: 1, stack },
            InCallKind::Wait(reason) => {
                let reason = self.name(reason);
                Event::GoBlock { reason, stack }
            }
        };
        self.event(stream, event);
        if !thread.holds {
            self.event(stream, Event::ProcStop);
        }
    }

    pub(super) fn thread_name(&mut self, thread: &Thread) {
        let name = self.model.machine.names.text(thread.name).to_owned();
        self.writer.side_record(&SideRecord::ThreadName {
            thread: thread.id,
            name: name.into(),
        });
    }

    /// Flows that do not run and have no open regions.
    pub(super) fn idle_flows(&mut self) {
        let no_thread = self.writer.stream(ThreadId::NONE);
        for (_, flow) in self.model.machine.flows.iter() {
            let is_tracer = flow.go == GoId(1);
            let status = match flow.state {
                FlowState::Running(_) | FlowState::InCall(_) => continue,
                _ if is_tracer || !flow.regions.is_empty() => continue,
                FlowState::Runnable => GoStatus::Runnable,
                FlowState::Waiting => GoStatus::Waiting,
            };
            let stack = self.stack(Leaf::None, flow.root);
            let event = Event::GoStatusStack {
                go: flow.go,
                thread: ThreadId(0),
                status,
                stack,
            };
            self.event(no_thread, event);
        }
    }

    /// Lanes that no thread holds, and the names of all.
    pub(super) fn idle_lanes(&mut self) {
        let no_thread = self.writer.stream(ThreadId::NONE);
        let machine = &self.model.machine;
        let tracer = machine
            .thread(ThreadIndex::TRACER)
            .and_then(|tracer| tracer.lane);
        let in_call: Vec<_> = machine
            .threads()
            .filter(|(_, thread)| thread.call.is_some())
            .filter_map(|(_, thread)| thread.lane)
            .collect();
        let is_shown = |lane: &ProcId| Some(*lane) == tracer || in_call.contains(lane);
        for proc in machine.lanes.idle().filter(|lane| !is_shown(lane)) {
            let status = ProcStatus::Idle;
            self.event(no_thread, Event::ProcStatus { proc, status });
        }
        for (proc, name) in machine.lane_names() {
            let name = machine.names.text(name).to_owned().into();
            self.writer
                .side_record(&SideRecord::ProcName { proc, name });
        }
    }
}
