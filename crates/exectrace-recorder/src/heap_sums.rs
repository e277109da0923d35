//! What a thread has allocated and freed since it was registered.
//!
//! Only the thread adds, so it needs no atomic read-modify-write; the flush thread reads. A handler that allocates,
//! as far as the allocator bears that, may come between a load and a store: then what it counts is lost, and nothing
//! else.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::kinds::Kind;
use crate::thread_buffer::record_since;

/// The sums of a thread, which it shares with the flush thread.
#[derive(Debug, Default)]
pub(crate) struct HeapSums {
    allocated_bytes: AtomicU64,
    allocations: AtomicU64,
    freed_bytes: AtomicU64,
    frees: AtomicU64,
}

/// Values of sums, or by how much they have grown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeapSum {
    pub(crate) allocated_bytes: u64,
    pub(crate) allocations: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) frees: u64,
}

/// Adds what only this thread adds to.
#[inline(always)]
#[cfg(feature = "alloc")]
fn add(sum: &AtomicU64, value: u64) {
    // Release, with the Acquire in `get`: who sees what was counted after a record sees the record.
    let before = sum.load(Ordering::Relaxed);
    sum.store(before.wrapping_add(value), Ordering::Release);
}

impl HeapSums {
    #[inline(always)]
    #[cfg(feature = "alloc")]
    pub(crate) fn allocated(&self, bytes: u64) {
        add(&self.allocated_bytes, bytes);
        add(&self.allocations, 1);
    }

    #[inline(always)]
    #[cfg(feature = "alloc")]
    pub(crate) fn freed(&self, bytes: u64) {
        add(&self.freed_bytes, bytes);
        add(&self.frees, 1);
    }

    /// An allocation has another size.
    #[inline(always)]
    #[cfg(feature = "alloc")]
    pub(crate) fn resized(&self, from_bytes: u64, to_bytes: u64) {
        add(&self.allocated_bytes, to_bytes.saturating_sub(from_bytes));
        add(&self.freed_bytes, from_bytes.saturating_sub(to_bytes));
    }

    pub(crate) fn get(&self) -> HeapSum {
        HeapSum {
            allocated_bytes: self.allocated_bytes.load(Ordering::Acquire),
            allocations: self.allocations.load(Ordering::Acquire),
            freed_bytes: self.freed_bytes.load(Ordering::Acquire),
            frees: self.frees.load(Ordering::Acquire),
        }
    }

    /// Records the sums.
    pub(crate) fn report(&self) {
        record_since(Kind::HeapSum, 0, clock::ticks(), self.get().to_words());
    }

    pub(crate) fn reset(&self) {
        for sum in [
            &self.allocated_bytes,
            &self.allocations,
            &self.freed_bytes,
            &self.frees,
        ] {
            sum.store(0, Ordering::Relaxed);
        }
    }
}

impl HeapSum {
    /// The sums as words, in the order of a record.
    pub(crate) fn to_words(self) -> [u64; 4] {
        [
            self.allocated_bytes,
            self.allocations,
            self.freed_bytes,
            self.frees,
        ]
    }

    /// From [words](Self::to_words).
    pub(crate) fn of_words(words: [u64; 4]) -> Self {
        let [allocated_bytes, allocations, freed_bytes, frees] = words;
        Self {
            allocated_bytes,
            allocations,
            freed_bytes,
            frees,
        }
    }

    /// By how much the sums have grown since this, which is what they were when they were taken last; also by this.
    pub(crate) fn take(&mut self, sum: Self) -> Self {
        let grow = |taken: &mut u64, sum: u64| {
            let grown = sum.saturating_sub(*taken);
            *taken += grown;
            grown
        };
        Self {
            allocated_bytes: grow(&mut self.allocated_bytes, sum.allocated_bytes),
            allocations: grow(&mut self.allocations, sum.allocations),
            freed_bytes: grow(&mut self.freed_bytes, sum.freed_bytes),
            frees: grow(&mut self.frees, sum.frees),
        }
    }
}
