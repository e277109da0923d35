//! How far it is to the next allocation that is sampled.
//!
//! Each thread takes a sample after a number of bytes that is exponentially distributed. So each byte is as likely to
//! begin a sample as any other, whatever was allocated before, and an allocation of `size` bytes is sampled with the
//! probability 1 - e^(-size / interval), where `interval` is the mean. Readers weigh a sample with the reciprocal of that,
//! which makes sums of samples unbiased. Go's heap profile is taken and weighed so (`runtime/malloc.go`, `nextSample`;
//! `runtime/pprof/protomem.go`, `scaleHeapSample`), and jemalloc's (`src/prof.c`, `prof_sample_new_event_wait`).
//!
//! Where samples come faster than their budget, the mean of distances that are drawn from then on is doubled, and
//! doubled again. That is the same distribution, so nothing but the mean has to stand in a sample.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::budget::{self, Source};
use crate::clock;

/// The mean that the settings ask for, in bytes; 0: there are no samples.
static INTERVAL: AtomicU64 = AtomicU64::new(0);
/// What random numbers are made of.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// A thread's distance to its next sample.
#[derive(Debug)]
pub(crate) struct Distance {
    /// Bytes that are still to be allocated before it.
    left: Cell<i64>,
    /// The mean of the distribution that the distance was drawn from; 0 before the first one.
    interval: Cell<u64>,
}

impl Distance {
    pub(crate) const fn new() -> Self {
        Self {
            left: Cell::new(0),
            interval: Cell::new(0),
        }
    }

    /// So many bytes are allocated. Returns whether [`take`](Self::take) is to be asked.
    #[inline(always)]
    pub(super) fn passes(&self, bytes: usize) -> bool {
        let left = self.left.get().wrapping_sub(bytes as i64);
        self.left.set(left);
        left < 0
    }

    /// Draws the next distance, if this one has been passed by so many bytes that were allocated at once. Returns the
    /// mean if they are to be sampled.
    #[cold]
    pub(super) fn take(&self, bytes: usize) -> Option<u64> {
        if self.interval.get() == 0 {
            self.draw();
            if !self.passes(bytes) {
                return None;
            }
        }
        let interval = self.interval.get();
        self.draw();
        (interval != NEVER).then_some(interval)
    }

    fn draw(&self) {
        let interval = interval();
        self.interval.set(interval);
        self.left.set(match interval {
            NEVER => i64::MAX,
            // A distance that is no number of bytes ends in the byte that it reaches. Ends at the greatest number.
            interval => (exponential(random()) * interval as f64) as i64,
        });
    }
}

/// Stands for the mean where there are no samples.
const NEVER: u64 = u64::MAX;

/// Has samples taken for each so many bytes; 0: none. Before the first recording.
pub(crate) fn configure(interval_bytes: u64) {
    // Relaxed: the flag that something records, which comes later, orders it.
    INTERVAL.store(interval_bytes, Ordering::Relaxed);
    // So that a program's runs do not all sample the same.
    SEQUENCE.fetch_xor(clock::ticks(), Ordering::Relaxed);
}

/// The mean distance of samples that begin now, in bytes.
pub(super) fn interval() -> u64 {
    match INTERVAL.load(Ordering::Relaxed) {
        0 => NEVER,
        interval => interval.saturating_mul(1 << budget::of(Source::Heap).level()),
    }
}

/// The mean, if samples are taken.
pub(super) fn interval_bytes() -> Option<u64> {
    Some(interval()).filter(|&interval| interval != NEVER)
}

/// Whether samples are further apart than the settings ask for.
pub(super) fn is_thinned() -> bool {
    budget::of(Source::Heap).level() > 0
}

/// A random number: `SplitMix64` (Steele, Lea and Flood 2014), whose state may be shared as it only ever grows.
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut mixed = SEQUENCE.fetch_add(STEP, Ordering::Relaxed);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// An exponentially distributed number with the mean 1, of a random number.
fn exponential(random: u64) -> f64 {
    // In (0, 1], so that the logarithm is finite.
    let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_mean_and_the_spread_of_their_distribution() {
        const DRAWS: u32 = 100_000;
        let draws: Vec<f64> = (0..DRAWS).map(|_| exponential(random())).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(DRAWS);
        let squares = draws.iter().map(|draw| draw * draw);
        let square = squares.sum::<f64>() / f64::from(DRAWS);
        // The mean is 1 ± 0.003, the mean square 2 ± 0.014: seven times that.
        assert!((mean - 1.0).abs() < 0.022, "{mean}");
        assert!((square - 2.0).abs() < 0.1, "{square}");
    }

    #[test]
    fn every_random_number_gives_a_distance() {
        for random in [0, 1, 1 << 11, u64::MAX >> 1, u64::MAX] {
            let distance = exponential(random);
            assert!((0.0..37.0).contains(&distance), "{random}: {distance}");
        }
    }
}
