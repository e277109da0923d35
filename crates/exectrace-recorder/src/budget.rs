//! Budgets: how many records a second each source may write, and how a source thins itself out.
//!
//! The flush thread counts the records of each source, and sets a *level* for one that writes more than its
//! budget: at level 3 the source writes one record in 2³. Threads load the level and nothing else, and count
//! what they leave out. Other sources go on.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use exectrace_format::conventions::{CPU, HEAP, KERNEL_SWITCHES, SYSCALLS};

/// What writes records beside annotations, spans and async tasks, and has a budget of its own:
/// [`Settings::budget`](crate::Settings::budget).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Source {
    /// Calls of the C library.
    Calls,
    /// Samples of the stacks of threads that are on a processor.
    Cpu,
    /// Threads that leave their processor, as the kernel reports it.
    Kernel,
    /// Samples of allocations. Past their budget none is left out: they are taken further apart, and each stands for
    /// more.
    Heap,
}

impl Source {
    /// All sources, in the order of their numbers, which begin with 0.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Cpu, Self::Kernel, Self::Heap];

    /// Its name in a trace, which is the key of its capability.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => SYSCALLS,
            Self::Cpu => CPU,
            Self::Kernel => KERNEL_SWITCHES,
            Self::Heap => HEAP,
        }
    }

    /// The records a second that it may write, if the settings do not say otherwise.
    pub(crate) const fn default_budget(self) -> u64 {
        match self {
            // Two events each: a tenth of a core for the flush thread, and some megabytes a second.
            Self::Calls => 100_000,
            // A hundred threads that compute, at 99 Hz.
            Self::Cpu => 10_000,
            // The kernel takes up to some microseconds for each: some hundredths of a core.
            Self::Kernel => 20_000,
            // 2.5 GiB a second at the usual distance.
            Self::Heap => 5_000,
        }
    }
}

/// The highest level: one record in a million.
pub(crate) const MAX_LEVEL: u32 = 20;
/// So many threads can leave records out at once without waiting for each other's processor.
const STRIPES: usize = 8;

/// What a source's threads and the flush thread share.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Set by the flush thread.
    level: AtomicU32,
    /// Records that were left out, since the process began. Threads add to one of them.
    left_out: [Stripe; STRIPES],
}

/// A count on a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe(AtomicU64);

static BUDGETS: [Budget; Source::ALL.len()] = [const { Budget::new() }; Source::ALL.len()];

/// The budget of a source.
#[inline(always)]
pub(crate) fn of(source: Source) -> &'static Budget {
    &BUDGETS[source as usize]
}

impl Budget {
    const fn new() -> Self {
        Self {
            level: AtomicU32::new(0),
            left_out: [const { Stripe(AtomicU64::new(0)) }; STRIPES],
        }
    }

    /// One record in 2 to the power of this is to be written. 0 nearly always, which needs no more than this load.
    #[inline(always)]
    pub(crate) fn level(&self) -> u32 {
        // Relaxed: nothing else is published with it, and an old level is as good for a moment.
        self.level.load(Ordering::Relaxed)
    }

    /// For the flush thread.
    pub(crate) fn set_level(&self, level: u32) {
        // Relaxed: as in `level`.
        self.level.store(level.min(MAX_LEVEL), Ordering::Relaxed);
    }

    /// Counts records that were left out, from a place on `stripe`.
    #[inline]
    fn leave_out(&self, stripe: usize) {
        // Relaxed: a sum of its own, which the flush thread reads sooner or later.
        self.left_out[stripe % STRIPES]
            .0
            .fetch_add(1, Ordering::Relaxed);
    }

    /// How many records were left out, since the process began.
    pub(crate) fn left_out(&self) -> u64 {
        let count = |stripe: &Stripe| stripe.0.load(Ordering::Relaxed);
        self.left_out.iter().map(count).fold(0, u64::wrapping_add)
    }
}

/// A thread's own part of a source's budget: for a thread-local value that needs no destructor, or one place that
/// only one thread uses.
///
/// May be used in a signal handler: what a handler takes in the middle of [`takes`](Self::takes) may cost a record.
#[derive(Debug)]
pub(crate) struct Share {
    /// Records that were offered since one was taken.
    offered: Cell<u32>,
}

impl Share {
    pub(crate) const fn new() -> Self {
        Self {
            offered: Cell::new(0),
        }
    }

    /// Whether the thread is to write the record of the source that it has now. If not, it is counted as left out.
    #[inline(always)]
    pub(crate) fn takes(&self, source: Source) -> bool {
        let budget = of(source);
        match budget.level() {
            0 => true,
            level => self.takes_one_in(level, budget),
        }
    }

    #[cold]
    fn takes_one_in(&self, level: u32, budget: &Budget) -> bool {
        let offered = self.offered.get().wrapping_add(1);
        if offered >> level > 0 {
            self.offered.set(0);
            return true;
        }
        self.offered.set(offered);
        // Thread-local values of two threads mostly differ in these bits, as the threads' stacks do.
        budget.leave_out(std::ptr::from_ref(self).addr() >> 12);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_number_s_place_and_a_name_of_its_own() {
        for (number, source) in Source::ALL.iter().enumerate() {
            assert_eq!(*source as usize, number);
            let same = Source::ALL
                .iter()
                .filter(|other| other.name() == source.name());
            assert_eq!(same.count(), 1);
        }
    }

    #[test]
    fn each_record_is_taken_or_counted_as_left_out() {
        let (share, budget) = (Share::new(), Budget::new());
        let mut taken = 0;
        for _ in 0..800 {
            taken += u64::from(share.takes_one_in(3, &budget));
        }
        assert_eq!((taken, budget.left_out()), (100, 700));
    }

    #[test]
    fn threads_that_leave_records_out_at_once_lose_none_of_the_count() {
        const THREADS: usize = 4;
        let budget = Budget::new();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let share = Share::new();
                    (0..1024).for_each(|_| {
                        assert!(share.takes_one_in(10, &budget) || budget.left_out() > 0);
                    });
                });
            }
        });
        assert_eq!(budget.left_out(), THREADS as u64 * 1023);
    }
}
