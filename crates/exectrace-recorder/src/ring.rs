//! A ring of samples of one thread, which fills it while the flush thread reads it.
//!
//! # Protocol
//!
//! A ring has one *producer*, and one *consumer*, the flush thread. Of CPU samples the producer is the signal handler of
//! a thread, which nothing of its kind interrupts as its signal is blocked while it runs; of a thread's counts it is the
//! thread, which interrupts itself in nothing of the kind as it says before that it is in it (`park_counts`).
//!
//! 1. Words are counted from the ring's beginning on, without end; word `n` stands at place `n % WORDS`.
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

/// See the module.
#[repr(C)]
#[derive(Debug)]
pub struct Ring<const WORDS: usize> {
    /// Words that were written, ever.
    written: AtomicU64,
    /// Words of them that were read.
    read: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl<const WORDS: usize> Default for Ring<WORDS> {
    /// An empty ring, as memory is that the system has zeroed.
    fn default() -> Self {
        Self {
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl<const WORDS: usize> Ring<WORDS> {
    /// Producer: begins an entry, after all that were published.
    #[inline]
    pub fn begin(&self) -> Entry<'_, WORDS> {
        // Relaxed: only this thread stores it.
        let start = self.written.load(Ordering::Relaxed);
        // Acquire: rule 3.
        let read = self.read.load(Ordering::Acquire);
        Entry {
            ring: self,
            start,
            next: start + 1,
            end: read + WORDS as u64,
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
        &self.words[(number % WORDS as u64) as usize]
    }
}

/// An entry that the producer writes. Nobody sees it before it is finished.
#[derive(Debug)]
#[must_use = "an entry that is not finished is not published"]
pub struct Entry<'a, const WORDS: usize> {
    ring: &'a Ring<WORDS>,
    start: u64,
    next: u64,
    /// The places from `start` to here are the producer's.
    end: u64,
}

impl<const WORDS: usize> Entry<'_, WORDS> {
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
    #[cfg_attr(not(cpu_samples), allow(dead_code, reason = "for CPU samples"))]
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
