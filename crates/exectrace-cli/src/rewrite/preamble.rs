//! What a trace that begins in the middle must say first: who runs where, what is open.
//!
//! Statuses tell the state of lanes and flows. The format has none for user tasks and regions, nor
//! for the reason of a wait; so these are begun again, each flow on a stage: a thread and a lane
//! that are there anyway. There the flow is said to run, begins what is open, and waits again. The
//! times of all this lie before the cut, a nanosecond each.

use std::collections::BTreeMap;

use exectrace_format::{
    Event, GoId, GoState, GoStatus, ProcId, ProcStatus, StackId, TaskId, ThreadId,
};

use super::encode::{Encoder, go_status, metric_event, parent_on_the_wire};
use super::texts::{Frames, Texts};
use super::world::{Go, Task, World};

/// A thread that no operating system has: where the trace names none that is free.
const NO_SUCH_THREAD: ThreadId = ThreadId(0x7fff_ffff);

/// The most events that the preamble of this world needs, and so nanoseconds before the cut.
pub(super) fn events_max(world: &World) -> u64 {
    let regions: usize = world.goes.values().map(|go| go.regions.len()).sum();
    let entries = 4 * world.goes.len() + 3 * world.procs.len() + world.tasks.len() + regions;
    entries as u64 + 16
}

/// Where flows are shown one after the other.
#[derive(Clone, Copy, Debug)]
struct Stage {
    thread: ThreadId,
    proc: ProcId,
    /// What the lane is to be after it.
    after: After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The thread goes on to run its own flow, if it has one.
    Running,
    /// The thread's own flow is in a system call.
    Syscall,
    /// The lane is free.
    Idle,
}

/// Writes the preamble.
#[derive(Debug)]
struct Preamble<'a, F> {
    encoder: &'a mut Encoder,
    texts: &'a mut Texts<F>,
    world: &'a World,
    /// The time of the next event.
    time_ns: u64,
    /// Open user tasks by who is to begin them again; `None` for those whose beginner is gone.
    tasks: BTreeMap<Option<GoId>, Vec<(TaskId, Task)>>,
    ownerless_told: bool,
}

/// Writes what the world is like, from `time_ns` on.
pub(super) fn write<F: Frames>(
    world: &World,
    time_ns: u64,
    encoder: &mut Encoder,
    texts: &mut Texts<F>,
) {
    let mut tasks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (&id, task) in &world.tasks {
        let by = world.goes.contains_key(&task.by).then_some(task.by);
        tasks.entry(by).or_default().push((id, *task));
    }
    let preamble = Preamble {
        encoder,
        texts,
        world,
        time_ns,
        tasks,
        ownerless_told: false,
    };
    preamble.write();
}

impl<F: Frames> Preamble<'_, F> {
    fn write(mut self) {
        let stage = self.stage();
        let shown = stage.map_or_else(Vec::new, |stage| self.act(stage));
        self.tell_threads(stage);
        self.tell_lanes(stage);
        self.tell_flows(&shown);
        self.tell_ranges();
    }

    fn put(&mut self, thread: ThreadId, event: Event) {
        self.encoder.put(thread, self.time_ns, event);
        self.time_ns += 1;
    }

    fn put_lane(&mut self, thread: ThreadId, proc: ProcId, status: ProcStatus) {
        self.encoder
            .put_proc_status(thread, self.time_ns, proc, status);
        self.time_ns += 1;
    }

    fn put_flow(&mut self, thread: ThreadId, go: GoId, status: GoStatus, stack: StackId) {
        self.encoder
            .put_go_status(thread, self.time_ns, go, status, stack);
        self.time_ns += 1;
    }

    /// A thread with a lane, best one that is running.
    fn stage(&self) -> Option<Stage> {
        let held = |after: After| {
            self.world.threads.iter().find_map(|(&thread, state)| {
                let is = match self.world.is_in_syscall(thread) {
                    true => After::Syscall,
                    false => After::Running,
                };
                let proc = state.proc.filter(|_| is == after)?;
                Some(Stage {
                    thread,
                    proc,
                    after,
                })
            })
        };
        let free = || {
            let (&proc, _) = self
                .world
                .procs
                .iter()
                .find(|(_, proc)| proc.holder.is_none())?;
            let mut threads = self.world.threads.iter();
            let free = threads.find(|(_, state)| state.proc.is_none() && state.go.is_none());
            Some(Stage {
                thread: free.map_or(NO_SUCH_THREAD, |(&thread, _)| thread),
                proc,
                after: After::Idle,
            })
        };
        held(After::Running)
            .or_else(free)
            .or_else(|| held(After::Syscall))
    }

    /// Shows the flows that have more to tell than a state, and gives back which.
    fn act(&mut self, stage: Stage) -> Vec<GoId> {
        let world = self.world;
        match stage.after {
            After::Running | After::Syscall => {
                self.put_lane(stage.thread, stage.proc, ProcStatus::Running);
            }
            After::Idle => {
                self.put_lane(ThreadId::NONE, stage.proc, ProcStatus::Idle);
                let seq = self.encoder.proc_seq(stage.proc);
                self.put(
                    stage.thread,
                    Event::ProcStart {
                        proc: stage.proc,
                        seq,
                    },
                );
            }
        }
        let mut shown = Vec::new();
        for (&id, go) in &world.goes {
            let is_off_thread = matches!(go.state, GoState::Waiting | GoState::Runnable);
            let has_more = go.wait.is_some()
                || !go.regions.is_empty()
                || go.label.is_some()
                || self.tasks.contains_key(&Some(id));
            if is_off_thread && has_more {
                self.show(stage, id, go);
                shown.push(id);
            }
        }
        if stage.after == After::Idle {
            self.put(stage.thread, Event::ProcStop);
        }
        shown
    }

    /// Shows one flow that is on no thread.
    fn show(&mut self, stage: Stage, id: GoId, go: &Go) {
        let stack = self.name_stack(go);
        self.put_flow(stage.thread, id, GoStatus::Running, stack);
        self.tell_open(stage.thread, id, go);
        let (reason, stack) = match go.wait {
            Some((reason, stack)) => {
                let writer = &mut self.encoder.writer;
                let reason = self.texts.written_text(reason, writer);
                (reason, self.texts.written_stack(stack, writer))
            }
            None => (Default::default(), stack),
        };
        let event = match go.state {
            GoState::Runnable => Event::GoStop { reason, stack },
            _ => Event::GoBlock { reason, stack },
        };
        self.put(stage.thread, event);
    }

    /// Tells what belongs to no flow that is alive, once, on a thread that runs one: the values of
    /// quantities, and user tasks whose beginner is gone.
    fn tell_the_ownerless(&mut self, thread: ThreadId) {
        if std::mem::replace(&mut self.ownerless_told, true) {
            return;
        }
        let mut metrics: Vec<_> = self.world.metrics.iter().collect();
        metrics.sort_unstable_by_key(|(metric, _)| metric.name());
        for (&metric, &value) in metrics {
            if let Some(event) = metric_event(metric, value, StackId::NONE) {
                self.put(thread, event);
            }
        }
        self.tell_tasks(thread, None);
    }

    /// Begins the user tasks again that were begun by this flow, or by those that are gone.
    fn tell_tasks(&mut self, thread: ThreadId, by: Option<GoId>) {
        for (task, open) in self.tasks.remove(&by).unwrap_or_default() {
            let writer = &mut self.encoder.writer;
            let event = Event::UserTaskBegin {
                task,
                parent: parent_on_the_wire(open.parent),
                name: self.texts.written_text(open.name, writer),
                stack: self.texts.written_stack(open.stack, writer),
            };
            self.put(thread, event);
        }
    }

    /// Tells what is open on a flow that runs on this thread.
    fn tell_open(&mut self, thread: ThreadId, id: GoId, go: &Go) {
        self.tell_the_ownerless(thread);
        self.tell_tasks(thread, Some(id));
        if let Some(label) = go.label {
            let label = self.texts.written_text(label, &mut self.encoder.writer);
            self.put(thread, Event::GoLabel { label });
        }
        for region in &go.regions {
            let writer = &mut self.encoder.writer;
            let event = Event::UserRegionBegin {
                task: region.task,
                name: self.texts.written_text(region.name, writer),
                stack: self.texts.written_stack(region.stack, writer),
            };
            self.put(thread, event);
        }
        if let Some(reason) = go.stops_the_world {
            let kind = self.texts.written_text(reason, &mut self.encoder.writer);
            self.put(
                thread,
                Event::StwBegin {
                    kind,
                    stack: StackId::NONE,
                },
            );
        }
    }

    /// Tells lanes and flows that threads hold.
    fn tell_threads(&mut self, stage: Option<Stage>) {
        let world = self.world;
        for (&thread, state) in &world.threads {
            let on_stage = stage.filter(|stage| stage.thread == thread);
            let in_syscall = world.is_in_syscall(thread);
            let was_told = on_stage.is_some_and(|stage| Some(stage.proc) == state.proc);
            if let Some(proc) = state.proc.filter(|_| !was_told) {
                let status = match in_syscall {
                    true => ProcStatus::Syscall,
                    false => ProcStatus::Running,
                };
                self.put_lane(thread, proc, status);
            }
            let Some((id, go)) = state.go.and_then(|id| world.goes.get_key_value(&id)) else {
                continue;
            };
            let stack = self.name_stack(go);
            match (in_syscall, was_told) {
                // The lane was told to run for the others.
                (true, true) => {
                    self.put_flow(thread, *id, GoStatus::Running, stack);
                    self.tell_open(thread, *id, go);
                    if let Some(proc) = state.proc {
                        let proc_seq = self.encoder.proc_seq(proc);
                        self.put(thread, Event::GoSyscallBegin { proc_seq, stack });
                    }
                }
                (true, false) => {
                    self.put_flow(thread, *id, GoStatus::Syscall, stack);
                    if state.proc.is_some() {
                        self.tell_open(thread, *id, go);
                    }
                }
                (false, _) => {
                    self.put_flow(thread, *id, GoStatus::Running, stack);
                    if state.proc.is_some() {
                        self.tell_open(thread, *id, go);
                    }
                }
            }
        }
    }

    /// Tells the free lanes.
    fn tell_lanes(&mut self, stage: Option<Stage>) {
        for (&proc, state) in &self.world.procs {
            let was_told = stage.is_some_and(|stage| stage.proc == proc);
            if state.holder.is_none() && !was_told {
                self.put_lane(ThreadId::NONE, proc, ProcStatus::Idle);
            }
        }
    }

    /// Tells the flows that are on no thread and were not shown.
    fn tell_flows(&mut self, shown: &[GoId]) {
        for (&id, go) in &self.world.goes {
            let is_off_thread = matches!(go.state, GoState::Waiting | GoState::Runnable);
            if let Some(status) = go_status(go.state).filter(|_| is_off_thread)
                && shown.binary_search(&id).is_err()
            {
                let stack = self.name_stack(go);
                self.put_flow(ThreadId::NONE, id, status, stack);
            }
        }
    }

    /// Tells the parts of a collection that go on.
    fn tell_ranges(&mut self) {
        for (&proc, state) in &self.world.procs {
            if state.sweeps {
                self.put(ThreadId::NONE, Event::GcSweepActive { proc });
            }
        }
        for (&go, state) in &self.world.goes {
            if state.assists {
                self.put(ThreadId::NONE, Event::GcMarkAssistActive { go });
            }
        }
        // In the first generation it needs no thread, as nobody knows yet who began it.
        if self.world.marks {
            let seq = self.encoder.collector_seq();
            self.put(ThreadId::NONE, Event::GcActive { seq });
        }
    }

    fn name_stack(&mut self, go: &Go) -> StackId {
        match go.name {
            Some(stack) => self.texts.written_stack(stack, &mut self.encoder.writer),
            None => StackId::NONE,
        }
    }
}
