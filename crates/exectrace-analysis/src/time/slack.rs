//! How long async tasks were ready while shared workers of their runtime slept.

use crate::sums::add_ns;
use crate::workers::IdleWhileRunnable;
use exectrace_replay::{Clip, between};

/// Shorter spans of time do not count: a worker needs time to wake.
const SHORTEST_NS: u64 = 100_000;

/// A worker that sleeps on for so long beside a ready task was mostly woken, and got no CPU.
const LATE_NS: u64 = 5_000_000;

/// Counts ready tasks and sleeping workers, by pool: a worker of one runtime runs no task of another.
#[derive(Debug, Default)]
pub(crate) struct Slack {
    pub(crate) result: IdleWhileRunnable,
    /// Spans of time of 5 ms or more.
    pub(crate) late: u64,
    pools: Vec<Pool>,
}

#[derive(Clone, Debug, Default)]
struct Pool {
    runnable: i64,
    idle: i64,
    /// Since when there are both.
    since: Option<i64>,
    /// How long tasks were ready until `ready_until`, all together.
    ready_ns: u64,
    ready_until: i64,
}

impl Pool {
    /// How long tasks were ready until now, all together.
    #[inline]
    fn ready_ns(&self, now: i64) -> u64 {
        let tasks = u64::try_from(self.runnable).unwrap_or(0);
        let more = between(self.ready_until, now).saturating_mul(tasks);
        self.ready_ns.saturating_add(more)
    }
}

impl Slack {
    /// The number of ready tasks changes.
    #[inline]
    pub(crate) fn runnable(&mut self, pool: u32, change: i64, now: i64, begin: i64, clip: Clip) {
        let counted = self.pool(pool);
        counted.ready_ns = counted.ready_ns(now);
        counted.ready_until = now;
        counted.runnable += change;
        self.settle(pool, now, begin, clip);
    }

    /// How long the tasks of a pool were ready until now, all together.
    pub(crate) fn ready_ns(&self, pool: u32, now: i64) -> u64 {
        let pool = self.pools.get(pool as usize);
        pool.map_or(0, |pool| pool.ready_ns(now))
    }

    /// The number of sleeping shared workers changes.
    pub(crate) fn worker(&mut self, pool: u32, change: i64, now: i64, begin: i64, clip: Clip) {
        self.pool(pool).idle += change;
        self.settle(pool, now, begin, clip);
    }

    #[inline]
    fn pool(&mut self, pool: u32) -> &mut Pool {
        let index = pool as usize;
        if self.pools.len() <= index {
            self.pools.resize(index + 1, Pool::default());
        }
        &mut self.pools[index]
    }

    #[inline]
    fn settle(&mut self, pool: u32, now: i64, begin: i64, clip: Clip) {
        let pool = self.pool(pool);
        let both = pool.runnable > 0 && pool.idle > 0;
        match pool.since {
            None if both => pool.since = Some(now),
            Some(since) if !both => {
                pool.since = None;
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
        for pool in 0..self.pools.len() as u32 {
            self.pool(pool).runnable = 0;
            self.settle(pool, now, begin, clip);
        }
    }
}
