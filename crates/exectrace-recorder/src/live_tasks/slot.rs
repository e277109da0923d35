//! A place for one task, that others may read while it changes.
//!
//! # Protocol
//!
//! A slot is free (0), being filled ([`BUSY`]) or a task's (its number).
//!
//! 1. Whoever changes a free slot to busy fills the words and then stores the number.
//! 2. Only who changes the number back to free, which succeeds once, has removed the task.
//! 3. A reader loads the number, the words, and the number again. If both are the same, the words are
//!    those of one task, as long as no number is used twice: then nobody filled the slot in between.
//!    The fence after the change to busy and the one before the second load see to it that a reader
//!    that saw a word of a later filling sees a later number too (as in any sequence lock).
//! 4. Safety does not rest on rule 3, as anybody may number tasks: executors that give the same numbers
//!    may have a reader mix the words of their tasks. Words are atomics and are stored whole, so each
//!    word that is read was given to `fill`, or is the zero of a slot that never was filled, which no
//!    reader reports: it saw a number, and with it the words stored before. The caller sees to it that
//!    each word is valid beside any other.

#![allow(
    unreachable_pub,
    reason = "under loom the models in `tests/` drive these types from outside"
)]

use crate::sync::{AtomicU64, Ordering, fence};

/// In the place of a task's number while the slot is filled.
const BUSY: u64 = u64::MAX;

/// Words that are kept of a task beside its number.
pub const WORDS: usize = 3;

/// A place for one task. 32 bytes.
#[derive(Debug)]
pub struct TaskSlot {
    task: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl TaskSlot {
    /// A free slot.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            task: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    /// A free slot.
    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            task: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Takes the slot for a task if it is free. The number is neither 0 nor [`u64::MAX`].
    #[inline]
    pub fn fill(&self, task: u64, words: [u64; WORDS]) -> bool {
        // Spares the more costly exchange. Not under loom, which takes a thread's load just before its
        // store for a reason not to try the other threads' loads after that store.
        let is_free = cfg!(loom) || self.task.load(Ordering::Relaxed) == 0;
        let claim = || {
            let (old, new) = (Ordering::Acquire, Ordering::Relaxed);
            self.task.compare_exchange(0, BUSY, old, new).is_ok()
        };
        if !(is_free && claim()) {
            return false;
        }
        fence(Ordering::Release);
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.task.store(task, Ordering::Release);
        true
    }

    /// Frees the slot if it is this task's.
    #[inline]
    pub fn free(&self, task: u64) -> bool {
        (cfg!(loom) || self.is(task)) && {
            let (old, new) = (Ordering::Relaxed, Ordering::Relaxed);
            self.task.compare_exchange(task, 0, old, new).is_ok()
        }
    }

    /// Whether the slot is this task's.
    #[inline]
    pub fn is(&self, task: u64) -> bool {
        self.task.load(Ordering::Relaxed) == task
    }

    /// The task in the slot and its words.
    pub fn read(&self) -> Option<(u64, [u64; WORDS])> {
        let task = self.task.load(Ordering::Acquire);
        if task == 0 || task == BUSY {
            return None;
        }
        let words = std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (self.task.load(Ordering::Relaxed) == task).then_some((task, words))
    }
}
