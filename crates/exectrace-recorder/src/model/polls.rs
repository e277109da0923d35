//! Async tasks: from spawns, polls and wakes to the states of their flows.
//!
//! A task is created where it is spawned, runs while it is polled, and waits between a poll and its
//! wake. What was not seen is concluded: a task that is polled without having been spawned is made
//! then; one that is polled while it waits was woken just before, and the stack of that wake says
//! that it was not seen. A task that is woken while it is polled does not wait afterwards.

use std::panic::Location;

use exectrace_format::Inferred;
use exectrace_format::conventions::{
    BLOCKING_CLOSURE, ENDED_WITHOUT_RUNNING, POLLED_BEFORE, TASK_FROM_BEFORE, UNKNOWN_FILE,
    WAKE_NOT_SEEN, WOKEN_DURING_POLL, YIELD,
};
use rustc_hash::FxHashMap;

use super::flow::{Flow, FlowId, FlowState, RegionKey};
use super::lookahead::Lookahead;
use super::names::{FrameId, Leaf, NameId, Names};
use super::threads::{ThreadIndex, WorkerKey};
use super::waits::Waits;
use super::wakes::Wakers;
use super::{Model, files};
use crate::input::{AsyncKey, WakerKey};
use crate::live_tasks::LiveTask;
use crate::runtime::AsyncTaskKind;

/// Most async tasks that may live at once, some 200 bytes each. Those beyond are counted and left out.
const MAX_ASYNC_TASKS: usize = 1 << 20;

/// An async task that has not ended.
#[derive(Debug)]
pub(super) struct AsyncTask {
    pub(super) flow: FlowId,
    kind: AsyncTaskKind,
    /// It was woken since its present poll began.
    pub(super) woken: bool,
    /// It was alive when the recording started, and no poll of it was seen: it may be polled since before.
    from_before: bool,
    /// What its wakers carry, if that was recorded.
    pub(super) waker: Option<WakerKey>,
}

/// Async tasks, their wakes and their waits.
#[derive(Debug)]
pub(crate) struct AsyncTasks {
    pub(super) tasks: FxHashMap<u64, AsyncTask>,
    pub(super) wakers: Wakers,
    pub(super) waits: Waits,
    pub(crate) lookahead: Lookahead,
    pub(super) texts: Texts,
    next_poll: u64,
}

/// Names that are used again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts {
    woken: NameId,
    yields: NameId,
    pub(super) wake_not_seen: FrameId,
    not_run: FrameId,
    polled_before: FrameId,
    unknown_task: FrameId,
    closure: FrameId,
}

impl AsyncTasks {
    pub(crate) fn new(names: &mut Names) -> Self {
        let mut mark = |mark| names.frame_of(mark, UNKNOWN_FILE, 1);
        let texts = Texts {
            wake_not_seen: mark(WAKE_NOT_SEEN),
            polled_before: mark(POLLED_BEFORE),
            not_run: mark(ENDED_WITHOUT_RUNNING),
            unknown_task: mark(TASK_FROM_BEFORE),
            closure: mark(BLOCKING_CLOSURE),
            woken: names.intern_static(WOKEN_DURING_POLL),
            yields: names.intern_static(YIELD),
        };
        Self {
            tasks: FxHashMap::default(),
            wakers: Wakers::default(),
            waits: Waits::new(names),
            lookahead: Lookahead::default(),
            texts,
            next_poll: 1,
        }
    }
}

impl Model {
    /// Adds a task that is live when a recording starts, before anything else is known of it.
    pub(crate) fn adopt(&mut self, live: &LiveTask) {
        let number = live.task.get();
        if self.polls.tasks.contains_key(&number) || self.polls.tasks.len() >= MAX_ASYNC_TASKS {
            return;
        }
        let root = self.task_root(live.name, live.place, None);
        let flow = self.machine.adopt(root);
        self.insert_task(number, flow, live.kind);
        if let Some(task) = self.polls.tasks.get_mut(&number) {
            task.from_before = true;
        }
    }

    fn insert_task(&mut self, number: u64, flow: FlowId, kind: AsyncTaskKind) {
        let task = AsyncTask {
            flow,
            kind,
            woken: false,
            from_before: false,
            waker: None,
        };
        self.polls.tasks.insert(number, task);
        if let Some(flow) = self.machine.flows.get_mut(flow) {
            flow.blocking = kind == AsyncTaskKind::Blocking;
        }
    }

    /// The frame that names a task: by its name, else by its place, so that all tasks of a place have one
    /// name. Not by a span: which one it enters first, and whether that is seen, differs from task to task.
    fn task_root(
        &mut self,
        name: Option<&str>,
        place: &'static Location<'static>,
        span_name: Option<NameId>,
    ) -> FrameId {
        let (file, line) = (files::shown(place.file()), place.line());
        let names = &mut self.machine.names;
        let span_name = span_name.map(|name| names.text(name).to_owned());
        match name.or(span_name.as_deref()) {
            Some(name) => names.frame_of(name, file, line),
            None => names.frame_of(&format!("{file}:{line}"), file, line),
        }
    }

    pub(super) fn async_spawn(
        &mut self,
        thread: ThreadIndex,
        key: AsyncKey,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) {
        if let Some(task) = self.polls.tasks.get(&key.task) {
            // It was polled before its spawn was read, or was alive at the start.
            return self.pass_on_late(thread, task.flow);
        }
        if self.polls.tasks.len() >= MAX_ASYNC_TASKS {
            self.counts.untracked += 1;
            return;
        }
        let announced_name = self.polls.wakers.name_of(key.task);
        let root = self.task_root(name, place, announced_name);
        let is_idle_worker = self
            .machine
            .thread(thread)
            .is_some_and(|thread| thread.worker.is_some() && thread.current.is_none());
        if is_idle_worker {
            self.machine.hold_lane(thread);
        } else {
            self.run(thread);
        }
        let place = self.machine.names.frame_of_location(place);
        let stack = self.machine.stack(thread, Leaf::Place(place));
        let spawner = self.machine.current(thread);
        let passed_on = spawner.and_then(Flow::passes_on);
        let flow = self.machine.create(thread, root, stack);
        self.insert_task(key.task, flow, kind);
        if let Some(flow) = self.machine.flows.get_mut(flow) {
            flow.passed_on = passed_on;
        }
    }

    /// Has a task whose spawn is read late what it has from who spawned it: now if it is polled, or with its next poll.
    fn pass_on_late(&mut self, thread: ThreadIndex, flow: FlowId) {
        let spawner = self.machine.current(thread);
        let Some(passed_on) = spawner.and_then(Flow::passes_on) else {
            return;
        };
        match self.machine.flows.get_mut(flow) {
            Some(flow) if flow.passes_on().is_some() => {}
            Some(Flow {
                state: FlowState::Running(on),
                ..
            }) if *on != thread => {
                let on = *on;
                self.open_passed_on(on, passed_on);
            }
            Some(flow) => flow.passed_on = Some(passed_on),
            None => {}
        }
    }

    /// The flow of a task; if its spawn was not seen, it is made now.
    fn flow_of(&mut self, thread: ThreadIndex, key: AsyncKey) -> Option<FlowId> {
        if let Some(task) = self.polls.tasks.get(&key.task) {
            return Some(task.flow);
        }
        if self.polls.tasks.len() >= MAX_ASYNC_TASKS {
            self.counts.untracked += 1;
            return None;
        }
        let root = match self.polls.wakers.name_of(key.task) {
            Some(name) => {
                let name = self.machine.names.text(name).to_owned();
                self.machine.names.frame_of(&name, UNKNOWN_FILE, 1)
            }
            None => self.polls.texts.unknown_task,
        };
        Some(self.make_unseen(thread, key, root, AsyncTaskKind::Future))
    }

    /// A closure of a blocking pool runs, of which nothing was seen before its first call.
    pub(super) fn closure_begin(&mut self, thread: ThreadIndex, key: AsyncKey) {
        let is_new = !self.polls.tasks.contains_key(&key.task);
        if is_new && self.polls.tasks.len() < MAX_ASYNC_TASKS {
            let root = self.polls.texts.closure;
            self.make_unseen(thread, key, root, AsyncTaskKind::Blocking);
        }
        self.poll_begin(thread, key);
    }

    /// Makes the flow of a task whose spawn was not seen.
    fn make_unseen(
        &mut self,
        thread: ThreadIndex,
        key: AsyncKey,
        root: FrameId,
        kind: AsyncTaskKind,
    ) -> FlowId {
        self.machine.hold_lane(thread);
        let stack = exectrace_format::StackId::NONE;
        let flow = self.machine.create(thread, root, stack);
        self.insert_task(key.task, flow, kind);
        let go = self.machine.flows.get(flow).map_or(0, |flow| flow.go.0);
        self.infer(Inferred::State, go);
        flow
    }

    pub(super) fn poll_begin(&mut self, thread: ThreadIndex, key: AsyncKey) {
        let Some(flow) = self.flow_of(thread, key) else {
            return;
        };
        let state = self.machine.flows.get(flow).map(|flow| flow.state);
        if state == Some(FlowState::Waiting) {
            // Its stack says so; a record for each would make the file half as large again.
            self.counts.inferred += 1;
        }
        let waker = Leaf::Place(self.polls.texts.wake_not_seen);
        self.machine.poll(thread, flow, waker);
        let poll = self.polls.next_poll;
        self.polls.next_poll += 1;
        if let Some(task) = self.polls.tasks.get_mut(&key.task) {
            task.woken = false;
            task.from_before = false;
        }
        let mut passed_on = None;
        if let Some(flow) = self.machine.flows.get_mut(flow) {
            flow.poll = poll;
            flow.stays.just_left = None;
            passed_on = flow.passed_on.take();
        }
        if let Some(passed_on) = passed_on {
            self.open_passed_on(thread, passed_on);
        }
        self.close_regions_that_are_over(thread);
    }

    pub(super) fn poll_end(&mut self, thread: ThreadIndex, key: AsyncKey, stack: u64) {
        let task = self.polls.tasks.get(&key.task);
        let current = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        let flow = task.map(|task| task.flow);
        let is_current = flow.is_some() && flow == current;
        if !is_current && !self.takes_up_older_poll(thread, key) {
            // It ended in this poll, or the beginning of the poll was lost.
            self.machine.resume_outer(thread);
            self.machine.rest_unless_worker(thread);
            return;
        }
        let task = self.polls.tasks.get(&key.task);
        let (woken, waker) = task.map_or((false, None), |task| (task.woken, task.waker));
        self.end_dropped_spans(thread);
        let place = self.polls.waits.place(stack);
        let leaf = place.map_or(Leaf::None, |place| place.leaf);
        let texts = self.polls.texts;
        let yields = place.is_some_and(|place| place.yields);
        // Who yields could run on: its wake only comes a little later.
        if woken || yields {
            let reason = if yields { texts.yields } else { texts.woken };
            self.machine.stop(thread, reason, leaf);
        } else {
            let reason = self.wait_reason(thread, key, waker, leaf, place);
            self.machine.block(thread, reason, leaf);
        }
        self.machine.resume_outer(thread);
        self.machine.rest_unless_worker(thread);
    }

    /// A poll ends whose beginning was not seen. If that was before the recording, the task, which was said
    /// to wait, is shown to run for an instant, with a wake that says why; so the trace has where it waits next.
    fn takes_up_older_poll(&mut self, thread: ThreadIndex, key: AsyncKey) -> bool {
        let older = self.polls.tasks.get_mut(&key.task);
        let Some(task) = older.filter(|task| task.from_before) else {
            return false;
        };
        task.from_before = false;
        let flow = task.flow;
        let Some(known) = self.machine.flows.get(flow) else {
            return false;
        };
        let go = known.go.0;
        if known.state != FlowState::Waiting {
            return false;
        }
        let waker = Leaf::Place(self.polls.texts.polled_before);
        self.machine.poll(thread, flow, waker);
        self.infer(Inferred::State, go);
        true
    }

    pub(super) fn async_end(&mut self, thread: ThreadIndex, key: AsyncKey) {
        let Some(task) = self.polls.tasks.remove(&key.task) else {
            return;
        };
        if let Some(waker) = task.waker {
            self.polls.wakers.forget(waker, key.task);
        }
        self.machine.forget_outer(task.flow);
        self.machine.leave_call_of(task.flow);
        let state = self.machine.flows.get(task.flow).map(|flow| flow.state);
        let ended = match state {
            Some(FlowState::Running(on)) => {
                self.end_all_regions(on);
                self.machine.destroy(on)
            }
            Some(_) => self.reap(task.flow),
            None => None,
        };
        self.leave_all(ended);
        if task.kind == AsyncTaskKind::Root {
            self.run(thread);
        }
    }

    /// Ends a task that does not run: one that was aborted, or dropped with its runtime.
    fn reap(&mut self, flow: FlowId) -> Option<Flow> {
        let waker = Leaf::Place(self.polls.texts.not_run);
        self.machine.begin_reaping(flow, waker);
        self.end_all_regions(ThreadIndex::TRACER);
        let ended = self.machine.reap();
        if let Some(ended) = &ended {
            self.infer(Inferred::Run, ended.go.0);
        }
        ended
    }

    /// The flow that runs on the thread ends now, and with it what it has open.
    pub(super) fn end_all_regions(&mut self, thread: ThreadIndex) {
        let now_ns = self.machine.emitter.now_ns();
        while let Some(region) = self
            .machine
            .current(thread)
            .and_then(|flow| flow.regions.last())
        {
            let is_inside = region.stay.left_in.is_none() && !region.over;
            if let (RegionKey::Span(slot), true) = (region.key, is_inside)
                && let Some(span) = self.spans.get_mut(slot)
            {
                span.entries.leave(now_ns);
            }
            let innermost = self
                .machine
                .current(thread)
                .map(|flow| flow.regions.len() - 1);
            let Some(position) = innermost else { return };
            self.close_region(thread, position, false);
        }
    }

    /// The flow is gone: its spans are entered there no more.
    pub(super) fn leave_all(&mut self, flow: Option<Flow>) {
        let Some(flow) = flow else { return };
        let now_ns = self.machine.emitter.now_ns();
        let regions = flow.regions.iter().filter(|region| !region.over);
        let of_regions = regions.filter_map(|region| match region.key {
            RegionKey::Span(slot) => Some((slot, region.stay.left_in.is_none())),
            RegionKey::Annotation(_) => None,
        });
        for (slot, is_inside) in of_regions.chain(flow.stays.carried()) {
            if let Some(span) = self.spans.get_mut(slot) {
                span.flows = span.flows.saturating_sub(1);
                if is_inside {
                    span.entries.leave(now_ns);
                }
            }
        }
    }

    pub(super) fn unpark(&mut self, thread: ThreadIndex, worker: WorkerKey) {
        let (runtime, number) = worker;
        let name = crate::runtime::runtime_name(runtime);
        self.machine
            .unpark(thread, worker, &format!("{name} worker {number}"));
    }
}
