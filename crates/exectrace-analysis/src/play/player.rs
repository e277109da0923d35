//! Plays a trace: takes events in their order, keeps the machine's state, tells the passes.
//!
//! The rules by which time is charged are those of Go 1.27's `go tool trace` (its goroutine
//! pages): a flow that is older than the trace is taken to have been in its first known state
//! since its generation began; a system call counts as blocked from the moment its lane is idle.

use exectrace_format::{
    CONCURRENT_SPAN, CompactEvent, CompactKind, GoId, GoState, PART_OF_SPAN, ProcId, SideRecord,
    StackId, StateChange, StringId, Tables, TaskId,
};

use crate::breakdown::{Sums, add};
use crate::names::{Frame, Names, Place, Stack, Text, is_of_program};
use crate::options::{Clip, Options};
use crate::overview::Facts;
use crate::passes::Passes;
use crate::sight::{FlowKind, POLLED_BEFORE, POLLING_TASKS, WAKE_NOT_SEEN};

use super::charge::{close_ranges, ended, leave};
use super::flow::{Flow, FlowIndex, Flows};
use super::gap::Did;
use super::lane::Lanes;
use super::slack::Slack;
use super::stretch::{Next, Origin, State, between};

/// A user task that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserTask {
    pub(crate) id: TaskId,
    pub(crate) parent: TaskId,
    pub(crate) name: Text,
    pub(crate) stack: Stack,
    /// Its stack as a span's: a region has the place alone.
    pub(crate) span_stack: Stack,
    /// It is no operation: it carries a span that is concurrent with others of its flow.
    pub(crate) carries: bool,
}

/// What passes may look at beside the flow concerned.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) names: Names,
    pub(crate) lanes: Lanes,
    pub(crate) facts: Facts,
    pub(crate) slack: Slack,
    /// The time of the first event.
    pub(crate) begin: i64,
    /// The time of the last event so far.
    pub(crate) now: i64,
    pub(crate) clip: Clip,
    /// What wakes have at their leaf that were concluded, and those before the end of an older poll.
    wake_not_seen: Text,
    /// Why a thread's own code waits while the thread polls async tasks.
    pub(super) polling_tasks: Text,
    polled_before: Text,
}

impl World {
    /// Whether the innermost frame of the stack is this function.
    fn has_leaf(&self, stack: Stack, function: Text) -> bool {
        let leaf = self.names.frames(stack).next();
        leaf.is_some_and(|leaf| leaf.function == function)
    }

    /// The place of a stack that says most of the program: of Go's as [`Place::of_program`], elsewhere
    /// the first outside Tokio and the standard library, or the leaf.
    pub(crate) fn place_of_program(&self, stack: Stack) -> Option<Place> {
        if self.facts.is_of_go() {
            return self.names.place_of_program(stack);
        }
        let is_of_program = |frame: &&Frame| is_of_program(self.names.get(frame.function));
        let first = self.names.frames(stack).find(is_of_program);
        let shown = first.or_else(|| self.names.frames(stack).next())?;
        Some(self.names.place(shown))
    }

    /// As [`place_of_program`](Self::place_of_program), of a task with this root frame: where that alone is
    /// known, the place of the spawn comes apart, second. Of Go the root is the function that runs.
    pub(crate) fn place_in_task(
        &self,
        stack: Stack,
        root: Option<Frame>,
    ) -> (Option<Place>, Option<Place>) {
        let place = self.place_of_program(stack);
        let root = root.map(|root| self.names.place(&root));
        match (place, self.facts.is_of_go()) {
            (place, true) => (place.or(root), None),
            (Some(place), false) if root.as_ref() != Some(&place) => (Some(place), None),
            (_, false) => (None, root),
        }
    }

    /// Nanoseconds since the begin of the trace.
    pub(crate) fn since_begin(&self, time: i64) -> u64 {
        between(self.begin, time)
    }
}

#[derive(Debug)]
pub(crate) struct Player {
    pub(super) world: World,
    pub(super) flows: Flows,
    pub(super) passes: Passes,
    options: Options,
    has_begun: bool,
    /// When the generation began.
    pub(super) sync: i64,
    /// Go's word for the end of a goroutine that never runs again.
    forever: Text,
    pub(super) scratch: Sums,
}

impl Player {
    pub(crate) fn new(options: &Options) -> Self {
        let mut names = Names::new();
        let forever = names.intern("forever");
        let wake_not_seen = names.intern(WAKE_NOT_SEEN);
        let polling_tasks = names.intern(POLLING_TASKS);
        let polled_before = names.intern(POLLED_BEFORE);
        let passes = Passes::new(options, &mut names);
        Self {
            world: World {
                names,
                lanes: Lanes::default(),
                facts: Facts::default(),
                slack: Slack::default(),
                begin: 0,
                now: 0,
                clip: Clip::ALL,
                wake_not_seen,
                polling_tasks,
                polled_before,
            },
            flows: Flows::default(),
            passes,
            options: options.clone(),
            has_begun: false,
            sync: 0,
            forever,
            scratch: Sums::default(),
        }
    }

    pub(crate) fn play(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        side: Option<&SideRecord>,
    ) {
        let time = event.time.0;
        if !self.has_begun {
            self.has_begun = true;
            (self.world.begin, self.sync) = (time, time);
            self.world.clip = Clip::new(self.options.window, time);
        }
        self.world.now = time;
        self.world.facts.thread(event.thread);
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { go, from, to },
                reason,
                stack,
                ..
            } => {
                self.world.facts.overview.events.count_transition();
                if from != to {
                    self.go(event, tables, (go, from, to), (reason, stack));
                }
            }
            _ => {
                self.world.facts.overview.events.count(&event.kind);
                self.play_other(event, tables, side);
            }
        }
    }

    /// Plays what is no change of a flow's state; few events are not.
    #[inline(never)]
    fn play_other(&mut self, event: &CompactEvent, tables: &Tables, side: Option<&SideRecord>) {
        let time = event.time.0;
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Proc { proc, from, to },
                ..
            } => self.proc(proc, from, to),
            CompactKind::RegionBegin { task, name } => {
                let name = self.world.names.text(tables, name);
                let stack = self.world.names.stack(tables, event.stack);
                self.world.facts.used.regions.add(name);
                if let Some(flow) = self.flows.get_mut(event.go) {
                    flow.marks(Did::RegionBegin(name), time, stack);
                    flow.open_region((name, task.0, stack), time, self.world.clip);
                    self.passes.region_begins(&self.world, flow);
                }
            }
            CompactKind::RegionEnd { task, name } => {
                let name = self.world.names.text(tables, name);
                self.world.facts.used.regions.add(name);
                self.marks(event, tables, Did::RegionEnd(name));
                let is_part = self.has_leaf(tables, event.stack, PART_OF_SPAN);
                self.region_ends(event.go, (task.0, name), is_part);
            }
            CompactKind::TaskBegin { task, parent, name } => {
                let name = self.world.names.text(tables, name);
                let stack = self.world.names.stack(tables, event.stack);
                self.marks(event, tables, Did::TaskBegin(name));
                let root = self.world.names.root(stack);
                let carries =
                    root.is_some_and(|root| self.world.names.get(root.function) == CONCURRENT_SPAN);
                let used = &mut self.world.facts.used;
                if carries {
                    used.regions.add(name);
                    used.concurrent_spans.add(name);
                    self.world.facts.seen.concurrent_spans = true;
                } else {
                    used.user_tasks.add(name);
                }
                let task = UserTask {
                    id: task,
                    parent,
                    name,
                    stack,
                    span_stack: self.world.names.leaf(stack),
                    carries,
                };
                let flow = self.flows.get(event.go);
                self.passes
                    .task_begins(&self.world, (event.go, flow), &task);
            }
            CompactKind::TaskEnd { task, parent, name } => {
                let name = self.world.names.text(tables, name);
                self.marks(event, tables, Did::TaskEnd(name));
                self.passes
                    .task_ends(&self.world, event.go, (task, parent, name));
            }
            CompactKind::Log {
                task,
                category,
                message,
            } => {
                self.marks(event, tables, Did::Log);
                let category = self.world.names.text(tables, category);
                let stack = self.world.names.stack(tables, event.stack);
                let of = (task, self.flows.get(event.go));
                let message = tables.text(message);
                self.passes
                    .log(&self.world, event, of, (category, stack), message);
            }
            CompactKind::Label { go, label } => {
                let label = self.world.names.text(tables, label);
                if let Some(flow) = self.flows.get_mut(go) {
                    flow.label = label;
                    self.passes.label(&self.world, flow, event, label);
                }
            }
            CompactKind::StackSample => {
                let stack = self.world.names.stack(tables, event.stack);
                let flow = self.flows.get(event.go);
                self.passes.sample(&self.world, event, flow, stack);
            }
            CompactKind::RangeBegin { .. }
            | CompactKind::RangeActive { .. }
            | CompactKind::RangeEnd { .. } => {
                self.passes
                    .event(&self.world, &mut self.flows, event, tables);
                self.range(event, tables);
            }
            CompactKind::Metric { .. } => {
                self.passes
                    .event(&self.world, &mut self.flows, event, tables);
            }
            CompactKind::Sync { number, clock } => {
                self.passes
                    .event(&self.world, &mut self.flows, event, tables);
                self.world.names.next_generation();
                self.sync = time;
                if let Some(clock) = clock {
                    let begin = self.world.begin;
                    self.world.facts.clock(begin, &clock);
                }
                self.world.facts.overview.generations = number.saturating_sub(1);
            }
            CompactKind::SideData(()) => {
                if let Some(record) = side {
                    let begin = self.world.begin;
                    let clip = self.world.clip;
                    self.world.facts.side_record(record, begin, clip);
                    self.passes.side_record(&self.world, record);
                }
            }
            CompactKind::UnreadableSideData(_) => {
                self.world.facts.overview.unreadable_side_data += 1;
            }
            _ => {}
        }
    }

    /// Whether the innermost frame of the stack is this function.
    fn has_leaf(&mut self, tables: &Tables, stack: StackId, function: &str) -> bool {
        let stack = self.world.names.stack(tables, stack);
        let names = &self.world.names;
        let leaf = names.frames(stack).next();
        leaf.is_some_and(|leaf| names.get(leaf.function) == function)
    }

    /// The flow on which the event happened recorded something.
    fn marks(&mut self, event: &CompactEvent, tables: &Tables, did: Did) {
        if let Some(flow) = self.flows.get_mut(event.go) {
            let stack = self.world.names.stack(tables, event.stack);
            flow.marks(did, event.time.0, stack);
        }
    }

    fn go(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        (go, from, to): (GoId, GoState, GoState),
        (reason, own_stack): (StringId, StackId),
    ) {
        let time = event.time.0;
        if self.ends_without_running(event.proc, go, (from, to)) {
            return;
        }
        let reason = self.world.names.text(tables, reason);
        let stack = self.world.names.stack(tables, event.stack);
        if self.passes.watches()
            && event.go != go
            && let Some(actor) = self.flows.get_mut(event.go)
        {
            let did = match from {
                GoState::NotExist => Did::Spawn,
                _ => Did::Wake,
            };
            actor.marks(did, time, stack);
        }
        let is_new = matches!(from, GoState::Undetermined | GoState::NotExist);
        let (index, is_older) = match self.flows.find(go) {
            Some(index) if !is_new => (index, false),
            _ => (
                self.new_flow(event, go, from, stack),
                from != GoState::NotExist,
            ),
        };
        let Some(flow) = self.flows.at(index) else {
            return;
        };
        if is_polled_since_before(flow, &self.world, (from, to), stack) {
            return;
        }
        if flow.name == Text::default() && own_stack != StackId::NONE {
            name(flow, &mut self.world, tables, own_stack);
        }
        if is_older {
            let before = self.world.clip.between(self.sync, time);
            charge_before(flow, to, event.proc, reason, before);
        }
        // What was never run, as far as is known, and is not Go's, may be for a blocking pool, whose
        // threads are no shared workers.
        let may_be_shared = !is_new || self.world.facts.is_of_go();
        if is_new && may_be_shared {
            // Go's have one pool, whatever they ran on.
            flow.pool = self.world.facts.pool(event.proc.0);
        }
        let is_ready = to == GoState::Runnable && may_be_shared;
        let ready_in = if is_ready { flow.pool } else { None };
        let was_ready_in = std::mem::replace(&mut flow.ready_in, ready_in);
        if was_ready_in != ready_in {
            let (begin, clip) = (self.world.begin, self.world.clip);
            for (pool, change) in [(was_ready_in, -1), (ready_in, 1)] {
                if let Some(pool) = pool {
                    self.world.slack.runnable(pool, change, time, begin, clip);
                }
            }
        }
        self.passes.transition(flow, event, (from, to));
        if flow.state == State::Running {
            flow.marks(Did::End, time, stack);
        }
        if !is_new {
            let next = match to {
                GoState::NotExist => Next::End,
                to => Next::State(State::of(to)),
            };
            let clip = self.world.clip;
            let stretch = ended(flow, time, next, (reason, stack), clip);
            leave(flow, &stretch, clip);
            if stretch.state == State::Syscall
                && let Some(lane) = self.world.lanes.get_mut(flow.syscall_lane)
            {
                lane.syscalling = None;
            }
            self.passes.stretch(&mut self.world, flow, &stretch);
            if (stretch.state, to) == (State::Waiting, GoState::Runnable) {
                self.passes.woken(&self.world, flow, &stretch, event);
            }
            flow.origin = Origin::From(stretch.state);
        }
        let is_wake = flow.state == State::Waiting && to == GoState::Runnable && !is_new;
        flow.is_wake_concluded = is_wake && self.world.has_leaf(stack, self.world.wake_not_seen);
        if is_wake && flow.kind != FlowKind::Thread {
            self.world.facts.seen.wake(flow.is_wake_concluded);
        }
        flow.reason = reason;
        flow.stack = stack;
        flow.actor = event.go;
        flow.lane = event.proc.0;
        flow.thread = event.thread.0;
        flow.state = State::of(to);
        flow.since = time;
        flow.lane_lost = None;
        match to {
            GoState::Running => {
                flow.run_begins(time);
                if flow.pool_lane != event.proc.0 {
                    flow.pool_lane = event.proc.0;
                    flow.pool = self.world.facts.pool(event.proc.0);
                }
                flow.started.get_or_insert(time);
            }
            GoState::Syscall => {
                self.world.facts.seen.syscalls = true;
                flow.syscall_lane = event.proc.0;
                if let Some(lane) = self.world.lanes.get_mut(event.proc.0) {
                    lane.syscalling = Some(index);
                }
            }
            GoState::Waiting if reason == self.forever => self.flow_ends(go, false),
            GoState::NotExist => self.flow_ends(go, true),
            _ => {}
        }
    }

    /// Whether the change belongs to a run that the task never had: the recorder shows tasks that were
    /// aborted or dropped to run on its own lane for an instant, as only what runs can end.
    fn ends_without_running(&self, lane: ProcId, go: GoId, (from, to): (GoState, GoState)) -> bool {
        let is_of_it = matches!(
            (from, to),
            (GoState::Waiting, GoState::Runnable) | (GoState::Runnable, GoState::Running)
        );
        is_of_it
            && self.world.facts.is_recorder(lane)
            && self
                .flows
                .get(go)
                .is_some_and(|flow| flow.kind == FlowKind::Task)
    }

    /// A flow that the trace tells of for the first time.
    #[inline(never)]
    fn new_flow(
        &mut self,
        event: &CompactEvent,
        go: GoId,
        from: GoState,
        stack: Stack,
    ) -> FlowIndex {
        let inherited_task = self.flows.get(event.go).map_or(0, Flow::user_task);
        let index = self.flows.add(go);
        if let Some(flow) = self.flows.at(index) {
            if from == GoState::NotExist {
                flow.created = event.time.0;
                flow.origin = Origin::Spawned;
                flow.parent = Some(event.go);
                flow.spawned_at = stack;
                flow.inherited_task = inherited_task;
            } else {
                flow.created = self.sync;
            }
        }
        index
    }

    /// The flow has ended (`is_gone`), or will never run again.
    #[inline(never)]
    fn flow_ends(&mut self, go: GoId, is_gone: bool) {
        let now = self.world.now;
        let open = self.flows.get(go).map_or(0, |flow| flow.regions.len());
        for _ in 0..open {
            self.region_ends(go, (0, Text::default()), false);
        }
        let clip = self.world.clip;
        if let Some(flow) = self.flows.get_mut(go) {
            if flow.ended.is_none() {
                close_ranges(flow, now, clip);
                flow.sums.close(clip.between(flow.created, now));
            }
            flow.ended = Some(now);
            if is_gone {
                self.passes.flow_ends(&mut self.world, flow);
                self.flows.remove(go);
            }
        }
    }
}

/// Whether the change belongs to the end of a poll that was under way when the recording began. Until then
/// the trace says that the task waits, which was not seen: its state is unknown.
fn is_polled_since_before(
    flow: &mut Flow,
    world: &World,
    (from, to): (GoState, GoState),
    stack: Stack,
) -> bool {
    match (from, to) {
        (GoState::Waiting, GoState::Runnable) if world.has_leaf(stack, world.polled_before) => {
            flow.state = State::Unknown;
            true
        }
        (GoState::Runnable, GoState::Running) => {
            flow.kind == FlowKind::Task && flow.state == State::Unknown
        }
        _ => false,
    }
}

/// Names the flow by the root of a stack of its own.
#[cold]
fn name(flow: &mut Flow, world: &mut World, tables: &Tables, own_stack: StackId) {
    let stack = world.names.stack(tables, own_stack);
    if let Some(&root) = world.names.root(stack) {
        flow.name = root.function;
        world.facts.used.tasks.add(flow.name);
        flow.root = Some(root);
        flow.kind = FlowKind::of_root(world.names.get(root.file));
        world.facts.seen.flow(flow.kind);
    }
}

/// Charges the time since the generation began to a flow that is older, as if it had been in its first
/// known state.
fn charge_before(flow: &mut Flow, to: GoState, proc: ProcId, reason: Text, before: u64) {
    match to {
        GoState::Running | GoState::Runnable if flow.kind == FlowKind::Thread => {}
        GoState::Running => flow.sums.running += before,
        GoState::Runnable => flow.sums.runnable += before,
        GoState::Waiting => add(&mut flow.sums.waiting, reason, before),
        GoState::Syscall if proc == ProcId::NONE => flow.sums.syscall_blocked += before,
        GoState::Syscall => flow.sums.syscall += before,
        GoState::Undetermined | GoState::NotExist => {}
    }
}
