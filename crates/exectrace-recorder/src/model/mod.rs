//! The model: from records to legal events.
//!
//! It keeps a state for each thread, lane, flow, span and user task, and turns whatever arrives into
//! a sequence of events that every reader accepts: a span closed twice, an end whose begin was lost,
//! a thread that died. It gives out all ids and sequence numbers, so nothing else needs to know the
//! format's rules. It has no clock, no thread and no I/O: the same records give the same bytes.
//!
//! Records must come in an order in which causes stand before their effects where that can be known;
//! `merge` sees to it. What still comes out of order is repaired here: see each handler.

mod flow;
mod foresight;
mod lanes;
mod names;
mod output;
mod polls;
mod preamble;
mod repair;
mod sites;
mod spans;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
mod threads;

use std::panic::Location;

use exectrace_format::{Event, GroupCounts, Inferred, SideRecord, StackId, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use crate::door::{CallsiteKind, Parent, TaskRule};
use crate::fields::Value;
use crate::input::{Ahead, FieldValues, Input, SiteKey, SpanKey};

use flow::{Await, Flow, FlowState, OpenRegion, RegionKey};
use foresight::Waker;
use names::{Leaf, NameId};
use polls::AsyncTasks;
use sites::{SiteId, Sites};
use spans::{Span, SpanSlot, Spans};
use tasks::{OpenTask, Tasks};
use threads::Machine;

pub(crate) use sites::Describe;
pub(crate) use threads::ThreadIndex;

/// The user task of the tracer's own messages.
pub(crate) const TRACER_TASK: TaskId = TaskId(1);
/// The user task of what belongs to no task of the program's. Go's own number for that, 0, would
/// show as a nameless task that never ends.
pub(crate) const BACKGROUND_TASK: TaskId = TaskId(2);
const FIRST_TASK: u64 = 3;

/// What the model counted, for reports and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records that were applied.
    pub(crate) records: u64,
    /// Records that threads said were lost.
    pub(crate) lost: u64,
    /// Spans, tasks and regions that a full table could not take.
    pub(crate) untracked: u64,
    /// Ends and begins that were concluded, not seen.
    pub(crate) inferred: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Model {
    machine: Machine,
    sites: Sites,
    spans: Spans,
    tasks: Tasks,
    polls: AsyncTasks,
    next_task: u64,
    /// Clones of handles that were published but not applied yet. While there are any, a span whose
    /// handles are all dropped as far as the model has come is not at its end.
    clones_ahead: FxHashMap<SpanKey, u32>,
    /// How often some thread lost records.
    losses: u64,
    counts: Counts,
    /// The name of a span whose making was not seen.
    unknown_span: NameId,
    text: String,
}

impl Model {
    /// A model that knows nothing but the tracer itself, whose thread is `tracer`.
    pub(crate) fn new(tracer: ThreadId, describe: Describe) -> Self {
        let mut machine = Machine::new(tracer);
        Self {
            polls: AsyncTasks::new(&mut machine.names),
            unknown_span: machine.names.intern_static("(unknown span)"),
            machine,
            sites: Sites::new(describe),
            spans: Spans::default(),
            tasks: Tasks::default(),
            next_task: FIRST_TASK,
            clones_ahead: FxHashMap::default(),
            losses: 0,
            counts: Counts::default(),
            text: String::new(),
        }
    }

    /// Begins generation `number` at `time_ns`. What is pending must have been taken.
    pub(crate) fn begin_generation(&mut self, number: u64, time_ns: u64) {
        self.machine.output.begin_generation(number, time_ns);
        self.polls.foresight.forget_first_spans();
        self.end_what_losses_left_open();
    }

    /// Takes the events since the last call as one group.
    pub(crate) fn finish_group(&mut self, out: &mut Vec<u8>) -> GroupCounts {
        self.machine.output.writer().finish_group(out)
    }

    /// The earliest time that the next event can have.
    pub(crate) fn time_ns(&self) -> u64 {
        self.machine.output.time_ns()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Says that a record was published, and will be applied sooner or later.
    ///
    /// Each thread's records come here in their order, before any of them is applied.
    #[inline]
    pub(crate) fn foresee(
        &mut self,
        time_ns: impl FnOnce() -> u64,
        thread: ThreadIndex,
        ahead: &Ahead,
    ) {
        let foresight = &mut self.polls.foresight;
        match *ahead {
            Ahead::Clone(span) => *self.clones_ahead.entry(span).or_default() += 1,
            Ahead::SpanNew(span, site) => foresight.span_made(thread, span, site),
            Ahead::SpanEnter(span) => {
                let tasks = &self.polls.tasks;
                foresight.span_entered(thread, span, |task| !tasks.contains_key(&task));
            }
            Ahead::BlockingSpawn(task) => foresight.blocking_spawned(task),
            Ahead::PollBegin(task) => foresight.poll_begins(thread, task),
            Ahead::PollEnd => foresight.poll_ends(thread),
            Ahead::Park(parks) => foresight.parks(thread, parks),
            Ahead::Wake(task) => foresight.wake(thread, time_ns(), Waker::Task(task.task)),
            Ahead::WakeBy(waker) => foresight.wake(thread, time_ns(), Waker::Address(waker)),
        }
    }

    /// Whether the span is known, so that a record that names it need not wait for its making.
    #[inline]
    pub(crate) fn knows(&self, span: SpanKey) -> bool {
        self.spans.find(span).is_some()
    }

    /// Applies one record of a thread.
    ///
    /// Inlined, so that it is a plain call of the handler where the kind is known.
    #[inline(always)]
    pub(crate) fn apply(&mut self, time_ns: u64, thread: ThreadIndex, input: Input<'_>) {
        self.machine.output.advance(time_ns);
        self.spans.forget_before(time_ns);
        self.counts.records += 1;
        match input {
            Input::RegionBegin {
                began,
                name,
                task,
                place,
            } => self.region_begin(thread, began, name, task, place),
            Input::RegionEnd { began } => self.region_end(thread, began),
            Input::TaskBegin {
                task,
                parent,
                name,
                place,
            } => self.task_begin(thread, task, parent, name, place),
            Input::TaskEnd { task } => self.task_end(thread, task),
            Input::Log {
                task,
                category,
                message,
                place,
            } => self.log(thread, task, category, message, place),
            Input::SpanNew {
                span,
                site,
                parent,
                fields,
            } => self.span_new(thread, span, site, parent, fields),
            Input::SpanEnter(span) => self.span_enter(thread, span),
            Input::SpanExit(span) => self.span_exit(thread, span),
            Input::SpanClose(span) => self.span_close(thread, span),
            Input::SpanClone(span) => self.span_clone(span),
            Input::SpanDrop(span) => self.span_drop(thread, span),
            Input::SpanRecord { span, fields } => self.span_record(thread, span, fields),
            Input::SpanFollows { span, followed } => self.span_follows(thread, span, followed),
            Input::Event {
                site,
                parent,
                fields,
            } => self.event(thread, site, parent, fields),
            Input::DoorClosed { door } => self.door_closed(thread, door),
            Input::ThreadEnd => self.thread_end(thread),
            Input::Lost { records } => self.lost(thread, records),
            Input::AsyncSpawn {
                task,
                kind,
                place,
                name,
            } => self.async_spawn(thread, task, kind, place, name),
            Input::PollBegin(task) => self.poll_begin(thread, task),
            Input::PollEnd { task, stack } => self.poll_end(thread, task, stack),
            Input::AsyncEnd(task) => self.async_end(thread, task),
            Input::Wake(task) => self.wake(thread, task),
            Input::WakerOf { task, waker } => self.waker_of(task, waker),
            Input::WakeBy { waker } => self.wake_by(thread, waker),
            Input::Park => self.machine.park(thread),
            Input::Unpark { runtime, worker } => self.unpark(thread, (runtime, worker)),
            Input::StackIs { hash, addresses } => self.stack_is(hash, addresses),
        }
    }

    /// Makes a thread known before its first record.
    pub(crate) fn meet(
        &mut self,
        time_ns: u64,
        index: ThreadIndex,
        id: ThreadId,
        name: Option<&str>,
    ) {
        self.machine.output.advance(time_ns);
        self.machine.meet(index, id, name);
    }

    /// Whether the thread is known and has not ended.
    #[inline]
    pub(crate) fn has_thread(&self, index: ThreadIndex) -> bool {
        self.machine.thread(index).is_some()
    }

    /// The thread is gone, and its own record of that was lost.
    pub(crate) fn thread_gone(&mut self, time_ns: u64, index: ThreadIndex) {
        if self.has_thread(index) {
            self.machine.output.advance(time_ns);
            self.thread_end(index);
            self.infer(Inferred::State, u64::from(index.0));
        }
    }

    fn thread_end(&mut self, thread: ThreadIndex) {
        let flow = self.machine.end_thread(thread);
        self.leave_all(flow);
        self.polls.foresight.thread_gone(thread);
    }

    /// Writes a message of the tracer's own, on its own flow.
    pub(crate) fn note(&mut self, time_ns: u64, category: &'static str, message: &str) {
        self.machine.output.advance(time_ns);
        let category = self.machine.names.intern_static(category);
        self.machine.run(ThreadIndex::TRACER);
        self.tell_log(
            ThreadIndex::TRACER,
            TRACER_TASK,
            category,
            message,
            Leaf::None,
        );
        self.machine.rest_tracer();
    }

    /// The value of a counter, read at this time.
    pub(crate) fn counter(&mut self, time_ns: u64, name: &str, value: i64) {
        let name = name.to_owned().into();
        self.machine.output.side(&SideRecord::Counter {
            name,
            time_ns,
            value,
        });
    }

    /// The user tasks that the tracer keeps open in every file.
    const OWN_TASKS: [(TaskId, &str); 2] = [
        (TRACER_TASK, threads::TRACER_NAME),
        (BACKGROUND_TASK, "background"),
    ];

    /// Sees to it that annotations can be written on the thread.
    #[inline]
    fn run(&mut self, thread: ThreadIndex) {
        self.machine.run(thread);
    }

    fn new_task(&mut self) -> TaskId {
        let task = TaskId(self.next_task);
        self.next_task += 1;
        task
    }

    /// The trace's id of a task of the annotation API; 0, or one that is not known, is the task of
    /// the innermost open region.
    fn task_of(&mut self, thread: ThreadIndex, number: u64) -> TaskId {
        let generation = self.machine.output.generation();
        if number != 0
            && let Some(task) = self.tasks.name(number, generation)
        {
            return task;
        }
        self.flow_task(thread)
    }

    fn flow_task(&self, thread: ThreadIndex) -> TaskId {
        self.machine
            .current(thread)
            .and_then(Flow::task)
            .unwrap_or(BACKGROUND_TASK)
    }

    fn region_begin(
        &mut self,
        thread: ThreadIndex,
        began: u64,
        name: &'static str,
        task: u64,
        place: &'static Location<'static>,
    ) {
        self.run(thread);
        let region = OpenRegion {
            key: RegionKey::Annotation(began),
            slot: None,
            task: self.task_of(thread, task),
            name: self.machine.names.intern_static(name),
            place: Leaf::Place(self.machine.names.frame_of_location(place)),
            depth: 0,
            suspect: false,
            generation: self.machine.output.generation(),
            awaits: Await::default(),
        };
        self.open_region(thread, region);
    }

    /// Opens a region on the thread's flow. Returns `false` if it has too many.
    fn open_region(&mut self, thread: ThreadIndex, region: OpenRegion) -> bool {
        let Some(stream) = self.machine.stream(thread) else {
            return false;
        };
        let current = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        let Machine {
            flows,
            names,
            output,
            ..
        } = &mut self.machine;
        let Some(flow) = current.and_then(|current| flows.get_mut(current)) else {
            return false;
        };
        flow.just_left = None;
        let opened = flow.open(region, stream, names, output);
        if !opened {
            self.counts.untracked += 1;
        }
        opened
    }

    fn region_end(&mut self, thread: ThreadIndex, began: u64) {
        let key = RegionKey::Annotation(began);
        let flow = self.machine.current(thread);
        // If it is not there, its begin was lost, or was before the recording.
        if let Some(position) = flow.and_then(|flow| flow.find(key)) {
            self.close_region(thread, position);
        }
    }

    /// Closes a region of the flow that runs on the thread.
    fn close_region(&mut self, thread: ThreadIndex, position: usize) {
        self.run(thread);
        let Some(stream) = self.machine.stream(thread) else {
            return;
        };
        let current = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        let Machine {
            flows,
            names,
            output,
            ..
        } = &mut self.machine;
        let Some(flow) = current.and_then(|current| flows.get_mut(current)) else {
            return;
        };
        let slot = flow.regions[position].slot;
        flow.just_left = None;
        flow.close(position, stream, names, output);
        if let Some(span) = slot.and_then(|slot| self.spans.get_mut(slot)) {
            span.entered = span.entered.saturating_sub(1);
        }
    }

    fn task_begin(
        &mut self,
        thread: ThreadIndex,
        number: u64,
        parent: u64,
        name: &'static str,
        place: &'static Location<'static>,
    ) {
        self.run(thread);
        let generation = self.machine.output.generation();
        let parent = self
            .tasks
            .name(parent, generation)
            .unwrap_or(TaskId::BACKGROUND);
        let open = OpenTask {
            task: self.new_task(),
            parent,
            name: self.machine.names.intern_static(name),
            began_ns: self.machine.output.time_ns(),
            losses: self.losses,
            named: generation,
        };
        if self.tasks.begin(number, open) {
            let place = Leaf::Place(self.machine.names.frame_of_location(place));
            self.tell_task_begin(thread, open.task, parent, open.name, place);
        } else {
            self.counts.untracked += 1;
        }
    }

    fn tell_task_begin(
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

    fn task_end(&mut self, thread: ThreadIndex, number: u64) {
        if let Some(open) = self.tasks.end(number) {
            self.run(thread);
            self.tell_task_end(thread, open.task);
        }
    }

    fn tell_task_end(&mut self, thread: ThreadIndex, task: TaskId) {
        let stack = StackId::NONE;
        self.machine
            .event(thread, Event::UserTaskEnd { task, stack });
    }

    fn log(
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
        self.tell_log(thread, task, category, &text, place);
        self.text = text;
    }

    fn tell_log(
        &mut self,
        thread: ThreadIndex,
        task: TaskId,
        category: NameId,
        text: &str,
        place: Leaf,
    ) {
        let category = self.machine.string(category);
        let message = self.machine.output.writer().message(text);
        let stack = self.machine.stack(thread, place);
        let event = Event::UserLog {
            task,
            category,
            message,
            stack,
        };
        self.machine.event(thread, event);
    }

    fn span_new(
        &mut self,
        thread: ThreadIndex,
        key: SpanKey,
        site_key: SiteKey,
        parent: Parent,
        fields: FieldValues<'_>,
    ) {
        if let Some(open) = self.spans.find(key) {
            self.end_span(thread, open, true);
        }
        self.run(thread);
        let site = self.sites.meet(site_key, &mut self.machine.names);
        let mut span = Span::new(key, site);
        span.began_ns = self.machine.output.time_ns();
        span.losses = self.losses;
        span.named = self.machine.output.generation();
        let (parent_task, has_parent) = self.parent_task(thread, key.door, parent);
        span.is_task = self.is_task(site, fields, has_parent);
        if span.is_task {
            span.parent = parent_task.unwrap_or(TaskId::BACKGROUND);
            span.task = self.new_task();
        } else {
            span.task = parent_task.unwrap_or(BACKGROUND_TASK);
        }
        let (task, parent, is_task) = (span.task, span.parent, span.is_task);
        if self.spans.insert(span).is_none() {
            self.counts.untracked += 1;
            return;
        }
        if is_task {
            let (name, place) = (self.sites.get(site).name, self.sites.get(site).frame);
            self.tell_task_begin(thread, task, parent, name, Leaf::Place(place));
        }
        if !fields.values.is_empty() {
            self.tell_fields(thread, site, task, fields);
        }
    }

    /// The task a new span or an event belongs to by its parent, and whether it has a parent at all.
    fn parent_task(
        &self,
        thread: ThreadIndex,
        door: u16,
        parent: Parent,
    ) -> (Option<TaskId>, bool) {
        let task_of = |id| {
            let slot = self.spans.find(SpanKey { id, door })?;
            Some(self.spans.get(slot)?.task)
        };
        match parent {
            Parent::Root => (None, false),
            Parent::Explicit(id) => (task_of(id), true),
            Parent::Current(id) => {
                let task = task_of(id).or_else(|| self.machine.current(thread)?.task());
                (task, task.is_some() || id != 0)
            }
        }
    }

    fn is_task(&self, site: SiteId, fields: FieldValues<'_>, has_parent: bool) -> bool {
        let site = self.sites.get(site);
        for (index, value) in fields.values {
            if let Value::Bool(is_task) = value
                && site.is_task_field(index)
            {
                return is_task;
            }
        }
        match site.task {
            TaskRule::Always => true,
            TaskRule::Never => false,
            TaskRule::Roots => !has_parent,
        }
    }

    /// Tells fields as a log of the span's task, under the span's name.
    fn tell_fields(
        &mut self,
        thread: ThreadIndex,
        site: SiteId,
        task: TaskId,
        fields: FieldValues<'_>,
    ) {
        let site = self.sites.get(site);
        let (name, place) = (site.name, site.frame);
        let mut text = std::mem::take(&mut self.text);
        text::write_fields(site, fields, false, &mut text);
        if !text.is_empty() {
            self.tell_log(thread, task, name, &text, Leaf::Place(place));
        }
        self.text = text;
    }

    fn span_enter(&mut self, thread: ThreadIndex, key: SpanKey) {
        self.run(thread);
        let slot = self.spans.find(key);
        let entered = slot
            .and_then(|slot| self.spans.get(slot))
            .is_none_or(|span| span.entered > 0);
        if entered && self.enter_again(thread, key) {
            return;
        }
        let region = self.stretch(thread, key, slot);
        let flow = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        if self.open_region(thread, region)
            && let Some(span) = slot.and_then(|slot| self.spans.get_mut(slot))
        {
            span.entered += 1;
            span.flow = flow;
        }
    }

    /// The region of a stretch in a span, which may be one whose making was not seen.
    fn stretch(&mut self, thread: ThreadIndex, key: SpanKey, slot: Option<SpanSlot>) -> OpenRegion {
        let generation = self.machine.output.generation();
        let mut region = OpenRegion {
            key: RegionKey::Span(key),
            slot,
            task: BACKGROUND_TASK,
            name: self.unknown_span,
            place: Leaf::None,
            depth: 0,
            suspect: false,
            generation,
            awaits: Await {
                polls: 1,
                ..Await::default()
            },
        };
        if let Some(span) = slot.and_then(|slot| self.spans.get_mut(slot)) {
            span.named = generation;
            let site = self.sites.get(span.site);
            region.task = span.task;
            region.name = site.name;
            region.place = Leaf::Place(site.frame);
        } else {
            region.task = self.flow_task(thread);
            self.infer(Inferred::RegionBegin, region.task.0);
        }
        region
    }

    /// Enters a span whose region is open in the thread's flow. Returns `false` if none is.
    fn enter_again(&mut self, thread: ThreadIndex, key: SpanKey) -> bool {
        let Some(flow) = self.machine.current_mut(thread) else {
            return false;
        };
        let Some(position) = flow.find(RegionKey::Span(key)) else {
            return false;
        };
        let just_left = flow.just_left.take() == Some(key);
        let poll = flow.poll;
        let region = &mut flow.regions[position];
        let awaits = &mut region.awaits;
        match awaits.left_in.take() {
            // Left and entered with nothing between: the future is being dropped.
            Some(left_in) if left_in == poll => awaits.dropping = just_left,
            Some(_) => awaits.polls += 1,
            // Its exit was probably lost: this is a new stretch, and the old one ends with it.
            None if region.suspect => return false,
            None => region.depth += 1,
        }
        true
    }

    fn span_exit(&mut self, thread: ThreadIndex, key: SpanKey) {
        let is_task = self.machine.runs_task(thread);
        let Some(flow) = self.machine.current_mut(thread) else {
            return;
        };
        let Some(position) = flow.find(RegionKey::Span(key)) else {
            // Its begin was lost, or was before the recording.
            return;
        };
        let poll = flow.poll;
        let region = &mut flow.regions[position];
        if region.depth > 0 {
            region.depth -= 1;
        } else if is_task && !region.awaits.dropping {
            // It may be entered again when the task is polled next.
            region.awaits.left_in = Some(poll);
            flow.just_left = Some(key);
        } else {
            self.close_region(thread, position);
        }
    }

    fn span_close(&mut self, thread: ThreadIndex, key: SpanKey) {
        if let Some(slot) = self.spans.find(key) {
            self.end_span(thread, slot, false);
        }
    }

    fn span_clone(&mut self, key: SpanKey) {
        if let Some(ahead) = self.clones_ahead.get_mut(&key) {
            *ahead -= 1;
            if *ahead == 0 {
                self.clones_ahead.remove(&key);
            }
        }
        let generation = self.machine.output.generation();
        if let Some(span) = self.span_mut(key) {
            span.handles += 1;
            span.named = generation;
        }
    }

    fn span_drop(&mut self, thread: ThreadIndex, key: SpanKey) {
        let Some(slot) = self.spans.find(key) else {
            return;
        };
        let ahead = !self.clones_ahead.is_empty() && self.clones_ahead.contains_key(&key);
        if let Some(span) = self.spans.get_mut(slot) {
            span.handles -= 1;
            if span.handles <= 0 && !ahead {
                self.end_span(thread, slot, false);
            }
        }
    }

    /// Ends a span: its region in an async task, if it was left there, and its user task, if it is
    /// one. Other regions that it still has open end when they are left.
    fn end_span(&mut self, thread: ThreadIndex, slot: SpanSlot, inferred: bool) {
        let Some(span) = self.spans.get(slot) else {
            return;
        };
        if span.closed {
            return;
        }
        let (task, is_task, key) = (span.task, span.is_task, span.key);
        if span.entered > 0
            && let Some(flow) = span.flow
        {
            self.end_left_region(flow, RegionKey::Span(key));
        }
        if is_task {
            self.run(thread);
            self.tell_task_end(thread, task);
            if inferred {
                self.infer(Inferred::TaskEnd, task.0);
            }
        }
        let time_ns = self.machine.output.time_ns();
        self.spans.close(slot, time_ns);
    }

    /// Ends the region that an async task has left for good, or lets it end when the task runs next.
    fn end_left_region(&mut self, id: flow::FlowId, key: RegionKey) {
        let Some(flow) = self.machine.flows.get_mut(id) else {
            return;
        };
        let Some(position) = flow.find(key) else {
            return;
        };
        let region = &mut flow.regions[position];
        if region.awaits.left_in.is_none() {
            return;
        }
        region.awaits.over = true;
        if let FlowState::Running(thread) = flow.state {
            self.close_region(thread, position);
        }
    }

    fn span_record(&mut self, thread: ThreadIndex, key: SpanKey, fields: FieldValues<'_>) {
        let generation = self.machine.output.generation();
        let Some(span) = self.span_mut(key) else {
            return;
        };
        span.named = generation;
        let (site, task) = (span.site, span.task);
        self.run(thread);
        self.tell_fields(thread, site, task, fields);
    }

    fn span_follows(&mut self, thread: ThreadIndex, key: SpanKey, followed: SpanKey) {
        let find = |key| self.spans.get(self.spans.find(key)?);
        let (Some(span), Some(followed)) = (find(key), find(followed)) else {
            return;
        };
        let (from, to) = (followed.task, span.task);
        let place = self.sites.get(span.site).frame;
        let name = self.machine.names.text(self.sites.get(followed.site).name);
        let message = format!("{name} (task {})", from.0);
        self.run(thread);
        let category = self.machine.names.intern_static("follows_from");
        self.tell_log(thread, to, category, &message, Leaf::Place(place));
        let time_ns = self.machine.output.time_ns();
        self.machine
            .output
            .side(&SideRecord::Link { time_ns, from, to });
    }

    fn event(
        &mut self,
        thread: ThreadIndex,
        site_key: SiteKey,
        parent: Parent,
        fields: FieldValues<'_>,
    ) {
        self.run(thread);
        let site_id = self.sites.meet(site_key, &mut self.machine.names);
        let (task, _) = self.parent_task(thread, site_key.door, parent);
        let task = task.unwrap_or(BACKGROUND_TASK);
        let site = self.sites.get(site_id);
        let is_log = site.callsite.kind == CallsiteKind::Log;
        let mut text = std::mem::take(&mut self.text);
        text::write_fields(site, fields, is_log, &mut text);
        let (mut category, mut place) = (site.category, site.frame);
        if is_log {
            let origin = text::LogOrigin::of(site, fields);
            category = self.machine.names.intern(&origin.category);
            place = origin.place(&mut self.machine.names);
        }
        self.tell_log(thread, task, category, &text, Leaf::Place(place));
        self.text = text;
    }

    fn span_mut(&mut self, key: SpanKey) -> Option<&mut Span> {
        let slot = self.spans.find(key)?;
        self.spans.get_mut(slot)
    }

    /// Notes in the side data that something was concluded, not seen.
    fn infer(&mut self, what: Inferred, id: u64) {
        self.counts.inferred += 1;
        let time_ns = self.machine.output.time_ns();
        self.machine
            .output
            .side(&SideRecord::Inferred { time_ns, what, id });
    }
}
