//! The global allocator that counts.
//!
//! # Protocol
//!
//! 1. Each call is handed on to the allocator inside as it came, once, and what that returns is returned. So
//!    whatever holds of a call to this one holds of the call to the one inside.
//! 2. What counts or samples a call allocates nothing of the allocator inside, takes no lock, does not panic and touches
//!    no memory of the call.

use std::alloc::{GlobalAlloc, Layout, System};

use super::{counts, samples};
use crate::is_enabled;

/// A global allocator that hands everything on to the allocator `A`, and counts it while something records.
///
/// With it a trace says how many bytes are alive (the heap row of `go tool trace`), and how much each async task
/// and user task has allocated and freed.
///
/// ```
/// use std::alloc::System;
///
/// #[global_allocator]
/// static ALLOCATOR: exectrace_recorder::Allocator<System> = exectrace_recorder::Allocator::new(System);
///
/// assert_eq!(vec![0_u8; 100].capacity(), 100);
/// ```
///
/// # What is counted
///
/// Sizes are those that were asked for ([`Layout::size`]), not what the allocator inside makes of them. A
/// `realloc` counts as an allocation, or a release, of the difference in bytes, and not in the number of
/// allocations. What the tracer itself allocates, on its own thread or to register another one, is not
/// counted.
///
/// Each thread sums up what it allocates and frees, and records the sums before it goes on to another async task,
/// region or span; the flush thread looks at them ten times a second. Threads that are past their end, or that
/// allocate while the tracer has no room for another thread, are shown as one without a name.
///
/// What was allocated before the recording began is not known: the heap row shows what came to it since. It is the
/// least that can be alive. With [`always_counting`](Self::always_counting) it has all.
///
/// # Samples
///
/// One allocation for each 512 KiB that a thread allocates, on average, has a sample: its size, its async task and user
/// task, its stack, and when it is freed, on whatever thread. `exectrace profile --kind heap` makes a heap profile of
/// them. [`Settings::heap_sample_bytes`](crate::Settings::heap_sample_bytes) sets the distance, and says how exact
/// the estimates are. Stacks need frame pointers (`RUSTFLAGS="-C force-frame-pointers=yes"`).
///
/// What was allocated while nothing recorded has no sample, and where the last recording stops, those that are alive are
/// forgotten. A recording that starts while another one runs has them. A resized allocation counts as freed, and as a new
/// one of its new size, although its place in memory may be the same. Threads that are past their end, and those that are
/// shown as one without a name, have no samples.
///
/// # What it costs
///
/// While nothing records a load and a branch: 0.3 ns for an allocation or a release of 48 bytes. While something does,
/// some additions in the thread's memory and, for a release, a look at a byte, 1.0 ns with the samples, 1.2 ns where they
/// have stacks; and for each switch of a thread that has allocated, one record more (AMD EPYC, 2 cores, rustc 1.95.0,
/// 2026-11-29; `cargo bench -p exectrace-recorder --features alloc --bench allocator`, without and with frame
/// pointers). Nothing of the allocator inside is allocated and no lock is taken, so it works wherever that works: before
/// `main`, while a thread ends, in a forked child. A thread that records nothing else asks the C library for the bounds
/// of its stack at its first sample, which takes memory of that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator<A = System> {
    inner: A,
    is_always_counting: bool,
}

impl<A> Allocator<A> {
    /// Counts while something records.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            is_always_counting: false,
        }
    }

    /// Counts live bytes also while nothing records, so that a recording's heap row begins with what is alive.
    ///
    /// Costs some additions in thread-local memory for each call, always. What a thread allocated or freed
    /// last, up to 64 KiB, is missing when a recording begins.
    pub const fn always_counting(inner: A) -> Self {
        Self {
            inner,
            is_always_counting: true,
        }
    }

    #[inline(always)]
    fn count_allocation(&self, memory: *mut u8, bytes: usize) {
        if is_enabled() {
            counts::allocated(memory.addr(), bytes);
        }
        if self.is_always_counting {
            counts::add_standing(bytes.cast_signed());
        }
    }

    #[inline(always)]
    fn count_release(&self, memory: *mut u8, bytes: usize) {
        if is_enabled() {
            counts::freed(memory.addr(), bytes);
        }
        if self.is_always_counting {
            counts::add_standing(bytes.cast_signed().wrapping_neg());
        }
    }

    #[inline(always)]
    fn count_change(&self, from_bytes: usize, moved: *mut u8, to_bytes: usize) {
        if is_enabled() {
            counts::resized(from_bytes, moved.addr(), to_bytes);
        }
        if self.is_always_counting {
            counts::add_standing(to_bytes.wrapping_sub(from_bytes).cast_signed());
        }
    }
}

// SAFETY: rule 1: the allocator inside is one, and does all. Rule 2: counting neither unwinds nor has any effect on
// what was allocated.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Allocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: rule 1.
        let memory = unsafe { self.inner.alloc(layout) };
        if !memory.is_null() {
            self.count_allocation(memory, layout.size());
        }
        memory
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: rule 1.
        let memory = unsafe { self.inner.alloc_zeroed(layout) };
        if !memory.is_null() {
            self.count_allocation(memory, layout.size());
        }
        memory
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.count_release(memory, layout.size());
        // SAFETY: rule 1.
        unsafe { self.inner.dealloc(memory, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let sampled = if is_enabled() {
            samples::resizing(memory.addr())
        } else {
            None
        };
        // SAFETY: rule 1.
        let moved = unsafe { self.inner.realloc(memory, layout, new_size) };
        samples::resized(sampled, !moved.is_null());
        if !moved.is_null() {
            self.count_change(layout.size(), moved, new_size);
        }
        moved
    }
}
