//! Sampled allocations from before the window that are alive when it begins.

use exectrace_format::SideRecord;
use exectrace_replay::{HeapSample, Stack};
use rustc_hash::FxHashMap;

/// Most samples that are kept. A recorder follows fewer.
const MAX_ALIVE: usize = 1 << 20;

/// See the module. Each record comes with its stack, as its own id of that is of the trace that is read.
#[derive(Debug, Default)]
pub(super) struct AliveSamples {
    /// By their numbers.
    samples: FxHashMap<u64, (SideRecord, Stack)>,
}

impl AliveSamples {
    /// A sample of before the window.
    pub(super) fn insert(&mut self, sample: &HeapSample<'_>) {
        let mut record = sample.record.clone();
        if let SideRecord::HeapSample { is_from_before, .. } = &mut record {
            *is_from_before = true;
        }
        if self.samples.len() < MAX_ALIVE {
            self.samples.insert(sample.number, (record, sample.stack));
        }
    }

    /// One that was freed before the window.
    pub(super) fn remove(&mut self, number: u64) {
        self.samples.remove(&number);
    }

    /// Those that are left, in the order of their numbers.
    pub(super) fn take(&mut self) -> Vec<(SideRecord, Stack)> {
        let mut alive: Vec<_> = std::mem::take(&mut self.samples).into_iter().collect();
        alive.sort_unstable_by_key(|(number, _)| *number);
        alive.into_iter().map(|(_, sample)| sample).collect()
    }
}
