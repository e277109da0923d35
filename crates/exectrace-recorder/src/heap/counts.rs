//! Where a call of the allocator is counted: with its thread, or, where that has no place for it, with the process.
//!
//! A thread without a description is registered here, which allocates nothing and takes no lock. What the tracer
//! allocates itself, on its own thread or where it registers another, is not counted.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::samples;
use crate::heap_sums::{HeapSum, HeapSums};
use crate::thread::with_shared_anywhere;
use crate::thread_buffer::{HEAP_CHANGED, ThreadBuffer, with_buffer};

/// Whether any call was counted: then the allocator is the program's.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// What threads have allocated and freed that are past their end, or could not be registered.
static ELSEWHERE: [AtomicI64; 4] = [const { AtomicI64::new(0) }; 4];

/// So many bytes were allocated at an address.
#[inline(always)]
pub(super) fn allocated(address: usize, bytes: usize) {
    count(|sums| sums.allocated(bytes as u64));
    sample(address, bytes);
}

/// So many bytes at an address are about to be freed.
#[inline(always)]
pub(super) fn freed(address: usize, bytes: usize) {
    // First, as it registers a thread that is new.
    count(|sums| sums.freed(bytes as u64));
    samples::freed(address);
}

/// An allocation has another size, and perhaps another address.
#[inline(always)]
pub(super) fn resized(from_bytes: usize, address: usize, to_bytes: usize) {
    count(|sums| sums.resized(from_bytes as u64, to_bytes as u64));
    sample(address, to_bytes);
}

/// Takes a sample of an allocation, if it is its turn.
#[inline(always)]
fn sample(address: usize, bytes: usize) {
    if with_buffer(|buffer| buffer.heap.get().is_some() && buffer.distance.passes(bytes)) {
        samples::passed(address, bytes);
    }
}

#[inline(always)]
fn count(add: impl Fn(&HeapSums)) {
    with_buffer(|buffer| match buffer.heap.get() {
        Some(sums) => {
            add(sums);
            let changed = &buffer.changed_sums;
            changed.set(changed.get() | HEAP_CHANGED);
        }
        None => count_first(buffer, add),
    });
}

/// Counts a call of a thread that has no place for it: it is new, the tracer's own, or past its end.
#[cold]
#[inline(never)]
fn count_first(buffer: &ThreadBuffer, add: impl Fn(&HeapSums)) {
    // Relaxed, here and below: counts that guard nothing.
    IS_IN_USE.store(true, Ordering::Relaxed);
    if buffer.is_in_own_work() {
        return;
    }
    if !buffer.is_past_its_end() {
        buffer.do_own_work(|| with_shared_anywhere(buffer, |_| ()));
        if let Some(sums) = buffer.heap.get() {
            add(sums);
            buffer
                .changed_sums
                .set(buffer.changed_sums.get() | HEAP_CHANGED);
            return;
        }
    }
    let sums = HeapSums::default();
    add(&sums);
    for (total, value) in ELSEWHERE.iter().zip(sums.get().to_words()) {
        total.fetch_add(value.cast_signed(), Ordering::Relaxed);
    }
}

/// What was counted without a thread since the last call.
pub(crate) fn take_elsewhere() -> HeapSum {
    let taken = ELSEWHERE.each_ref();
    HeapSum::of_words(taken.map(|total| total.swap(0, Ordering::Relaxed).cast_unsigned()))
}

pub(crate) fn is_in_use() -> bool {
    IS_IN_USE.load(Ordering::Relaxed)
}

/// What a thread adds to [`STANDING_BYTES`] at once.
const STANDING_STEP_BYTES: u64 = 64 << 10;

/// Live bytes of the process, where they are always counted, but for what threads have not added yet.
static STANDING_BYTES: AtomicI64 = AtomicI64::new(0);
/// Whether they are.
static IS_STANDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What came to the live bytes that the thread has not added yet.
    static STANDING: Cell<i64> = const { Cell::new(0) };
}

/// Counts live bytes also while nothing records.
#[inline(always)]
pub(super) fn add_standing(change: isize) {
    if with_buffer(ThreadBuffer::is_in_own_work) {
        return;
    }
    STANDING.with(|own| {
        let standing = own.get().wrapping_add(change as i64);
        own.set(standing);
        if standing.unsigned_abs() > STANDING_STEP_BYTES {
            settle();
        }
    });
}

/// Adds what the calling thread has counted to the live bytes of the process.
#[cold]
#[inline(never)]
pub(crate) fn settle() {
    let standing = STANDING.with(|own| own.replace(0));
    if standing != 0 {
        STANDING_BYTES.fetch_add(standing, Ordering::Relaxed);
        IS_STANDING.store(true, Ordering::Relaxed);
        IS_IN_USE.store(true, Ordering::Relaxed);
    }
}

/// Live bytes of the process, if they are always counted.
pub(crate) fn standing_bytes() -> u64 {
    u64::try_from(STANDING_BYTES.load(Ordering::Relaxed)).unwrap_or(0)
}

/// What is said of the heap in a trace whose program counts.
pub(crate) fn about() -> String {
    match IS_STANDING.load(Ordering::Relaxed) {
        true => "yes, live bytes of the program".to_owned(),
        false => {
            "yes, live bytes: what was allocated since the recording began, less what was freed"
                .to_owned()
        }
    }
}
