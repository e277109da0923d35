//! Where a task waits: the stack at the moment when its waker is cloned.
//!
//! A leaf future that suspends keeps a clone of the waker, and makes it while everything that leads
//! to it, from the poll of the task down, is on the native stack. So the clone function of `waker`
//! calls [`capture`], which walks the frame pointers from there up to the frame that polls
//! (`walk` says how, and why that is safe), and keeps the return addresses and their hash. When the
//! poll is over, the hash goes to the caller, and the addresses are recorded if this thread
//! has not recorded them in this epoch.
//!
//! # Several clones in one poll
//!
//! A task that waits for several things at once clones its waker for each, and the order says
//! nothing (`timeout` polls what it guards first, `select!` begins anywhere). So up to
//! [`MAX_STACKS`] stacks of a poll are kept, the first ones and the last, and go into one record,
//! with [`SEPARATOR`] between them. Which of them counts is decided where names are known:
//! `resolve`.
//!
//! # Protocol
//!
//! A thread knows its innermost observed poll by a pointer to an [`ObservedPoll`].
//!
//! 1. The pointer is null or points to an `ObservedPoll`, and so does the pointer in each `ObservedPoll` to the one
//!    that it is inside. All these stand, borrowed by an [`Observation`], in frames of functions that are
//!    polling on this thread. An `Observation` is never forgotten and never leaves that frame: it is
//!    dropped before the function returns or unwinds, and takes its `ObservedPoll` out of the chain, wherever
//!    in it that is: polls of stackful coroutines end in any order. So an `ObservedPoll` in the chain exists.
//! 2. Only this module uses the pointer, and never while it runs code that is not its own.
//! 3. An `ObservedPoll` is changed through cells, by its own thread only.
//! 4. A signal handler may come between any two instructions, and look for the innermost poll. It reads the
//!    pointer and the poll's frame, and nothing that is changed after the poll was linked. So the pointer is an
//!    atomic, and the compiler moves nothing over its changes: what it points to is complete before, and is not
//!    given up until after.

#[cfg(test)]
mod tests;
mod walk;

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, compiler_fence};

#[cfg(feature = "alloc")]
use crate::cpu::WalkEnd;
use crate::decode::MAX_STACK_WORDS;
use crate::kinds::Kind;
use crate::record::head;
use crate::reservation::Reservation;
use walk::ThreadStack;
#[cfg_attr(
    not(any(cpu_samples, feature = "alloc")),
    allow(unused_imports, reason = "for samples")
)]
pub(crate) use walk::walk_interrupted;

/// Most addresses of one stack; of a deeper one those nearest to the leaf are kept.
const MAX_FRAMES: usize = 64;
/// Most stacks of one poll.
const MAX_STACKS: u8 = 4;
/// Stands between stacks in a record: not an address.
pub(crate) const SEPARATOR: u64 = 0;

/// Words for the stacks of all polls that a thread is in, one inside the other.
const ARENA_WORDS: usize = 256;
/// Words before the addresses of a stack in the arena: its hash, and how many addresses follow.
const STACK_HEAD_WORDS: usize = 2;
/// With less room than this in the arena no stack is taken.
const MIN_ROOM_WORDS: usize = STACK_HEAD_WORDS + 8;

/// Hashes of stacks that a thread remembers to have recorded.
///
/// Direct-mapped: two that share a place are recorded again in turn, which costs time and nothing else.
const REPORTED_PLACES: usize = 128;

thread_local! {
    static ARENA: StackArena = const { StackArena::new() };
}

struct StackArena {
    /// The bounds of the stack that the thread was created with, as [`ThreadStack`] has them. `high` is set last, so a
    /// signal handler that finds it finds the other.
    low: AtomicUsize,
    high: AtomicUsize,
    /// The innermost observed poll, or null. See the protocol.
    innermost: AtomicPtr<ObservedPoll>,
    /// A stack is being added to `arena`.
    is_busy: Cell<bool>,
    arena: [Cell<u64>; ARENA_WORDS],
    reported: [Cell<u64>; REPORTED_PLACES],
}

impl StackArena {
    const fn new() -> Self {
        Self {
            low: AtomicUsize::new(0),
            high: AtomicUsize::new(0),
            innermost: AtomicPtr::new(ptr::null_mut()),
            is_busy: Cell::new(false),
            arena: [const { Cell::new(0) }; ARENA_WORDS],
            reported: [const { Cell::new(0) }; REPORTED_PLACES],
        }
    }

    /// What is known of the thread's stack.
    #[inline(always)]
    fn stack(&self) -> ThreadStack {
        // Acquire, as Release below: only this thread and its handlers look, so the order is the compiler's.
        let high = self.high.load(Ordering::Acquire);
        ThreadStack::new(self.low.load(Ordering::Relaxed), high)
    }

    /// Asks for the thread's stack, if it is not known.
    #[inline(always)]
    fn learn_stack(&self) {
        if !self.stack().is_known() {
            let (low, high) = ThreadStack::of_this_thread().bounds();
            self.low.store(low, Ordering::Relaxed);
            self.high.store(high, Ordering::Release);
        }
    }

    /// The innermost observed poll.
    #[inline(always)]
    fn innermost(&self) -> Option<&ObservedPoll> {
        // Relaxed, here and below: only this thread and its signal handlers look.
        let innermost = self.innermost.load(Ordering::Relaxed);
        // SAFETY: by rule 1 it is null or points to an observed poll that exists, and by rule 2 it does so
        // for as long as `self` is borrowed here: no caller ends an observed poll meanwhile.
        unsafe { innermost.as_ref() }
    }

    #[inline(always)]
    fn set_innermost(&self, poll: *const ObservedPoll) {
        // Rule 4. Fences of this kind are no instructions.
        compiler_fence(Ordering::SeqCst);
        self.innermost.store(poll.cast_mut(), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

/// An observed poll. Stands in the frame of the function that polls.
#[derive(Debug)]
pub(crate) struct ObservedPoll {
    /// Data pointer of the waker; clones of other wakers say nothing about this task.
    data: usize,
    /// Frame pointer of the frame that this stands in.
    frame: usize,
    /// The poll that this one is inside, or null. See the protocol.
    outer: Cell<*const ObservedPoll>,
    /// Where its stacks begin in the arena, where the last one begins, and where they end.
    start: Cell<u16>,
    last: Cell<u16>,
    end: Cell<u16>,
    stacks: Cell<u8>,
}

impl ObservedPoll {
    /// A poll with a waker that carries `data`, by the function that this is compiled into.
    #[inline(always)]
    pub(crate) fn new(data: usize) -> Self {
        Self {
            data,
            frame: walk::frame_pointer(),
            outer: Cell::new(ptr::null()),
            start: Cell::new(0),
            last: Cell::new(0),
            end: Cell::new(0),
            stacks: Cell::new(0),
        }
    }
}

/// Walks that did not find a chain of frames up to the poll.
static BROKEN: AtomicU64 = AtomicU64::new(0);

/// How many times a stack was not taken since the process began, as its chain of frame pointers did
/// not lead to the poll.
pub(crate) fn broken_stacks() -> u64 {
    // Relaxed: a count that guards nothing.
    BROKEN.load(Ordering::Relaxed)
}

/// Whether this build keeps frame pointers, which the stacks of waiting tasks need.
///
/// `RUSTFLAGS="-C force-frame-pointers=yes"` does that. Measured at the first call, by walking a
/// chain of known calls, then remembered: later calls cost one load. `false` where the walk is not
/// implemented: elsewhere than on Linux on x86-64 and AArch64.
#[must_use]
pub fn has_frame_pointers() -> bool {
    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    // Relaxed: whoever measures finds the same.
    match KNOWN.load(Ordering::Relaxed) {
        YES => true,
        NO => false,
        _ => {
            let found = walk::finds_known_calls();
            KNOWN.store(if found { YES } else { NO }, Ordering::Relaxed);
            found
        }
    }
}

/// Has clones of a poll's waker take the stack, while it exists.
#[derive(Debug)]
pub(crate) struct Observation<'a> {
    poll: &'a ObservedPoll,
}

impl<'a> Observation<'a> {
    /// Begins to observe a poll. `None` where there are no frame pointers.
    #[inline(always)]
    pub(crate) fn begin(poll: &'a ObservedPoll) -> Option<Self> {
        if !has_frame_pointers() {
            return None;
        }
        Some(Self::link(poll))
    }

    /// Makes this the innermost observed poll.
    #[inline(always)]
    fn link(poll: &'a ObservedPoll) -> Self {
        ARENA.with(|arena| {
            arena.learn_stack();
            if let Some(outer) = arena.innermost() {
                poll.outer.set(outer);
                let free = outer.end.get();
                poll.start.set(free);
                poll.last.set(free);
                poll.end.set(free);
            }
            arena.set_innermost(poll);
        });
        Self { poll }
    }

    /// Ends the observation. Returns the hash of what was taken, which is recorded if this thread has not done so yet.
    #[inline(always)]
    pub(crate) fn end(self, epoch: u32) -> Option<u64> {
        (self.poll.stacks.get() > 0).then(|| report(self.poll, epoch))
    }
}

#[cfg(test)]
impl Observation<'_> {
    /// What a record would say.
    pub(crate) fn words(&self) -> Vec<u64> {
        ARENA.with(|arena| arena.words(self.poll, usize::MAX).collect())
    }
}

impl Drop for Observation<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        ARENA.with(|arena| {
            if ptr::eq(arena.innermost.load(Ordering::Relaxed), self.poll) {
                arena.set_innermost(self.poll.outer.get());
            } else {
                arena.unlink(self.poll);
            }
        });
    }
}

/// Whether the thread is in an observed poll. None begins while nothing records.
#[inline(always)]
pub(crate) fn is_observing() -> bool {
    ARENA.with(|arena| !arena.innermost.load(Ordering::Relaxed).is_null())
}

/// Has the bounds of this thread's stack known from now on. May allocate, and take some microseconds, once for a thread.
pub(crate) fn learn_bounds() {
    ARENA.with(StackArena::learn_stack);
}

/// Whether the bounds of this thread's stack are known.
#[cfg(feature = "alloc")]
pub(crate) fn has_bounds() -> bool {
    ARENA.with(|arena| arena.stack().is_known())
}

/// Gives `f` the addresses that the caller's active calls return to, leaf first, down to the poll of an async task, or
/// to the root of the thread as far as frame pointers lead; until it returns `false`.
///
/// Allocates nothing, on any thread and at any moment.
#[cfg(feature = "alloc")]
#[inline(never)]
pub(crate) fn of_allocation(f: &mut impl FnMut(u64) -> bool) -> WalkEnd {
    let own = walk::frame_pointer();
    let here = ptr::from_ref(&own).addr();
    let (low, high) = bounds();
    if !has_frame_pointers() || !(low..high).contains(&here) {
        return WalkEnd::Open;
    }
    let last = frame_of_poll().unwrap_or(0);
    // SAFETY: rule 5 of `walk`: `here` is in the frame of this function, and `high` the end of the stack that
    // the thread was created with, so all between them is in use by its calls.
    unsafe { walk_interrupted(own, here, high, last, f) }
}

/// The bounds of this thread's stack, between which nothing lies if they are not known. For signal handlers, too.
#[cfg_attr(
    not(any(cpu_samples, feature = "alloc")),
    allow(dead_code, reason = "for samples")
)]
pub(crate) fn bounds() -> (usize, usize) {
    ARENA.with(|arena| arena.stack().bounds())
}

/// The frame pointer of the function that polls the thread's innermost observed poll. For signal handlers, too.
#[cfg_attr(
    not(any(cpu_samples, feature = "alloc")),
    allow(dead_code, reason = "for samples")
)]
pub(crate) fn frame_of_poll() -> Option<usize> {
    ARENA.with(|arena| {
        let poll = arena.innermost()?;
        // As in `capture`.
        (poll.frame >= ptr::from_ref(poll).addr()).then_some(poll.frame)
    })
}

/// Takes the stack of the caller's caller, if `data` is what the waker of the innermost observed
/// poll carries.
#[inline(never)]
pub(crate) fn capture(data: usize) {
    let own = walk::frame_pointer();
    ARENA.with(|arena| {
        let stack = arena.stack();
        let Some(poll) = arena.innermost() else {
            return;
        };
        let here = ptr::from_ref(&stack).addr();
        let limit = ptr::from_ref(poll).addr();
        // A `frame` below the frame's own variables is no frame pointer.
        if poll.data == data && stack.contains(here) && stack.contains(limit) && poll.frame >= limit
        {
            arena.is_busy.set(true);
            compiler_fence(Ordering::SeqCst);
            arena.take(poll, own, here, limit);
            compiler_fence(Ordering::SeqCst);
            arena.is_busy.set(false);
        }
    });
}

/// A call that took fewer ticks has no stack, which would take a part of that to walk: some 70 ns at most.
const MIN_CALL_TICKS: u64 = 4_000;

/// The stack of a call that began at `began` and took so many ticks, if the thread is in an observed poll: its
/// hash, which is recorded as that of a wait is. 0 if there is none.
///
/// Allocates nothing, on any thread and at any moment.
#[inline]
pub(crate) fn of_call(began: u64, took: u64) -> u64 {
    if took >= MIN_CALL_TICKS && is_observing() {
        walk_call(began)
    } else {
        0
    }
}

/// Takes the stack of the caller's caller.
#[inline(never)]
fn walk_call(began: u64) -> u64 {
    let own = walk::frame_pointer();
    ARENA.with(|arena| {
        // Where it is not known, it must be asked for, which may allocate.
        let stack = arena.stack();
        let Some(poll) = arena.innermost() else {
            return 0;
        };
        let here = ptr::from_ref(&stack).addr();
        let limit = ptr::from_ref(poll).addr();
        // A signal handler must not write where the code that it interrupts keeps a stack.
        let is_usable = !arena.is_busy.get()
            && stack.contains(here)
            && stack.contains(limit)
            && poll.frame >= limit;
        match is_usable {
            true => arena.take_call(poll, own, here, limit, began),
            false => 0,
        }
    })
}

#[inline(never)]
fn report(poll: &ObservedPoll, epoch: u32) -> u64 {
    ARENA.with(|arena| arena.report(poll, epoch))
}

impl StackArena {
    /// Takes an observed poll out of the chain that is not the innermost.
    #[cold]
    fn unlink(&self, poll: &ObservedPoll) {
        let mut next = self.innermost();
        while let Some(inner) = next {
            let outer = inner.outer.get();
            if ptr::eq(outer, poll) {
                return inner.outer.set(poll.outer.get());
            }
            // SAFETY: rule 1: it is null or points to an observed poll that exists, as no poll ends meanwhile.
            next = unsafe { outer.as_ref() };
        }
    }

    /// Adds the stack from the frame at `own` on, leaving out that frame itself.
    #[inline(always)]
    fn take(&self, poll: &ObservedPoll, own: usize, here: usize, limit: usize) {
        if poll.stacks.get() == MAX_STACKS {
            // The last one gives way.
            poll.end.set(poll.last.get());
            poll.stacks.set(MAX_STACKS - 1);
        }
        let at = usize::from(poll.end.get());
        let Some((hash, count)) = self.walk(poll, own, here, limit) else {
            return;
        };
        let last = usize::from(poll.last.get());
        if poll.stacks.get() > 0 && self.arena[last].get() == hash {
            return;
        }
        self.arena[at].set(hash);
        self.arena[at + 1].set(count);
        poll.last.set(at as u16);
        poll.end.set((at + STACK_HEAD_WORDS) as u16 + count as u16);
        poll.stacks.set(poll.stacks.get() + 1);
    }

    /// Keeps the addresses from the frame at `own` on behind what was taken of a poll. Returns their hash, and how
    /// many they are.
    #[inline(always)]
    fn walk(
        &self,
        poll: &ObservedPoll,
        own: usize,
        here: usize,
        limit: usize,
    ) -> Option<(u64, u64)> {
        let at = usize::from(poll.end.get());
        let room = ARENA_WORDS - at;
        if room < MIN_ROOM_WORDS {
            return None;
        }
        let mut places = self.arena[at + STACK_HEAD_WORDS..].iter().take(MAX_FRAMES);
        let (mut hash, mut count) = (0, 0);
        // SAFETY: `here` is in the frame of the function that this is compiled into, and `limit` is
        // the address of the poll, which by rule 1 stands in the frame of a function that has not
        // returned. The caller has seen that both are in the stack that this thread was created with.
        let complete = unsafe {
            walk::walk(own, here, limit, poll.frame, |address| {
                let Some(place) = places.next() else {
                    return false;
                };
                place.set(address);
                hash = mixed(hash, address);
                count += 1;
                true
            })
        };
        if !complete || count == 0 {
            // Relaxed: a count that guards nothing.
            BROKEN.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some((finished(hash), count))
    }

    /// The hash of the stack of a call in a poll, which is not kept; records it if it is new.
    #[inline(always)]
    fn take_call(
        &self,
        poll: &ObservedPoll,
        own: usize,
        here: usize,
        limit: usize,
        began: u64,
    ) -> u64 {
        let Some((hash, count)) = self.walk(poll, own, here, limit) else {
            return 0;
        };
        let at = usize::from(poll.end.get()) + STACK_HEAD_WORDS;
        let addresses = &self.arena[at..at + count as usize];
        let tag = tag(hash, crate::epoch());
        let place = &self.reported[(hash >> 32) as usize % REPORTED_PLACES];
        // The record stands before that of the call, and so has its time.
        let is_reported = place.get() == tag
            || record(
                began,
                hash,
                addresses.len(),
                addresses.iter().map(Cell::get),
            )
            .is_some();
        if is_reported {
            place.set(tag);
        }
        hash
    }

    /// The hash of all that was taken; records it if it is new.
    fn report(&self, poll: &ObservedPoll, epoch: u32) -> u64 {
        let (mut hash, mut words, mut stacks) = (0, 0, 0);
        for (own_hash, addresses) in self.stacks(poll) {
            let with_separator = usize::from(stacks > 0) + addresses.len();
            if words + with_separator > MAX_STACK_WORDS {
                break;
            }
            words += with_separator;
            hash = if stacks == 0 {
                own_hash
            } else {
                finished(mixed(hash, own_hash))
            };
            stacks += 1;
        }
        let tag = tag(hash, epoch);
        let place = &self.reported[(hash >> 32) as usize % REPORTED_PLACES];
        if place.get() != tag && self.record_all(poll, hash, words, stacks).is_some() {
            place.set(tag);
        }
        hash
    }

    /// Each stack of a poll: its hash and its addresses.
    fn stacks(&self, poll: &ObservedPoll) -> impl Iterator<Item = (u64, &[Cell<u64>])> {
        let mut rest = &self.arena[usize::from(poll.start.get())..usize::from(poll.end.get())];
        std::iter::from_fn(move || {
            let (stack_head, addresses) = rest.split_first_chunk::<STACK_HEAD_WORDS>()?;
            let (addresses, next) = addresses.split_at_checked(stack_head[1].get() as usize)?;
            rest = next;
            Some((stack_head[0].get(), addresses))
        })
    }

    /// What a record says of a poll's first `stacks` stacks.
    fn words(&self, poll: &ObservedPoll, stacks: usize) -> impl Iterator<Item = u64> {
        let stacks = self.stacks(poll).take(stacks).enumerate();
        stacks.flat_map(|(index, (_, addresses))| {
            let separator = (index > 0).then_some(SEPARATOR);
            separator.into_iter().chain(addresses.iter().map(Cell::get))
        })
    }

    #[cold]
    fn record_all(
        &self,
        poll: &ObservedPoll,
        hash: u64,
        words: usize,
        stacks: usize,
    ) -> Option<()> {
        record(0, hash, words, self.words(poll, stacks))
    }
}

/// Records what a hash stands for, with these ticks, or the present ones if they are 0.
#[cold]
fn record(ticks: u64, hash: u64, words: usize, addresses: impl Iterator<Item = u64>) -> Option<()> {
    let (mut reservation, now) = Reservation::begin(3 + words)?;
    let ticks = if ticks == 0 { now } else { ticks };
    let fits = [head(Kind::StackIs, 0, ticks), hash, words as u64]
        .into_iter()
        .chain(addresses)
        .all(|word| reservation.push(word));
    fits.then(|| reservation.finish())
}

/// What stands for the hash of a stack that was recorded in an epoch: differs from that of every other epoch, and
/// is never 0.
#[inline(always)]
fn tag(hash: u64, epoch: u32) -> u64 {
    hash ^ u64::from(epoch) << 32 | 1
}

/// Odd, with no pattern: the golden ratio's fraction in 64 bits (Knuth, section 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of the hash. Multiplication carries differences up only, the rotation brings them down.
#[inline(always)]
fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(29) ^ word).wrapping_mul(MULTIPLIER)
}

/// The last step of the hash. Never 0, which means that there is none.
#[inline(always)]
fn finished(hash: u64) -> u64 {
    (hash ^ hash >> 32).max(1)
}
