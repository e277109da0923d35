//! Records of the annotation API, and the events that all annotations become.

use std::panic::Location;

use exectrace_format::{Event, StackId, TaskId};

use super::flow::{Flow, FlowId, FlowState, OpenRegion, PassedOn, RegionKey};
use super::names::{Leaf, NameId};
use super::stays::Stay;
use super::tasks::OpenTask;
use super::threads::ThreadIndex;
use super::{Model, text};
use crate::values::Value;

impl Model {
    /// The trace's id of a task of the annotation API; 0, or one that is not known, is the task of
    /// the innermost open region.
    pub(super) fn task_of(&mut self, thread: ThreadIndex, number: u64) -> TaskId {
        let generation = self.machine.emitter.generation();
        if number != 0
            && let Some(task) = self.tasks.name(number, generation)
        {
            return task;
        }
        self.flow_task(thread)
    }

    pub(super) fn region_begin(
        &mut self,
        thread: ThreadIndex,
        began: u64,
        name: &'static str,
        task: u64,
        place: &'static Location<'static>,
        with_spawned: bool,
    ) {
        self.run(thread);
        let region = OpenRegion {
            key: RegionKey::Annotation(began),
            source: None,
            task: self.task_of(thread, task),
            name: self.machine.names.intern_static(name),
            place: Leaf::Place(self.machine.names.frame_of_location(place)),
            suspect: false,
            generation: self.machine.emitter.generation(),
            stay: Stay::default(),
            over: false,
            split: false,
            with_spawned,
        };
        self.open_region(thread, region);
    }

    /// Opens on an async task that is polled for the first time the region that it has from who spawned it.
    #[cold]
    pub(super) fn open_passed_on(&mut self, thread: ThreadIndex, passed_on: PassedOn) {
        let region = OpenRegion {
            // Nothing ends it but the end of the task.
            key: RegionKey::Annotation(0),
            source: None,
            task: passed_on.task,
            name: passed_on.name,
            place: passed_on.place,
            suspect: false,
            generation: self.machine.emitter.generation(),
            stay: Stay::default(),
            over: false,
            split: false,
            with_spawned: true,
        };
        self.open_region(thread, region);
    }

    /// Opens a region on the thread's flow. Returns `false` if it has too many.
    pub(super) fn open_region(&mut self, thread: ThreadIndex, region: OpenRegion) -> bool {
        let Some((flow, stream, names, emitter)) = self.machine.running(thread) else {
            return false;
        };
        flow.stays.just_left = None;
        let opened = flow.open(region, stream, names, emitter);
        if !opened {
            self.counts.untracked += 1;
        }
        opened
    }

    pub(super) fn region_end(&mut self, thread: ThreadIndex, began: u64) {
        let key = RegionKey::Annotation(began);
        let flow = self.machine.current(thread);
        match flow.and_then(|flow| flow.find(key)) {
            Some(position) => self.close_region(thread, position, false),
            None => self.region_end_elsewhere(key),
        }
    }

    /// A region ends that is not of the flow that runs here: it began in a thread's own code, as that of
    /// an async task which nobody follows, and has moved with it. If it is nowhere, its begin was lost, or
    /// was before the recording. Async tasks are not searched: there can be a million of them.
    #[cold]
    fn region_end_elsewhere(&mut self, key: RegionKey) {
        let find = |own: Option<FlowId>| {
            let own = own?;
            Some((own, self.machine.flows.get(own)?.find(key)?))
        };
        let mut threads = self.machine.threads();
        let Some((own, position)) = threads.find_map(|(_, thread)| find(thread.own)) else {
            return;
        };
        drop(threads);
        let Some(flow) = self.machine.flows.get_mut(own) else {
            return;
        };
        match flow.state {
            FlowState::Running(thread) => self.close_region(thread, position, false),
            // It can end when its thread's own code runs again.
            FlowState::InCall(_) | FlowState::Runnable | FlowState::Waiting => {
                flow.regions[position].over = true;
            }
        }
    }

    /// Closes a region of the flow that runs on the thread. `is_span` says that it is all of a span.
    pub(super) fn close_region(&mut self, thread: ThreadIndex, position: usize, is_span: bool) {
        self.run(thread);
        let Some((flow, stream, names, emitter)) = self.machine.running(thread) else {
            return;
        };
        let key = flow.regions[position].key;
        flow.stays.just_left = None;
        flow.settle_region(position);
        let is_span = flow.close(position, is_span, stream, names, emitter);
        if let RegionKey::Span(slot) = key
            && let Some(span) = self.spans.get_mut(slot)
        {
            span.flows = span.flows.saturating_sub(1);
            span.is_one_region = is_span;
        }
    }

    /// Closes the regions of the flow that runs on the thread whose end came while it did not run.
    pub(super) fn close_regions_that_are_over(&mut self, thread: ThreadIndex) {
        let current = self.machine.current(thread);
        if current.is_some_and(Flow::has_regions_that_are_over) {
            self.run(thread);
            self.machine.close_regions_that_are_over(thread);
        }
    }

    pub(super) fn task_begin(
        &mut self,
        thread: ThreadIndex,
        number: u64,
        parent: u64,
        name: &'static str,
        place: &'static Location<'static>,
    ) {
        self.run(thread);
        let generation = self.machine.emitter.generation();
        let parent = self
            .tasks
            .name(parent, generation)
            .unwrap_or(TaskId::BACKGROUND);
        let open = OpenTask {
            task: self.new_task(),
            parent,
            name: self.machine.names.intern_static(name),
            began_ns: self.machine.emitter.time_ns(),
            losses: self.losses,
            named: generation,
        };
        if self.tasks.begin(number, open) {
            let place = Leaf::Place(self.machine.names.frame_of_location(place));
            self.write_task_begin(thread, open.task, parent, open.name, place);
        } else {
            self.counts.untracked += 1;
        }
    }

    pub(super) fn write_task_begin(
        &mut self,
        thread: ThreadIndex,
        task: TaskId,
        parent: TaskId,
        name: NameId,
        place: Leaf,
    ) {
        let name = self.machine.string(name);
        let stack = self.machine.stack(thread, place);
        let event = Event::UserTaskBegin {
            task,
            parent,
            name,
            stack,
        };
        self.machine.event(thread, event);
    }

    pub(super) fn task_end(&mut self, thread: ThreadIndex, number: u64) {
        if let Some(open) = self.tasks.end(number) {
            self.run(thread);
            self.write_task_end(thread, open.task);
        }
    }

    pub(super) fn write_task_end(&mut self, thread: ThreadIndex, task: TaskId) {
        let stack = StackId::NONE;
        self.machine
            .event(thread, Event::UserTaskEnd { task, stack });
        self.trace_ids.forget(task);
    }

    pub(super) fn log(
        &mut self,
        thread: ThreadIndex,
        task: u64,
        category: &'static str,
        message: Value<'_>,
        place: &'static Location<'static>,
    ) {
        self.run(thread);
        let task = self.task_of(thread, task);
        let category = self.machine.names.intern_static(category);
        let place = Leaf::Place(self.machine.names.frame_of_location(place));
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text::write_plain(message, &mut text);
        self.trace_ids.look_at_log(task, category, &text);
        self.write_log_event(thread, task, category, &text, place);
        self.text = text;
    }

    pub(super) fn write_log_event(
        &mut self,
        thread: ThreadIndex,
        task: TaskId,
        category: NameId,
        text: &str,
        place: Leaf,
    ) {
        let category = self.machine.string(category);
        let message = self
            .machine
            .emitter
            .writer()
            .message(&text::within_limit(text));
        let stack = self.machine.stack(thread, place);
        let event = Event::UserLog {
            task,
            category,
            message,
            stack,
        };
        self.machine.event(thread, event);
    }
}
