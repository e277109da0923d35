//! How many async tasks were in each state, over time.

use exectrace_replay::GoroutineState;

/// Most spans of time that a whole trace is divided into.
const MAX_BINS: usize = 8_192;
/// The first length of a bin, in nanoseconds as a power of two.
const FIRST_LEVEL: u32 = 10;

/// The states that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Running,
    Runnable,
    Waiting,
    Syscall,
}

impl Load {
    pub(crate) const ALL: [Self; 4] = [Self::Running, Self::Runnable, Self::Waiting, Self::Syscall];

    pub(super) fn of(state: GoroutineState) -> Option<Self> {
        match state {
            GoroutineState::Running => Some(Self::Running),
            GoroutineState::Runnable => Some(Self::Runnable),
            GoroutineState::Waiting => Some(Self::Waiting),
            GoroutineState::Syscall => Some(Self::Syscall),
            GoroutineState::Unknown => None,
        }
    }

    /// The state, in a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Waiting => "waiting",
            Self::Syscall => "in system calls",
        }
    }
}

/// A value for each state.
type States<T> = [T; Load::ALL.len()];

/// The time that all tasks together spent in each state, by bins of equal length. A bin twice as long takes the place
/// of two when there are too many, so memory does not grow with the trace.
///
/// A span of time adds to the two bins that it ends in, and is counted once for each of the few runs of bins that it
/// covers whole: as in a segment tree, a run is `2^k` bins long and begins at a multiple of that. So a span costs
/// the logarithm of its length.
#[derive(Clone, Debug)]
pub(crate) struct Loads {
    /// A bin is `2^level` ns long.
    level: u32,
    /// What does not cover a bin whole, in nanoseconds.
    partial: Vec<States<u64>>,
    /// For each `k`: how many spans cover each run of `2^k` bins, and are not counted in a longer one.
    covers: Vec<Vec<States<u64>>>,
}

impl Default for Loads {
    fn default() -> Self {
        Self {
            level: FIRST_LEVEL,
            partial: Vec::new(),
            covers: Vec::new(),
        }
    }
}

impl Loads {
    /// Adds a span of time of one task.
    pub(super) fn add(&mut self, load: Load, begin_ns: u64, end_ns: u64) {
        if end_ns <= begin_ns {
            return;
        }
        while ((end_ns - 1) >> self.level) as usize >= MAX_BINS {
            self.halve();
        }
        let first = (begin_ns >> self.level) as usize;
        let last = ((end_ns - 1) >> self.level) as usize;
        if self.partial.len() <= last {
            self.partial.resize(last + 1, States::default());
        }
        if first == last {
            self.add_part(first, load, end_ns - begin_ns);
            return;
        }
        let level = self.level;
        let bin = |number: usize| (number as u64) << level;
        self.add_part(first, load, bin(first + 1) - begin_ns);
        self.add_part(last, load, end_ns - bin(last));
        let (mut from, mut to, mut k) = (first + 1, last, 0);
        while from < to {
            if from % 2 == 1 {
                self.cover(k, from)[load as usize] += 1;
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                self.cover(k, to)[load as usize] += 1;
            }
            (from, to, k) = (from / 2, to / 2, k + 1);
        }
    }

    fn add_part(&mut self, bin: usize, load: Load, ns: u64) {
        let sum = &mut self.partial[bin][load as usize];
        *sum = sum.saturating_add(ns);
    }

    fn cover(&mut self, k: usize, run: usize) -> &mut States<u64> {
        if self.covers.len() <= k {
            self.covers.resize_with(k + 1, Vec::new);
        }
        let runs = &mut self.covers[k];
        if runs.len() <= run {
            runs.resize(run + 1, States::default());
        }
        &mut runs[run]
    }

    fn halve(&mut self) {
        let bins: Vec<States<u64>> = (0..self.partial.len().div_ceil(2))
            .map(|bin| {
                let mut sum: States<u64> = States::default();
                for half in [2 * bin, 2 * bin + 1] {
                    let (partial, covers) = (self.partial.get(half), self.covers.first());
                    let covers = covers.and_then(|covers| covers.get(half));
                    for (state, sum) in sum.iter_mut().enumerate() {
                        let whole = covers.map_or(0, |covers| covers[state]);
                        let whole_ns = whole.saturating_mul(1 << self.level);
                        let part_ns = partial.map_or(0, |partial| partial[state]);
                        *sum = sum.saturating_add(part_ns).saturating_add(whole_ns);
                    }
                }
                sum
            })
            .collect();
        self.partial = bins;
        if !self.covers.is_empty() {
            self.covers.remove(0);
        }
        self.level += 1;
    }

    /// The time that all tasks together spent in a state in a bin.
    fn time(&self, load: Load, bin: usize) -> u64 {
        let covers = self
            .covers
            .iter()
            .enumerate()
            .filter_map(|(k, runs)| runs.get(bin >> k));
        let count: u64 = covers.map(|states| states[load as usize]).sum();
        let partial = self
            .partial
            .get(bin)
            .map_or(0, |states| states[load as usize]);
        partial.saturating_add(count.saturating_mul(1 << self.level))
    }

    /// How many tasks were in a state on average, in each of `count` equal parts of a window.
    pub(crate) fn average(&self, load: Load, window: (u64, u64), count: usize) -> Vec<f64> {
        let length = window.1.saturating_sub(window.0).max(1) as f64 / count.max(1) as f64;
        let part = |index: usize| window.0 as f64 + length * index as f64;
        let bin_ns = (1_u64 << self.level) as f64;
        (0..count)
            .map(|index| {
                let (begin, end) = (part(index), part(index + 1));
                let last = ((end / bin_ns).ceil() as usize).min(self.partial.len());
                let bins = (begin / bin_ns) as usize..last;
                // A bin is shared out among the parts that it lies in.
                let time: f64 = bins
                    .map(|bin| {
                        let from = (bin as f64 * bin_ns).max(begin);
                        let to = ((bin + 1) as f64 * bin_ns).min(end);
                        self.time(load, bin) as f64 * ((to - from) / bin_ns).max(0.0)
                    })
                    .sum();
                time / length
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_all_that_lies_in_it_and_nothing_else() {
        let mut loads = Loads::default();
        let bin = 1 << FIRST_LEVEL;
        loads.add(Load::Running, bin / 2, 9 * bin + bin / 4);
        let average = loads.average(Load::Running, (0, 10 * bin), 10);
        assert_eq!(average, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.25]);
        assert_eq!(loads.average(Load::Waiting, (0, 10 * bin), 1), [0.0]);
    }

    #[test]
    fn loads_keep_their_sum_however_long_the_trace_becomes() {
        let mut loads = Loads::default();
        let mut total = 0_u64;
        for step in 0..1_000_u64 {
            let begin = step * step * 5_000;
            // Some within a bin, some over many.
            let length = 7_777 * (step % 97);
            loads.add(Load::Waiting, begin, begin + length);
            total += length;
        }
        assert!(loads.partial.len() <= MAX_BINS);
        let end = 1_000 * 1_000 * 5_000 + 7_777 * 97;
        for count in [1, 7, 1_000] {
            let parts = loads.average(Load::Waiting, (0, end), count);
            let sum: f64 = parts.iter().sum::<f64>() * end as f64 / count as f64;
            assert!((sum - total as f64).abs() < 1.0, "{count}: {sum}");
        }
    }
}
