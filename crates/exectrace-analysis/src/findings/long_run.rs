//! An async task did nothing that left a record for so long, without yielding, that others on its
//! worker had to wait.
//!
//! Looked at is the longest gap between two records of a run, not the run: the two say where it stood
//! still. Runs on a thread's own lane (the closures of a blocking pool, and roots beside a pool of
//! workers) may take as long as they like.

use exectrace_format::GoId;

use crate::names::{Frame, Names, Stack, Text};
use crate::play::{Did, Flow, Gap, Mark, Stretch, World};
use crate::sight::FlowKind;
use crate::top::Top;

use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown};

/// Gaps from here on are too long: twice what Go lets a goroutine run. Below it, a thread that waits for
/// a CPU on a full machine looks the same.
const LONG_NS: u64 = 20_000_000;

/// A long run may leave one worker asleep beside a ready task, which waits for the worker that runs. Where
/// workers came late for more than so many times as many runs, the machine had no CPU for its threads.
const MAX_LATE_PER_RUN: u64 = 2;

#[derive(Debug)]
pub(super) struct Watch {
    /// Why a run ended that says nothing of its length: Go took its worker, the end was lost, or the code
    /// had asked that its worker go on elsewhere.
    excused: [Text; 3],
    block_in_place: Text,
    count: u64,
    total: u64,
    worst: Top<LongRun>,
}

#[derive(Clone, Copy, Debug)]
struct LongRun {
    task: GoId,
    name: Text,
    root: Option<Frame>,
    lane: u64,
    begin: i64,
    duration: u64,
    gap: Gap,
}

impl Watch {
    pub(super) fn new(names: &mut Names) -> Self {
        let block_in_place = names.intern("block_in_place");
        Self {
            excused: [
                names.intern("preempted"),
                names.intern("end not seen"),
                block_in_place,
            ],
            block_in_place,
            count: 0,
            total: 0,
            worst: Top::new(MAX_EXEMPLARS),
        }
    }

    #[inline]
    pub(super) fn run_ends(&mut self, world: &World, flow: &Flow, run: &Stretch) {
        if run.duration() >= LONG_NS
            && let Some(gap) = flow.longest_gap.as_deref()
        {
            self.judge(world, flow, run, gap);
        }
    }

    #[cold]
    fn judge(&mut self, world: &World, flow: &Flow, run: &Stretch, gap: &Gap) {
        let hands_over = gap
            .region
            .is_some_and(|(name, _)| name == self.block_in_place);
        let is_long = gap.duration() >= LONG_NS
            && flow.kind == FlowKind::Task
            && world.facts.is_shared_lane(run.lane)
            && !hands_over
            && !self.excused.contains(&run.end_reason)
            // What Go's collector does is not the program's to change.
            && !world.facts.is_of_go_runtime(world.names.get(flow.name));
        if is_long {
            self.count += 1;
            self.total = self.total.saturating_add(gap.duration());
            let long = LongRun {
                task: flow.id,
                name: flow.name,
                root: flow.root,
                lane: run.lane,
                begin: run.begin,
                duration: run.duration(),
                gap: *gap,
            };
            self.worst.push(gap.duration(), long);
        }
    }

    pub(super) fn find(self, world: &World) -> Option<Finding> {
        let worst = self.worst.iter().next()?;
        let is_machine_full = world.slack.late > self.count * MAX_LATE_PER_RUN;
        let (severity, doubt) = match is_machine_full {
            true => (
                Severity::Info,
                ", unless it had no CPU: workers slept on beside ready tasks as well",
            ),
            false => (Severity::Warning, ""),
        };
        Some(Finding {
            id: "long_run",
            severity,
            message: format!(
                "{} without yielding, the longest by {} for {}{doubt}",
                plural(self.count, "long run"),
                world.names.get(worst.name),
                shown(worst.gap.duration())
            ),
            count: self.count,
            total_ns: self.total,
            exemplars: self.worst.iter().map(|long| long.exemplar(world)).collect(),
            rule: "A run of an async task on a shared worker with 20 ms or more between two of its \
                   records, its begin and end among them; Go's own tasks apart. No warning where a shared \
                   worker slept for 5 ms beside a ready task for more than twice as many times: then \
                   the machine was full, and a thread without a CPU looks the same.",
            help: "Look at what stands between the two: move it to a blocking thread, wait for it in \
                   its async form, or yield within it.",
        })
    }
}

impl LongRun {
    fn exemplar(&self, world: &World) -> Exemplar {
        let names = &world.names;
        let (before, after) = (told(names, &self.gap.before), told(names, &self.gap.after));
        Exemplar {
            what: format!(
                "{} recorded nothing for {} of a run of {}, from {before} to {after}",
                names.get(self.name),
                shown(self.gap.duration()),
                shown(self.duration)
            ),
            begin_ns: Some(world.since_begin(self.gap.before.time.max(self.begin))),
            duration_ns: Some(self.gap.duration()),
            async_task: Some(self.task.0),
            user_task: (self.gap.user_task != 0).then_some(self.gap.user_task),
            worker: Some(self.lane),
            place: self.place(world),
        }
    }

    /// Where it stood still, as closely as is known: in the innermost region, after the last record, or
    /// somewhere in the task. Where the run ended may be far from there.
    fn place(&self, world: &World) -> Option<crate::Place> {
        let region = self.gap.region.map_or(Stack::default(), |(_, stack)| stack);
        let of_region = world.place_of_program(region);
        let of_record = of_region.or_else(|| world.place_of_program(self.gap.before.stack));
        of_record.or_else(|| self.root.map(|root| world.names.place(&root)))
    }
}

fn told(names: &Names, mark: &Mark) -> String {
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
    }
}
