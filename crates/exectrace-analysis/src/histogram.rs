//! How durations are distributed: exact while they are few, within 0.8 % when they are many.
//!
//! The first [`EXACT_VALUES`] values are kept as they are. Beyond that they are counted in buckets:
//! values below 128 in one each, above that 128 buckets to each power of two. A block of 128
//! buckets is only made when a value falls in it, so a distribution takes a kilobyte for each power
//! of two that it spans.

use serde::{Serialize, Serializer};

/// So many values are kept exactly.
pub const EXACT_VALUES: usize = 64;

/// Buckets to a power of two, as an exponent of two.
const STEP_BITS: u32 = 7;
const STEPS: usize = 1 << STEP_BITS;

/// A distribution of durations in nanoseconds.
///
/// Serialised, it is its key figures: `count`, `total_ns`, `mean_ns`, `min_ns`, `p50_ns`, `p90_ns`,
/// `p99_ns`, `p999_ns`, `max_ns`; of no values all but the first two are null.
///
/// ```
/// use exectrace_analysis::Histogram;
///
/// let mut latencies = Histogram::default();
/// (1..=1_000).for_each(|microseconds| latencies.record(microseconds * 1_000));
/// assert_eq!((latencies.count(), latencies.max_ns()), (1_000, 1_000_000));
/// let p99 = latencies.quantile(0.99);
/// assert!((990_000..998_000).contains(&p99), "exact within 0.8 %: {p99}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    count: u64,
    total: u64,
    max: u64,
    min: u64,
    values: Values,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Few(Vec<u64>),
    /// By block: the values below [`STEPS`], then one block for each power of two.
    Many(Vec<Option<Box<[u64; STEPS]>>>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Histogram {
    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value_ns: u64) {
        // With no values yet, 0 is no minimum.
        let min = if self.count == 0 { u64::MAX } else { self.min };
        self.min = min.min(value_ns);
        self.max = self.max.max(value_ns);
        self.count += 1;
        self.total = self.total.saturating_add(value_ns);
        // Nearly all values fall into a block that is there.
        if let Values::Many(blocks) = &mut self.values {
            let (block, step) = place(value_ns);
            if let Some(Some(steps)) = blocks.get_mut(block) {
                steps[step] += 1;
                return;
            }
        }
        self.record_seldom(value_ns);
    }

    #[cold]
    fn record_seldom(&mut self, value: u64) {
        match &mut self.values {
            Values::Few(values) if values.len() < EXACT_VALUES => values.push(value),
            _ => self.many(value, 1),
        }
    }

    /// Adds all values of another distribution.
    pub fn merge(&mut self, other: &Self) {
        match &other.values {
            Values::Few(values) => values.iter().for_each(|&value| self.record(value)),
            Values::Many(blocks) => {
                if other.count == 0 {
                    return;
                }
                let (min, total) = (self.min, self.total);
                self.min = if self.count == 0 {
                    other.min
                } else {
                    min.min(other.min)
                };
                self.max = self.max.max(other.max);
                self.count += other.count;
                self.total = total.saturating_add(other.total);
                for (low, _, count) in filled(blocks) {
                    self.many(low, count);
                }
            }
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn total_ns(&self) -> u64 {
        self.total
    }

    /// Their mean; 0 without values.
    pub fn mean_ns(&self) -> u64 {
        self.total.checked_div(self.count).unwrap_or(0)
    }

    /// The least value; 0 without values.
    pub fn min_ns(&self) -> u64 {
        self.min
    }

    /// The greatest value; 0 without values.
    pub fn max_ns(&self) -> u64 {
        self.max
    }

    /// The least recorded value that at least the share `q` of all values does not exceed; 0
    /// without values. `q` is taken to lie in 0 to 1.
    ///
    /// Never below the true value, and above it by 0.8 % at most.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank =
            ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        match &self.values {
            Values::Few(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable();
                usize::try_from(rank - 1)
                    .ok()
                    .and_then(|index| sorted.get(index).copied())
                    .unwrap_or(0)
            }
            Values::Many(blocks) => {
                let mut seen = 0;
                filled(blocks)
                    .find(|&(_, _, count)| {
                        seen += count;
                        seen >= rank
                    })
                    .map_or(self.max, |(_, high, _)| high.clamp(self.min, self.max))
            }
        }
    }

    /// The buckets with values in them: least value, greatest value, how many. Rising.
    pub fn buckets(&self) -> Vec<(u64, u64, u64)> {
        match &self.values {
            Values::Many(blocks) => filled(blocks).collect(),
            Values::Few(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable();
                let mut buckets: Vec<(u64, u64, u64)> = Vec::new();
                for value in sorted {
                    match buckets.last_mut() {
                        Some(last) if last.0 == value => last.2 += 1,
                        _ => buckets.push((value, value, 1)),
                    }
                }
                buckets
            }
        }
    }

    /// Counts in buckets, which are made of the exact values if there are none yet.
    fn many(&mut self, value: u64, count: u64) {
        if let Values::Few(values) = &mut self.values {
            let values = std::mem::take(values);
            self.values = Values::Many(Vec::new());
            values.into_iter().for_each(|value| self.many(value, 1));
        }
        if let Values::Many(blocks) = &mut self.values {
            let (block, step) = place(value);
            if blocks.len() <= block {
                blocks.resize(block + 1, None);
            }
            blocks[block].get_or_insert_with(|| Box::new([0; STEPS]))[step] += count;
        }
    }
}

/// The block and the step in it where a value is counted.
#[inline]
fn place(value: u64) -> (usize, usize) {
    let block = (u64::BITS - value.leading_zeros()).saturating_sub(STEP_BITS);
    let step = (value >> block.saturating_sub(1)) as usize & (STEPS - 1);
    (block as usize, step)
}

/// The buckets with values in them, rising.
fn filled(blocks: &[Option<Box<[u64; STEPS]>>]) -> impl Iterator<Item = (u64, u64, u64)> {
    blocks.iter().enumerate().flat_map(|(block, steps)| {
        let shift = block.saturating_sub(1);
        let base = if block == 0 {
            0
        } else {
            (STEPS as u64) << shift
        };
        steps.iter().flat_map(move |steps| {
            steps
                .iter()
                .enumerate()
                .filter(|&(_, &count)| count > 0)
                .map(move |(step, &count)| {
                    let low = base + ((step as u64) << shift);
                    (low, low + ((1 << shift) - 1), count)
                })
        })
    })
}

// What a histogram is serialised as.
/// A distribution of durations. Exact for up to 64 values, beyond that within 0.8 %.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Figures {
    /// How many.
    count: u64,
    /// All of them together.
    total_ns: u64,
    /// Their mean; it and what follows are null if there are none.
    mean_ns: Option<u64>,
    /// The least.
    min_ns: Option<u64>,
    /// Half are at most this long.
    p50_ns: Option<u64>,
    /// Nine in ten are at most this long.
    p90_ns: Option<u64>,
    /// Ninety-nine in a hundred are at most this long.
    p99_ns: Option<u64>,
    /// Nine hundred and ninety-nine in a thousand are at most this long.
    p999_ns: Option<u64>,
    /// The greatest.
    max_ns: Option<u64>,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = |ns: u64| (self.count > 0).then_some(ns);
        let figures = Figures {
            count: self.count,
            total_ns: self.total,
            mean_ns: known(self.mean_ns()),
            min_ns: known(self.min),
            p50_ns: known(self.quantile(0.5)),
            p90_ns: known(self.quantile(0.9)),
            p99_ns: known(self.quantile(0.99)),
            p999_ns: known(self.quantile(0.999)),
            max_ns: known(self.max),
        };
        figures.serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Histogram {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Histogram".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Figures::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_in_the_bucket_that_holds_it() {
        let mut value = 1_u64;
        for _ in 0..2_000 {
            for value in [value - 1, value, value + 1] {
                let mut histogram = Histogram::default();
                histogram.many(value, 1);
                let &[(low, high, 1)] = histogram.buckets().as_slice() else {
                    panic!("one bucket for {value}");
                };
                assert!(low <= value && value <= high, "{value} in {low}..={high}");
                assert!(high - low <= low / 128, "{low}..={high} is too wide");
            }
            value = (value + value / 64 + 1).min(u64::MAX - 1);
        }
    }

    #[test]
    fn quantiles_of_few_values_are_exact() {
        let mut histogram = Histogram::default();
        [40, 10, 30, 20]
            .iter()
            .for_each(|&value| histogram.record(value));
        let quantiles = [0.0, 0.25, 0.26, 0.75, 1.0].map(|q| histogram.quantile(q));
        assert_eq!(quantiles, [10, 10, 20, 30, 40]);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    #[test]
    fn merged_parts_equal_the_whole() {
        let values: Vec<u64> = (0..1_000).map(|n: u64| n * n * 977).collect();
        let (mut whole, mut parts) = (Histogram::default(), Histogram::default());
        values.iter().for_each(|&value| whole.record(value));
        for part in values.chunks(300) {
            let mut histogram = Histogram::default();
            part.iter().for_each(|&value| histogram.record(value));
            parts.merge(&histogram);
        }
        assert_eq!(parts.buckets(), whole.buckets());
        assert_eq!(
            (parts.count, parts.min, parts.max),
            (whole.count, whole.min, whole.max)
        );
        // A bucket's low end stands for its values when they are merged; the totals are exact.
        assert_eq!(parts.total, whole.total);
    }
}
