//! The preamble: the generation that begins a file, made for it from the model's state.
//!
//! The shared generations say nothing of user tasks and regions that were open before them, and they
//! tell a flow's or lane's state only when it is used. So a file begins with one generation of its
//! own that tells all: open user tasks (parents first), threads with their lanes, flows and open
//! regions, idle lanes.

use exectrace_format::{
    Event, Frame, GoStatus, ProcId, ProcStatus, SideRecord, StackId, Stream, TaskId, ThreadId,
    Writer,
};

use super::names::{FrameId, NameId};
use super::threads::{Thread, Tracer};
use super::{Model, TRACER_TASK};

/// An open user task, as a preamble tells it.
struct TaskToTell {
    task: TaskId,
    parent: TaskId,
    name: NameId,
    began_ns: u64,
}

/// Writes events that end, one nanosecond apart, at the time when the shared generation begins.
struct Telling<'a> {
    model: &'a Model,
    writer: &'a mut Writer,
    next_ns: u64,
    end_ns: u64,
}

impl Model {
    /// Appends the group of a preamble to `out`: generation `number`, which lies before `end_ns`.
    ///
    /// `about` is what the tracer says of itself, as pairs of key and value. Returns the number of
    /// events and the time at which the generation begins, for its sync batch.
    pub(crate) fn preamble(
        &self,
        number: u64,
        end_ns: u64,
        about: &[(&'static str, String)],
        out: &mut Vec<u8>,
    ) -> (u64, u64) {
        let tasks = self.tasks_to_tell();
        let most_events = self.preamble_events(tasks.len());
        let begin_ns = end_ns.saturating_sub(most_events).max(1);
        let mut writer = Writer::new();
        writer.begin_generation(number, begin_ns);
        let mut telling = Telling {
            model: self,
            writer: &mut writer,
            next_ns: begin_ns,
            end_ns,
        };
        telling.tracer_and_tasks(&tasks, about);
        for thread in self.threads.iter().flatten() {
            telling.thread(thread);
        }
        telling.idle_lanes();
        (writer.finish_group(out).events, begin_ns)
    }

    /// At least as many events as the preamble will have.
    fn preamble_events(&self, tasks: usize) -> u64 {
        let threads = self.threads.iter().flatten();
        let for_threads: usize = threads.map(|thread| 2 + thread.flow.regions.len()).sum();
        let lanes = self.lanes.count_to_tell() as usize;
        (16 + tasks + for_threads + lanes) as u64
    }

    /// Open tasks of the program, parents before their children: ids are given out in that order.
    fn tasks_to_tell(&self) -> Vec<TaskToTell> {
        let of_spans = self.spans.live().filter(|(_, span)| span.is_task);
        let of_spans = of_spans.map(|(_, span)| TaskToTell {
            task: span.task,
            parent: span.parent,
            name: self.sites.get(span.site).name,
            began_ns: span.began_ns,
        });
        let annotated = self.tasks.iter().map(|(_, open)| TaskToTell {
            task: open.task,
            parent: open.parent,
            name: open.name,
            began_ns: open.began_ns,
        });
        let mut tasks: Vec<_> = of_spans.chain(annotated).collect();
        tasks.sort_unstable_by_key(|task| task.task);
        tasks
    }
}

impl Telling<'_> {
    fn event(&mut self, stream: Stream, event: Event) {
        self.writer.event(stream, self.next_ns, event);
        self.next_ns = (self.next_ns + 1).min(self.end_ns);
    }

    fn name(&mut self, name: NameId) -> exectrace_format::StringId {
        self.writer.string(self.model.names.text(name))
    }

    fn stack(&mut self, leaf: Option<FrameId>, root: FrameId) -> StackId {
        let names = &self.model.names;
        let frames: Vec<Frame> = leaf
            .into_iter()
            .chain([root])
            .map(|frame| names.frame_elsewhere(frame, self.writer))
            .collect();
        self.writer.stack(&frames)
    }

    /// The tracer's flow tells the tasks, and what the tracer says of itself; then it waits.
    fn tracer_and_tasks(&mut self, tasks: &[TaskToTell], about: &[(&'static str, String)]) {
        let tracer = &self.model.tracer;
        let stream = self.writer.stream(tracer.id);
        let stack = self.stack(None, tracer.flow.root);
        self.running(stream, tracer.lane, tracer.flow.go, tracer.id, stack);
        let procs = self.model.lanes.count_to_tell();
        self.event(stream, Event::ProcsChange { procs, stack });
        for (task, name) in Model::OWN_TASKS {
            let name = self.writer.string(name);
            self.task_begin(stream, task, TaskId::BACKGROUND, name, stack);
        }
        for task in tasks {
            let name = self.name(task.name);
            self.task_begin(stream, task.task, task.parent, name, stack);
            self.writer.side_record(&SideRecord::BeganBefore {
                task: task.task,
                time_ns: task.began_ns,
            });
        }
        self.about(stream, stack, about);
        let reason = self.writer.string(Tracer::WAIT);
        self.event(stream, Event::GoBlock { reason, stack });
        self.event(stream, Event::ProcStop);
    }

    fn about(&mut self, stream: Stream, stack: StackId, about: &[(&'static str, String)]) {
        for (category, message) in about {
            let category = self.writer.string(category);
            let message = self.writer.string(message);
            let task = TRACER_TASK;
            let event = Event::UserLog {
                task,
                category,
                message,
                stack,
            };
            self.event(stream, event);
        }
        self.writer.side_record(&SideRecord::GeneratedBy {
            name: Tracer::NAME.into(),
            version: env!("CARGO_PKG_VERSION").into(),
        });
        let pairs = about
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone().into()))
            .collect();
        self.writer.side_record(&SideRecord::Capabilities { pairs });
    }

    fn task_begin(
        &mut self,
        stream: Stream,
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

    /// A lane that runs on a thread, and the flow that runs on it.
    fn running(
        &mut self,
        stream: Stream,
        proc: ProcId,
        go: exectrace_format::GoId,
        thread: ThreadId,
        stack: StackId,
    ) {
        let status = ProcStatus::Running;
        self.event(stream, Event::ProcStatus { proc, status });
        let status = GoStatus::Running;
        let event = Event::GoStatusStack {
            go,
            thread,
            status,
            stack,
        };
        self.event(stream, event);
    }

    /// A thread, its lane, its flow, and the regions open there.
    fn thread(&mut self, thread: &Thread) {
        let stream = self.writer.stream(thread.id);
        let root = thread.flow.root;
        let stack = self.stack(None, root);
        self.running(stream, thread.lane, thread.flow.go, thread.id, stack);
        for region in &thread.flow.regions {
            let task = region.task;
            let name = self.name(region.name);
            let stack = self.stack(region.place, root);
            self.event(stream, Event::UserRegionBegin { task, name, stack });
        }
        let name = self.model.names.text(thread.name).to_owned();
        self.writer.side_record(&SideRecord::ThreadName {
            thread: thread.id,
            name: name.clone().into(),
        });
        self.writer.side_record(&SideRecord::ProcName {
            proc: thread.lane,
            name: name.into(),
        });
    }

    fn idle_lanes(&mut self) {
        let nobody = self.writer.stream(ThreadId::NONE);
        for proc in self.model.lanes.idle() {
            if proc == self.model.tracer.lane {
                continue;
            }
            let status = ProcStatus::Idle;
            self.event(nobody, Event::ProcStatus { proc, status });
        }
    }
}
