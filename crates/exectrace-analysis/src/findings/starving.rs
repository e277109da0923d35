//! A few async tasks take the workers' time, and the others hardly get to run.
//!
//! When a task ends, or the trace, it is known how long it ran and how long it was ready. The tasks
//! that ran the longest, one for each shared worker at most, are compared with all others.

use exectrace_format::GoId;
use exectrace_replay::{Location, Text};

use crate::names::Places;
use crate::time::{Flow, World};
use crate::top::Top;

use super::machine::Machine;
use super::{Exemplar, Finding, plural, shown, sum};

/// The few ran for so much of the time in which tasks ran, in a hundred ...
const MIN_PERCENT: u64 = 80;
/// ... and of the time of as many workers, in a hundred.
const MIN_BUSY_PERCENT: u64 = 50;
/// The others were ready for so many times as long as they ran ...
const TIMES_RUN: u64 = 10;
/// ... which is this share of the trace or more: a tenth.
const SHARE: u64 = 10;
/// Each of the few ran for this share of what the first of them ran: a tenth.
const SHARE_OF_FIRST: u64 = 10;
/// At most so many are the few.
const MAX_FEW: usize = 16;

#[derive(Debug)]
pub(super) struct StarvingWatch {
    tasks: u64,
    running: u64,
    runnable: u64,
    longest: Top<Taker>,
}

#[derive(Clone, Copy, Debug)]
struct Taker {
    task: GoId,
    name: Text,
    root: Option<Location>,
    running: u64,
    runnable: u64,
    begin: i64,
    lane: u64,
}

impl Default for StarvingWatch {
    fn default() -> Self {
        Self {
            tasks: 0,
            running: 0,
            runnable: 0,
            longest: Top::new(MAX_FEW),
        }
    }
}

impl StarvingWatch {
    pub(super) fn flow_ends(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        // One that never ran may be starved; a thread of its own cannot be.
        if !world.is_shared_lane(flow.time.last_lane) {
            return;
        }
        self.tasks += 1;
        self.running = self.running.saturating_add(flow.time.sums.running);
        self.runnable = self.runnable.saturating_add(flow.time.sums.runnable);
        if self.longest.wants(flow.time.sums.running) {
            let taker = Taker {
                task: flow.id,
                name: flow.name,
                root: flow.root,
                running: flow.time.sums.running,
                runnable: flow.time.sums.runnable,
                begin: flow.created,
                lane: flow.time.last_lane,
            };
            self.longest.push(flow.time.sums.running, taker);
        }
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let lanes = &world.lanes.all;
        let workers = lanes.iter().filter(|lane| world.is_shared_lane(lane.id));
        let few = self.longest.iter().take(workers.count().min(MAX_FEW));
        let first = self.longest.iter().next().map_or(0, |taker| taker.running);
        let few: Vec<&Taker> = few
            .filter(|taker| taker.running >= first / SHARE_OF_FIRST)
            .collect();
        let count = few.len() as u64;
        let ran = sum(few.iter().map(|taker| taker.running));
        let ready = sum(few.iter().map(|taker| taker.runnable));
        let length = world.clip.between(world.begin, world.now);
        let others = self.tasks - count;
        let others_ran = self.running.saturating_sub(ran);
        let others_ready = self.runnable.saturating_sub(ready);
        let percent = |part: u64, whole: u64| u128::from(part) * 100 / u128::from(whole.max(1));
        let is_starving = others > count
            && percent(ran, self.running) >= u128::from(MIN_PERCENT)
            && percent(ran, length.saturating_mul(count)) >= u128::from(MIN_BUSY_PERCENT)
            && others_ready >= others_ran.saturating_mul(TIMES_RUN)
            && others_ready >= length / SHARE;
        if !is_starving {
            return None;
        }
        let exemplar = |taker: &&Taker| Exemplar {
            what: format!(
                "{} ran for {}",
                world.names().get(taker.name),
                shown(taker.running)
            ),
            begin_ns: Some(world.since_begin(taker.begin)),
            duration_ns: Some(taker.running),
            async_task: Some(taker.task.0),
            worker: Some(taker.lane),
            place: taker.root.map(|root| world.names().place(&root)),
            ..Exemplar::default()
        };
        let machine = Machine::of_world(world);
        Some(Finding {
            id: "starving",
            severity: machine.warning(),
            message: format!(
                "{} took {} % of the workers' running time, such as {}; {others} others ran for {} \
                 and were ready for {} in all{}",
                plural(count, "task"),
                percent(ran, self.running),
                few.first()
                    .map_or("", |taker| world.names().get(taker.name)),
                shown(others_ran),
                shown(others_ready),
                machine.doubt()
            ),
            count: others,
            total_ns: others_ready,
            exemplars: few.iter().map(exemplar).collect(),
            rule: "As many tasks as there are shared workers at most (and 16) ran for four fifths of \
                   all running time, and half of the trace; the others, which are more, were ready \
                   ten times as long as they ran, a tenth of the trace or more in all. No warning where the \
                   machine was full.",
            help: "Let these tasks yield, or run them on threads or a runtime of their own.",
            basis: machine.basis(),
        })
    }
}
