//! What some rules must see while the trace is replayed: who wakes whom, when, and on which worker.
//!
//! The rules' own files say what they keep. Each event costs a few looks into arrays; only waits
//! for timers and locks, which are few, are looked up in maps.

use exectrace_format::{GoId, SideRecord};
use exectrace_replay::{GoroutineState, Index, Names};

use crate::time::{Flow, TimeSpan, World};

use super::{
    Finding, blocked_worker, blocking_call, convoy, growing, herd, late_timer, long_run,
    many_wakes, never_woken, queue, starving, throttled,
};

/// A wake, when it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wake<'a> {
    /// The task that is woken.
    pub(super) flow: &'a Flow<'a>,
    /// Its wait, which ends now.
    pub(super) wait: &'a TimeSpan<'a>,
    /// The task that wakes it.
    pub(super) by: GoId,
    /// The number of its lane among those that were seen, where it holds one.
    pub(super) lane: Option<usize>,
}

/// The rules that watch.
#[derive(Debug)]
pub(crate) struct WatchPass {
    lanes: Index,
    lanes_seen: u32,
    many_wakes: many_wakes::ManyWakesWatch,
    herd: herd::HerdWatch,
    convoy: convoy::ConvoyWatch,
    starving: starving::StarvingWatch,
    late_timer: late_timer::LateTimerWatch,
    long_run: long_run::LongRunWatch,
    blocked_worker: blocked_worker::BlockedWorkerWatch,
    blocking_call: blocking_call::BlockingCallWatch,
    queue: queue::QueueWatch,
    never_woken: never_woken::NeverWokenWatch,
    growing: growing::GrowingWatch,
    throttled: throttled::ThrottledWatch,
}

impl WatchPass {
    pub(crate) fn new(names: &mut Names) -> Self {
        Self {
            lanes: Index::default(),
            lanes_seen: 0,
            many_wakes: many_wakes::ManyWakesWatch::default(),
            herd: herd::HerdWatch::default(),
            convoy: convoy::ConvoyWatch::new(names),
            starving: starving::StarvingWatch::default(),
            late_timer: late_timer::LateTimerWatch::new(names),
            long_run: long_run::LongRunWatch::new(names),
            blocked_worker: blocked_worker::BlockedWorkerWatch::default(),
            blocking_call: blocking_call::BlockingCallWatch::new(names),
            queue: queue::QueueWatch::new(names),
            never_woken: never_woken::NeverWokenWatch::default(),
            growing: growing::GrowingWatch::default(),
            throttled: throttled::ThrottledWatch::default(),
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        match span.state {
            GoroutineState::Running if span.poll.is_some() => {
                self.long_run.run_ends(world, flow, span);
                self.blocked_worker.run_ends(world, flow, span);
                self.throttled.run_ends(world, flow, span);
                if let Some(lane) = self.lane(span.proc.0) {
                    self.many_wakes.run_ends(flow, span, lane);
                }
            }
            GoroutineState::Runnable if span.is_wake_delay() => {
                self.throttled.delay_ends(world, flow, span);
                if span.actor != GoId::NONE
                    && let Some(lane) = self.lane(span.proc.0)
                {
                    self.herd.delay_ends(world, span, lane);
                }
            }
            _ if span.whole().is_in_call() => {
                self.blocking_call.call_ends(world, flow, span);
                self.blocked_worker.call_ends(world, flow, span);
            }
            _ => {}
        }
    }

    /// A task stops to wait and is ready to run.
    #[inline]
    pub(crate) fn woken(&mut self, world: &World<'_>, flow: &Flow<'_>, wait: &TimeSpan<'_>) {
        let wake = Wake {
            flow,
            wait,
            by: world.state.goroutine(),
            lane: self.lane(world.state.current_proc().0),
        };
        self.late_timer.woken(&wake);
        self.queue.woken(&wake);
        if wake.by != GoId::NONE {
            self.many_wakes.woken(&wake);
            self.herd.woken(world, &wake);
            self.convoy.woken(&wake);
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        self.throttled.side_record(world, record);
    }

    pub(crate) fn flow_ends(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        self.many_wakes.flow_ends(world, flow);
        self.convoy.flow_ends(flow);
        self.starving.flow_ends(world, flow);
        self.never_woken.flow_ends(world, flow);
        self.growing.flow_ends(world, flow);
    }

    #[inline]
    fn lane(&mut self, id: u64) -> Option<usize> {
        if id == u64::MAX {
            return None;
        }
        let known = self.lanes.get(id);
        let lane = known.unwrap_or_else(|| {
            self.lanes.insert(id, self.lanes_seen);
            self.lanes_seen += 1;
            self.lanes_seen - 1
        });
        Some(lane as usize)
    }

    /// What was found.
    pub(crate) fn finish(self, world: &World<'_>) -> Vec<Finding> {
        let found = [
            self.many_wakes.find(world),
            self.herd.find(world),
            self.convoy.find(world),
            self.starving.find(world),
            self.late_timer.find(world),
            self.long_run.find(world),
            self.blocked_worker.find(world, &self.blocking_call),
            self.blocking_call.find(world),
            self.queue.find(world),
            self.never_woken.find(world),
            self.growing.find(world),
            self.throttled.find(world),
        ];
        found.into_iter().flatten().collect()
    }
}

/// What is kept for a lane; made where it is not there yet.
#[inline]
pub(super) fn of_lane<T: Default>(all: &mut Vec<T>, lane: usize) -> &mut T {
    if all.len() <= lane {
        all.resize_with(lane + 1, T::default);
    }
    &mut all[lane]
}
