//! What the system counted of each thread's time, by the second.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::ThreadTime;

/// So many slices of time are kept at most; of a longer trace they are 2, 4, 8, … seconds long.
const MAX_SLICES: u64 = 120;
const SECOND_NS: u64 = 1_000_000_000;

/// What the threads of workers did in each second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerSeconds {
    /// How long a slice of time is: a second, or 2, 4, 8, … in traces of more than two minutes.
    pub slice_ns: u64,
    /// By time, then by worker. A slice in which a worker's thread was not sampled has none.
    pub slices: Vec<WorkerSecond>,
}

/// What the thread of one worker did in one second.
///
/// Of the time between two samples that lie in two seconds it is not known to which it belongs: it counts where it
/// ends. So a second may have a tenth of a second more or less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerSecond {
    /// When it began, since the begin of the trace.
    pub begin_ns: u64,
    /// The worker.
    pub worker: u64,
    /// The thread, which ran this worker last.
    pub thread: u64,
    /// What the thread did.
    pub time: ThreadTime,
}

/// The sums of all threads.
#[derive(Debug)]
pub(crate) struct Seconds {
    slice_ns: u64,
    /// By thread, then by the number of the slice.
    threads: FxHashMap<u64, BTreeMap<u64, ThreadTime>>,
}

impl Default for Seconds {
    fn default() -> Self {
        Self {
            slice_ns: SECOND_NS,
            threads: FxHashMap::default(),
        }
    }
}

impl Seconds {
    /// What a thread did until `end_ns` after the begin of the trace.
    pub(super) fn add(&mut self, thread: u64, end_ns: u64, time: ThreadTime) {
        // What ends with a second belongs to it.
        let end_ns = end_ns.saturating_sub(1);
        while end_ns / self.slice_ns >= MAX_SLICES {
            self.double();
        }
        let slices = self.threads.entry(thread).or_default();
        slices.entry(end_ns / self.slice_ns).or_default().add(time);
    }

    fn double(&mut self) {
        self.slice_ns = self.slice_ns.saturating_mul(2);
        for slices in self.threads.values_mut() {
            let mut longer: BTreeMap<u64, ThreadTime> = BTreeMap::new();
            for (number, time) in std::mem::take(slices) {
                longer.entry(number / 2).or_default().add(time);
            }
            *slices = longer;
        }
    }

    /// Those of threads that have a worker.
    pub(crate) fn of_workers(&self, worker_of: impl Fn(u64) -> Option<u64>) -> WorkerSeconds {
        let mut all = Vec::new();
        for (&thread, slices) in &self.threads {
            if let Some(worker) = worker_of(thread) {
                all.extend(slices.iter().map(|(number, &time)| WorkerSecond {
                    begin_ns: number * self.slice_ns,
                    worker,
                    thread,
                    time,
                }));
            }
        }
        all.sort_by_key(|slice| (slice.begin_ns, slice.worker, slice.thread));
        WorkerSeconds {
            slice_ns: self.slice_ns,
            slices: all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waited(wait_ns: u64) -> ThreadTime {
        ThreadTime {
            sampled_ns: wait_ns,
            wait_ns,
            ..ThreadTime::default()
        }
    }

    #[test]
    fn a_long_trace_has_longer_slices_and_the_same_sum() {
        let mut seconds = Seconds::default();
        for second in 1..=1_000 {
            seconds.add(7, second * SECOND_NS, waited(3));
        }
        seconds.add(8, u64::MAX, waited(5));
        let all = seconds.of_workers(|thread| Some(thread - 7));
        assert!(all.slices.len() <= 2 * MAX_SLICES as usize);
        let sum = |worker| {
            let of_it = all.slices.iter().filter(|slice| slice.worker == worker);
            of_it.map(|slice| slice.time.wait_ns).sum::<u64>()
        };
        assert_eq!((sum(0), sum(1)), (3_000, 5));
    }

    #[test]
    fn what_ends_with_a_second_belongs_to_it_and_threads_without_a_worker_are_left_out() {
        let mut seconds = Seconds::default();
        seconds.add(7, SECOND_NS, waited(1));
        seconds.add(7, SECOND_NS + 1, waited(2));
        seconds.add(9, SECOND_NS, waited(4));
        let all = seconds.of_workers(|thread| (thread == 7).then_some(3));
        let rows: Vec<_> = all
            .slices
            .iter()
            .map(|row| (row.begin_ns, row.time.wait_ns))
            .collect();
        assert_eq!(rows, [(0, 1), (SECOND_NS, 2)]);
    }
}
