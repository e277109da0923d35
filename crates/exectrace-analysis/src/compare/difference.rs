//! Whether two distributions of durations differ by more than noise.
//!
//! The Mann-Whitney U test asks how often a duration of one is longer than one of the other. It
//! assumes nothing about the shape of the distributions, which here have long tails, and works on
//! counts in buckets: what shares a bucket is a tie. It decides on changes of the median. On changes
//! of p99, which it hardly sees, decides whether the share of durations beyond the p99 of both
//! together is the same (a test of two proportions). With many samples even changes that nobody
//! cares about are certain, so a change also has to be of some size.
//!
//! Durations of one trace are not independent of each other, so the chance is a lower bound.

use serde::Serialize;

use crate::Histogram;

/// A change is beyond noise if the chance to see it without a cause is less than this, over all
/// comparisons of a run together.
const SIGNIFICANCE: f64 = 0.01;
/// With fewer samples than this on a side the test's approximation by a normal distribution is no
/// good.
const MIN_SAMPLES: u64 = 8;

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Verdict {
    /// It got slower.
    Slower,
    /// It got faster.
    Faster,
    /// Its median and its p99 moved in opposite directions.
    Shifted,
    /// There is no change beyond noise that is large enough.
    Same,
    /// There are too few samples.
    TooFew,
}

/// How two distributions differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// What came of it.
    pub verdict: Verdict,
    /// The change of the median, as a share of what it was: 0.5 is half as long again.
    pub p50_change: f64,
    /// The change of p99.
    pub p99_change: f64,
    /// How likely it is that a duration after is longer than one before; 0.5 if nothing changed.
    pub longer: f64,
    /// How likely as much of a difference of the medians is without a cause, times the number of
    /// comparisons.
    pub chance: f64,
    /// The same of the longest hundredth.
    pub tail_chance: f64,
}

impl Difference {
    /// By which rows are ordered: the greatest change first.
    pub(super) fn weight(&self) -> f64 {
        self.p50_change.abs().max(self.p99_change.abs())
    }
}

/// Compares two distributions, one of so many `comparisons`; changes below the share `least` do not
/// matter.
pub(super) fn compare(
    before: &Histogram,
    after: &Histogram,
    comparisons: usize,
    least: f64,
) -> Difference {
    let change = |quantile| {
        let (old, new) = (before.quantile(quantile), after.quantile(quantile));
        (new as f64 - old as f64) / (old.max(1) as f64)
    };
    let (p50_change, p99_change) = (change(0.5), change(0.99));
    let (longer, z) = rank_test(before, after);
    // Two tests for each comparison.
    let corrected = |z| (two_sided(z) * 2.0 * comparisons.max(1) as f64).min(1.0);
    let (chance, tail_chance) = (corrected(z), corrected(tail_test(before, after)));
    let is_median = chance < SIGNIFICANCE;
    let is_tail = tail_chance < SIGNIFICANCE;
    let up = (is_median && p50_change >= least) || (is_tail && p99_change >= least);
    let down = (is_median && p50_change <= -least) || (is_tail && p99_change <= -least);
    let verdict = if before.count() < MIN_SAMPLES || after.count() < MIN_SAMPLES {
        Verdict::TooFew
    } else {
        match (up, down) {
            (true, true) => Verdict::Shifted,
            (true, false) => Verdict::Slower,
            // Few durations make p99, so a rise of it may well be chance; but it is no reason to call
            // the whole faster.
            (false, true) if p99_change >= least || p50_change >= least => Verdict::Shifted,
            (false, true) => Verdict::Faster,
            (false, false) => Verdict::Same,
        }
    };
    Difference {
        verdict,
        p50_change,
        p99_change,
        longer,
        chance,
        tail_chance,
    }
}

/// The share of pairs in which the duration after is the longer one, ties counted half, and how
/// many standard deviations that is from a half.
fn rank_test(before: &Histogram, after: &Histogram) -> (f64, f64) {
    let (old, new) = (before.count() as f64, after.count() as f64);
    if old == 0.0 || new == 0.0 {
        return (0.5, 0.0);
    }
    // Buckets of both, by their middle: exact values and buckets are the same to the test.
    let middle = |(low, high, count): (u64, u64, u64)| (low + (high - low) / 2, count);
    let old_buckets = before.buckets().into_iter().map(middle);
    let new_buckets = after.buckets().into_iter().map(middle);
    let mut counts: Vec<(u64, u64, u64)> = old_buckets
        .map(|(at, count)| (at, count, 0))
        .chain(new_buckets.map(|(at, count)| (at, 0, count)))
        .collect();
    counts.sort_unstable_by_key(|&(at, ..)| at);
    let (mut wins, mut ties, mut old_below) = (0.0, 0.0, 0.0);
    for tied in counts.chunk_by(|a, b| a.0 == b.0) {
        let old_here: f64 = tied.iter().map(|&(_, count, _)| count as f64).sum();
        let new_here: f64 = tied.iter().map(|&(_, _, count)| count as f64).sum();
        wins += new_here * (old_below + old_here / 2.0);
        let here = old_here + new_here;
        ties += here * (here * here - 1.0);
        old_below += old_here;
    }
    let all = old + new;
    let variance = old * new / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)).max(1.0));
    let z = match variance > 0.0 {
        true => (wins - old * new / 2.0) / variance.sqrt(),
        false => 0.0,
    };
    (wins / (old * new), z)
}

/// How many standard deviations the shares of durations in the longest hundredth of both together
/// are apart; 0 if these are too few to say.
fn tail_test(before: &Histogram, after: &Histogram) -> f64 {
    const MIN_LONG: u64 = 10;
    let mut both = before.clone();
    both.merge(after);
    let limit_ns = both.quantile(0.99);
    let beyond = |durations: &Histogram| -> u64 {
        let long = durations.buckets().into_iter();
        long.filter(|&(low, ..)| low >= limit_ns)
            .map(|(_, _, count)| count)
            .sum()
    };
    let (old_long, new_long) = (beyond(before), beyond(after));
    if old_long + new_long < MIN_LONG {
        return 0.0;
    }
    let (old, new) = (before.count() as f64, after.count() as f64);
    let share = (old_long + new_long) as f64 / (old + new);
    let deviation = (share * (1.0 - share) * (1.0 / old + 1.0 / new)).sqrt();
    match deviation > 0.0 {
        true => (new_long as f64 / new - old_long as f64 / old) / deviation,
        false => 0.0,
    }
}

/// How likely a normally distributed number is as far from 0 as `z`, on either side.
///
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: within 1.5e-7.
fn two_sided(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (polynomial * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn a_shift_of_everything_is_slower_and_the_reverse_faster() {
        let before = histogram((0..200).map(|i| 1_000 + i));
        let after = histogram((0..200).map(|i| 1_200 + i));
        let slower = compare(&before, &after, 10, 0.05);
        assert_eq!(slower.verdict, Verdict::Slower);
        assert!(slower.longer > 0.99 && slower.chance < 1e-6, "{slower:?}");
        assert_eq!(compare(&after, &before, 10, 0.05).verdict, Verdict::Faster);
    }

    #[test]
    fn the_same_again_is_no_change() {
        let before = histogram((0..500).map(|i| 1_000 + i * 7 % 311));
        let after = histogram((0..500).map(|i| 1_000 + i * 5 % 311));
        let same = compare(&before, &after, 1, 0.05);
        assert_eq!(same.verdict, Verdict::Same);
        assert!((0.4..0.6).contains(&same.longer), "{same:?}");
    }

    #[test]
    fn a_certain_change_that_is_too_small_does_not_matter() {
        let before = histogram((0..5_000).map(|i| 100_000 + i % 100));
        let after = histogram((0..5_000).map(|i| 102_000 + i % 100));
        let small = compare(&before, &after, 1, 0.05);
        assert!(small.chance < 1e-6, "{small:?}");
        assert_eq!(small.verdict, Verdict::Same);
        assert_eq!(compare(&before, &after, 1, 0.01).verdict, Verdict::Slower);
    }

    #[test]
    fn a_longer_tail_is_slower_though_the_median_is_the_same() {
        let tail = |long: u64| {
            histogram((0..2_000).map(move |i| if i % 50 == 0 { long } else { 1_000 + i % 97 }))
        };
        let slower = compare(&tail(5_000), &tail(50_000), 1, 0.05);
        assert_eq!(slower.p50_change, 0.0);
        assert!(slower.chance > 0.5, "{slower:?}");
        assert_eq!(slower.verdict, Verdict::Slower);
        let same = compare(&tail(5_000), &tail(5_000), 1, 0.05);
        assert_eq!(same.verdict, Verdict::Same, "{same:?}");
    }

    #[test]
    fn what_has_a_longer_tail_is_not_faster_though_its_median_is() {
        let before = histogram((0..200).map(|i| 1_000 + i));
        // One in forty is longer: p99 is, by half, which a test of so few cannot separate from chance.
        let after = histogram((0..200).map(|i| if i % 40 == 0 { 1_800 } else { 800 + i }));
        let shifted = compare(&before, &after, 10, 0.05);
        assert!(shifted.p50_change < -0.1 && shifted.p99_change > 0.4);
        assert!(
            shifted.chance < 1e-6 && shifted.tail_chance > 0.01,
            "{shifted:?}"
        );
        assert_eq!(shifted.verdict, Verdict::Shifted);
    }

    #[test]
    fn a_few_samples_tell_nothing() {
        let before = histogram([1, 2, 3]);
        let after = histogram([100, 200, 300]);
        assert_eq!(compare(&before, &after, 1, 0.05).verdict, Verdict::TooFew);
        let none = compare(&Histogram::default(), &after, 1, 0.05);
        assert_eq!(none.verdict, Verdict::TooFew);
    }

    #[test]
    fn many_comparisons_need_more_certainty() {
        let before = histogram((0..12).map(|i| 1_000 + i * 100));
        let after = histogram((0..12).map(|i| 1_800 + i * 100));
        assert_eq!(compare(&before, &after, 1, 0.05).verdict, Verdict::Slower);
        assert_eq!(compare(&before, &after, 1_000, 0.05).verdict, Verdict::Same);
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, chance) in [(0.0, 1.0), (1.96, 0.05), (2.576, 0.01), (3.291, 0.001)] {
            assert!((two_sided(z) - chance).abs() < 1e-4, "{z}");
        }
    }
}
