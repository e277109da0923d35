//! Reading records back from a thread's chunks.
//!
//! A [`Cursor`] walks the chunks of one thread, and a [`Record`] gives the words of the record there their
//! meaning, which the table in `kinds` names: the addresses in them are of static data, and this module
//! makes references of them again.
//!
//! # Protocol
//!
//! 1. A record is read as it was written: the words below a chunk's published length are whole records
//!    (rule 2 of `chunk`), each written by one call that nothing else on its thread came between
//!    (rules 1 and 2 of `thread_buffer`).
//! 2. The words of a kind are written in one place only, as the table in `kinds` says: an address there
//!    is taken from a `&'static` reference, whose provenance is exposed, and a length beside it in the
//!    same record is that of the same text, or less.

use std::panic::Location;

use crate::calls::{Call, CallClass, CallResult};
use crate::chunk::{Chunk, ReadPosition};
use crate::cpu::WalkEnd;
use crate::heap_sums::HeapSum;
use crate::input::{
    AsyncKey, Called, CallsiteKey, FieldValues, HeapSample, NewSpan, SpanKey, Upcoming,
};
use crate::kinds::{Kind, Words};
use crate::record::{
    is_head_of, kind_of_head, source_of_head, split_number_and_length, ticks_of_head,
};
use crate::span_source::{FIELD_WORDS_MASK, FIELDS_TRUNCATED, Parent};
use crate::values::Values;

/// Most addresses of a stack, so that its record fits a chunk whatever it says.
pub(crate) const MAX_STACK_WORDS: usize = 128;

/// A place in the records of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    position: ReadPosition,
}

/// Space for what a record holds beside numbers.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<[u8; 8]>,
    words: Vec<u64>,
}

/// What is known of a record without reading all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    pub(crate) kind: Kind,
    pub(crate) ticks: u64,
    pub(crate) head: u64,
    /// Words of the record.
    pub(crate) length: usize,
}

/// A record that was peeked at, where its thread's cursor is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'c> {
    cursor: &'c Cursor,
    peek: &'c Peek,
}

impl Cursor {
    pub(crate) fn at_start_of(chunk: &'static Chunk) -> Self {
        Self {
            position: ReadPosition::at_start_of(chunk),
        }
    }

    /// The chunk that the cursor is in.
    pub(crate) fn chunk(&self) -> &'static Chunk {
        self.position.chunk()
    }

    /// Whether the cursor stands where `other` does, or in the same chunk beyond it.
    #[inline]
    pub(crate) fn has_reached(&self, other: &Self) -> bool {
        self.position.has_reached(&other.position)
    }

    /// The record at the cursor, if one was published. `near` is a moment within half a day of it.
    #[inline(always)]
    pub(crate) fn peek(&mut self, near: u64) -> Option<Peek> {
        if !self.position.has_word() {
            return None;
        }
        let head = self.word(0);
        let kind = kind_of_head(head)?;
        Some(Peek {
            kind,
            ticks: ticks_of_head(head, near),
            head,
            length: self.length(kind),
        })
    }

    /// Goes to the chunk that continues this one, if this one was read to its end.
    ///
    /// Returns the chunk that was left.
    pub(crate) fn leave_chunk(&mut self) -> Option<&'static Chunk> {
        self.position.leave_chunk()
    }

    /// Steps over a record that was peeked at here.
    #[inline]
    pub(crate) fn advance(&mut self, peek: &Peek) {
        self.position.advance(peek.length);
    }

    /// The word at `offset` from the begin of the record here.
    #[inline(always)]
    pub(crate) fn word(&self, offset: usize) -> u64 {
        self.position.word(offset)
    }

    /// Whether so many words from here on were published, and lie before `end` if that is in the same chunk.
    #[inline(always)]
    pub(crate) fn has_words(&self, count: usize, end: Option<&Self>) -> bool {
        let end = end.map(|end| &end.position);
        self.position.has_words(count, end)
    }

    /// Steps over so many words, which are whole records.
    #[inline(always)]
    pub(crate) fn advance_words(&mut self, words: usize) {
        self.position.advance(words);
    }

    /// Words of the record here.
    #[inline]
    fn length(&self, kind: Kind) -> usize {
        if let Some(words) = kind.fixed_words() {
            return words;
        }
        let word = |offset: u8| self.word(usize::from(offset)) as usize;
        let (at, more) = match kind.words() {
            Words::Fixed(words) => return usize::from(words),
            Words::Fields(at) => (at, word(at) & FIELD_WORDS_MASK as usize),
            Words::Value(at) => (at, (word(at) >> 32).div_ceil(8)),
            Words::Stack(at) => (at, word(at).min(MAX_STACK_WORDS)),
        };
        usize::from(at) + 1 + more
    }

    /// The record here.
    #[inline(always)]
    pub(crate) fn record<'c>(&'c self, peek: &'c Peek) -> Record<'c> {
        Record { cursor: self, peek }
    }

    /// Whether the record that follows the exit from a span here closes it or drops a handle.
    ///
    /// It must stand in the same chunk, and before `end` if that is in it too.
    #[inline(always)]
    pub(crate) fn is_closed_next(&self, exit: &Peek, end: Option<&Self>) -> bool {
        let at = exit.length;
        if !self
            .position
            .has_words(at + 2, end.map(|end| &end.position))
        {
            return false;
        }
        let (head, source) = (self.word(at), source_of_head(exit.head));
        let is = |kind| is_head_of(head, kind, source);
        (is(Kind::SpanDrop) || is(Kind::SpanClose)) && self.word(at + 1) == self.word(1)
    }
}

impl Record<'_> {
    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.peek.kind
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.peek.ticks
    }

    /// What a record of [`Kind::HeapSum`] says.
    pub(crate) fn heap_sum(&self) -> HeapSum {
        HeapSum::of_words([1, 2, 3, 4].map(|offset| self.word(offset)))
    }

    /// What a record of [`Kind::HeapSample`] says.
    pub(crate) fn heap_sample<'a>(&self, scratch: &'a mut Scratch) -> HeapSample<'a> {
        HeapSample {
            number: self.word(1),
            size_bytes: self.word(2),
            interval_bytes: self.word(3),
            end: WalkEnd::from_word(self.word(4)),
            addresses: self.addresses(6, scratch),
        }
    }

    /// The number in the record's head.
    #[inline(always)]
    pub(crate) fn source(&self) -> u16 {
        source_of_head(self.peek.head)
    }

    #[inline(always)]
    pub(crate) fn word(&self, offset: usize) -> u64 {
        self.cursor.word(offset)
    }

    #[inline(always)]
    pub(crate) fn span(&self, offset: usize) -> SpanKey {
        SpanKey {
            id: self.word(offset),
            source: self.source(),
        }
    }

    /// The span whose making should come before the record.
    #[inline(always)]
    pub(crate) fn named_span(&self) -> Option<SpanKey> {
        let span = self.span(self.kind().names_span_at()?);
        // A parent of 0 is none.
        (span.id != 0).then_some(span)
    }

    #[inline(always)]
    pub(crate) fn site(&self, offset: usize) -> CallsiteKey {
        CallsiteKey {
            address: self.word(offset),
            source: self.source(),
        }
    }

    pub(crate) fn task(&self) -> AsyncKey {
        AsyncKey {
            task: self.word(1),
            runtime: self.source(),
        }
    }

    #[inline]
    pub(crate) fn parent(&self, offset: usize) -> Parent {
        Parent::of_words(self.word(offset), self.word(offset + 1))
    }

    /// What a record of [`Kind::SpanNew`] says.
    #[inline]
    pub(crate) fn new_span<'a>(&self, scratch: &'a mut Scratch) -> NewSpan<'a> {
        NewSpan {
            span: self.span(1),
            site: self.site(2),
            parent: self.parent(3),
            fields: self.fields(4, scratch),
        }
    }

    /// What a record of [`Kind::Call`] says; its own ticks are `took`, in whatever unit that is.
    pub(crate) fn call(&self, took: u64) -> Called {
        Called {
            call: Call::of_number(u64::from(self.source())),
            began: self.ticks(),
            took_ns: took,
            result: CallResult::of_word(self.word(2)),
            stack: self.word(3),
        }
    }

    /// What a call says of the wakes after it, if it is one of a runtime's driver.
    pub(crate) fn driver_wait(&self) -> Option<Upcoming> {
        let called = self.call(self.word(1));
        let is_driver = called.call?.class() == CallClass::Driver;
        is_driver.then_some(Upcoming::DriverWait {
            took: called.took_ns,
            result: called.result,
        })
    }

    /// The fields that follow the word that counts them.
    #[inline]
    pub(crate) fn fields<'a>(&self, count: usize, scratch: &'a mut Scratch) -> FieldValues<'a> {
        FieldValues {
            values: self.values(count + 1, scratch),
            truncated: self.word(count) & FIELDS_TRUNCATED != 0,
        }
    }

    /// The values from here to the record's end.
    pub(crate) fn values<'a>(&self, offset: usize, scratch: &'a mut Scratch) -> Values<'a> {
        let words = self.peek.length - offset;
        if words == 0 {
            return Values::of(&[]);
        }
        let bytes = &mut scratch.bytes;
        bytes.clear();
        let position = &self.cursor.position;
        bytes.extend(position.words(offset, words).map(u64::to_le_bytes));
        Values::of(bytes.as_flattened())
    }

    /// The words from here to the record's end.
    pub(crate) fn addresses<'a>(&self, offset: usize, scratch: &'a mut Scratch) -> &'a [u64] {
        let words = &mut scratch.words;
        words.clear();
        words.extend(
            self.cursor
                .position
                .words(offset, self.peek.length - offset),
        );
        words
    }

    /// The number that stands above the length of a text.
    pub(crate) fn number_at(&self, offset: usize) -> u64 {
        split_number_and_length(self.word(offset)).0
    }

    /// The static text whose address stands at `offset`, and the number above its length.
    pub(crate) fn number_and_text(&self, offset: usize) -> (u64, &'static str) {
        let (number, length) = split_number_and_length(self.word(offset + 1));
        let address = std::ptr::with_exposed_provenance::<u8>(self.word(offset) as usize);
        // SAFETY: rules 1 and 2: `annotation` and `runtime` took both words from one `&'static str`.
        let bytes = unsafe { std::slice::from_raw_parts(address, length) };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // A name of 64 KiB and more was truncated inside a character.
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        };
        (number, text)
    }

    pub(crate) fn location(&self, offset: usize) -> &'static Location<'static> {
        let address = std::ptr::with_exposed_provenance(self.word(offset) as usize);
        // SAFETY: rules 1 and 2: `annotation` and `runtime` took the word from a `&'static Location`.
        unsafe { &*address }
    }
}
