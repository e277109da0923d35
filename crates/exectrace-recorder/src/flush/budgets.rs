//! The flush thread's side of the budgets: it counts what each source wrote, and sets the sources' levels.
//!
//! A source may save up the records of one second, so a burst goes through whole. A source that has used up what it
//! had is thinned at once, by as much as it is too fast; it is let go on again step by step, when it has
//! saved up a second's records while it wrote less than half of what it may.

use std::array::from_fn;

use crate::budget::{self, MAX_LEVEL, Source};
use crate::model::Model;
use crate::settings::Settings;

/// After a change of the level, so many passes still meet records from before it.
const SETTLING_PASSES: u32 = 3;

/// The meters of all sources.
#[derive(Debug)]
pub(super) struct Budgets {
    meters: [Meter; Source::ALL.len()],
    /// How many records had been left out when that was last said.
    reported: [u64; Source::ALL.len()],
    since_ns: u64,
}

impl Budgets {
    /// Nothing is thinned, nor is anything said of what was left out before.
    pub(super) fn starting_at(now_ns: u64) -> Self {
        let settings = Settings::in_force();
        for source in Source::ALL {
            budget::of(source).set_level(0);
        }
        Self {
            meters: Source::ALL.map(|source| Meter::new(settings.budget_of(source))),
            reported: Source::ALL.map(|source| budget::of(source).left_out()),
            since_ns: now_ns,
        }
    }

    /// Sets the levels by what the sources wrote since the last pass.
    pub(super) fn pass(&mut self, now_ns: u64, model: &mut Model) {
        let passed_ns = now_ns.saturating_sub(self.since_ns);
        self.since_ns = now_ns;
        let spent = model.take_spent();
        for (source, meter) in Source::ALL.into_iter().zip(&mut self.meters) {
            let level = meter.pass(passed_ns, spent[source as usize]);
            budget::of(source).set_level(level);
        }
    }

    /// Writes how many records were left out since this was last written.
    pub(super) fn report(&mut self, model: &mut Model) {
        let left_out: [u64; Source::ALL.len()] =
            from_fn(|place| budget::of(Source::ALL[place]).left_out());
        for (place, source) in Source::ALL.into_iter().enumerate() {
            model.thinned(source, left_out[place].wrapping_sub(self.reported[place]));
        }
        self.reported = left_out;
    }
}

/// What one source may write and has written.
#[derive(Debug)]
struct Meter {
    /// Records a second.
    budget: u64,
    /// Records that may be written now, at most those of a second.
    left: u64,
    level: u32,
    /// Passes to go until the level may change.
    settling: u32,
}

impl Meter {
    fn new(budget: u64) -> Self {
        Self {
            budget,
            left: budget,
            level: 0,
            settling: 0,
        }
    }

    /// The level from now on, where so many records were written in the time that passed.
    fn pass(&mut self, passed_ns: u64, spent: u64) -> u32 {
        let due = u128::from(self.budget) * u128::from(passed_ns) / 1_000_000_000;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        let may = self.left.saturating_add(due).min(self.budget.max(due));
        self.left = may.saturating_sub(spent).min(self.budget);
        if self.settling > 0 {
            self.settling -= 1;
            return self.level;
        }
        let before = self.level;
        if spent > may {
            // The least level at which this would have been in time.
            let times_as_fast = spent.div_ceil(due.max(1));
            let steps = (times_as_fast.max(2) - 1).ilog2() + 1;
            self.level = (self.level + steps).min(MAX_LEVEL);
        } else if self.level > 0 && may >= self.budget && spent <= due / 2 {
            self.level -= 1;
            self.left = self.budget / 2;
        }
        if self.level != before {
            self.settling = SETTLING_PASSES;
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS_NS: u64 = 100_000_000;

    /// Runs a source that has so many records a second for it, each written after a delay of a pass, over
    /// `passes`. Returns the level and how many were written.
    fn run(meter: &mut Meter, rate: u64, passes: u32) -> (u32, u64) {
        let (mut level, mut late, mut written) = (meter.level, 0, 0);
        for _ in 0..passes {
            let spent = std::mem::replace(&mut late, (rate / 10) >> level);
            level = meter.pass(PASS_NS, spent);
            written += spent;
        }
        (level, written)
    }

    #[test]
    fn a_source_within_its_budget_is_never_thinned() {
        let mut meter = Meter::new(1_000);
        assert_eq!(run(&mut meter, 1_000, 1_000).0, 0);
    }

    #[test]
    fn a_burst_of_a_second_s_records_goes_through() {
        let mut meter = Meter::new(1_000);
        assert_eq!(meter.pass(PASS_NS, 1_000), 0);
        assert_eq!(meter.pass(PASS_NS, 200), 1, "no time to save up any");
    }

    #[test]
    fn a_source_that_stays_too_fast_writes_its_budget_and_at_least_a_quarter_of_it() {
        for rate in [1_100, 5_000, 64_000, 1_000_000] {
            let mut meter = Meter::new(1_000);
            // The bursts until it is noticed are behind it then.
            run(&mut meter, rate, 100);
            let (_, written) = run(&mut meter, rate, 1_000);
            assert!((25_000..=105_000).contains(&written), "{rate}: {written}");
        }
    }

    #[test]
    fn a_source_that_slows_down_is_whole_again() {
        let mut meter = Meter::new(1_000);
        assert!(run(&mut meter, 1_000_000, 20).0 >= 9);
        assert_eq!(run(&mut meter, 100, 200).0, 0);
    }

    #[test]
    fn no_budget_time_or_count_is_too_large() {
        for budget in [0, 1, u64::MAX] {
            let mut meter = Meter::new(budget);
            for (passed, spent) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (0, 0)] {
                (0..10).for_each(|_| assert!(meter.pass(passed, spent) <= MAX_LEVEL));
            }
        }
    }
}
