//! What a span of time adds to the sums of its flow.

use exectrace_format::ProcId;
use exectrace_replay::{Clip, GoroutineState};

use crate::breakdown::{Sums, add};
use crate::sums::add_ns;

use super::flow::Flow;
use super::span::TimeSpan;

/// Charges the flow with the time that it spent in the state which it leaves.
#[inline]
pub(super) fn charge(flow: &mut Flow<'_>, span: &TimeSpan<'_>, clip: Clip) {
    let time = &mut *flow.time;
    match span.state {
        GoroutineState::Running => {
            if let Some(poll) = &span.poll {
                time.runs += 1;
                time.longest_run = time.longest_run.max(poll.inside);
            }
        }
        GoroutineState::Waiting if !span.waits_in_call => {
            time.wakes += u64::from(span.is_closed());
        }
        _ => {}
    }
    if !flow.goroutine.waits_forever() {
        time.sums.charge(span, clip);
    }
}

/// Charges the time since the generation began to a flow that is older, as if it had been in its first
/// known state: the rule of Go 1.27's `go tool trace`.
pub(super) fn charge_before(flow: &mut Flow<'_>, before: u64) {
    let (goroutine, sums) = (flow.goroutine, &mut flow.time.sums);
    match goroutine.state {
        _ if goroutine.is_own_code() => {}
        GoroutineState::Running => sums.running += before,
        GoroutineState::Runnable => sums.runnable += before,
        GoroutineState::Waiting => add(&mut sums.waiting, goroutine.reason, before),
        GoroutineState::Syscall if goroutine.proc == ProcId::NONE => {
            sums.syscall_blocked += before;
        }
        GoroutineState::Syscall => sums.syscall += before,
        GoroutineState::Unknown => {}
    }
}

impl Sums {
    /// Adds the span of time.
    #[inline]
    pub(crate) fn charge(&mut self, span: &TimeSpan<'_>, clip: Clip) {
        let duration = span.inside;
        match span.state {
            GoroutineState::Running => add_ns(&mut self.running, duration),
            GoroutineState::Runnable => {
                add_ns(&mut self.runnable, duration);
                self.wakes_seen += u64::from(span.is_wake_delay());
                self.wakes_concluded += u64::from(span.is_wake_concluded);
            }
            GoroutineState::Waiting => add(&mut self.waiting, span.reason, duration),
            GoroutineState::Syscall => {
                add_ns(&mut self.syscall, clip.between(span.begin, span.blocked));
                let blocked = clip.between(span.blocked, span.end);
                add_ns(&mut self.syscall_blocked, blocked);
            }
            GoroutineState::Unknown if span.is_own_code => add_ns(&mut self.own_code, duration),
            GoroutineState::Unknown => {}
        }
    }
}

/// Closes the sums of a flow that has ended, or will never run again.
pub(super) fn close(flow: &mut Flow<'_>, now: i64, clip: Clip) {
    if std::mem::replace(&mut flow.time.is_closed, true) {
        return;
    }
    let lifetime = clip.between(flow.goroutine.created, now);
    let time = &mut *flow.time;
    for (range, begin) in std::mem::take(&mut time.ranges) {
        add(&mut time.sums.ranges, range, clip.between(begin, now));
    }
    time.sums.kernel = time.kernel;
    time.sums.close(lifetime);
}
