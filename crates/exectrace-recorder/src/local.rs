//! A thread's own end of the record path.
//!
//! [`Local`] has no destructor and a constant initial value, so reaching it is one add to the thread
//! pointer and works at any moment of a thread's life. Everything else a thread needs is behind the
//! slow path: [`Shared`], which the flush thread sees as well, and [`ExitGuard`], whose destructor
//! hands the last chunk over.
//!
//! # Records inside records
//!
//! A record can be interrupted by another of the same thread: by one that a field's formatting writes,
//! or by one of a signal handler, which may come between any two instructions. Then two would write to
//! the same words.
//!
//! 1. Whoever writes a record, takes a chunk or registers the thread first changes the thread's state
//!    to [`State::Busy`], and back when all is done. Only who made that change touches the chunk and the
//!    other cells of [`Local`] (but for the serial numbers, which it gives out at any time).
//! 2. Who finds the state busy counts its record as lost, in atomics, and touches nothing else.
//!
//! A handler runs to its end before the code that it interrupts goes on, so it leaves the state as it
//! found it, and to look at the state and then to change it needs no atomic operation: whatever ran in
//! between has changed it back. What is needed is that the compiler moves nothing over the two changes,
//! which is what its fences are for; they are no instructions.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, compiler_fence};

use crate::chunk::{CHUNK_WORDS, Chunk, FULL, RESERVED_WORDS};
use crate::kinds::Kind;
use crate::record::head;
use crate::thread::{ExitGuard, Shared};
use crate::{clock, process};

/// Where ordinary records must end.
pub(crate) const SOFT_END: usize = CHUNK_WORDS - RESERVED_WORDS;

thread_local! {
    static LOCAL: Local = const { Local::new() };
    static GUARD: ExitGuard = ExitGuard::default();
}

/// What a thread may do now.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It takes the slow path: it has no buffer yet, or its clock is not the processor's counter.
    Slow,
    /// It has a buffer, and writes no record now.
    Open,
    /// It is in the middle of a record, or of taking a chunk.
    Busy,
    /// It is the tracer's own, and records nothing.
    Muted,
    /// Its buffer was handed over, as it ends.
    Ended,
}

pub(crate) struct Local {
    /// A [`State`].
    state: AtomicU8,
    /// The chunk that is being filled; [`FULL`] if there is none.
    chunk: Cell<&'static Chunk>,
    /// The number of the process in which the thread was registered, plus 1; 0 before.
    registered_in: Cell<u32>,
    /// Records were dropped that no `Lost` record counts yet.
    untold: Cell<bool>,
    /// The next serial number, and the end of this thread's block of them.
    serial: Cell<u64>,
    serial_end: Cell<u64>,
}

impl Local {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Slow as u8),
            chunk: Cell::new(&FULL),
            registered_in: Cell::new(0),
            untold: Cell::new(false),
            serial: Cell::new(0),
            serial_end: Cell::new(0),
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
        match clock::is_counter() && !std::ptr::eq(self.chunk.get(), &FULL) {
            true => State::Open,
            false => State::Slow,
        }
    }

    /// Counts a record that was lost where the thread's own counter must not be touched.
    #[cold]
    fn lose() {
        LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
}

/// Records lost where no thread's counter could be used: inside of other records, and by threads past
/// their end.
pub(crate) static LOST_ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// Records lost because the formatting of a value panicked.
pub(crate) static LOST_IN_FORMATTING: AtomicU64 = AtomicU64::new(0);

/// Writes the last record of the thread, which is past its end from now on.
pub(crate) fn end(shared: Option<&Shared>) {
    LOCAL.with(|local| {
        // It is busy if the thread was ended in the middle of a record, which then stays unfinished.
        if let Some(shared) = shared
            && is_registered(local)
            && crate::is_enabled()
            && (local.begin(State::Open) || local.begin(State::Slow))
        {
            write(local, shared, Kind::ThreadEnd, 0, &[0]);
        }
        local.chunk.set(&FULL);
        local.end(State::Ended);
    });
}

/// In a forked child, whose memory has nothing of a flush thread: lets go of the buffer.
///
/// Runs in a handler that may have interrupted this thread in the middle of a record. That record is
/// finished in the old chunk, where nobody reads it.
#[cfg(unix)]
pub(crate) fn forget() {
    LOCAL.with(|local| {
        local.chunk.set(&FULL);
        if local.is(State::Open) || local.is(State::Muted) {
            local.end(State::Slow);
        }
    });
}

/// Writes a record, and returns the ticks it carries.
///
/// The caller has looked at the switch. Costs a clock read and a store for each word; about once in
/// five hundred records also a chunk change. Where the clock is not the processor's counter, all
/// records take the slower way: the clock itself takes longer than that.
#[inline(always)]
pub(crate) fn record<const N: usize>(kind: Kind, source: u16, operands: [u64; N]) -> u64 {
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

// Each of these reaches for the thread's own by itself: a longer closure would become a function.

#[inline(always)]
fn begin_record() -> bool {
    LOCAL.with(|local| local.begin(State::Open))
}

#[inline(always)]
fn current_chunk() -> &'static Chunk {
    LOCAL.with(|local| local.chunk.get())
}

#[inline(always)]
fn end_record(state: State) {
    LOCAL.with(|local| local.end(state));
}

#[cold]
#[inline(never)]
fn record_slowly<const N: usize>(kind: Kind, source: u16, operands: [u64; N]) -> u64 {
    let outcome = LOCAL.with(|local| {
        let busy = Busy::begin(local)?;
        with_shared(busy.local, |shared| {
            write(local, shared, kind, source, &operands)
        })
        .flatten()
    });
    outcome.unwrap_or_else(clock::ticks)
}

/// A thread's state is busy, and idle again at the end.
struct Busy<'a> {
    local: &'a Local,
}

impl<'a> Busy<'a> {
    /// `None`, with a lost record counted where it should, if this thread cannot record now.
    fn begin(local: &'a Local) -> Option<Self> {
        if local.begin(State::Open) || local.begin(State::Slow) {
            return Some(Self { local });
        }
        if local.is(State::Busy) {
            Local::lose();
        } else if local.is(State::Ended) {
            LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
        }
        None
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.local.end(self.local.idle());
    }
}

/// A thread is in the middle of a record that takes more than one call: its state is busy until this
/// is dropped.
#[derive(Debug)]
pub(crate) struct Building {
    /// The state afterwards.
    after: State,
}

impl Building {
    /// Begins a record of at least `length` words.
    #[inline]
    pub(crate) fn begin(length: usize) -> Option<Begun> {
        if begin_record() {
            let chunk = current_chunk();
            let start = chunk.position();
            if start <= SOFT_END - length {
                return Some(Begun {
                    building: Self { after: State::Open },
                    chunk,
                    start,
                    // The state was open, so this is the clock.
                    ticks: clock::counter(),
                });
            }
            end_record(State::Open);
        }
        Self::begin_slowly(length)
    }

    #[cold]
    #[inline(never)]
    fn begin_slowly(length: usize) -> Option<Begun> {
        LOCAL.with(|local| {
            let busy = Busy::begin(local)?;
            let chunk = with_shared(local, |shared| {
                let chunk = chunk_with_room(local, shared, length, SOFT_END);
                if chunk.is_none() {
                    drop_record(local, shared);
                }
                chunk
            });
            let chunk = chunk.flatten()?;
            std::mem::forget(busy);
            Some(Begun {
                building: Self {
                    after: local.idle(),
                },
                chunk,
                start: chunk.position(),
                ticks: clock::ticks(),
            })
        })
    }

    /// Goes on in a new chunk. None after a fork in the middle of the record: what there is of it is
    /// the parent's.
    pub(crate) fn next_chunk(&self) -> Option<&'static Chunk> {
        LOCAL.with(|local| {
            if !is_registered(local) || std::ptr::eq(local.chunk.get(), &FULL) {
                return None;
            }
            with_shared(local, |shared| next_chunk(local, shared)).flatten()
        })
    }

    /// Counts the record as lost: there was no room for it, or who gives its values has panicked.
    #[cold]
    pub(crate) fn lose(&self, out_of_room: bool) {
        if !out_of_room {
            LOST_IN_FORMATTING.fetch_add(1, Ordering::Relaxed);
            return;
        }
        LOCAL.with(|local| {
            if is_registered(local) {
                with_shared(local, |shared| drop_record(local, shared));
            }
        });
    }
}

impl Drop for Building {
    #[inline]
    fn drop(&mut self) {
        end_record(self.after);
    }
}

/// Where a record begins, and when.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) building: Building,
    pub(crate) chunk: &'static Chunk,
    pub(crate) start: usize,
    pub(crate) ticks: u64,
}

/// Runs `f` with what this thread shares with the flush thread, registering it if it is new. The state
/// is busy.
///
/// Returns `None`, and counts a lost record, if the thread is past its end.
fn with_shared<R>(local: &Local, f: impl FnOnce(&Shared) -> R) -> Option<R> {
    let result = GUARD.try_with(|guard| {
        let mut shared = guard.shared.borrow_mut();
        if !is_registered(local) {
            *shared = None;
        }
        let shared = shared.get_or_insert_with(|| register(local));
        f(shared)
    });
    if result.is_err() {
        LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
    result.ok()
}

fn is_registered(local: &Local) -> bool {
    local.registered_in.get() == process::number().wrapping_add(1)
}

#[cold]
fn register(local: &Local) -> Arc<Shared> {
    local.chunk.set(&FULL);
    local.registered_in.set(process::number().wrapping_add(1));
    Shared::register()
}

/// Writes a record where the fast path could not: takes a chunk, or the reserve, or counts a loss.
fn write(local: &Local, shared: &Shared, kind: Kind, source: u16, operands: &[u64]) -> Option<u64> {
    let limit = if kind.is_end() { CHUNK_WORDS } else { SOFT_END };
    let length = 1 + operands.len();
    let chunk = match chunk_with_room(local, shared, length, SOFT_END) {
        Some(chunk) => chunk,
        None if local.chunk.get().position() + length <= limit => local.chunk.get(),
        None => {
            drop_record(local, shared);
            return None;
        }
    };
    let at = chunk.position();
    let ticks = clock::ticks();
    chunk.store(at, &[head(kind, source, ticks)]);
    chunk.store(at + 1, operands);
    chunk.publish(at + length);
    Some(ticks)
}

fn drop_record(local: &Local, shared: &Shared) {
    local.untold.set(true);
    shared.count_dropped();
    wake_flush_thread();
}

/// The thread's chunk if `length` words fit below `limit`, else a new one.
fn chunk_with_room(
    local: &Local,
    shared: &Shared,
    length: usize,
    limit: usize,
) -> Option<&'static Chunk> {
    let has_room = |chunk: &Chunk| chunk.position() + length <= limit;
    let chunk = local.chunk.get();
    if has_room(chunk) {
        return Some(chunk);
    }
    next_chunk(local, shared).filter(|chunk| has_room(chunk))
}

/// Takes a chunk from the pool and goes on there. The first thing in it tells what was lost before.
fn next_chunk(local: &Local, shared: &Shared) -> Option<&'static Chunk> {
    let pool = process::existing()?.pool.get()?;
    if pool.is_below(2) {
        wake_flush_thread();
    }
    let chunk = pool.take()?;
    if local.untold.replace(false) {
        // All that were ever dropped: the flush thread knows which of them it has reported.
        let dropped = shared.dropped.load(Ordering::Relaxed);
        chunk.store(0, &[head(Kind::Lost, 0, clock::ticks()), dropped]);
        chunk.publish(2);
    }
    let full = local.chunk.replace(chunk);
    if std::ptr::eq(full, &FULL) {
        // Cannot fail: a thread without a chunk has not set its first.
        let _ = shared.first.set(chunk);
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
    LOCAL.with(|local| {
        local.chunk.set(&FULL);
        local.end(State::Muted);
    });
}

/// Whether this is the flush thread, which cannot wait for itself.
pub(crate) fn is_flush_thread() -> bool {
    LOCAL.with(|local| local.is(State::Muted))
}

/// A number that no other thread and no other call gets in this process, from 1 up, below 2^48.
#[inline]
pub(crate) fn serial() -> u64 {
    LOCAL.with(|local| {
        let serial = local.serial.get();
        if serial == local.serial_end.get() {
            return serial_from_new_block(local);
        }
        local.serial.set(serial + 1);
        serial
    })
}

/// Serial numbers that a thread takes at once: one shared write for so many tasks.
const SERIAL_BLOCK: u64 = 1 << 12;

#[cold]
fn serial_from_new_block(local: &Local) -> u64 {
    static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
    // Relaxed: only uniqueness matters.
    let first = NEXT_BLOCK.fetch_add(SERIAL_BLOCK, Ordering::Relaxed);
    local.serial.set(first + 1);
    local.serial_end.set(first + SERIAL_BLOCK);
    first
}
