//! Gathers [`Tasks`] while a trace is replayed.

use crate::allocated::{Allocated, AllocatedBy};
use crate::breakdown::Sums;
use crate::histogram::Histogram;
use crate::kernel_wait::KernelSums;
use crate::names::Places;
use crate::time::{Flow, Poll, TimeSpan, World};
use crate::top::Top;
use exectrace_format::{ProcId, ThreadId};
use exectrace_replay::{GoroutineKind, GoroutineState, Location, Next, Stack, Text};

use super::{Run, TaskGroup, TaskInstance, Tasks};

/// One of tasks and one of threads' own code.
const GROUPS_OF_A_NAME: usize = 2;

#[derive(Debug)]
pub(crate) struct TaskPass {
    limit: usize,
    groups: Vec<Group>,
    /// The group of each text and kind, plus one.
    group_of_name: Vec<u32>,
    longest_runs: Top<RunRecord>,
    never_ran: Top<TaskInstance>,
    never_woken: Top<TaskInstance>,
    alive: Top<TaskInstance>,
    each: Option<Vec<TaskInstance>>,
    pub(crate) allocated: AllocatedBy,
    /// A group's times are those of the spans of time that come, as the filter leaves others out.
    narrows: bool,
}

#[derive(Debug)]
struct Group {
    name: Text,
    kind: GoroutineKind,
    root: Option<Location>,
    count: u64,
    spawned: u64,
    ended: u64,
    alive: u64,
    never_ran: u64,
    never_woken: u64,
    yields: u64,
    sums: Sums,
    /// Of the polls: those of all tasks between two samples have one bound together.
    kernel: KernelSums,
    allocated: Allocated,
    runs: Histogram,
    wake_delays: Histogram,
    longest_runs: Top<RunRecord>,
}

/// A poll, before its names are made out.
#[derive(Clone, Copy, Debug)]
struct RunRecord {
    task: u64,
    name: Text,
    user_task: u64,
    begin: i64,
    duration: u64,
    worker: ProcId,
    thread: ThreadId,
    next: Next,
    end_reason: Text,
    end_stack: Stack,
}

impl TaskPass {
    pub(crate) fn new(limit: usize, each: bool, narrows: bool) -> Self {
        Self {
            limit,
            groups: Vec::new(),
            group_of_name: Vec::new(),
            longest_runs: Top::new(limit),
            never_ran: Top::new(limit),
            never_woken: Top::new(limit),
            alive: Top::new(limit),
            each: each.then(Vec::new),
            allocated: AllocatedBy::default(),
            narrows,
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &mut Flow<'_>, span: &TimeSpan<'_>) {
        if self.narrows && !flow.waits_forever() {
            self.group(flow).sums.charge(span, world.clip);
        }
        match span.state {
            GoroutineState::Running => {
                // Of flows whose names are not known yet, the time is another group's in the end.
                if let Some(run) = &span.run
                    && flow.name != Text::EMPTY
                {
                    self.group(flow).kernel.add_part(run);
                }
                let Some(poll) = &span.poll else { return };
                let duration = poll.inside;
                let group = self.group(flow);
                group.yields += u64::from(span.next == Next::State(GoroutineState::Runnable));
                if span.is_closed() {
                    group.runs.record(duration);
                }
                let wanted_by_group = group.longest_runs.wants(duration);
                if wanted_by_group || self.longest_runs.wants(duration) {
                    self.long_run(flow, span, poll);
                }
            }
            GoroutineState::Runnable if span.is_wake_delay() && span.is_closed() => {
                self.group(flow).wake_delays.record(span.inside);
            }
            _ => {}
        }
    }

    #[cold]
    fn long_run(&mut self, flow: &mut Flow<'_>, span: &TimeSpan<'_>, poll: &Poll) {
        let duration = poll.inside;
        let record = RunRecord {
            task: flow.id.0,
            name: flow.name,
            user_task: flow.user_task().0,
            begin: poll.begin,
            duration,
            worker: span.proc,
            thread: span.thread,
            next: span.next,
            end_reason: span.end_reason,
            end_stack: span.end_stack,
        };
        self.longest_runs.push(duration, record);
        self.group(flow).longest_runs.push(duration, record);
    }

    pub(crate) fn flow_ends(&mut self, world: &World<'_>, flow: &mut Flow<'_>) {
        let is_alive = flow.state != GoroutineState::Unknown;
        let never_ran = flow.started.is_none() && flow.parent.is_some();
        let is_task = flow.kind == GoroutineKind::Task;
        let never_woken = flow.state == GoroutineState::Waiting && flow.time.wakes == 0 && is_task;
        let narrows = self.narrows;
        let allocated = self.allocated.take(flow.id.0);
        let group = self.group(flow);
        group.allocated.add(&allocated.unwrap_or_default());
        group.root = group.root.or(flow.root);
        group.count += 1;
        group.spawned += u64::from(flow.parent.is_some());
        group.ended += u64::from(!is_alive);
        group.alive += u64::from(is_alive);
        group.never_ran += u64::from(never_ran);
        group.never_woken += u64::from(never_woken);
        if !narrows {
            group.sums.add(&flow.time.sums);
        }
        let age = world.clip.between(flow.created, world.now);
        let waited = world.clip.between(flow.since, world.now);
        for (applies, top, key) in [
            (never_ran, &mut self.never_ran, age),
            (never_woken, &mut self.never_woken, waited),
            (is_alive, &mut self.alive, age),
        ] {
            if applies && top.wants(key) {
                top.push(key, instance(world, flow, allocated));
            }
        }
        if let Some(each) = &mut self.each {
            each.push(instance(world, flow, allocated));
        }
    }

    /// The flow's group, by its name. A flow without a name is asked for it each time.
    #[inline]
    fn group(&mut self, flow: &mut Flow<'_>) -> &mut Group {
        if flow.time.group == 0 {
            let group = self.group_of(flow.name, flow.kind);
            if flow.name == Text::EMPTY {
                return &mut self.groups[group];
            }
            flow.time.group = group as u32 + 1;
        }
        &mut self.groups[flow.time.group as usize - 1]
    }

    /// A task may have the name of a thread, and is another thing.
    fn group_of(&mut self, name: Text, kind: GoroutineKind) -> usize {
        let place = name.index() * GROUPS_OF_A_NAME + kind as usize;
        if self.group_of_name.len() <= place {
            self.group_of_name.resize(place + 1, 0);
        }
        if self.group_of_name[place] == 0 {
            self.groups.push(Group {
                name,
                kind,
                root: None,
                count: 0,
                spawned: 0,
                ended: 0,
                alive: 0,
                never_ran: 0,
                never_woken: 0,
                yields: 0,
                sums: Sums::default(),
                kernel: KernelSums::default(),
                allocated: Allocated::default(),
                runs: Histogram::default(),
                wake_delays: Histogram::default(),
                longest_runs: Top::new(self.limit),
            });
            self.group_of_name[place] = self.groups.len() as u32;
        }
        self.group_of_name[place] as usize - 1
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Tasks {
        let runs = |top: Top<RunRecord>| top.iter().map(|run| named(world, run)).collect();
        let narrows = self.narrows;
        let closed = |mut group: Group| {
            if narrows {
                group.sums.close_narrowed();
            }
            group.sums.kernel = group.kernel;
            group
        };
        let mut groups: Vec<TaskGroup> = self
            .groups
            .into_iter()
            .map(closed)
            .map(|group| TaskGroup {
                name: world.names().owned(group.name),
                kind: group.kind.into(),
                place: group.root.map(|root| world.names().place(&root)),
                count: group.count,
                spawned: group.spawned,
                ended: group.ended,
                alive: group.alive,
                never_ran: group.never_ran,
                never_woken: group.never_woken,
                is_of_go_runtime: world.is_of_go_runtime(world.names().get(group.name)),
                yields: group.yields,
                breakdown: group.sums.named(world),
                allocated: self.allocated.known(group.allocated),
                runs: group.runs,
                wake_delays: group.wake_delays,
                longest_runs: runs(group.longest_runs),
            })
            // Flows may get their names late: then nobody is left without one.
            .filter(|group| group.count > 0)
            .collect();
        groups.sort_by(|a, b| {
            // What is not known comes last.
            let (a_ns, b_ns) = (a.breakdown.running_ns, b.breakdown.running_ns);
            b_ns.cmp(&a_ns).then_with(|| a.name.cmp(&b.name))
        });
        let mut each = self.each.unwrap_or_default();
        each.sort_by_key(|task| task.id);
        Tasks {
            groups,
            longest_runs: runs(self.longest_runs),
            never_ran: self.never_ran.into_items(),
            never_woken: self.never_woken.into_items(),
            alive: self.alive.into_items(),
            each,
        }
    }
}

fn instance(world: &World<'_>, flow: &Flow<'_>, allocated: Option<Allocated>) -> TaskInstance {
    let is_alive = flow.state != GoroutineState::Unknown;
    let root = world.names().locations(flow.spawned_at).next();
    let stack = if flow.state == GoroutineState::Waiting {
        world.names().places(flow.stack)
    } else {
        Vec::new()
    };
    TaskInstance {
        id: flow.id.0,
        name: world.names().owned(flow.name),
        label: world.names().owned(flow.label),
        parent: flow
            .parent
            .map(|parent| parent.0)
            .filter(|&parent| parent != u64::MAX),
        spawned_at: root.map(|frame| world.names().place(frame)),
        begin_ns: world.since_begin(flow.created),
        first_run_ns: flow.started.map(|time| world.since_begin(time)),
        end_ns: if is_alive {
            None
        } else {
            flow.ended.map(|time| world.since_begin(time))
        },
        state: if is_alive { flow.state.name() } else { "ended" },
        state_since_ns: world.since_begin(flow.since),
        reason: world.names().owned(flow.reason),
        stack,
        runs: flow.time.runs,
        longest_run_ns: flow.time.longest_run,
        wakes: flow.time.wakes,
        breakdown: flow.time.sums.named(world),
        allocated,
    }
}

fn named(world: &World<'_>, run: &RunRecord) -> Run {
    let known = |id: u64| (id != u64::MAX).then_some(id);
    Run {
        task: run.task,
        name: world.names().owned(run.name),
        begin_ns: world.since_begin(run.begin),
        duration_ns: run.duration,
        worker: known(run.worker.0),
        thread: known(run.thread.0),
        user_task: (run.user_task != 0).then_some(run.user_task),
        next: match run.next {
            Next::State(state) => state.name(),
            Next::End => "ended",
            Next::TraceEnd => "trace_end",
        },
        reason: world.names().owned(run.end_reason),
        stack: world.names().places(run.end_stack),
    }
}
