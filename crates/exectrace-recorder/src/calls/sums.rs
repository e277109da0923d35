//! What a thread has counted of its calls, and the call that it is in: shared with the flush thread.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{CALLS, Call};
use crate::clock;
use crate::kinds::Kind;
use crate::thread_buffer::record_since;

/// What was counted of the calls of a thread, since it was registered, and the call that it is in.
///
/// Only the thread adds, so it needs no atomic read-modify-write; the flush thread reads.
#[derive(Debug)]
pub(crate) struct CallSums {
    /// The ticks of the begin of the call that the thread is in, and the call: see [`CallSums::open`].
    open: AtomicU64,
    counts: [AtomicU64; CALLS],
    ticks: [AtomicU64; CALLS],
}

impl Default for CallSums {
    fn default() -> Self {
        Self {
            open: AtomicU64::new(0),
            counts: [const { AtomicU64::new(0) }; CALLS],
            ticks: [const { AtomicU64::new(0) }; CALLS],
        }
    }
}

const CALL_BITS: u32 = 6;

impl CallSums {
    pub(super) fn add(&self, call: Call, ticks: u64) {
        let add = |place: &AtomicU64, value: u64| {
            // Release: who finds the sum finds the records before it.
            place.store(place.load(Ordering::Relaxed) + value, Ordering::Release);
        };
        add(&self.counts[call as usize], 1);
        add(&self.ticks[call as usize], ticks);
    }

    /// The call that the thread is in, and the ticks of its begin. If it has ended meanwhile, its record was
    /// published before this returns `None` or a later call.
    pub(crate) fn open(&self) -> Option<(u64, Call)> {
        // Acquire, with the Release in `set_over`.
        let word = self.open.load(Ordering::Acquire);
        let call = Call::of_number(word & ((1 << CALL_BITS) - 1))?;
        (word != 0).then_some((word >> CALL_BITS, call))
    }

    /// The thread is in a call that began at these ticks.
    pub(super) fn set_open(&self, began: u64, call: Call) {
        // Relaxed: nothing is published with it.
        let word = began << CALL_BITS | call as u64;
        self.open.store(word, Ordering::Relaxed);
    }

    /// The thread's call has ended.
    pub(super) fn set_over(&self) {
        // Release: who finds the call over finds its record.
        self.open.store(0, Ordering::Release);
    }

    /// How many calls of this kind were counted so far, and their ticks.
    pub(crate) fn sum(&self, call: Call) -> Sum {
        let index = call as usize;
        Sum {
            calls: self.counts[index].load(Ordering::Acquire),
            ticks: self.ticks[index].load(Ordering::Acquire),
        }
    }

    /// Records the sums of the calls whose bits are set.
    pub(crate) fn report(&self, mut changed: u64) {
        while changed != 0 {
            let number = changed.trailing_zeros();
            changed &= changed - 1;
            if let Some(call) = Call::of_number(u64::from(number)) {
                let Sum { calls, ticks } = self.sum(call);
                record_since(Kind::CallSum, number as u16, clock::ticks(), [calls, ticks]);
            }
        }
    }

    pub(crate) fn reset(&self) {
        let sums = self.counts.iter().chain(&self.ticks);
        for place in sums.chain([&self.open]) {
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// How many calls were counted, and how many ticks they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    pub(crate) ticks: u64,
}
