//! An async task did nothing that left a record for so long, without yielding, that others on its
//! worker had to wait.
//!
//! Looked at is the longest gap between two records of a run, not the run: the two say where it stood
//! still. A call is no gap: where it took long, `blocking_call` has it. How much of it the thread waited for a processor is bounded by the samples of what the system counts:
//! a gap that such a wait may account for is no stall of the program's. Runs on a thread's own lane (the closures of a blocking pool, and roots beside a pool of
//! workers) may take as long as they like.

use exectrace_format::GoId;
use exectrace_format::conventions::{BLOCK_IN_PLACE, END_NOT_SEEN, PREEMPTED, WORKER_MOVED};
use exectrace_replay::{GoroutineKind, Location, Names, Stack, Text};

use crate::names::Place;
use crate::time::{Did, Flow, Gap, Mark, Poll, ThreadTime, TimeSpan, World};
use crate::top::Top;

use super::machine::{Machine, NOT_RECORDED, ProcessorWaits};
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown};

/// Gaps from here on are too long: twice what Go lets a goroutine run.
const LONG_NS: u64 = 20_000_000;

/// Where it is not known what threads waited for, a long run may leave one worker asleep beside a ready task, which waits for the worker that runs. Where
/// workers came late for more than so many times as many runs, the machine had no CPU for its threads.
const MAX_LATE_PER_RUN: u64 = 2;

/// A part of a gap, one in so many, for which the thread may have waited for a processor, is enough to
/// excuse it.
const EXCUSED_PART: u64 = 2;

#[derive(Debug)]
pub(super) struct LongRunWatch {
    /// Why a run ended that says nothing of its length: Go took its worker, the end was lost, or the code
    /// had asked that its worker go on elsewhere.
    excused: [Text; 4],
    block_in_place: Text,
    stalls: Cases,
    /// Of the stalls, those of whose thread it is not known whether it waited for a processor.
    unsampled: u64,
    /// Gaps that a wait for a processor may account for.
    waits: Cases,
    /// How much of a thread's waiting accounts for gaps already, since which sample.
    accounted: ProcessorWaits,
}

/// Gaps of one kind.
#[derive(Debug)]
struct Cases {
    count: u64,
    total: u64,
    worst: Top<LongRun>,
}

#[derive(Clone, Copy, Debug)]
struct LongRun {
    task: GoId,
    name: Text,
    root: Option<Location>,
    lane: u64,
    begin: i64,
    duration: u64,
    gap: Gap,
    /// What the thread did between the samples around the gap.
    around: Option<ThreadTime>,
}

impl Cases {
    fn new() -> Self {
        Self {
            count: 0,
            total: 0,
            worst: Top::new(MAX_EXEMPLARS),
        }
    }

    fn add(&mut self, long: LongRun) {
        self.count += 1;
        self.total = self.total.saturating_add(long.gap.duration());
        self.worst.push(long.gap.duration(), long);
    }
}

impl LongRunWatch {
    pub(super) fn new(names: &mut Names) -> Self {
        let block_in_place = names.intern(BLOCK_IN_PLACE);
        Self {
            excused: [
                names.intern(PREEMPTED),
                names.intern(END_NOT_SEEN),
                names.intern(WORKER_MOVED),
                block_in_place,
            ],
            block_in_place,
            stalls: Cases::new(),
            unsampled: 0,
            waits: Cases::new(),
            accounted: ProcessorWaits::default(),
        }
    }

    #[inline]
    pub(super) fn run_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, run: &TimeSpan<'_>) {
        if let Some(poll) = &run.poll
            && poll.duration >= LONG_NS
            && let Some(gap) = flow.time.longest_gap.as_deref()
        {
            self.judge(world, flow, (run, poll), gap);
        }
    }

    #[cold]
    fn judge(
        &mut self,
        world: &World<'_>,
        flow: &Flow<'_>,
        (run, poll): (&TimeSpan<'_>, &Poll),
        gap: &Gap,
    ) {
        let hands_over = gap
            .region
            .is_some_and(|(name, _)| name == self.block_in_place);
        let is_long = gap.duration() >= LONG_NS
            && flow.kind == GoroutineKind::Task
            && world.is_shared_lane(run.proc.0)
            && !hands_over
            && !self.excused.contains(&run.end_reason)
            // What Go's collector does is not the program's to change.
            && !world.is_of_go_runtime(world.names().get(flow.name));
        if !is_long {
            return;
        }
        let processors = &world.facts.processors;
        let around = processors.around(run.thread.0, gap.before.time, gap.after.time);
        let long = LongRun {
            task: flow.id,
            name: flow.name,
            root: flow.root,
            lane: run.proc.0,
            begin: poll.begin,
            duration: poll.duration,
            gap: *gap,
            around: around.map(|(_, time)| time),
        };
        let is_wait = around.is_some_and(|(since, time)| {
            let part = gap.duration() / EXCUSED_PART;
            self.accounted.account_for(run.thread.0, since, time, part)
        });
        match is_wait {
            true => self.waits.add(long),
            false => {
                self.unsampled += u64::from(around.is_none());
                self.stalls.add(long);
            }
        }
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let is_stall = self.stalls.count > 0;
        let cases = if is_stall { &self.stalls } else { &self.waits };
        let worst = cases.worst.iter().next()?;
        let machine = Machine::of_world(world);
        let is_late = machine.is_full()
            || world.slack.late > self.stalls.count.saturating_mul(MAX_LATE_PER_RUN);
        let are_unsampled = self.unsampled == self.stalls.count;
        let (severity, doubt) = match (is_stall, are_unsampled && is_late) {
            (false, _) => (
                Severity::Info,
                ", in which its thread may have waited for a processor".to_owned(),
            ),
            (true, true) => (
                Severity::Info,
                match machine.is_full() {
                    true => ", unless its thread had no processor: the machine was full",
                    false => ", unless it had no CPU: workers slept on beside ready tasks as well",
                }
                .to_owned(),
            ),
            (true, false) if self.waits.count > 0 => (
                Severity::Warning,
                format!(
                    "; {} more, in which the thread may have waited for a processor, left out",
                    self.waits.count
                ),
            ),
            (true, false) => (Severity::Warning, String::new()),
        };
        let basis = match (machine, self.unsampled) {
            (Machine::NotRecorded, _) => NOT_RECORDED.to_owned(),
            (_, 0) => machine.basis(),
            (_, unsampled) => format!(
                "{}; of {} it is not known what their threads waited for",
                machine.basis(),
                plural(unsampled, "run")
            ),
        };
        Some(Finding {
            id: "long_run",
            severity,
            message: format!(
                "{} without yielding, the longest by {} for {}{doubt}",
                plural(cases.count, "long run"),
                world.names().get(worst.name),
                shown(worst.gap.duration())
            ),
            count: cases.count,
            total_ns: cases.total,
            exemplars: cases
                .worst
                .iter()
                .map(|long| long.exemplar(world))
                .collect(),
            rule: "A run of an async task on a shared worker with 20 ms or more between two of its \
                   records, its begin and end among them; Go's own tasks apart. It is no stall where its \
                   thread, by the samples around it, may have waited for a processor for half of that. \
                   Where threads were not sampled then, no warning if the machine was full, or if a shared \
                   worker slept for 5 ms beside a ready task for more than twice as many times: a thread \
                   without a CPU looks the same.",
            help: "Look at what stands between the two: move it to a blocking thread, wait for it in \
                   its async form, or yield within it.",
            basis,
        })
    }
}

impl LongRun {
    fn exemplar(&self, world: &World<'_>) -> Exemplar {
        let names = &world.names();
        let (before, after) = (
            in_words(names, &self.gap.before),
            in_words(names, &self.gap.after),
        );
        let (place, spawned_at) = self.place(world);
        Exemplar {
            what: format!(
                "{} recorded nothing for {} of a run of {}, from {before} to {after}{}",
                names.get(self.name),
                shown(self.gap.duration()),
                shown(self.duration),
                self.split()
            ),
            begin_ns: Some(world.since_begin(self.gap.before.time.max(self.begin))),
            duration_ns: Some(self.gap.duration()),
            async_task: Some(self.task.0),
            user_task: (self.gap.user_task != 0).then_some(self.gap.user_task),
            worker: Some(self.lane),
            place,
            spawned_at,
            thread_time: self.around,
        }
    }

    /// How the gap divides into what its thread did, as far as the samples around it say.
    fn split(&self) -> String {
        let Some(around) = self.around else {
            return String::new();
        };
        let length = self.gap.duration();
        let most = |part: u64| part.min(length);
        let (cpu, wait, blocked) = (
            most(around.cpu_ns),
            most(around.wait_ns),
            most(around.blocked_ns),
        );
        let range = |part: u64, others: u64| match length.saturating_sub(others) {
            0 => format!("{} at most", shown(part)),
            least if part.saturating_sub(least) < part / 10 => format!("about {}", shown(part)),
            least => format!("{} to {}", shown(least), shown(part)),
        };
        format!(
            "; of that its thread was on a processor for {}, waited for one for {} and was blocked for {}",
            range(cpu, wait.saturating_add(blocked)),
            range(wait, cpu.saturating_add(blocked)),
            range(blocked, cpu.saturating_add(wait))
        )
    }

    /// Where it stood still, as closely as is known: in the innermost region, or after the last record; else
    /// where the task was spawned. Where the run ended may be far from there.
    fn place(&self, world: &World<'_>) -> (Option<Place>, Option<Place>) {
        let region = self.gap.region.map_or(Stack::NONE, |(_, stack)| stack);
        match world.place_of_program(region) {
            Some(place) => (Some(place), None),
            None => world.place_in_task(self.gap.before.stack, self.root),
        }
    }
}

fn in_words(names: &Names, mark: &Mark) -> String {
    match mark.did {
        Did::Begin => "its begin".to_owned(),
        Did::End => "its end".to_owned(),
        Did::RegionBegin(name) => format!("the begin of {}", names.get(name)),
        Did::RegionEnd(name) => format!("the end of {}", names.get(name)),
        Did::TaskBegin(name) => format!("the begin of user task {}", names.get(name)),
        Did::TaskEnd(name) => format!("the end of user task {}", names.get(name)),
        Did::Log => "a log".to_owned(),
        Did::Wake => "a wake of another task".to_owned(),
        Did::Spawn => "a spawn".to_owned(),
        Did::Call(call) => format!("the begin of {}", names.get(call)),
        Did::CallEnd(call) => format!("the end of {}", names.get(call)),
    }
}
