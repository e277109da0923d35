//! Space for a record whose length is not known when it begins.

use std::marker::PhantomData;

use crate::chunk::Chunk;
use crate::thread_buffer::{Begun, Building, SOFT_END};

/// Space for a record whose length is not known when it begins.
///
/// While it exists the thread's other records are dropped and counted, as they can only come from a
/// field's own formatting. So a thread has one at most, and it cannot leave its thread: nobody ever
/// has two of them to exchange. Dropping it without [`finish`](Self::finish) leaves the buffer as it was.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// Keeps the thread's other records out.
    building: Building,
    chunk: &'static Chunk,
    /// Where the record begins.
    start: usize,
    /// Where the next word goes.
    at: usize,
    /// Something was not added, as there was no chunk for it.
    out_of_room: bool,
    finished: bool,
    /// The chunk is this thread's: only it may store there.
    _not_send: PhantomData<*const ()>,
}

impl Reservation {
    /// Begins a record that has at least `length` words. Returns its ticks as well.
    #[inline]
    pub(crate) fn begin(length: usize) -> Option<(Self, u64)> {
        Building::begin(length).map(Self::of)
    }

    /// As [`begin`](Self::begin), on any registered thread and at any moment. The record must have no more words.
    #[cfg(feature = "alloc")]
    pub(crate) fn begin_anywhere(length: usize) -> Option<(Self, u64)> {
        Building::begin_anywhere(length).map(Self::of)
    }

    #[inline]
    fn of(begun: Begun) -> (Self, u64) {
        let reservation = Self {
            building: begun.building,
            chunk: begun.chunk,
            start: begun.start,
            at: begun.start,
            out_of_room: false,
            finished: false,
            _not_send: PhantomData,
        };
        (reservation, begun.ticks)
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
            self.out_of_room = true;
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
        let Some(chunk) = self.building.next_chunk() else {
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
        if !self.finished {
            self.building.lose(self.out_of_room);
        }
    }
}
