//! One place of the table of sampled allocations: who allocates takes it, and who frees gives it back, or to the flush
//! thread.
//!
//! # Protocol
//!
//! 1. Whoever takes a place for an address has the address from the allocator and has not given it to the program yet;
//!    whoever holds it has the address from the program and has not given it to the allocator yet. So nothing else
//!    is done with an address meanwhile, all that is done with it has an order, and each sees what came before, by
//!    whatever orders the program's and the allocator's own accesses to that memory. Relaxed loads therefore find what
//!    there is to be found under the own address.
//! 2. A place belongs to who has changed its key from [`FREE`] to an address, or from an address to [`HELD`], by
//!    compare-and-exchange. Only it stores number and ticks. A place that holds an address is changed by
//!    nobody else but the flush thread, when it empties the table, by compare-and-exchange from that address as well, so
//!    one of the two has it.
//! 3. Who holds a place whose allocation was freed stores `FREE`, or [`ENDED`] for the flush thread, with Release. That
//!    reads number and ticks of a place that it finds ended, with Acquire, and stores `FREE`, with Release. Who takes the
//!    place next does so with Acquire, so it stores after all these have read.
//!
//! No step waits for another thread: a thread that stops in between keeps one place, and a handler that comes in
//! between finds places of other addresses.

#![allow(
    unreachable_pub,
    reason = "under loom the models in `tests/` drive these types from outside"
)]

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Keys of places that hold no address. No allocation is there.
pub const FREE: usize = 0;
const HELD: usize = 1;
const ENDED: usize = 2;

/// What is known of the allocation in a place.
#[derive(Debug)]
pub struct About {
    /// The number of its sample.
    number: AtomicU64,
    /// When it was freed.
    ended: AtomicU64,
}

impl About {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }
}

/// See the module. The keys of a set lie together, so a place is borrowed in two parts.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub key: &'a AtomicUsize,
    pub about: &'a About,
}

impl Place<'_> {
    /// Takes the place for an allocation, if it is free.
    pub fn take(self, address: usize, number: u64) -> bool {
        // Acquire: rule 3.
        let taken = self
            .key
            .compare_exchange(FREE, address, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_ok() {
            self.about.number.store(number, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Holds the place, if the address is there.
    pub fn hold(self, address: usize) -> bool {
        // Relaxed: rules 1 and 2.
        self.key.load(Ordering::Relaxed) == address
            && self
                .key
                .compare_exchange(address, HELD, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Holder: the number of the sample.
    #[cfg(not(loom))]
    pub(super) fn number(self) -> u64 {
        // Relaxed: rule 1.
        self.about.number.load(Ordering::Relaxed)
    }

    /// Holder: the allocation was freed at these ticks.
    pub fn end(self, ticks: u64) {
        self.about.ended.store(ticks, Ordering::Relaxed);
        // Release: rule 3.
        self.key.store(ENDED, Ordering::Release);
    }

    /// Holder: the allocation was not freed.
    pub fn give_back(self, address: usize) {
        // Relaxed: rule 1.
        self.key.store(address, Ordering::Relaxed);
    }

    /// Holder: nothing is to be said of the allocation.
    pub fn forget(self) {
        // Release: rule 3.
        self.key.store(FREE, Ordering::Release);
    }

    /// Flush thread: number and ticks of the allocation, if it was freed.
    pub fn take_ended(self) -> Option<(u64, u64)> {
        // Acquire and Release: rule 3.
        if self.key.load(Ordering::Acquire) != ENDED {
            return None;
        }
        let number = self.about.number.load(Ordering::Relaxed);
        let ended = self.about.ended.load(Ordering::Relaxed);
        self.key.store(FREE, Ordering::Release);
        Some((number, ended))
    }

    /// Whether it can be taken.
    #[cfg(not(loom))]
    pub(super) fn is_free(self) -> bool {
        // Relaxed: a hint.
        self.key.load(Ordering::Relaxed) == FREE
    }

    /// The address in the place, if there is one.
    #[cfg(not(loom))]
    pub(super) fn address(self) -> Option<usize> {
        let key = self.key.load(Ordering::Relaxed);
        (key > ENDED).then_some(key)
    }
}
