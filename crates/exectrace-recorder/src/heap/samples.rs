//! Samples of allocations, on the thread that allocates or frees.
//!
//! A sample is a record of its thread, which may be written at any moment: it allocates nothing and takes no lock, but
//! for the first of a thread, which asks where its stack ends. A sample
//! has the addresses that the frame pointers lead to, as a CPU sample has. That the allocation is freed is a record of
//! the thread that frees it. Where that cannot write one (it is past its end, in another record, the tracer's own, or there
//! is no room), it leaves its ticks in the table of `live`, from where the flush thread takes them. So no free is ever
//! lost, on whatever thread it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use super::live::{Held, LIVE};
use crate::cpu::WalkEnd;
use crate::errno::Errno;
use crate::kinds::Kind;
use crate::record::head;
use crate::reservation::Reservation;
use crate::thread_buffer::{ThreadBuffer, try_record, with_buffer};
use crate::{clock, stacks};

/// Most addresses of a sample; of a deeper stack those nearest to the leaf are kept.
const MAX_FRAMES: usize = 64;
/// Words before the addresses: head, number, size, interval, where the walk ended, how many addresses follow.
const HEAD_WORDS: usize = 6;

/// Samples so far, over all recordings: the number of the last.
static NUMBERS: AtomicU64 = AtomicU64::new(0);
/// Samples that found no place among those alive, or no room for their records.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many samples were lost since the process began.
pub(super) fn lost() -> u64 {
    // Relaxed: a count that guards nothing.
    LOST.load(Ordering::Relaxed)
}

/// So many bytes were allocated at an address, by a thread that is registered, and its distance to the next sample is
/// passed.
#[cold]
#[inline(never)]
pub(super) fn passed(address: usize, bytes: usize) {
    if let Some(interval) = with_buffer(|buffer| buffer.distance.take(bytes)) {
        take(address, bytes as u64, interval);
    }
}

fn take(address: usize, bytes: u64, interval: u64) {
    if !stacks::has_bounds() {
        // Once for a thread. The C library may take memory for it, and a lock. The allocator inside has returned, so
        // both are free, but for a signal handler that interrupted the C library in them.
        let errno = Errno::get();
        with_buffer(|buffer: &ThreadBuffer| buffer.do_own_work(stacks::learn_bounds));
        errno.restore();
    }
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed) + 1;
    // Before the record, as there is none of what cannot be followed.
    let is_followed = LIVE.insert(address, number);
    if is_followed && record([number, bytes, interval]).is_some() {
        return;
    }
    if is_followed && let Some(held) = LIVE.hold(address) {
        held.forget();
    }
    // Not among the thread's lost records: regions may have ended in those, so what is open would be doubted.
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// Writes the record of a sample. `None` if there is no room, or the thread is in another record.
fn record([number, bytes, interval]: [u64; 3]) -> Option<()> {
    let (mut reservation, ticks) = Reservation::begin_anywhere(HEAD_WORDS + MAX_FRAMES)?;
    let head = head(Kind::HeapSample, 0, ticks);
    let open = WalkEnd::Open as u64;
    reservation.push_all([head, number, bytes, interval, open, 0]);
    let mut addresses = 0;
    let end = stacks::of_allocation(&mut |address| {
        addresses += 1;
        reservation.push(address) && addresses < MAX_FRAMES
    });
    reservation.set(HEAD_WORDS - 2, end as u64);
    reservation.set(HEAD_WORDS - 1, addresses as u64);
    reservation.finish();
    Some(())
}

/// The allocation at an address is about to be freed.
#[inline(always)]
pub(super) fn freed(address: usize) {
    if LIVE.may_have(address) {
        end(address);
    }
}

#[cold]
#[inline(never)]
fn end(address: usize) {
    if let Some(held) = LIVE.hold(address) {
        leave(held);
    }
}

/// The allocation in a place is freed.
fn leave(held: Held) {
    match try_record(Kind::HeapFree, [held.number()]) {
        true => held.forget(),
        false => held.end(clock::ticks()),
    }
}

/// The allocation at an address is about to be resized, which may free it.
#[inline(always)]
pub(super) fn resizing(address: usize) -> Option<Held> {
    match LIVE.may_have(address) {
        true => LIVE.hold(address),
        false => None,
    }
}

/// The allocation was resized, or was not.
#[inline(always)]
pub(super) fn resized(held: Option<Held>, is_done: bool) {
    if let Some(held) = held {
        match is_done {
            true => leave(held),
            false => held.give_back(),
        }
    }
}
