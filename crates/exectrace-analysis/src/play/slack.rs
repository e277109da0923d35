//! How long async tasks were ready while shared workers slept.

use exectrace_format::ProcState;

use crate::options::Clip;
use crate::sums::add_ns;
use crate::workers::IdleWhileRunnable;

use super::stretch::between;

/// Shorter stretches do not count: a worker needs time to wake.
const SHORTEST_NS: u64 = 100_000;

/// A worker that sleeps on for so long beside a ready task was mostly woken, and got no CPU.
const LATE_NS: u64 = 5_000_000;

/// Counts ready tasks and sleeping workers.
#[derive(Debug, Default)]
pub(crate) struct Slack {
    pub(crate) result: IdleWhileRunnable,
    /// Stretches of 5 ms or more.
    pub(crate) late: u64,
    runnable: i64,
    idle: i64,
    /// Since when there are both.
    since: Option<i64>,
}

impl Slack {
    /// The number of ready tasks changes.
    #[inline]
    pub(crate) fn runnable(&mut self, change: i64, now: i64, begin: i64, clip: Clip) {
        self.runnable += change;
        self.settle(now, begin, clip);
    }

    /// A shared worker goes to sleep or wakes.
    pub(crate) fn worker(
        &mut self,
        was_idle: bool,
        to: ProcState,
        now: i64,
        begin: i64,
        clip: Clip,
    ) {
        self.idle += i64::from(to == ProcState::Idle) - i64::from(was_idle);
        self.settle(now, begin, clip);
    }

    #[inline]
    fn settle(&mut self, now: i64, begin: i64, clip: Clip) {
        let both = self.runnable > 0 && self.idle > 0;
        match self.since {
            None if both => self.since = Some(now),
            Some(since) if !both => {
                self.since = None;
                let duration = clip.between(since, now);
                if duration >= SHORTEST_NS {
                    self.result.count += 1;
                    self.late += u64::from(duration >= LATE_NS);
                    add_ns(&mut self.result.total_ns, duration);
                    if duration > self.result.longest_ns {
                        self.result.longest_ns = duration;
                        self.result.longest_begin_ns = between(begin, since);
                    }
                }
            }
            _ => {}
        }
    }

    /// The trace ends.
    pub(crate) fn finish(&mut self, now: i64, begin: i64, clip: Clip) {
        self.runnable = 0;
        self.settle(now, begin, clip);
    }
}
