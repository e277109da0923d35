//! One wake sets many async tasks free at once, and they stand in line for the workers.
//!
//! For each worker the last burst is kept: wakes of tasks of one name that waited for the same
//! reason at the same stack, made by one task, each shortly after the one before. The time from
//! these wakes to the runs is added as it becomes known.

use exectrace_format::GoId;
use exectrace_replay::{Names, Stack, Text, between};

use crate::time::{TimeSpan, World};
use crate::top::Top;

use super::watch::{Wake, of_lane};
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown};

/// So many tasks make a herd: Tokio wakes up to 32 at a time.
const MIN_TASKS: u64 = 32;
/// Wakes that are further apart do not belong together.
const MAX_APART_NS: u64 = 10_000;
/// A herd is reported if one of it had to wait so long for a worker.
const MIN_DELAY_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct HerdWatch {
    lanes: Vec<LaneBursts>,
    count: u64,
    total: u64,
    worst: Top<Burst>,
}

impl Default for HerdWatch {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            count: 0,
            total: 0,
            worst: Top::new(MAX_EXEMPLARS),
        }
    }
}

#[derive(Debug, Default)]
struct LaneBursts {
    now: Burst,
    /// The last before that was a herd, some of which may not have run yet.
    herd: Burst,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    by: GoId,
    name: Text,
    reason: Text,
    stack: Stack,
    lane: u64,
    first: i64,
    last: i64,
    tasks: u64,
    /// The longest of them from the wake to the run.
    delay: u64,
}

impl Default for Burst {
    fn default() -> Self {
        Self {
            by: GoId::NONE,
            name: Text::EMPTY,
            reason: Text::EMPTY,
            stack: Stack::NONE,
            lane: u64::MAX,
            first: i64::MAX,
            last: i64::MIN,
            tasks: 0,
            delay: 0,
        }
    }
}

impl Burst {
    fn of(wake: &Wake<'_>) -> Self {
        Self {
            by: wake.by,
            name: wake.flow.name,
            reason: wake.wait.reason,
            stack: wake.wait.stack,
            first: wake.wait.end,
            last: wake.wait.end,
            tasks: 1,
            ..Self::default()
        }
    }

    fn takes(&self, wake: &Wake<'_>) -> bool {
        let Wake { flow, wait, .. } = wake;
        self.by == wake.by
            && (self.name, self.reason, self.stack) == (flow.name, wait.reason, wait.stack)
            && between(self.last, wait.end) <= MAX_APART_NS
    }

    fn has(&self, delay: &TimeSpan<'_>) -> bool {
        self.by == delay.actor && (self.first..=self.last).contains(&delay.begin)
    }

    fn is_herd(&self) -> bool {
        self.tasks >= MIN_TASKS
    }

    /// Whether it is Go's own doing.
    fn is_runtimes(&self, names: &Names) -> bool {
        let reason = names.get(self.reason);
        reason.starts_with("GC") || reason == "system goroutine wait"
    }
}

impl HerdWatch {
    #[inline]
    pub(super) fn woken(&mut self, world: &World<'_>, wake: &Wake<'_>) {
        let Some(lane) = wake.lane else {
            return;
        };
        let bursts = of_lane(&mut self.lanes, lane);
        let now = wake.wait.end;
        if bursts.now.takes(wake) {
            bursts.now.tasks += 1;
            bursts.now.last = now;
            return;
        }
        // Most bursts are of one task.
        if bursts.now.is_herd() {
            let before = std::mem::replace(&mut bursts.herd, bursts.now);
            bursts.now = Burst::of(wake);
            self.settle(world, before);
        } else {
            bursts.now = Burst::of(wake);
        }
    }

    /// A woken task runs, or the trace ends before.
    #[inline]
    pub(super) fn delay_ends(&mut self, world: &World<'_>, delay: &TimeSpan<'_>, lane: usize) {
        let LaneBursts { now, herd } = of_lane(&mut self.lanes, lane);
        for burst in [now, herd] {
            if burst.has(delay) {
                burst.lane = delay.proc.0;
                burst.delay = burst.delay.max(world.clip.between(delay.begin, delay.end));
                return;
            }
        }
    }

    fn settle(&mut self, world: &World<'_>, burst: Burst) {
        if burst.is_herd() && burst.delay >= MIN_DELAY_NS && !burst.is_runtimes(world.names()) {
            self.count += 1;
            self.total = self.total.saturating_add(burst.delay);
            self.worst.push(burst.delay, burst);
        }
    }

    pub(super) fn find(mut self, world: &World<'_>) -> Option<Finding> {
        for LaneBursts { now, herd } in std::mem::take(&mut self.lanes) {
            self.settle(world, herd);
            self.settle(world, now);
        }
        let exemplar = |burst: &Burst| Exemplar {
            what: format!(
                "task {} woke {} tasks of {}, the last ran {} later",
                burst.by.0,
                burst.tasks,
                world.names().get(burst.name),
                shown(burst.delay)
            ),
            begin_ns: Some(world.since_begin(burst.first)),
            duration_ns: Some(burst.delay),
            async_task: Some(burst.by.0),
            worker: Some(burst.lane),
            place: world.place_of_program(burst.stack),
            ..Exemplar::default()
        };
        let exemplars: Vec<Exemplar> = self.worst.iter().map(exemplar).collect();
        let worst = &exemplars.first()?.what;
        Some(Finding {
            id: "herd",
            severity: Severity::Info,
            message: format!(
                "{} of tasks set free by one wake: {worst}",
                plural(self.count, "herd")
            ),
            count: self.count,
            total_ns: self.total,
            exemplars,
            rule: "32 tasks or more of one name that waited at one place are woken by one task, \
                   10 µs apart at most, and one of them waits 1 ms or more for a worker.",
            help: "If one of them can do what is to be done, wake one (notify_one instead of \
                   notify_waiters); if all must run, let them do little.",
            basis: String::new(),
        })
    }
}
