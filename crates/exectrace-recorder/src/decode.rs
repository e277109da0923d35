//! Reading records back from a thread's chunks.
//!
//! A [`Cursor`] walks the chunks of one thread. What a record's words mean is known only here and
//! where they are written: the addresses in them are of static data, and this module makes
//! references of them again.

use std::panic::Location;

use crate::chunk::{Chunk, Place};
use crate::door::{FIELD_WORDS_MASK, FIELDS_CUT, Parent};
use crate::fields::{Value, Values};
use crate::input::{FieldValues, Input, SiteKey, SpanKey};
use crate::record::{Kind, door_of_head, split_task_and_length, ticks_of_head};

/// A place in the records of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    place: Place,
}

/// What is known of a record without reading all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    pub(crate) kind: Kind,
    pub(crate) ticks: u64,
    head: u64,
    /// Words of the record.
    length: usize,
}

impl Cursor {
    pub(crate) fn at_start_of(chunk: &'static Chunk) -> Self {
        Self {
            place: Place::at_start_of(chunk),
        }
    }

    /// The chunk that the cursor is in.
    pub(crate) fn chunk(&self) -> &'static Chunk {
        self.place.chunk()
    }

    /// Whether the cursor stands where `other` does, or in the same chunk beyond it.
    #[inline]
    pub(crate) fn has_reached(&self, other: &Self) -> bool {
        self.place.has_reached(&other.place)
    }

    /// The record at the cursor, if one was published. `near` is a moment within half a day of it.
    #[inline]
    pub(crate) fn peek(&mut self, near: u64) -> Option<Peek> {
        if !self.place.has_word() {
            return None;
        }
        let head = self.word(0);
        let kind = Kind::of_head(head)?;
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
        self.place.leave_chunk()
    }

    /// Steps over a record that was peeked at here.
    #[inline]
    pub(crate) fn advance(&mut self, peek: &Peek) {
        self.place.advance(peek.length);
    }

    #[inline(always)]
    fn word(&self, offset: usize) -> u64 {
        self.place.word(offset)
    }

    /// Words of the record here.
    #[inline]
    fn length(&self, kind: Kind) -> usize {
        match kind {
            Kind::RegionEnd
            | Kind::TaskEnd
            | Kind::SpanEnter
            | Kind::SpanExit
            | Kind::SpanClose
            | Kind::SpanClone
            | Kind::SpanDrop
            | Kind::DoorClosed
            | Kind::ThreadEnd
            | Kind::Lost => 2,
            Kind::SpanFollows => 3,
            Kind::RegionBegin => 4,
            Kind::TaskBegin => 5,
            Kind::Log => 5 + ((self.word(4) >> 32) as usize).div_ceil(8),
            Kind::SpanNew => 5 + self.field_words(4),
            Kind::SpanRecord => 3 + self.field_words(2),
            Kind::Event => 4 + self.field_words(3),
        }
    }

    #[inline]
    fn field_words(&self, offset: usize) -> usize {
        (self.word(offset) & FIELD_WORDS_MASK) as usize
    }

    /// The span that the record here names, if it is about one.
    #[inline]
    pub(crate) fn span(&self, peek: &Peek) -> SpanKey {
        SpanKey {
            id: self.word(1),
            door: door_of_head(peek.head),
        }
    }

    /// The span whose making should come before the record here.
    #[inline]
    pub(crate) fn named(&self, peek: &Peek) -> Option<SpanKey> {
        let offset = match peek.kind {
            Kind::SpanEnter
            | Kind::SpanClose
            | Kind::SpanDrop
            | Kind::SpanRecord
            | Kind::SpanFollows => 1,
            Kind::SpanNew => 3,
            Kind::Event => 2,
            _ => return None,
        };
        let id = self.word(offset);
        let door = door_of_head(peek.head);
        // A parent of 0 is none.
        (id != 0).then_some(SpanKey { id, door })
    }

    /// The whole record here. Texts and fields are copied to `bytes` and borrowed from there.
    #[inline]
    pub(crate) fn read<'a>(&self, peek: &Peek, bytes: &'a mut Vec<u8>) -> Input<'a> {
        let door = door_of_head(peek.head);
        let span = |offset| SpanKey {
            id: self.word(offset),
            door,
        };
        match peek.kind {
            Kind::RegionEnd => Input::RegionEnd {
                began: self.word(1),
            },
            Kind::SpanEnter => Input::SpanEnter(span(1)),
            Kind::SpanExit => Input::SpanExit(span(1)),
            Kind::SpanClose => Input::SpanClose(span(1)),
            Kind::SpanClone => Input::SpanClone(span(1)),
            Kind::SpanDrop => Input::SpanDrop(span(1)),
            Kind::SpanFollows => Input::SpanFollows {
                span: span(1),
                followed: span(2),
            },
            Kind::TaskEnd => Input::TaskEnd { task: self.word(1) },
            Kind::DoorClosed => Input::DoorClosed { door },
            Kind::ThreadEnd => Input::ThreadEnd,
            Kind::Lost => Input::Lost {
                records: self.word(1),
            },
            Kind::RegionBegin | Kind::TaskBegin | Kind::Log => self.read_annotation(peek, bytes),
            Kind::SpanNew | Kind::SpanRecord | Kind::Event => self.read_fields(peek, bytes),
        }
    }

    fn read_annotation<'a>(&self, peek: &Peek, bytes: &'a mut Vec<u8>) -> Input<'a> {
        let (task, length) = split_task_and_length(self.word(2));
        let text = self.static_text(1, length);
        let place = self.location(3);
        match peek.kind {
            Kind::RegionBegin => Input::RegionBegin {
                began: peek.ticks,
                name: text,
                task,
                place,
            },
            Kind::TaskBegin => Input::TaskBegin {
                task,
                parent: self.word(4),
                name: text,
                place,
            },
            _ => Input::Log {
                task,
                category: text,
                message: self
                    .values(4, peek.length - 4, bytes)
                    .next()
                    .map_or(Value::Text(""), |(_, value)| value),
                place,
            },
        }
    }

    fn read_fields<'a>(&self, peek: &Peek, bytes: &'a mut Vec<u8>) -> Input<'a> {
        let door = door_of_head(peek.head);
        let count = match peek.kind {
            Kind::SpanNew => 4,
            Kind::SpanRecord => 2,
            _ => 3,
        };
        let packed = self.word(count);
        let fields = FieldValues {
            values: self.values(count + 1, peek.length - count - 1, bytes),
            cut: packed & FIELDS_CUT != 0,
        };
        let span = SpanKey {
            id: self.word(1),
            door,
        };
        let site = |offset| SiteKey {
            address: self.word(offset),
            door,
        };
        match peek.kind {
            Kind::SpanNew => Input::SpanNew {
                span,
                site: site(2),
                parent: Parent::of_words(self.word(3), packed),
                fields,
            },
            Kind::SpanRecord => Input::SpanRecord { span, fields },
            _ => Input::Event {
                site: site(1),
                parent: Parent::of_words(self.word(2), packed),
                fields,
            },
        }
    }

    fn values<'a>(&self, offset: usize, words: usize, bytes: &'a mut Vec<u8>) -> Values<'a> {
        bytes.clear();
        for index in 0..words {
            bytes.extend_from_slice(&self.word(offset + index).to_le_bytes());
        }
        Values::of(bytes)
    }

    /// The static text whose address stands at `offset`.
    fn static_text(&self, offset: usize, length: usize) -> &'static str {
        let address = std::ptr::with_exposed_provenance::<u8>(self.word(offset) as usize);
        // SAFETY: the words of these kinds are written by `annotation` alone, from a `&'static str`
        // (its provenance was exposed there) and a length that is at most that of the text.
        let bytes = unsafe { std::slice::from_raw_parts(address, length) };
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // A name of 64 KiB and more was cut inside a character.
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }

    fn location(&self, offset: usize) -> &'static Location<'static> {
        let address = std::ptr::with_exposed_provenance(self.word(offset) as usize);
        // SAFETY: the words of these kinds are written by `annotation` alone, from the address of a
        // `&'static Location`, whose provenance was exposed there.
        unsafe { &*address }
    }
}
