//! Sums of times, which end at the greatest number.
//!
//! Nothing forbids a trace in which each of many tasks waits for 292 years. What adds up to more than
//! 584 years, the most nanoseconds that 64 bits hold, counts as that.

/// Adds a time to a sum of times.
#[inline]
pub(crate) fn add_ns(sum: &mut u64, duration_ns: u64) {
    *sum = sum.saturating_add(duration_ns);
}

/// Sums of times.
pub(crate) trait SumNs: Iterator<Item = u64> + Sized {
    /// The sum, or the greatest number if it is less.
    fn sum_ns(self) -> u64 {
        self.fold(0, u64::saturating_add)
    }
}

impl<I: Iterator<Item = u64>> SumNs for I {}
