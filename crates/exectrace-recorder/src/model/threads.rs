//! Threads, the lanes they hold and the flows they run.
//!
//! [`Machine`] keeps the state that readers check (which thread holds which lane and runs which
//! flow) and makes the events that change it: `running` has the changes of flows, `workers` those of
//! lanes. Each of its steps is legal from any state: what must come before is done first.

use exectrace_format::conventions::{
    BLOCK_IN_PLACE, END_NOT_SEEN, OTHER_THREADS, POLLING_INNER_TASK, POLLING_TASKS, THREAD_FILE,
    TRACER_NAME, TRACER_WAIT, UNKNOWN_WAIT, WORKER_MOVED,
};
use exectrace_format::{Event, GoId, ProcId, SideRecord, StackId, StreamId, ThreadId};
use rustc_hash::FxHashMap;

use super::emitter::Emitter;
use super::flow::{Flow, FlowId, FlowState, Flows};
use super::in_call::InCall;
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

/// A worker of a runtime: the runtime's number and the worker's.
pub(crate) type WorkerKey = (u16, u64);

/// A thread that recorded.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    pub(crate) name: NameId,
    /// The frame that names its own flow.
    pub(crate) root: FrameId,
    pub(crate) stream: StreamId,
    /// Its lane, which runs if `holds` and is idle otherwise.
    pub(crate) lane: Option<ProcId>,
    pub(crate) holds: bool,
    /// The flow that runs on it.
    pub(crate) current: Option<FlowId>,
    /// The call that this flow is in.
    pub(crate) call: Option<InCall>,
    /// The last call that has ended here, by the ticks of its begin; 0 before.
    pub(crate) left_call: u64,
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
    pub(super) threads: Vec<Option<Thread>>,
    /// Lanes of workers, and the thread that has each.
    pub(super) workers: FxHashMap<WorkerKey, (ProcId, ThreadIndex)>,
    /// What lanes are called, by number.
    pub(super) lane_names: FxHashMap<ProcId, NameId>,
    /// What a lane is called that threads of different names have.
    pub(super) shared_lane: NameId,
    pub(super) next_go: u64,
    /// Some poll was interrupted by another, ever.
    pub(super) polls_nested: bool,
    pub(super) reasons: Reasons,
}

/// Why flows wait, where the machine itself decides it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reasons {
    /// A status has no room for why a flow waits.
    pub(crate) unknown: NameId,
    /// A thread's own flow, while the thread polls async tasks.
    pub(super) polling: NameId,
    /// A task inside whose poll another is polled.
    pub(super) nested: NameId,
    /// A flow whose end or wait was not seen.
    pub(super) lost: NameId,
    /// What runs on a thread whose worker continues on another one.
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
            unknown: names.intern_static(UNKNOWN_WAIT),
            polling: names.intern_static(POLLING_TASKS),
            nested: names.intern_static(POLLING_INNER_TASK),
            lost: names.intern_static(END_NOT_SEEN),
            moved: names.intern_static(WORKER_MOVED),
            blocks_in_place: names.intern_static(BLOCK_IN_PLACE),
        };
        let shared_lane = names.intern_static(OTHER_THREADS);
        let root = names.frame_of(TRACER_NAME, THREAD_FILE, 1);
        let wait = names.intern_static(TRACER_WAIT);
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
        let root = self.names.frame_of(name, THREAD_FILE, 1);
        let name = self.names.intern(name);
        let stream = self.emitter.writer().stream(id);
        let text = self.names.text(name).to_owned().into();
        self.emitter.side(&SideRecord::ThreadName {
            thread: id,
            name: text,
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
    ) -> Option<(&mut Flow, StreamId, &mut Names, &mut Emitter)> {
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
    pub(crate) fn stream(&self, index: ThreadIndex) -> Option<StreamId> {
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
        self.leave_call(index);
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
        let wait = self.names.intern_static(TRACER_WAIT);
        self.block(ThreadIndex::TRACER, wait, Leaf::None);
        self.stop_lane(ThreadIndex::TRACER);
    }

    /// Writes an event that needs a lane and no flow.
    pub(crate) fn write_on_tracer_lane(&mut self, event: Event) {
        self.hold_lane(ThreadIndex::TRACER);
        self.event(ThreadIndex::TRACER, event);
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
    fn new(id: ThreadId, name: NameId, root: FrameId, stream: StreamId) -> Self {
        Self {
            id,
            name,
            root,
            stream,
            lane: None,
            holds: false,
            current: None,
            call: None,
            left_call: 0,
            own: None,
            outer: Vec::new(),
            worker: None,
            parked: false,
        }
    }
}
