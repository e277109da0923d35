//! A chunk: the block of words that one thread fills and the flush thread reads, at the same time.
//!
//! # Protocol
//!
//! A chunk has one *producer* (the thread that took it from the pool) and one *consumer* (the flush
//! thread).
//!
//! 1. Only the producer stores words, and only at or above `published`. A signal handler that
//!    interrupts it is another producer on the same thread: `thread_buffer` keeps the two apart.
//! 2. The producer stores `published` with Release after the words below it; the consumer loads it
//!    with Acquire and reads only below it. So every word it reads was stored before.
//! 3. When a chunk is full the producer takes another, empty one and stores it in `next` with
//!    Release. From then on it never touches the old chunk again. A consumer that loads a `next`
//!    with Acquire and then `published` therefore sees the final length.
//! 4. The consumer goes to `next` when it has read all of the final length, and only then resets
//!    the old chunk and gives it back to the pool. The pool's queue orders that reset before the
//!    next producer's first store.
//!
//! Words are atomics that are stored and loaded relaxed, which costs what plain words cost and
//! needs no unsafe code; the order comes from `published` alone.

#![allow(
    unreachable_pub,
    reason = "under loom the models in `tests/` drive these types from outside"
)]

use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Words in a chunk: with its two header words, 16 KiB.
///
/// Small, because a thread that records once holds one for its life; large enough that taking the
/// next one (some 50 ns) is spread over hundreds of records.
#[cfg(not(loom))]
pub(crate) const CHUNK_WORDS: usize = 2046;
#[cfg(loom)]
pub(crate) const CHUNK_WORDS: usize = 6;

/// Words at the end of each chunk that only *ends* may use, and only when no other chunk is free:
/// what a full pool loses first are openings, so that what was opened is still closed.
#[cfg(not(loom))]
pub(crate) const RESERVED_WORDS: usize = 64;
#[cfg(loom)]
pub(crate) const RESERVED_WORDS: usize = 2;

/// Bytes that a chunk takes of the pool's memory.
pub(crate) const CHUNK_BYTES: usize = size_of::<Chunk>();

/// One block of words, in the shape that the module's protocol describes.
#[repr(C)]
#[derive(Debug)]
pub struct Chunk {
    /// Words that the consumer may read, in `0..=CHUNK_WORDS`.
    published: AtomicUsize,
    /// The chunk that continues this one; null while the producer still writes here.
    next: AtomicPtr<Chunk>,
    words: [AtomicU64; CHUNK_WORDS],
}

/// Stands for the chunk of a thread that has none: there is no room in it, so nobody stores to it.
#[cfg(not(loom))]
pub(crate) static FULL: Chunk = Chunk {
    published: AtomicUsize::new(CHUNK_WORDS),
    next: AtomicPtr::new(std::ptr::null_mut()),
    words: [const { AtomicU64::new(0) }; CHUNK_WORDS],
};

impl Chunk {
    /// An empty chunk. Elsewhere than in models, chunks come zeroed from the pool's memory.
    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            published: AtomicUsize::new(0),
            next: AtomicPtr::new(std::ptr::null_mut()),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Producer: how many words are published, which is where the next record goes.
    #[inline(always)]
    pub fn position(&self) -> usize {
        // Relaxed: only this thread stores it.
        self.published.load(Ordering::Relaxed)
    }

    /// Producer: stores `words` from `at` on, publishing nothing. Words that do not fit are left out.
    #[inline(always)]
    pub fn store(&self, at: usize, words: &[u64]) {
        if let Some(places) = self.words.get(at..at + words.len()) {
            for (place, &word) in places.iter().zip(words) {
                place.store(word, Ordering::Relaxed);
            }
        }
    }

    /// Producer: as [`store`](Self::store), of words given as bytes, lowest first.
    #[inline(always)]
    pub fn store_bytes(&self, at: usize, words: &[[u8; 8]]) {
        if let Some(places) = self.words.get(at..at + words.len()) {
            for (place, &word) in places.iter().zip(words) {
                place.store(u64::from_le_bytes(word), Ordering::Relaxed);
            }
        }
    }

    /// Producer: makes all words below `position` readable.
    #[inline(always)]
    pub fn publish(&self, position: usize) {
        self.published.store(position, Ordering::Release);
    }

    /// Producer: seals this chunk; `next` goes on.
    pub fn seal(&self, next: &'static Chunk) {
        let next = std::ptr::from_ref(next).cast_mut();
        self.next.store(next, Ordering::Release);
    }

    /// Consumer: the sealed chunk's continuation.
    pub(crate) fn next(&self) -> Option<&'static Chunk> {
        let next = self.next.load(Ordering::Acquire);
        // SAFETY: `next` is null or came from `&'static Chunk` in `seal`, and chunks are never
        // freed; all access to them is through atomics.
        unsafe { next.as_ref() }
    }

    /// Consumer: words that may be read.
    #[inline]
    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// Consumer (and producer, below its own position): the word at `at`, zero beyond the chunk.
    #[inline(always)]
    pub(crate) fn word(&self, at: usize) -> u64 {
        match self.words.get(at) {
            Some(word) => word.load(Ordering::Relaxed),
            None => 0,
        }
    }

    /// Consumer: so many words from `at` on; none if the chunk ends before.
    #[inline]
    pub(crate) fn words(&self, at: usize, count: usize) -> impl Iterator<Item = u64> {
        let words = self.words.get(at..at + count).unwrap_or_default();
        words.iter().map(|word| word.load(Ordering::Relaxed))
    }

    /// Consumer: makes a chunk that was read to its end ready for another producer (rule 4).
    pub fn reset(&self) {
        // Relaxed: the pool's queue publishes the chunk.
        self.published.store(0, Ordering::Relaxed);
        self.next.store(std::ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Where a thread's first chunk is, once it has one.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct FirstChunk(AtomicPtr<Chunk>);

#[cfg(not(loom))]
impl FirstChunk {
    /// Producer: sets it, before or after words are published there.
    pub(crate) fn set(&self, chunk: &'static Chunk) {
        // Release and Acquire: who finds the chunk finds its words as they were.
        self.0
            .store(std::ptr::from_ref(chunk).cast_mut(), Ordering::Release);
    }

    /// Consumer: when the thread has ended.
    pub(crate) fn clear(&self) {
        self.0.store(std::ptr::null_mut(), Ordering::Release);
    }

    /// Consumer: the chunk.
    pub(crate) fn get(&self) -> Option<&'static Chunk> {
        let chunk = self.0.load(Ordering::Acquire);
        // SAFETY: `chunk` is null or came from `&'static Chunk` in `set`, and chunks are never freed; all
        // access to them is through atomics.
        unsafe { chunk.as_ref() }
    }
}

/// The consumer's place in a chain of chunks.
#[derive(Clone, Copy, Debug)]
pub struct ReadPosition {
    chunk: &'static Chunk,
    /// The next word to read.
    at: usize,
    /// Words of the chunk that are known to be published.
    limit: usize,
}

impl ReadPosition {
    /// The begin of a chain.
    pub fn at_start_of(chunk: &'static Chunk) -> Self {
        Self {
            chunk,
            at: 0,
            limit: 0,
        }
    }

    /// The chunk that the place is in.
    pub(crate) fn chunk(&self) -> &'static Chunk {
        self.chunk
    }

    /// Whether a word is published here. Records are published whole, so all of its record is.
    #[inline]
    pub fn has_word(&mut self) -> bool {
        if self.at >= self.limit {
            self.limit = self.chunk.published();
        }
        self.at < self.limit
    }

    /// The word at `offset` from here.
    #[inline(always)]
    pub fn word(&self, offset: usize) -> u64 {
        self.chunk.word(self.at + offset)
    }

    /// So many words from `offset` from here on.
    #[inline]
    pub(crate) fn words(&self, offset: usize, count: usize) -> impl Iterator<Item = u64> {
        self.chunk.words(self.at + offset, count)
    }

    /// Steps over so many words.
    #[inline(always)]
    pub fn advance(&mut self, words: usize) {
        self.at += words;
    }

    /// Whether the place is where `other` is, or in the same chunk beyond it.
    #[inline]
    pub(crate) fn has_reached(&self, other: &Self) -> bool {
        std::ptr::eq(self.chunk, other.chunk) && self.at >= other.at
    }

    /// Whether so many words from here on are known to be published, and lie before `end` if that is
    /// in the same chunk.
    #[inline]
    pub(crate) fn has_words(&self, count: usize, end: Option<&Self>) -> bool {
        let limit = match end {
            Some(end) if std::ptr::eq(self.chunk, end.chunk) => end.at,
            _ => self.limit,
        };
        self.at + count <= limit
    }

    /// Goes to the chunk that continues this one, if this one was read to its end.
    ///
    /// Returns the chunk that was left.
    pub fn leave_chunk(&mut self) -> Option<&'static Chunk> {
        // The next chunk is looked for first: once it is there, `published` is final (rule 3).
        let next = self.chunk.next()?;
        if self.at < self.chunk.published() {
            return None;
        }
        let left = self.chunk;
        *self = Self::at_start_of(next);
        Some(left)
    }
}
