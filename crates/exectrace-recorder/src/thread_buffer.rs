//! A thread's own end of the record path.
//!
//! [`ThreadBuffer`] has no destructor and a constant initial value, so reaching it is one add to the thread
//! pointer and works at any moment of a thread's life. What else a thread needs is behind the slow path,
//! in `thread`: what it shares with the flush thread, and the guard whose destructor hands the last chunk
//! over.
//!
//! # Records inside records
//!
//! A record can be interrupted by another of the same thread: by one that a field's formatting writes,
//! or by one of a signal handler, which may come between any two instructions. Then two would write to
//! the same words.
//!
//! 1. Whoever writes a record, takes a chunk or registers the thread first changes the thread's state
//!    to [`State::Busy`], and back when all is done. Only who made that change touches the chunk and the
//!    other cells of [`ThreadBuffer`].
//! 2. Who finds the state busy counts its record as lost, in atomics, and touches nothing else.
//!
//! A handler runs to its end before the code that it interrupts goes on, so it leaves the state as it
//! found it, and to look at the state and then to change it needs no atomic operation: whatever ran in
//! between has changed it back. What is needed is that the compiler moves nothing over the two changes,
//! which is what its fences are for; they are no instructions.

mod building;

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, compiler_fence};

use crate::budget::Share;
use crate::calls::LastClosure;
use crate::chunk::{CHUNK_WORDS, Chunk, FULL, RESERVED_WORDS};
#[cfg(feature = "alloc")]
use crate::heap::Distance;
use crate::heap_sums::HeapSums;
use crate::kinds::Kind;
use crate::record::head;
use crate::thread::{ThreadShared, with_shared, with_shared_anywhere};
use crate::{clock, process};

pub(crate) use building::{Begun, Building};

/// Where ordinary records must end.
pub(crate) const SOFT_END: usize = CHUNK_WORDS - RESERVED_WORDS;

thread_local! {
    static BUFFER: ThreadBuffer = const { ThreadBuffer::new() };
}

/// What a thread may do now.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It takes the slow path: it has no buffer yet, or its clock is not the processor's counter.
    Slow,
    /// It has a buffer, and writes no record now.
    Open,
    /// As open, but nothing says when the thread ends: records that may see to that take the slow path.
    Unguarded,
    /// It is in the middle of a record, or of taking a chunk.
    Busy,
    /// It is the tracer's own, and records nothing.
    Muted,
    /// Its buffer was handed over, as it ends.
    Ended,
}

/// What a thread needs to write a record.
pub(crate) struct ThreadBuffer {
    /// A [`State`].
    state: AtomicU8,
    /// The chunk that is being filled; [`FULL`] if there is none.
    chunk: Cell<&'static Chunk>,
    /// The number of the process in which the thread was registered, plus 1; 0 before.
    registered_in: Cell<u32>,
    /// Records were dropped that no `Lost` record counts yet.
    unreported: Cell<bool>,
    /// What the thread shares with the flush thread, if it was registered in that process.
    shared: Cell<Option<&'static ThreadShared>>,
    /// The thread is in a call, or counts one: see `calls`.
    pub(crate) in_call: Cell<bool>,
    /// The closure that the thread ran at its last call.
    pub(crate) closure: Cell<LastClosure>,
    /// What the thread may record of its calls.
    pub(crate) share_of_calls: Share,
    /// Sums that were added to since a record last said how large they are: a bit for each.
    pub(crate) changed_sums: Cell<u64>,
    /// Where the thread's allocations are counted; `None` where they are not, or not yet.
    pub(crate) heap: Cell<Option<&'static HeapSums>>,
    /// How far it is to the thread's next allocation that is sampled.
    #[cfg(feature = "alloc")]
    pub(crate) distance: Distance,
    /// The thread is in the tracer's own work: what that allocates is not the program's.
    is_in_own_work: Cell<bool>,
}

/// The bit of the thread's allocations in [`ThreadBuffer::changed_sums`]; those of calls are lower.
pub(crate) const HEAP_CHANGED: u64 = 1 << 63;

impl ThreadBuffer {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Slow as u8),
            chunk: Cell::new(&FULL),
            registered_in: Cell::new(0),
            unreported: Cell::new(false),
            shared: Cell::new(None),
            in_call: Cell::new(false),
            closure: Cell::new(LastClosure::NONE),
            share_of_calls: Share::new(),
            changed_sums: Cell::new(0),
            heap: Cell::new(None),
            #[cfg(feature = "alloc")]
            distance: Distance::new(),
            is_in_own_work: Cell::new(false),
        }
    }

    #[inline(always)]
    fn is(&self, state: State) -> bool {
        // Relaxed, here and below: only this thread and its signal handlers look.
        self.state.load(Ordering::Relaxed) == state as u8
    }

    /// Makes the state busy, if it is this one.
    #[inline(always)]
    fn begin(&self, from: State) -> bool {
        let is_free = self.is(from);
        if is_free {
            self.state.store(State::Busy as u8, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
        }
        is_free
    }

    /// Ends what [`begin`](Self::begin) began.
    #[inline(always)]
    fn end(&self, state: State) {
        compiler_fence(Ordering::SeqCst);
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// The state in which a thread that has a buffer waits for its next record.
    fn idle(&self) -> State {
        if !clock::is_counter() || std::ptr::eq(self.chunk.get(), &FULL) {
            return State::Slow;
        }
        match self.shared.get() {
            Some(shared) if !shared.is_unguarded() => State::Open,
            _ => State::Unguarded,
        }
    }

    /// Makes the state busy, if the thread may write a record.
    fn begin_any(&self) -> bool {
        self.begin(State::Open) || self.begin(State::Unguarded) || self.begin(State::Slow)
    }

    /// Makes the state busy, if the thread may write a record and has a chunk. Returns what it was.
    #[inline(always)]
    fn begin_with_chunk(&self) -> Option<State> {
        let states = [State::Open, State::Unguarded];
        states.into_iter().find(|&state| self.begin(state))
    }

    /// Whether the thread was registered in this process.
    #[inline(always)]
    pub(crate) fn is_registered(&self) -> bool {
        self.registered_in.get() == process::number().wrapping_add(1)
    }

    /// What the thread shares with the flush thread of this process.
    #[inline(always)]
    pub(crate) fn shared(&self) -> Option<&'static ThreadShared> {
        self.shared.get().filter(|_| self.is_registered())
    }

    /// From here on allocations are counted, if there is something to count them in.
    fn count_allocations(&self) {
        let shared = self.shared().filter(|_| !self.is_in_own_work.get());
        self.heap.set(shared.map(|shared| &shared.heap));
    }

    /// Runs what is the tracer's own work and not the program's.
    pub(crate) fn do_own_work<R>(&self, work: impl FnOnce() -> R) -> R {
        let is_inner = self.is_in_own_work.replace(true);
        self.heap.set(None);
        compiler_fence(Ordering::SeqCst);
        let result = work();
        compiler_fence(Ordering::SeqCst);
        self.is_in_own_work.set(is_inner);
        self.count_allocations();
        result
    }

    /// Whether what the thread does now is the tracer's own work.
    pub(crate) fn is_in_own_work(&self) -> bool {
        self.is_in_own_work.get() || self.is_the_tracers()
    }

    /// Whether the thread records nothing, as it is the tracer's own.
    pub(crate) fn is_the_tracers(&self) -> bool {
        self.is(State::Muted)
    }

    /// Whether the thread has handed its buffer over.
    pub(crate) fn is_past_its_end(&self) -> bool {
        self.is(State::Ended)
    }

    /// Registers a thread that is not registered, unless its buffer is busy.
    pub(crate) fn register_with(
        &self,
        register: impl FnOnce() -> Option<&'static ThreadShared>,
    ) -> Option<&'static ThreadShared> {
        if !self.begin(State::Slow) {
            return None;
        }
        let shared = register();
        if let Some(shared) = shared {
            self.set_registered(shared);
        }
        self.end(State::Slow);
        shared
    }

    /// The thread is registered now, and has no chunk yet.
    pub(crate) fn set_registered(&self, shared: &'static ThreadShared) {
        self.chunk.set(&FULL);
        self.shared.set(Some(shared));
        self.changed_sums.set(0);
        self.count_allocations();
        self.registered_in.set(process::number().wrapping_add(1));
    }
}

/// Counts a record that was lost where the thread's own counter must not be touched.
#[cold]
pub(crate) fn lose_elsewhere() {
    LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
}

/// Records lost where no thread's counter could be used: inside of other records, and by threads past
/// their end.
pub(crate) static LOST_ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// Records lost because the formatting of a value panicked.
pub(crate) static LOST_IN_FORMATTING: AtomicU64 = AtomicU64::new(0);

/// Writes the last record of the thread, which is past its end from now on. Returns what it shared with the
/// flush thread.
pub(crate) fn end() -> Option<&'static ThreadShared> {
    BUFFER.with(|buffer| {
        let shared = buffer.shared();
        if let Some(shared) = shared
            && crate::is_enabled()
        {
            report_sums();
            // It is busy if the thread was ended in the middle of a record, which then stays unfinished.
            if buffer.begin_any() {
                write(buffer, shared, Kind::ThreadEnd, 0, &[0]);
            }
        }
        buffer.chunk.set(&FULL);
        buffer.shared.set(None);
        buffer.heap.set(None);
        buffer.end(State::Ended);
        shared
    })
}

/// In a forked child, whose memory has nothing of a flush thread: lets go of the buffer.
///
/// Runs in a handler that may have interrupted this thread in the middle of a record. That record is
/// finished in the old chunk, where nobody reads it.
#[cfg(unix)]
pub(crate) fn forget() {
    BUFFER.with(|buffer| {
        buffer.chunk.set(&FULL);
        buffer.shared.set(None);
        buffer.heap.set(None);
        if !buffer.is(State::Busy) && !buffer.is(State::Ended) {
            buffer.end(State::Slow);
        }
    });
}

/// Writes a record, and returns the ticks it carries.
///
/// The caller has seen that something records. Costs a clock read and a store for each word; about once in
/// five hundred records also a chunk change. Where the clock is not the processor's counter, all
/// records take the slower way: the clock itself takes longer than that.
#[inline(always)]
pub(crate) fn record<const N: usize>(kind: Kind, source: u16, operands: [u64; N]) -> u64 {
    if kind.is_switch() && has_changed_sums() {
        report_sums();
    }
    // All that is rare is left to one call at the end, so that nothing has to be kept across it.
    if begin_record() {
        let chunk = current_chunk();
        let at = chunk.position();
        // In this form the compiler sees that the words lie in the chunk.
        if at <= SOFT_END - 1 - N {
            // The state was open, so this is the clock.
            let ticks = clock::counter();
            chunk.store(at, &[head(kind, source, ticks)]);
            chunk.store(at + 1, &operands);
            chunk.publish(at + 1 + N);
            end_record(State::Open);
            return ticks;
        }
        end_record(State::Open);
    }
    record_slowly(kind, source, operands)
}

/// Whether there are sums to be reported.
#[inline(always)]
pub(crate) fn has_changed_sums() -> bool {
    BUFFER.with(|buffer| buffer.changed_sums.get() != 0)
}

/// Records the sums that were added to since the last time. What comes next on this thread counts for somebody
/// else.
#[cold]
#[inline(never)]
pub(crate) fn report_sums() {
    let (changed, shared) = BUFFER.with(|buffer| (buffer.changed_sums.replace(0), buffer.shared()));
    if let Some(shared) = shared {
        if changed & HEAP_CHANGED != 0 {
            shared.heap.report();
        }
        shared.calls.report(changed & !HEAP_CHANGED);
    }
}

/// Gives `f` the thread's buffer.
///
/// Always inlined with `f`, which a closure of this length given to `LocalKey::with` is not.
#[inline(always)]
pub(crate) fn with_buffer<R>(f: impl FnOnce(&ThreadBuffer) -> R) -> R {
    let buffer = BUFFER.with(std::ptr::from_ref);
    // SAFETY: the value has no destructor and a constant initial value, so it exists as long as its thread, on which
    // this runs; it is only borrowed shared.
    f(unsafe { &*buffer })
}

/// Writes a record that carries the ticks of an earlier moment, after which this thread wrote none. Allocates
/// nothing. `false` if there was no room for it, which is counted.
#[inline(always)]
pub(crate) fn record_since<const N: usize>(
    kind: Kind,
    source: u16,
    ticks: u64,
    operands: [u64; N],
) -> bool {
    if let Some(state) = with_buffer(ThreadBuffer::begin_with_chunk) {
        let chunk = current_chunk();
        let at = chunk.position();
        if at <= SOFT_END - 1 - N {
            chunk.store(at, &[head(kind, source, ticks)]);
            chunk.store(at + 1, &operands);
            chunk.publish(at + 1 + N);
            end_record(state);
            return true;
        }
        end_record(state);
    }
    record_since_slowly(kind, source, ticks, operands)
}

#[cold]
#[inline(never)]
fn record_since_slowly<const N: usize>(
    kind: Kind,
    source: u16,
    ticks: u64,
    operands: [u64; N],
) -> bool {
    BUFFER.with(|buffer| {
        let Some(busy) = Busy::begin(buffer) else {
            return false;
        };
        let written = with_shared_anywhere(busy.buffer, |shared| {
            write_at(buffer, shared, kind, source, Some(ticks), &operands)
        });
        written.flatten().is_some()
    })
}

/// Writes a record of this moment if the thread is registered, and there is room. `false` if not, which is not counted:
/// the caller has another way. Allocates nothing.
#[cfg(feature = "alloc")]
pub(crate) fn try_record<const N: usize>(kind: Kind, operands: [u64; N]) -> bool {
    BUFFER.with(|buffer| {
        let Some(shared) = buffer.shared().filter(|_| buffer.begin_any()) else {
            return false;
        };
        let chunk = chunk_with_room(buffer, shared, 1 + N, SOFT_END);
        if let Some(chunk) = chunk {
            let at = chunk.position();
            chunk.store(at, &[head(kind, 0, clock::ticks())]);
            chunk.store(at + 1, &operands);
            chunk.publish(at + 1 + N);
        }
        buffer.end(buffer.idle());
        chunk.is_some()
    })
}

// Each of these reaches for the thread's buffer by itself: a longer closure would become a function.

#[inline(always)]
fn begin_record() -> bool {
    BUFFER.with(|buffer| buffer.begin(State::Open))
}

#[inline(always)]
fn current_chunk() -> &'static Chunk {
    BUFFER.with(|buffer| buffer.chunk.get())
}

#[inline(always)]
fn end_record(state: State) {
    BUFFER.with(|buffer| buffer.end(state));
}

#[cold]
#[inline(never)]
fn record_slowly<const N: usize>(kind: Kind, source: u16, operands: [u64; N]) -> u64 {
    let outcome = BUFFER.with(|buffer| {
        let busy = Busy::begin(buffer)?;
        with_shared(busy.buffer, |shared| {
            write(buffer, shared, kind, source, &operands)
        })
        .flatten()
    });
    outcome.unwrap_or_else(clock::ticks)
}

/// A thread's state is busy, and idle again at the end.
struct Busy<'a> {
    buffer: &'a ThreadBuffer,
}

impl<'a> Busy<'a> {
    /// `None`, with a lost record counted where it should, if this thread cannot record now.
    fn begin(buffer: &'a ThreadBuffer) -> Option<Self> {
        if buffer.begin_any() {
            return Some(Self { buffer });
        }
        if buffer.is(State::Busy) || buffer.is(State::Ended) {
            lose_elsewhere();
        }
        None
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.buffer.end(self.buffer.idle());
    }
}

/// Writes a record where the fast path could not: takes a chunk, or the reserve, or counts a loss.
fn write(
    buffer: &ThreadBuffer,
    shared: &ThreadShared,
    kind: Kind,
    source: u16,
    operands: &[u64],
) -> Option<u64> {
    write_at(buffer, shared, kind, source, None, operands)
}

/// As [`write`], of a moment that is past, if there are `ticks`.
fn write_at(
    buffer: &ThreadBuffer,
    shared: &ThreadShared,
    kind: Kind,
    source: u16,
    ticks: Option<u64>,
    operands: &[u64],
) -> Option<u64> {
    let limit = if kind.is_end() { CHUNK_WORDS } else { SOFT_END };
    let length = 1 + operands.len();
    let chunk = match chunk_with_room(buffer, shared, length, SOFT_END) {
        Some(chunk) => chunk,
        None if buffer.chunk.get().position() + length <= limit => buffer.chunk.get(),
        None => {
            drop_record(buffer, shared);
            return None;
        }
    };
    let at = chunk.position();
    let ticks = ticks.unwrap_or_else(clock::ticks);
    chunk.store(at, &[head(kind, source, ticks)]);
    chunk.store(at + 1, operands);
    chunk.publish(at + length);
    Some(ticks)
}

fn drop_record(buffer: &ThreadBuffer, shared: &ThreadShared) {
    buffer.unreported.set(true);
    shared.count_dropped();
    wake_flush_thread();
}

/// The thread's chunk if `length` words fit below `limit`, else a new one.
fn chunk_with_room(
    buffer: &ThreadBuffer,
    shared: &ThreadShared,
    length: usize,
    limit: usize,
) -> Option<&'static Chunk> {
    let has_room = |chunk: &Chunk| chunk.position() + length <= limit;
    let chunk = buffer.chunk.get();
    if has_room(chunk) {
        return Some(chunk);
    }
    next_chunk(buffer, shared).filter(|chunk| has_room(chunk))
}

/// Takes a chunk from the pool and goes on there. If records were lost before, the first one in it says so.
fn next_chunk(buffer: &ThreadBuffer, shared: &ThreadShared) -> Option<&'static Chunk> {
    let pool = process::existing()?.pool.get()?;
    if pool.is_below(2) {
        wake_flush_thread();
    }
    let chunk = pool.take()?;
    if buffer.unreported.replace(false) {
        // All that were ever dropped: the flush thread knows which of them it has reported.
        let dropped = shared.dropped.load(Ordering::Relaxed);
        chunk.store(0, &[head(Kind::Lost, 0, clock::ticks()), dropped]);
        chunk.publish(2);
    }
    let full = buffer.chunk.replace(chunk);
    if std::ptr::eq(full, &FULL) {
        shared.first.set(chunk);
    } else {
        full.seal(chunk);
    }
    Some(chunk)
}

fn wake_flush_thread() {
    if let Some(process) = process::existing() {
        process.wake();
    }
}

/// Has this thread record nothing, ever: for the tracer's own.
pub(crate) fn mute_this_thread() {
    BUFFER.with(|buffer| {
        buffer.chunk.set(&FULL);
        buffer.end(State::Muted);
    });
}

/// Whether this is the flush thread, which cannot wait for itself.
pub(crate) fn is_flush_thread() -> bool {
    BUFFER.with(ThreadBuffer::is_the_tracers)
}
