//! The preamble: the generation that begins a file, made for it from the model's state.
//!
//! The shared generations say nothing of user tasks and regions that were open before them, and they
//! have a flow's or lane's state only once it is used. So a file begins with one generation of its
//! own that has all: open user tasks (parents first), threads with their lanes, flows and open
//! regions, idle lanes. `standing` writes who runs where.

mod standing;

use std::time::Duration;

use exectrace_format::conventions::{TRACE_ID_CATEGORY, TRACER_NAME, TraceId};
use exectrace_format::{
    Event, ProcStatus, SideRecord, StackId, StreamId, TaskId, ThreadId, WireFrame, Writer,
};
use rustc_hash::FxHashMap;

use super::flow::{Flow, FlowState};
use super::names::{FrameId, Leaf, NameId};
use super::threads::ThreadIndex;
use super::{Model, TRACER_TASK};

/// An open user task, as a preamble writes it.
struct OpenUserTask {
    task: TaskId,
    parent: TaskId,
    name: NameId,
    began_ns: u64,
    /// The site of the span that it carries, if it exists only for that.
    carries: Option<FrameId>,
    /// The distributed trace that it is a part of.
    trace_id: Option<TraceId>,
}

/// Records that are in no file, before one that begins.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) records: u64,
    pub(crate) lasted: Duration,
    /// Why, in words.
    pub(crate) cause: String,
}

/// Writes events that end, one nanosecond apart, at the time when the shared generation begins.
struct PreambleWriter<'a> {
    model: &'a Model,
    writer: &'a mut Writer,
    next_ns: u64,
    end_ns: u64,
}

impl Model {
    /// Appends the group of a preamble to `out`: generation `number`, which lies before `end_ns`.
    ///
    /// `about` is what the tracer says of itself, as pairs of key and value, and `missing` what is missing before the
    /// file. Returns the number of
    /// events and the time at which the generation begins, for its sync batch.
    pub(crate) fn preamble(
        &self,
        number: u64,
        end_ns: u64,
        about: &[(&'static str, String)],
        missing: Option<&Missing>,
        out: &mut Vec<u8>,
    ) -> (u64, u64) {
        let tasks = self.open_user_tasks();
        let most_events = self.preamble_events(tasks.len());
        let begin_ns = end_ns.saturating_sub(most_events).max(1);
        let mut writer = Writer::new();
        writer.begin_generation(number, begin_ns);
        let mut preamble = PreambleWriter {
            model: self,
            writer: &mut writer,
            next_ns: begin_ns,
            end_ns,
        };
        preamble.tracer(&tasks, about, missing);
        for (_, thread) in self.machine.threads().skip(1) {
            preamble.thread(thread);
        }
        preamble.idle_flows();
        preamble.idle_lanes();
        preamble.live_samples();
        (writer.finish_group(out).events, begin_ns)
    }

    /// At least as many events as the preamble will have.
    fn preamble_events(&self, tasks: usize) -> u64 {
        let flows = self.machine.flows.iter();
        // A lane's and a flow's status, its regions, its call or wait, the end of its lane.
        let for_flows: usize = flows.map(|(_, flow)| 4 + flow.regions.len()).sum();
        let lanes = self.machine.lanes.reader_count() as usize;
        // A task's begin, and the id of its distributed trace.
        (32 + 2 * tasks + for_flows + lanes) as u64
    }

    /// Open tasks of the program, parents before their children: ids are given out in that order.
    fn open_user_tasks(&self) -> Vec<OpenUserTask> {
        let of_spans = self.spans.live().filter(|(_, span)| span.owns_task());
        let of_spans = of_spans.map(|(_, span)| OpenUserTask {
            task: span.task,
            parent: span.parent,
            name: self.sites.get(span.site).name,
            began_ns: span.began_ns,
            carries: span.carried.then(|| self.sites.get(span.site).frame),
            trace_id: self.trace_ids.of(span.task),
        });
        let annotated = self.tasks.iter().map(|(_, open)| OpenUserTask {
            task: open.task,
            parent: open.parent,
            name: open.name,
            began_ns: open.began_ns,
            carries: None,
            trace_id: self.trace_ids.of(open.task),
        });
        let mut tasks: Vec<_> = of_spans.chain(annotated).collect();
        tasks.sort_unstable_by_key(|task| task.task);
        tasks
    }
}

impl PreambleWriter<'_> {
    fn event(&mut self, stream: StreamId, event: Event) {
        self.writer.event(stream, self.next_ns, event);
        self.next_ns = (self.next_ns + 1).min(self.end_ns);
    }

    fn name(&mut self, name: NameId) -> exectrace_format::StringId {
        self.writer.string(self.model.machine.names.text(name))
    }

    fn stack(&mut self, leaf: Leaf, root: FrameId) -> StackId {
        let names = &self.model.machine.names;
        let frames: Vec<WireFrame> = names
            .frames_of(&leaf)
            .into_iter()
            .chain([root])
            .map(|frame| names.frame_elsewhere(frame, self.writer))
            .collect();
        self.writer.stack(&frames)
    }

    /// The tracer's flow begins the user tasks, and logs what the tracer says of itself. Then, on its lane, each
    /// flow that has open regions and does not run is shown running, for its regions.
    fn tracer(
        &mut self,
        tasks: &[OpenUserTask],
        about: &[(&'static str, String)],
        missing: Option<&Missing>,
    ) {
        let machine = &self.model.machine;
        let Some((tracer, flow, lane)) = machine.thread(ThreadIndex::TRACER).and_then(|tracer| {
            let flow = machine.flows.get(tracer.own?)?;
            Some((tracer, flow, tracer.lane?))
        }) else {
            return;
        };
        self.thread_name(tracer);
        let stream = self.writer.stream(tracer.id);
        let stack = self.stack(Leaf::None, flow.root);
        let status = ProcStatus::Running;
        self.event(stream, Event::ProcStatus { proc: lane, status });
        self.running(stream, tracer.id, flow, stack);
        let procs = machine.lanes.reader_count();
        self.event(stream, Event::ProcsChange { procs, stack });
        for (task, name) in Model::OWN_TASKS {
            let name = self.writer.string(name);
            self.task_begin(stream, task, TaskId::BACKGROUND, name, stack);
        }
        for task in tasks {
            let name = self.name(task.name);
            let stack = match task.carries {
                Some(site) => self.stack(Leaf::Place(site), self.model.concurrent_span),
                None => stack,
            };
            self.task_begin(stream, task.task, task.parent, name, stack);
            self.writer.side_record(&SideRecord::BeganBefore {
                task: task.task,
                time_ns: task.began_ns,
            });
            if let Some(id) = task.trace_id {
                self.log(stream, task.task, stack, TRACE_ID_CATEGORY, &id.to_string());
            }
        }
        self.about(stream, stack, about);
        if let Some(missing) = missing {
            self.missing(stream, stack, tracer.id, missing);
        }
        self.wait(stream, flow);
        for (_, other) in machine.flows.iter() {
            let is_elsewhere = matches!(other.state, FlowState::Runnable | FlowState::Waiting);
            if is_elsewhere && !other.regions.is_empty() {
                let stack = self.stack(Leaf::None, other.root);
                self.running(stream, tracer.id, other, stack);
                self.regions(stream, other);
                self.wait(stream, other);
            }
        }
        self.event(stream, Event::ProcStop);
    }

    /// A flow that was running stops to do so, the way it last did.
    fn wait(&mut self, stream: StreamId, flow: &Flow) {
        let (reason, leaf) = flow.wait;
        let reason = self.name(reason);
        let stack = self.stack(leaf, flow.root);
        let event = match flow.state {
            FlowState::Runnable => Event::GoStop { reason, stack },
            _ => Event::GoBlock { reason, stack },
        };
        self.event(stream, event);
    }

    fn regions(&mut self, stream: StreamId, flow: &Flow) {
        for region in &flow.regions {
            let task = region.task;
            let name = self.name(region.name);
            let (leaf, root) = region.stack(flow.root);
            let stack = self.stack(leaf, root);
            self.event(stream, Event::UserRegionBegin { task, name, stack });
        }
    }

    fn about(&mut self, stream: StreamId, stack: StackId, about: &[(&'static str, String)]) {
        for (category, message) in about {
            self.log(stream, TRACER_TASK, stack, category, message);
        }
        self.writer.side_record(&SideRecord::GeneratedBy {
            name: TRACER_NAME.into(),
            version: env!("CARGO_PKG_VERSION").into(),
        });
        let pairs = about
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone().into()))
            .collect();
        self.writer.side_record(&SideRecord::Capabilities { pairs });
    }

    fn missing(&mut self, stream: StreamId, stack: StackId, tracer: ThreadId, missing: &Missing) {
        let message = format!(
            "{} records of the {:.1?} before this are in no file: {}",
            missing.records, missing.lasted, missing.cause
        );
        self.log(stream, TRACER_TASK, stack, TRACER_NAME, &message);
        self.writer.side_record(&SideRecord::Lost {
            time_ns: self.next_ns,
            thread: tracer,
            records: missing.records,
        });
    }

    fn log(
        &mut self,
        stream: StreamId,
        task: TaskId,
        stack: StackId,
        category: &str,
        message: &str,
    ) {
        let event = Event::UserLog {
            task,
            category: self.writer.string(category),
            message: self.writer.string(message),
            stack,
        };
        self.event(stream, event);
    }

    fn task_begin(
        &mut self,
        stream: StreamId,
        task: TaskId,
        parent: TaskId,
        name: exectrace_format::StringId,
        stack: StackId,
    ) {
        let event = Event::UserTaskBegin {
            task,
            parent,
            name,
            stack,
        };
        self.event(stream, event);
    }

    /// Sampled allocations that are alive.
    fn live_samples(&mut self) {
        let machine = &self.model.machine;
        let mut wire_frames = FxHashMap::default();
        for (&number, live) in &self.model.heap.samples {
            let frames: Vec<WireFrame> = live
                .frames
                .iter()
                .map(|&frame| {
                    let make = || machine.names.frame_elsewhere(frame, self.writer);
                    *wire_frames.entry(frame).or_insert_with(make)
                })
                .collect();
            let stack = self.writer.stack(&frames);
            self.writer.side_record(&live.record(number, stack, true));
        }
    }
}
