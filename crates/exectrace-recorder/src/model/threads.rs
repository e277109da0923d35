//! Threads: each that records has a lane and a flow of its own while it lives.

use exectrace_format::{
    Event, GoId, GoStatus, ProcId, SideRecord, StackId, Stream, TaskId, ThreadId,
};

use super::flow::Flow;
use super::lanes::Lanes;
use super::names::{FrameId, NameId, Names};
use super::output::Output;
use super::{Model, TRACER_TASK};

/// A thread among those that recorded, by the order in which they were met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ThreadIndex(pub(crate) u32);

/// What threads without a name are called.
const UNNAMED: &str = "thread";
/// The file in the frame that names a flow: there is none.
const FLOW_FILE: &str = "thread";

/// A thread that recorded.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    pub(crate) name: NameId,
    pub(crate) stream: Stream,
    pub(crate) lane: ProcId,
    pub(crate) flow: Flow,
}

/// The tracer's own thread, which runs only to write its messages.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) id: ThreadId,
    pub(crate) stream: Stream,
    pub(crate) lane: ProcId,
    pub(crate) flow: Flow,
    /// The name of a span whose making was not seen.
    pub(crate) unknown_span: NameId,
}

impl Tracer {
    pub(crate) const GO: GoId = GoId(1);
    pub(crate) const NAME: &str = "exectrace";
    /// Why the tracer's flow waits.
    pub(crate) const WAIT: &str = "tracer";

    pub(crate) fn new(
        id: ThreadId,
        names: &mut Names,
        lanes: &mut Lanes,
        output: &mut Output,
    ) -> Self {
        let root = names.frame_of(Self::NAME, FLOW_FILE, 1);
        Self {
            id,
            stream: output.writer().stream(id),
            lane: lanes.take().0,
            flow: Flow::new(Self::GO, root),
            unknown_span: names.intern_static("(unknown span)"),
        }
    }

    /// Writes a message to the tracer's user task, on the tracer's flow.
    pub(crate) fn log(
        &mut self,
        category: &'static str,
        message: &str,
        names: &mut Names,
        lanes: &mut Lanes,
        output: &mut Output,
    ) {
        let category = names.intern_static(category);
        let category = output.name(names, category);
        let message = output.writer().message(message);
        self.act(names, lanes, output, |stack| Event::UserLog {
            task: TRACER_TASK,
            category,
            message,
            stack,
        });
    }

    /// Ends a user task on the tracer's flow, where no thread of the program is to be named.
    pub(crate) fn end_task(
        &mut self,
        task: TaskId,
        names: &mut Names,
        lanes: &mut Lanes,
        output: &mut Output,
    ) {
        self.act(names, lanes, output, |stack| Event::UserTaskEnd {
            task,
            stack,
        });
    }

    /// Has the tracer's flow run for one event, which is made with the stack of that flow.
    fn act(
        &mut self,
        names: &mut Names,
        lanes: &mut Lanes,
        output: &mut Output,
        event: impl FnOnce(StackId) -> Event,
    ) {
        let stack = output.stack(names, None, self.flow.root);
        self.start(stack, lanes, output);
        output.event(self.stream, event(stack));
        let reason = names.intern_static(Self::WAIT);
        let reason = output.name(names, reason);
        output.event(self.stream, Event::GoBlock { reason, stack });
        lanes.stop(self.lane, self.stream, output);
    }

    fn start(&mut self, stack: StackId, lanes: &mut Lanes, output: &mut Output) {
        lanes.start(self.lane, self.stream, output);
        let go = self.flow.go;
        if self.flow.told != output.generation() {
            self.flow.told = output.generation();
            self.flow.seq = 0;
            let status = Event::GoStatusStack {
                go,
                thread: ThreadId(0),
                status: GoStatus::Waiting,
                stack,
            };
            output.event(self.stream, status);
        }
        let seq = self.flow.next_seq();
        output.event(self.stream, Event::GoUnblock { go, seq, stack });
        let seq = self.flow.next_seq();
        output.event(self.stream, Event::GoStart { go, seq });
    }
}

impl Model {
    /// Makes a thread known before its first record.
    pub(crate) fn meet(
        &mut self,
        time_ns: u64,
        index: ThreadIndex,
        id: ThreadId,
        name: Option<&str>,
    ) {
        self.output.advance(time_ns);
        let place = index.0 as usize;
        if self.threads.len() <= place {
            self.threads.resize_with(place + 1, || None);
        }
        let name = name.unwrap_or(UNNAMED);
        let root = self.names.frame_of(name, FLOW_FILE, 1);
        let name = self.names.intern(name);
        let stream = self.output.writer().stream(id);
        self.begin_thread(index, id, name, root, stream);
    }

    fn begin_thread(
        &mut self,
        index: ThreadIndex,
        id: ThreadId,
        name: NameId,
        root: FrameId,
        stream: Stream,
    ) {
        let (lane, is_new) = self.lanes.take();
        let mut flow = Flow::new(self.new_go(), root);
        let output = &mut self.output;
        self.lanes.start(lane, stream, output);
        flow.told = output.generation();
        let go = flow.go;
        let go_stack = output.stack(&mut self.names, None, root);
        let create = Event::GoCreate {
            go,
            go_stack,
            stack: StackId::NONE,
        };
        output.event(stream, create);
        let seq = flow.next_seq();
        output.event(stream, Event::GoStart { go, seq });
        if is_new {
            let procs = self.lanes.count_to_tell();
            let stack = go_stack;
            output.event(stream, Event::ProcsChange { procs, stack });
        }
        self.tell_thread_names(id, lane, name);
        self.threads[index.0 as usize] = Some(Thread {
            id,
            name,
            stream,
            lane,
            flow,
        });
    }

    fn tell_thread_names(&mut self, thread: ThreadId, proc: ProcId, name: NameId) {
        let name = self.names.text(name).to_owned();
        let names = [
            SideRecord::ThreadName {
                thread,
                name: name.clone().into(),
            },
            SideRecord::ProcName {
                proc,
                name: name.into(),
            },
        ];
        for record in names {
            self.output.side(&record);
        }
    }

    /// Whether the thread is known and has not ended.
    pub(crate) fn has_thread(&self, index: ThreadIndex) -> bool {
        self.flow(index).is_some()
    }

    #[inline]
    pub(super) fn flow(&self, index: ThreadIndex) -> Option<&Flow> {
        let thread = self.threads.get(index.0 as usize)?.as_ref()?;
        Some(&thread.flow)
    }

    pub(super) fn flow_mut(&mut self, index: ThreadIndex) -> Option<&mut Flow> {
        let thread = self.threads.get_mut(index.0 as usize)?.as_mut()?;
        Some(&mut thread.flow)
    }

    /// Where a thread's events go, and the frame that names its flow.
    #[inline]
    pub(super) fn stream_and_root(&self, index: ThreadIndex) -> (Stream, FrameId) {
        match self.threads.get(index.0 as usize) {
            Some(Some(thread)) => (thread.stream, thread.flow.root),
            // Records of threads that were not met do not come here: `run` returns first.
            _ => (self.tracer.stream, self.tracer.flow.root),
        }
    }

    /// Sees to it that this generation knows that the thread's flow runs on its lane.
    ///
    /// The lane before the flow: `go tool trace` crashes on the other order.
    #[inline]
    pub(super) fn run(&mut self, index: ThreadIndex) {
        let generation = self.output.generation();
        if let Some(Some(thread)) = self.threads.get_mut(index.0 as usize)
            && thread.flow.told != generation
        {
            let stack = self.output.stack(&mut self.names, None, thread.flow.root);
            self.lanes
                .tell(thread.lane, thread.stream, &mut self.output);
            thread.flow.told = generation;
            thread.flow.seq = 0;
            let status = Event::GoStatusStack {
                go: thread.flow.go,
                thread: thread.id,
                status: GoStatus::Running,
                stack,
            };
            self.output.event(thread.stream, status);
        }
    }

    /// The thread has ended: its flow ends, its lane becomes free.
    pub(super) fn thread_end(&mut self, index: ThreadIndex) {
        self.run(index);
        let Some(thread) = self
            .threads
            .get_mut(index.0 as usize)
            .and_then(Option::take)
        else {
            return;
        };
        for region in &thread.flow.regions {
            if let Some(span) = region.slot.and_then(|slot| self.spans.get_mut(slot)) {
                span.entered = span.entered.saturating_sub(1);
            }
        }
        self.output.event(thread.stream, Event::GoDestroy);
        self.lanes
            .stop(thread.lane, thread.stream, &mut self.output);
        self.lanes.give_back(thread.lane);
        self.output.writer().release(thread.stream);
    }

    /// The thread is gone, and its own record of that was lost.
    pub(crate) fn thread_gone(&mut self, time_ns: u64, index: ThreadIndex) {
        if self.has_thread(index) {
            self.output.advance(time_ns);
            self.thread_end(index);
            self.infer(exectrace_format::Inferred::State, u64::from(index.0));
        }
    }

    /// The user tasks that the tracer keeps open in every file.
    pub(super) const OWN_TASKS: [(TaskId, &str); 2] = [
        (TRACER_TASK, Tracer::NAME),
        (super::BACKGROUND_TASK, "background"),
    ];
}
