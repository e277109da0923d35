//! Threads, the lanes they hold and the flows they run.
//!
//! [`Machine`] keeps the state that readers check (which thread holds which lane and runs which
//! flow) and makes the events that change it. Each of its steps is legal from any state: what must
//! come before is done first.

use exectrace_format::{Event, GoId, GoStatus, ProcId, SideRecord, StackId, Stream, ThreadId};
use rustc_hash::FxHashMap;

use super::emitter::Emitter;
use super::flow::{Flow, FlowId, FlowState, Flows};
use super::lanes::Lanes;
use super::names::{FrameId, Leaf, NameId, Names};

/// A thread among those that recorded, by the order in which they first recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ThreadIndex(pub(crate) u32);

impl ThreadIndex {
    /// The tracer's own thread, which runs only to write its messages.
    pub(crate) const TRACER: Self = Self(0);
}

/// What threads without a name are called.
const UNNAMED: &str = "thread";
/// The file in the frame that names a thread's own flow: there is none.
const FLOW_FILE: &str = "thread";
/// What the tracer's thread and its flow are called.
pub(crate) const TRACER_NAME: &str = "exectrace";

/// A worker of a runtime: the runtime's number and the worker's.
pub(crate) type WorkerKey = (u16, u64);

/// A thread that recorded.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    pub(crate) name: NameId,
    /// The frame that names its own flow.
    pub(crate) root: FrameId,
    pub(crate) stream: Stream,
    /// Its lane, which runs if `holds` and is idle otherwise.
    pub(crate) lane: Option<ProcId>,
    pub(crate) holds: bool,
    /// The flow that runs on it.
    pub(crate) current: Option<FlowId>,
    /// Its own flow, if it needed one.
    pub(crate) own: Option<FlowId>,
    /// Flows whose polls were interrupted by the polls of others inside them, outermost first.
    pub(crate) outer: Vec<FlowId>,
    /// The worker that it is.
    pub(crate) worker: Option<WorkerKey>,
    /// It is asleep, or in the runtime's driver.
    pub(crate) parked: bool,
}

/// Threads, lanes and flows.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) emitter: Emitter,
    pub(crate) names: Names,
    pub(crate) lanes: Lanes,
    pub(crate) flows: Flows,
    threads: Vec<Option<Thread>>,
    /// Lanes of workers, and the thread that has each.
    pub(super) workers: FxHashMap<WorkerKey, (ProcId, ThreadIndex)>,
    /// What lanes are called, by number.
    pub(super) lane_names: FxHashMap<ProcId, NameId>,
    /// What a lane is called that threads of different names have.
    pub(super) shared_lane: NameId,
    next_go: u64,
    /// Some poll was interrupted by another, ever.
    polls_nested: bool,
    pub(super) reasons: Reasons,
}

/// Why flows wait, where the machine itself decides it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reasons {
    /// A status cannot tell why a flow waits.
    pub(crate) unknown: NameId,
    /// A thread's own flow, while the thread polls async tasks.
    pub(super) polling: NameId,
    /// A task inside whose poll another is polled.
    pub(super) nested: NameId,
    /// A flow whose end or wait was not seen.
    pub(super) lost: NameId,
    /// What runs on a thread whose worker goes on on another one.
    pub(super) moved: NameId,
    /// A task that is seen to be the cause of that. Also what its region is called.
    pub(super) blocks_in_place: NameId,
}

impl Machine {
    /// A machine that knows the tracer's thread only, which has lane 1 and flow 1 and waits.
    pub(crate) fn new(tracer: ThreadId) -> Self {
        let mut names = Names::default();
        let mut emitter = Emitter::new(&mut names);
        let mut lanes = Lanes::default();
        let mut flows = Flows::default();
        let reasons = Reasons {
            unknown: names.intern_static("unknown"),
            polling: names.intern_static("polling tasks"),
            nested: names.intern_static("polling an inner task"),
            lost: names.intern_static("end not seen"),
            moved: names.intern_static("worker moved"),
            blocks_in_place: names.intern_static("block_in_place"),
        };
        let shared_lane = names.intern_static("other threads");
        let root = names.frame_of(TRACER_NAME, FLOW_FILE, 1);
        let wait = names.intern_static("tracer");
        let own = flows.insert(Flow::new(GoId(1), root, FlowState::Waiting, wait, 0));
        let name = names.intern_static(TRACER_NAME);
        let lane = lanes.take(name).lane;
        // Each file's preamble says it.
        let lane_names = FxHashMap::from_iter([(lane, name)]);
        let thread = Thread {
            lane: Some(lane),
            own: Some(own),
            ..Thread::new(tracer, name, root, emitter.writer().stream(tracer))
        };
        Self {
            emitter,
            names,
            lanes,
            flows,
            threads: vec![Some(thread)],
            workers: FxHashMap::default(),
            lane_names,
            shared_lane,
            next_go: 2,
            polls_nested: false,
            reasons,
        }
    }

    /// Makes a thread known before its first record.
    pub(crate) fn register_thread(&mut self, index: ThreadIndex, id: ThreadId, name: Option<&str>) {
        let place = index.0 as usize;
        if self.threads.len() <= place {
            self.threads.resize_with(place + 1, || None);
        }
        let name = name.unwrap_or(UNNAMED);
        let root = self.names.frame_of(name, FLOW_FILE, 1);
        let name = self.names.intern(name);
        let stream = self.emitter.writer().stream(id);
        let told = self.names.text(name).to_owned().into();
        self.emitter.side(&SideRecord::ThreadName {
            thread: id,
            name: told,
        });
        self.threads[place] = Some(Thread::new(id, name, root, stream));
    }

    #[inline]
    pub(crate) fn thread(&self, index: ThreadIndex) -> Option<&Thread> {
        self.threads.get(index.0 as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn thread_mut(&mut self, index: ThreadIndex) -> Option<&mut Thread> {
        self.threads.get_mut(index.0 as usize)?.as_mut()
    }

    /// All threads that live, the tracer's first.
    pub(crate) fn threads(&self) -> impl Iterator<Item = (ThreadIndex, &Thread)> {
        let numbered = self.threads.iter().zip(0..);
        numbered.filter_map(|(thread, index)| Some((ThreadIndex(index), thread.as_ref()?)))
    }

    /// The flow that runs on a thread.
    #[inline]
    pub(crate) fn current(&self, index: ThreadIndex) -> Option<&Flow> {
        self.flows.get(self.thread(index)?.current?)
    }

    #[inline]
    pub(crate) fn current_mut(&mut self, index: ThreadIndex) -> Option<&mut Flow> {
        let current = self.thread(index)?.current?;
        self.flows.get_mut(current)
    }

    /// The flow that runs on a thread, and what it takes to write events of it.
    #[inline(always)]
    pub(crate) fn running(
        &mut self,
        index: ThreadIndex,
    ) -> Option<(&mut Flow, Stream, &mut Names, &mut Emitter)> {
        let thread = self.thread(index)?;
        let (current, stream) = (thread.current?, thread.stream);
        let flow = self.flows.get_mut(current)?;
        Some((flow, stream, &mut self.names, &mut self.emitter))
    }

    /// Ends the regions of what runs on a thread whose end came while it did not run.
    pub(super) fn close_regions_that_are_over(&mut self, index: ThreadIndex) {
        if let Some((flow, stream, names, emitter)) = self.running(index)
            && flow.has_regions_that_are_over()
        {
            flow.close_over(stream, names, emitter);
        }
    }

    /// Where a thread's events go.
    #[inline]
    pub(crate) fn stream(&self, index: ThreadIndex) -> Option<Stream> {
        Some(self.thread(index)?.stream)
    }

    /// The stack of a place in what runs on a thread, or in the thread itself.
    #[inline]
    pub(crate) fn stack(&mut self, index: ThreadIndex, leaf: Leaf) -> StackId {
        let root = match (self.current(index), self.thread(index)) {
            (Some(flow), _) => flow.root,
            (None, Some(thread)) => thread.root,
            (None, None) => return StackId::NONE,
        };
        self.emitter.stack(&mut self.names, leaf, root)
    }

    /// The id of a name in this generation.
    #[inline]
    pub(crate) fn string(&mut self, name: NameId) -> exectrace_format::StringId {
        self.emitter.name(&mut self.names, name)
    }

    /// Writes an event on a thread.
    #[inline(always)]
    pub(crate) fn event(&mut self, index: ThreadIndex, event: Event) {
        if let Some(stream) = self.stream(index) {
            self.emitter.event(stream, event);
        }
    }

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
                let untold = self.flows.get_mut(current);
                if untold.is_some_and(|flow| flow.mark_announced(generation)) {
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

    fn write_status(&mut self, index: ThreadIndex, id: FlowId, status: GoStatus) {
        let (Some(stream), Some(flow)) = (self.stream(index), self.flows.get(id)) else {
            return;
        };
        let (go, root) = (flow.go, flow.root);
        let stack = self.emitter.stack(&mut self.names, Leaf::None, root);
        let thread = match status {
            GoStatus::Running => self.thread(index).map_or(ThreadId(0), |thread| thread.id),
            _ => ThreadId(0),
        };
        let event = Event::GoStatusStack {
            go,
            thread,
            status,
            stack,
        };
        match status {
            GoStatus::Running => self.emitter.event(stream, event),
            // Not on the thread's stream, where it could stand before the lane's status.
            _ => self.emitter.event_of_no_thread(event),
        }
    }

    /// Tells the state of a flow that does not run, if this generation does not know it.
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

    /// Tells how many lanes there are, if that has changed: it takes a running flow to do so.
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

    /// The thread has ended: its flow ends, its lane becomes free.
    pub(crate) fn end_thread(&mut self, index: ThreadIndex) -> Option<Flow> {
        let mut ended = None;
        if self.begin_ending(index) {
            ended = self.destroy(index);
        }
        self.free_worker(index);
        self.give_up_lane(index);
        let thread = self.threads.get_mut(index.0 as usize)?.take()?;
        self.emitter.writer().release(thread.stream);
        ended
    }

    /// Has a thread that ends run its own flow. Returns whether it has one.
    pub(crate) fn begin_ending(&mut self, index: ThreadIndex) -> bool {
        let Some(thread) = self.thread(index) else {
            return false;
        };
        let (own, current) = (thread.own, thread.current);
        if current.is_some() && current != own {
            self.stop(index, self.reasons.lost, Leaf::None);
        }
        if let Some(own) = own {
            self.start_unless_running(index, own);
        }
        own.is_some()
    }

    fn start_unless_running(&mut self, index: ThreadIndex, id: FlowId) {
        if self.thread(index).and_then(|thread| thread.current) != Some(id) {
            self.start(index, id, Leaf::None);
        }
    }

    /// The tracer's thread goes back to sleep.
    pub(crate) fn rest_tracer(&mut self) {
        let wait = self.names.intern_static("tracer");
        self.block(ThreadIndex::TRACER, wait, Leaf::None);
        self.stop_lane(ThreadIndex::TRACER);
    }

    /// Has the tracer's thread run a flow that runs nowhere, to end what it has open, and then it: the
    /// format lets only what runs end.
    ///
    /// `waker` is the stack's leaf of the wake that this takes.
    pub(crate) fn begin_reaping(&mut self, id: FlowId, waker: Leaf) {
        self.start(ThreadIndex::TRACER, id, waker);
    }

    /// Ends that flow.
    pub(crate) fn reap(&mut self) -> Option<Flow> {
        let flow = self.destroy(ThreadIndex::TRACER);
        self.stop_lane(ThreadIndex::TRACER);
        flow
    }
}

impl Thread {
    fn new(id: ThreadId, name: NameId, root: FrameId, stream: Stream) -> Self {
        Self {
            id,
            name,
            root,
            stream,
            lane: None,
            holds: false,
            current: None,
            own: None,
            outer: Vec::new(),
            worker: None,
            parked: false,
        }
    }
}
