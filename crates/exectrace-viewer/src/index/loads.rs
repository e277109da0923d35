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

/// The time that all tasks together spent in each state, by bins of equal length. A bin twice as long takes the place
/// of two when there are too many, so memory does not grow with the trace.
#[derive(Clone, Debug)]
pub(crate) struct Loads {
    level: u32,
    bins: Vec<[u64; Load::ALL.len()]>,
}

impl Default for Loads {
    fn default() -> Self {
        Self {
            level: FIRST_LEVEL,
            bins: Vec::new(),
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
        let (first, last) = (begin_ns >> self.level, (end_ns - 1) >> self.level);
        if self.bins.len() <= last as usize {
            self.bins.resize(last as usize + 1, [0; Load::ALL.len()]);
        }
        for bin in first..=last {
            let begin = (bin << self.level).max(begin_ns);
            let end = ((bin + 1) << self.level).min(end_ns);
            self.bins[bin as usize][load as usize] += end - begin;
        }
    }

    fn halve(&mut self) {
        self.level += 1;
        let pairs = self.bins.chunks(2).map(|pair| {
            let mut sum = [0; Load::ALL.len()];
            for bin in pair {
                for (sum, value) in sum.iter_mut().zip(bin) {
                    *sum += value;
                }
            }
            sum
        });
        self.bins = pairs.collect();
    }

    /// How many tasks were in a state on average, in each of `count` equal parts of a window.
    pub(crate) fn average(&self, load: Load, window: (u64, u64), count: usize) -> Vec<f64> {
        let length = window.1.saturating_sub(window.0).max(1) as f64 / count.max(1) as f64;
        let part = |index: usize| window.0 as f64 + length * index as f64;
        let bin_ns = (1_u64 << self.level) as f64;
        (0..count)
            .map(|index| {
                let (begin, end) = (part(index), part(index + 1));
                let last = ((end / bin_ns).ceil() as usize).min(self.bins.len());
                let bins = (begin / bin_ns) as usize..last;
                // A bin is shared out among the parts that it lies in.
                let time: f64 = bins
                    .map(|bin| {
                        let from = (bin as f64 * bin_ns).max(begin);
                        let to = ((bin + 1) as f64 * bin_ns).min(end);
                        self.bins[bin][load as usize] as f64 * ((to - from) / bin_ns).max(0.0)
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
    fn loads_keep_their_sum_however_long_the_trace_becomes() {
        let mut loads = Loads::default();
        let mut total = 0;
        for step in 0..1_000_u64 {
            let begin = step * step * 5_000;
            loads.add(Load::Waiting, begin, begin + 7_777);
            total += 7_777;
        }
        assert!(loads.bins.len() <= MAX_BINS);
        let end = 1_000 * 1_000 * 5_000;
        for count in [1, 7, 1_000] {
            let parts = loads.average(Load::Waiting, (0, end), count);
            let sum: f64 = parts.iter().sum::<f64>() * end as f64 / count as f64;
            assert!((sum - f64::from(total)).abs() < 1.0, "{count}: {sum}");
        }
    }
}
