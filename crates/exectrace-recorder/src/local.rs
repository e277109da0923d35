//! A thread's own end of the record path.
//!
//! [`Local`] has no destructor and a constant initial value, so reaching it is one add to the thread
//! pointer and works at any moment of a thread's life. Everything else a thread needs is behind the
//! slow path: [`Shared`], which the flush thread sees as well, and [`ExitGuard`], whose destructor
//! hands the last chunk over.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_queue::SegQueue;

use crate::chunk::{CHUNK_WORDS, Chunk, RESERVED_WORDS};
use crate::clock;
use crate::pool::Pool;
use crate::record::{Kind, head};

/// Where ordinary records must end.
pub(crate) const SOFT_END: usize = CHUNK_WORDS - RESERVED_WORDS;

thread_local! {
    static LOCAL: Local = const { Local::new() };
    static GUARD: ExitGuard = ExitGuard { shared: Shared::register() };
}

/// What a thread may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It never recorded.
    Fresh,
    /// It has a buffer.
    Ready,
    /// It is in the middle of a record with fields: what a field's formatting records is lost.
    Building,
    /// It is the tracer's own, and records nothing.
    Muted,
    /// Its buffer was handed over, as it ends.
    Ended,
}

struct Local {
    /// The chunk that is being filled. `None` sends every record through the slow path.
    chunk: Cell<Option<&'static Chunk>>,
    state: Cell<State>,
    /// Records dropped that no `Lost` record has told yet.
    untold: Cell<u64>,
    /// The next serial number, and the end of this thread's block of them.
    serial: Cell<u64>,
    serial_end: Cell<u64>,
}

impl Local {
    const fn new() -> Self {
        Self {
            chunk: Cell::new(None),
            state: Cell::new(State::Fresh),
            untold: Cell::new(0),
            serial: Cell::new(0),
            serial_end: Cell::new(0),
        }
    }
}

/// What the flush thread and a recording thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The system's number of the thread.
    pub(crate) thread: u64,
    /// The thread's name, if it has one.
    pub(crate) name: Option<Box<str>>,
    /// The first chunk, where reading starts. Set once, by the thread, when the pool has one for it.
    pub(crate) first: OnceLock<&'static Chunk>,
    /// Records dropped so far. Only the thread adds to it.
    pub(crate) dropped: AtomicU64,
    /// Set when the thread has written its last record.
    pub(crate) ended: AtomicBool,
}

/// Threads that recorded for the first time and are not yet known to the flush thread.
pub(crate) static NEW_THREADS: SegQueue<Arc<Shared>> = SegQueue::new();

/// Records lost where no thread's counter could be reached: by threads past their end.
pub(crate) static LOST_ELSEWHERE: AtomicU64 = AtomicU64::new(0);

/// The pool, from the first start on.
pub(crate) static POOL: OnceLock<Pool> = OnceLock::new();

/// Asks the flush thread to come before its time. Set by the flush thread module.
pub(crate) static WAKE: OnceLock<std::thread::Thread> = OnceLock::new();
/// Whether it was asked already.
pub(crate) static WOKEN: AtomicBool = AtomicBool::new(false);

impl Shared {
    fn register() -> Arc<Self> {
        let shared = Arc::new(Self {
            thread: thread_number(),
            name: std::thread::current().name().map(Into::into),
            first: OnceLock::new(),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        NEW_THREADS.push(Arc::clone(&shared));
        shared
    }

    fn count_dropped(&self) {
        // Only this thread adds, so no read-modify-write is needed.
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.dropped.store(dropped + 1, Ordering::Relaxed);
    }
}

/// The number under which the system knows this thread.
#[cfg(target_os = "linux")]
pub(crate) fn thread_number() -> u64 {
    // SAFETY: the call takes no arguments and cannot fail.
    let thread = unsafe { libc::gettid() };
    u64::from(thread.unsigned_abs())
}

/// A number of our own, where the system's is not known how to be asked for.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Hands the thread's buffer over when the thread ends.
struct ExitGuard {
    shared: Arc<Shared>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            if crate::is_enabled() {
                write(local, &self.shared, Kind::ThreadEnd, 0, &[0]);
            }
            local.chunk.set(None);
            local.state.set(State::Ended);
        });
        // Release: the flush thread reads the last record after it has seen this.
        self.shared.ended.store(true, Ordering::Release);
    }
}

/// Writes a record, and returns the ticks it carries.
///
/// The caller has looked at the switch. Costs a clock read and a store for each word; about once in
/// five hundred records also a chunk change. Where the clock is not the processor's counter, all
/// records take the slower way: the clock itself takes longer than that.
#[inline(always)]
pub(crate) fn record<const N: usize>(kind: Kind, door: u16, operands: [u64; N]) -> u64 {
    // All that is rare is left to one call at the end, so that nothing has to be kept across it.
    if let Some(chunk) = current_chunk()
        && let Some(ticks) = clock::counter_ticks()
    {
        let at = chunk.position();
        // In this form the compiler sees that the words lie in the chunk.
        if at <= SOFT_END - 1 - N {
            chunk.store(at, &[head(kind, door, ticks)]);
            chunk.store(at + 1, &operands);
            chunk.publish(at + 1 + N);
            return ticks;
        }
    }
    record_slowly(kind, door, operands)
}

#[inline(always)]
fn current_chunk() -> Option<&'static Chunk> {
    LOCAL.with(|local| local.chunk.get())
}

#[cold]
#[inline(never)]
fn record_slowly<const N: usize>(kind: Kind, door: u16, operands: [u64; N]) -> u64 {
    let outcome = LOCAL
        .with(|local| with_shared(local, |shared| write(local, shared, kind, door, &operands)));
    outcome.flatten().unwrap_or_else(clock::ticks)
}

/// Runs `f` with what this thread shares with the flush thread, registering it if it is new.
///
/// Returns `None`, and counts a lost record where it should, if this thread cannot record now.
fn with_shared<R>(local: &Local, f: impl FnOnce(&Shared) -> R) -> Option<R> {
    match local.state.get() {
        State::Muted => None,
        State::Ended => {
            LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
            None
        }
        State::Building => {
            local.untold.set(local.untold.get() + 1);
            let _ = GUARD.try_with(|guard| guard.shared.count_dropped());
            None
        }
        State::Fresh | State::Ready => {
            let result = GUARD.try_with(|guard| {
                local.state.set(State::Ready);
                f(&guard.shared)
            });
            if result.is_err() {
                LOST_ELSEWHERE.fetch_add(1, Ordering::Relaxed);
            }
            result.ok()
        }
    }
}

/// Writes a record where the fast path could not: takes a chunk, or the reserve, or counts a loss.
fn write(local: &Local, shared: &Shared, kind: Kind, door: u16, operands: &[u64]) -> Option<u64> {
    let limit = if kind.is_end() { CHUNK_WORDS } else { SOFT_END };
    let length = 1 + operands.len();
    let chunk = match chunk_with_room(local, shared, length, SOFT_END) {
        Some(chunk) => chunk,
        None => match local.chunk.get() {
            Some(chunk) if chunk.position() + length <= limit => chunk,
            _ => {
                drop_record(local, shared);
                return None;
            }
        },
    };
    let at = chunk.position();
    let ticks = clock::ticks();
    chunk.store(at, &[head(kind, door, ticks)]);
    chunk.store(at + 1, operands);
    chunk.publish(at + length);
    Some(ticks)
}

fn drop_record(local: &Local, shared: &Shared) {
    local.untold.set(local.untold.get() + 1);
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
    if let Some(chunk) = local.chunk.get()
        && chunk.position() + length <= limit
    {
        return Some(chunk);
    }
    let chunk = next_chunk(local, shared)?;
    (chunk.position() + length <= limit).then_some(chunk)
}

/// Takes a chunk from the pool and goes on there. The first thing in it tells what was lost before.
fn next_chunk(local: &Local, shared: &Shared) -> Option<&'static Chunk> {
    let pool = POOL.get()?;
    if pool.is_below(2) {
        wake_flush_thread();
    }
    let chunk = pool.take()?;
    let untold = local.untold.replace(0);
    if untold > 0 {
        chunk.store(0, &[head(Kind::Lost, 0, clock::ticks()), untold]);
        chunk.publish(2);
    }
    match local.chunk.get() {
        Some(full) => full.seal(chunk),
        // Cannot fail: a thread without a chunk has not set its first.
        None => drop(shared.first.set(chunk)),
    }
    local.chunk.set(Some(chunk));
    Some(chunk)
}

fn wake_flush_thread() {
    // The flag keeps this to one system call for each time the flush thread comes.
    if !WOKEN.swap(true, Ordering::AcqRel)
        && let Some(thread) = WAKE.get()
    {
        thread.unpark();
    }
}

/// Has this thread record nothing, ever: for the tracer's own.
pub(crate) fn mute_this_thread() {
    LOCAL.with(|local| {
        local.chunk.set(None);
        local.state.set(State::Muted);
    });
}

/// Whether this is the flush thread, which cannot wait for itself.
pub(crate) fn is_flush_thread() -> bool {
    LOCAL.with(|local| local.state.get() == State::Muted)
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

/// Space for a record whose length is not known when it begins.
///
/// While it exists the thread's other records are dropped and counted, as they can only come from a
/// field's own formatting. So a thread has one at most, and it cannot leave its thread: nobody ever
/// has two of them to exchange. Dropping it without [`finish`](Self::finish) leaves the buffer as it was.
#[derive(Debug)]
pub(crate) struct Reservation {
    chunk: &'static Chunk,
    /// Where the record begins.
    start: usize,
    /// Where the next word goes.
    at: usize,
    finished: bool,
    /// The chunk is this thread's: only it may store there.
    _not_send: PhantomData<*const ()>,
}

impl Reservation {
    /// Begins a record that has at least `length` words.
    #[inline]
    pub(crate) fn begin(length: usize) -> Option<Self> {
        let chunk = match current_chunk() {
            Some(chunk) if chunk.position() <= SOFT_END - length => chunk,
            _ => LOCAL.with(|local| Self::chunk_slowly(local, length))?,
        };
        let start = chunk.position();
        LOCAL.with(|local| {
            local.chunk.set(None);
            local.state.set(State::Building);
        });
        Some(Self {
            chunk,
            start,
            at: start,
            finished: false,
            _not_send: PhantomData,
        })
    }

    #[cold]
    #[inline(never)]
    fn chunk_slowly(local: &Local, length: usize) -> Option<&'static Chunk> {
        with_shared(local, |shared| {
            let chunk = chunk_with_room(local, shared, length, SOFT_END);
            if chunk.is_none() {
                drop_record(local, shared);
            }
            chunk
        })
        .flatten()
    }

    /// Words the record has so far.
    pub(crate) fn length(&self) -> usize {
        self.at - self.start
    }

    /// Adds a word; `false` if there is no room for it, also not in a chunk of its own.
    #[inline(always)]
    pub(crate) fn push(&mut self, word: u64) -> bool {
        self.push_all([word])
    }

    /// Adds some words; `false` if there is no room for all.
    #[inline(always)]
    pub(crate) fn push_all<const N: usize>(&mut self, words: [u64; N]) -> bool {
        if self.at <= SOFT_END - N {
            self.chunk.store(self.at, &words);
            self.at += N;
            return true;
        }
        words.iter().all(|&word| self.push_slowly(word))
    }

    /// Adds a header, words given as bytes, and a last word; `false`, with nothing added, if they do
    /// not fit into this chunk.
    #[inline(always)]
    pub(crate) fn push_text(&mut self, header: u64, words: &[[u8; 8]], last: Option<u64>) -> bool {
        let end = self.at + 1 + words.len();
        if end >= SOFT_END {
            return false;
        }
        self.chunk.store(self.at, &[header]);
        self.chunk.store_bytes(self.at + 1, words);
        self.at = end;
        if let Some(last) = last {
            self.chunk.store(end, &[last]);
            self.at = end + 1;
        }
        true
    }

    /// Adds words given as bytes, lowest first; `false` if there is no room for all.
    #[inline(always)]
    pub(crate) fn push_bytes(&mut self, words: &[[u8; 8]]) -> bool {
        let end = self.at + words.len();
        if end <= SOFT_END {
            self.chunk.store_bytes(self.at, words);
            self.at = end;
            return true;
        }
        self.push_bytes_slowly(words)
    }

    #[cold]
    #[inline(never)]
    fn push_bytes_slowly(&mut self, words: &[[u8; 8]]) -> bool {
        let mut words = words.iter();
        words.all(|&word| self.push_slowly(u64::from_le_bytes(word)))
    }

    /// Adds a word where the chunk may end.
    #[cold]
    #[inline(never)]
    fn push_slowly(&mut self, word: u64) -> bool {
        if self.at == SOFT_END && !self.move_to_new_chunk() {
            return false;
        }
        self.chunk.store(self.at, &[word]);
        self.at += 1;
        true
    }

    /// Replaces the word at `offset` from the record's begin.
    #[inline]
    pub(crate) fn set(&mut self, offset: usize, word: u64) {
        debug_assert!(self.start + offset < self.at);
        self.chunk.store(self.start + offset, &[word]);
    }

    /// Takes back all words from `offset` on.
    pub(crate) fn truncate(&mut self, offset: usize) {
        self.at = self.at.min(self.start + offset);
    }

    /// Copies the words so far to the begin of a new chunk.
    #[cold]
    fn move_to_new_chunk(&mut self) -> bool {
        if self.start == 0 {
            return false;
        }
        LOCAL.with(|local| {
            // `next_chunk` seals the chunk that the thread has.
            local.chunk.set(Some(self.chunk));
            let moved = GUARD
                .try_with(|guard| next_chunk(local, &guard.shared))
                .ok()
                .flatten();
            local.chunk.set(None);
            let Some(chunk) = moved else {
                return false;
            };
            let start = chunk.position();
            for offset in 0..self.length() {
                chunk.store(start + offset, &[self.chunk.word(self.start + offset)]);
            }
            self.at = start + self.length();
            self.start = start;
            self.chunk = chunk;
            self.at < SOFT_END
        })
    }

    /// Publishes the record.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.finished = true;
        self.chunk.publish(self.at);
    }
}

impl Drop for Reservation {
    #[inline]
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.chunk.set(Some(self.chunk));
            local.state.set(State::Ready);
        });
        if !self.finished {
            count_unfinished();
        }
    }
}

#[cold]
fn count_unfinished() {
    LOCAL.with(|local| {
        local.untold.set(local.untold.get() + 1);
        let _ = GUARD.try_with(|guard| guard.shared.count_dropped());
    });
}
