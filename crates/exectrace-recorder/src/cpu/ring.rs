//! A thread's ring of CPU samples: a signal handler fills it while the flush thread reads it.
//!
//! # Protocol
//!
//! A ring has one *producer*, the handler of one thread, which nothing of its kind interrupts as its signal is
//! blocked while it runs; and one *consumer*, the flush thread.
//!
//! 1. Words are counted from the ring's beginning on, without end; word `n` stands at place `n % RING_WORDS`.
//!    The words from `read` up to `written` are the consumer's, all others the producer's.
//! 2. The producer stores words from `written` on, as many as there are places that are not the consumer's, and
//!    only then adds them to `written`, with Release. The consumer loads it with Acquire, so every word that it
//!    reads was stored before.
//! 3. The consumer adds to `read` what it has read, with Release. The producer loads it with Acquire before it
//!    stores anything, so it overwrites nothing that is still to be read.
//! 4. The words are whole entries, as an entry is published at once. The first word of an entry is its length.
//!
//! Words are atomics that are stored and loaded relaxed, as in `chunk`: that needs no unsafe code.

#![allow(
    unreachable_pub,
    reason = "under loom the models in `tests/` drive these types from outside"
)]

use crate::sync::{AtomicU64, Ordering};

/// Words of a ring: 16 KiB.
///
/// Some seventy samples of thirty frames: those of two thirds of a second at 99 Hz, where the flush thread
/// comes every tenth of a second.
#[cfg(not(loom))]
const RING_WORDS: usize = 2048;
#[cfg(loom)]
const RING_WORDS: usize = 4;

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub struct Ring {
    /// Words that were written, ever.
    written: AtomicU64,
    /// Words of them that were read.
    read: AtomicU64,
    words: [AtomicU64; RING_WORDS],
}

impl Ring {
    /// An empty ring. Elsewhere than in models, rings are memory that the system has zeroed.
    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Producer: begins an entry, after all that were published.
    #[inline]
    pub fn begin(&self) -> Entry<'_> {
        // Relaxed: only this thread stores it.
        let start = self.written.load(Ordering::Relaxed);
        // Acquire: rule 3.
        let read = self.read.load(Ordering::Acquire);
        Entry {
            ring: self,
            start,
            next: start + 1,
            end: read + RING_WORDS as u64,
        }
    }

    /// Consumer: takes the next entry, without its length. Returns `false` if none is there.
    pub fn take(&self, entry: &mut Vec<u64>) -> bool {
        // Relaxed: only this thread stores it.
        let read = self.read.load(Ordering::Relaxed);
        // Acquire: rule 2.
        let published = self.written.load(Ordering::Acquire) - read;
        if published == 0 {
            return false;
        }
        // It is whole, by rule 4.
        let length = self.word(read).load(Ordering::Relaxed).clamp(1, published);
        entry.clear();
        entry.extend((1..length).map(|place| self.word(read + place).load(Ordering::Relaxed)));
        self.read.store(read + length, Ordering::Release);
        true
    }

    #[inline]
    fn word(&self, number: u64) -> &AtomicU64 {
        &self.words[(number % RING_WORDS as u64) as usize]
    }
}

/// An entry that the producer writes. Nobody sees it before it is finished.
#[derive(Debug)]
#[must_use = "an entry that is not finished is not published"]
pub struct Entry<'a> {
    ring: &'a Ring,
    start: u64,
    next: u64,
    /// The places from `start` to here are the producer's.
    end: u64,
}

impl Entry<'_> {
    /// Adds a word. Returns `false`, and adds nothing, if the ring is full.
    #[inline]
    pub fn push(&mut self, word: u64) -> bool {
        if self.next >= self.end {
            return false;
        }
        self.ring.word(self.next).store(word, Ordering::Relaxed);
        self.next += 1;
        true
    }

    /// Changes the word that was pushed as number `index`, from 0 on.
    #[inline]
    pub fn set(&mut self, index: u64, word: u64) {
        let number = self.start + 1 + index;
        if number < self.next {
            self.ring.word(number).store(word, Ordering::Relaxed);
        }
    }

    /// Publishes the entry. Returns `false`, and publishes nothing, if there was no room for a word.
    #[inline]
    pub fn finish(self) -> bool {
        if self.next > self.end {
            return false;
        }
        let length = self.next - self.start;
        self.ring.word(self.start).store(length, Ordering::Relaxed);
        // Release: rule 2.
        self.ring.written.store(self.next, Ordering::Release);
        true
    }
}
