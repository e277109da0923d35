//! What a stretch adds to the sums of its flow.

use crate::breakdown::{Sums, add};
use crate::names::{Stack, Text};
use crate::options::Clip;
use crate::sums::add_ns;

use super::flow::Flow;
use super::stretch::{Next, State, Stretch};

/// The stretch that ends now.
#[inline]
pub(super) fn ended(
    flow: &Flow,
    time: i64,
    next: Next,
    (end_reason, end_stack): (Text, Stack),
    clip: Clip,
) -> Stretch {
    let is_own_code = flow.has_thread();
    Stretch {
        state: if is_own_code {
            State::Unknown
        } else {
            flow.state
        },
        begin: flow.since,
        end: time,
        inside: clip.between(flow.since, time),
        blocked: flow.lane_lost.unwrap_or(time),
        origin: flow.origin,
        next,
        reason: flow.reason,
        stack: flow.stack,
        actor: flow.actor,
        end_reason,
        end_stack,
        lane: flow.lane,
        thread: flow.thread,
        is_own_code,
        is_wake_concluded: flow.is_wake_concluded,
    }
}

/// Charges the stretch to the flow's sums.
#[inline]
pub(super) fn leave(flow: &mut Flow, stretch: &Stretch, clip: Clip) {
    match stretch.state {
        State::Running => {
            flow.runs += 1;
            flow.longest_run = flow.longest_run.max(stretch.inside);
        }
        State::Waiting => flow.wakes += u64::from(stretch.is_closed()),
        _ => {}
    }
    if !flow.waits_forever() {
        flow.sums.charge(stretch, clip);
    }
}

impl Sums {
    /// Adds the stretch.
    #[inline]
    pub(crate) fn charge(&mut self, stretch: &Stretch, clip: Clip) {
        let duration = stretch.inside;
        match stretch.state {
            State::Running => add_ns(&mut self.running, duration),
            State::Runnable => {
                add_ns(&mut self.runnable, duration);
                self.wakes_seen += u64::from(stretch.is_wake_delay());
                self.wakes_concluded += u64::from(stretch.is_wake_concluded);
            }
            State::Waiting => add(&mut self.waiting, stretch.reason, duration),
            State::Syscall => {
                add_ns(
                    &mut self.syscall,
                    clip.between(stretch.begin, stretch.blocked),
                );
                let blocked = clip.between(stretch.blocked, stretch.end);
                add_ns(&mut self.syscall_blocked, blocked);
            }
            State::Unknown if stretch.is_own_code => add_ns(&mut self.own_code, duration),
            State::Unknown => {}
        }
    }
}

/// Ends the flow's open ranges of garbage collection.
pub(super) fn close_ranges(flow: &mut Flow, now: i64, clip: Clip) {
    for (range, begin) in std::mem::take(&mut flow.ranges) {
        add(&mut flow.sums.ranges, range, clip.between(begin, now));
    }
}
