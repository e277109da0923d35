//! Reading records back from a thread's chunks.
//!
//! A [`Cursor`] walks the chunks of one thread. What a record's words mean is known only here and
//! where they are written: the addresses in them are of static data, and this module makes
//! references of them again.
//!
//! # Protocol
//!
//! 1. A record is read as it was written: the words below a chunk's published length are whole records
//!    (rule 2 of `chunk`), each written by one call that nothing else on its thread came between
//!    (rules 1 and 2 of `local`).
//! 2. The words of a kind are written in one place only, as the table in `record` says: an address there
//!    is taken from a `&'static` reference, whose provenance is exposed, and a length beside it in the
//!    same record is that of the same text, or less.

use std::panic::Location;

use crate::chunk::{Chunk, Place};
use crate::fields::{Value, Values};
use crate::input::{
    AsyncKey, CallsiteKey, FieldValues, Input, NewSpan, SpanKey, Upcoming, WakerKey,
};
use crate::record::{Kind, is_head_of, source_of_head, split_task_and_length, ticks_of_head};
use crate::schedule::AsyncTaskKind;
use crate::span_source::{FIELD_WORDS_MASK, FIELDS_TRUNCATED, Parent};

/// Most addresses of a stack, so that its record fits a chunk whatever it says.
pub(crate) const MAX_STACK_WORDS: usize = 128;

/// A place in the records of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    place: Place,
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
    head: u64,
    /// Words of the record.
    length: usize,
}

/// The four records of a span's whole life, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafRecords {
    /// When it was made, entered, left and dropped.
    pub(crate) ticks: [u64; 4],
    /// Words of all four.
    length: usize,
}

/// Words of records by kind; 0 where it varies.
static LENGTHS: [u8; 64] = {
    let mut lengths = [2; 64];
    lengths[Kind::SpanFollows as usize] = 3;
    lengths[Kind::PollEndAt as usize] = 3;
    lengths[Kind::PollBeginAfter as usize] = 3;
    lengths[Kind::WakerOf as usize] = 3;
    lengths[Kind::StackIs as usize] = 0;
    lengths[Kind::RegionBegin as usize] = 4;
    lengths[Kind::TaskBegin as usize] = 5;
    lengths[Kind::AsyncSpawn as usize] = 5;
    lengths[Kind::Log as usize] = 0;
    lengths[Kind::SpanNew as usize] = 0;
    lengths[Kind::SpanRecord as usize] = 0;
    lengths[Kind::Event as usize] = 0;
    lengths
};

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
    #[inline(always)]
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
        let fixed = LENGTHS[(kind as usize) & 63];
        if fixed != 0 {
            return usize::from(fixed);
        }
        match kind {
            Kind::SpanFollows | Kind::PollEndAt | Kind::PollBeginAfter | Kind::WakerOf => 3,
            Kind::StackIs => 3 + (self.word(2) as usize).min(MAX_STACK_WORDS),
            Kind::RegionBegin => 4,
            Kind::TaskBegin | Kind::AsyncSpawn => 5,
            Kind::Log => 5 + ((self.word(4) >> 32) as usize).div_ceil(8),
            Kind::SpanNew => 5 + self.field_words(4),
            Kind::SpanRecord => 3 + self.field_words(2),
            Kind::Event => 4 + self.field_words(3),
            _ => 2,
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
            source: source_of_head(peek.head),
        }
    }

    /// What the model would like to know of the record here before it is applied.
    #[inline]
    pub(crate) fn ahead(&self, peek: &Peek) -> Option<Upcoming> {
        let task = || AsyncKey {
            task: self.word(1),
            runtime: source_of_head(peek.head),
        };
        Some(match peek.kind {
            Kind::SpanClone => Upcoming::Clone(self.span(peek)),
            Kind::AsyncSpawn => {
                let (kind, _) = split_task_and_length(self.word(4));
                if AsyncTaskKind::of_number(kind) != AsyncTaskKind::Blocking {
                    return None;
                }
                Upcoming::BlockingSpawn(task())
            }
            Kind::PollBegin | Kind::PollBeginAfter => Upcoming::PollBegin {
                task: task(),
                waited_ns: (peek.kind == Kind::PollBeginAfter).then(|| self.word(2)),
            },
            Kind::PollEnd | Kind::PollEndAt => Upcoming::PollEnd,
            Kind::Park => Upcoming::Park(true),
            Kind::Unpark => Upcoming::Park(false),
            Kind::Wake => Upcoming::Wake(task()),
            Kind::WakeBy => Upcoming::WakeBy(self.span(peek)),
            Kind::WakerOf => Upcoming::WakerOf {
                task: task(),
                waker: WakerKey::of_address(self.word(2)),
            },
            _ => return None,
        })
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
        let source = source_of_head(peek.head);
        // A parent of 0 is none.
        (id != 0).then_some(SpanKey { id, source })
    }

    /// The whole record here. Texts and fields are copied to `scratch` and borrowed from there.
    #[inline]
    pub(crate) fn read<'a>(&self, peek: &Peek, scratch: &'a mut Scratch) -> Input<'a> {
        let source = source_of_head(peek.head);
        let span = |offset| SpanKey {
            id: self.word(offset),
            source,
        };
        let task = AsyncKey {
            task: self.word(1),
            runtime: source,
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
            Kind::SourceClosed => Input::SourceClosed { source },
            Kind::ThreadEnd => Input::ThreadEnd,
            Kind::Lost => Input::Lost {
                records: self.word(1),
            },
            Kind::PollBegin | Kind::PollBeginAfter => Input::PollBegin(task),
            Kind::PollEnd => Input::PollEnd { task, stack: 0 },
            Kind::PollEndAt => Input::PollEnd {
                task,
                stack: self.word(2),
            },
            Kind::AsyncEnd => Input::AsyncEnd(task),
            Kind::Wake => Input::Wake(task),
            Kind::Park => Input::Park,
            Kind::Unpark => Input::Unpark {
                runtime: source,
                worker: self.word(1),
            },
            Kind::WakerOf => Input::WakerOf {
                task,
                address: self.word(2),
            },
            Kind::WakeBy => Input::WakeBy(span(1)),
            Kind::StackIs => Input::StackIs {
                hash: self.word(1),
                addresses: self.addresses(peek, &mut scratch.words),
            },
            Kind::AsyncSpawn => self.read_spawn(peek),
            Kind::RegionBegin | Kind::TaskBegin | Kind::Log => self.read_annotation(peek, scratch),
            Kind::SpanNew => Input::SpanNew(self.read_span(peek, scratch)),
            Kind::SpanRecord | Kind::Event => self.read_fields(peek, scratch),
        }
    }

    fn addresses<'a>(&self, peek: &Peek, words: &'a mut Vec<u64>) -> &'a [u64] {
        words.clear();
        words.extend(self.place.words(3, peek.length - 3));
        words
    }

    fn read_spawn(&self, peek: &Peek) -> Input<'static> {
        let (kind, length) = split_task_and_length(self.word(4));
        Input::AsyncSpawn {
            task: AsyncKey {
                task: self.word(1),
                runtime: source_of_head(peek.head),
            },
            kind: AsyncTaskKind::of_number(kind),
            place: self.location(2),
            name: (length > 0).then(|| self.static_text(3, length)),
        }
    }

    fn read_annotation<'a>(&self, peek: &Peek, scratch: &'a mut Scratch) -> Input<'a> {
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
                    .values(4, peek.length - 4, scratch)
                    .next()
                    .map_or(Value::Text(""), |(_, value)| value),
                place,
            },
        }
    }

    /// The making of a span, which the record here is.
    #[inline]
    pub(crate) fn read_span<'a>(&self, peek: &Peek, scratch: &'a mut Scratch) -> NewSpan<'a> {
        NewSpan {
            span: self.span(peek),
            site: self.site(peek, 2),
            parent: Parent::of_words(self.word(3), self.word(4)),
            fields: self.fields(peek, 4, scratch),
        }
    }

    fn read_fields<'a>(&self, peek: &Peek, scratch: &'a mut Scratch) -> Input<'a> {
        match peek.kind {
            Kind::SpanRecord => Input::SpanRecord {
                span: self.span(peek),
                fields: self.fields(peek, 2, scratch),
            },
            _ => Input::Event {
                site: self.site(peek, 1),
                parent: Parent::of_words(self.word(2), self.word(3)),
                fields: self.fields(peek, 3, scratch),
            },
        }
    }

    #[inline]
    fn site(&self, peek: &Peek, offset: usize) -> CallsiteKey {
        CallsiteKey {
            address: self.word(offset),
            source: source_of_head(peek.head),
        }
    }

    /// The fields that follow the word that counts them.
    #[inline]
    fn fields<'a>(&self, peek: &Peek, count: usize, scratch: &'a mut Scratch) -> FieldValues<'a> {
        FieldValues {
            values: self.values(count + 1, peek.length - count - 1, scratch),
            cut: self.word(count) & FIELDS_TRUNCATED != 0,
        }
    }

    /// Whether the three records that follow the making of a span here enter, leave and drop it.
    ///
    /// They must stand in the same chunk, and before `end` if that is in it too.
    #[inline(always)]
    pub(crate) fn leaf_span(&self, new: &Peek, end: Option<&Self>) -> Option<LeafRecords> {
        // Each of the three is its head and the span.
        let at = [new.length, new.length + 2, new.length + 4];
        let length = new.length + 6;
        if !self.place.has_words(length, end.map(|end| &end.place)) {
            return None;
        }
        let heads = [self.word(at[0]), self.word(at[1]), self.word(at[2])];
        let source = source_of_head(new.head);
        let span = self.word(1);
        let is = |index: usize, kind| is_head_of(heads[index], kind, source);
        let is_whole = is(0, Kind::SpanEnter)
            && is(1, Kind::SpanExit)
            && (is(2, Kind::SpanDrop) || is(2, Kind::SpanClose))
            && self.word(at[0] + 1) == span
            && self.word(at[1] + 1) == span
            && self.word(at[2] + 1) == span;
        let ticks = |index: usize| ticks_of_head(heads[index], new.ticks);
        is_whole.then(|| LeafRecords {
            ticks: [new.ticks, ticks(0), ticks(1), ticks(2)],
            length,
        })
    }

    /// Whether the record that follows the exit from a span here closes it or drops a handle.
    ///
    /// It must stand in the same chunk, and before `end` if that is in it too.
    #[inline(always)]
    pub(crate) fn is_closed_next(&self, exit: &Peek, end: Option<&Self>) -> bool {
        let at = exit.length;
        if !self.place.has_words(at + 2, end.map(|end| &end.place)) {
            return false;
        }
        let (head, source) = (self.word(at), source_of_head(exit.head));
        let is = |kind| is_head_of(head, kind, source);
        (is(Kind::SpanDrop) || is(Kind::SpanClose)) && self.word(at + 1) == self.word(1)
    }

    /// Steps over all records of a span's life.
    #[inline]
    pub(crate) fn advance_past_leaf(&mut self, whole: &LeafRecords) {
        self.place.advance(whole.length);
    }

    fn values<'a>(&self, offset: usize, words: usize, scratch: &'a mut Scratch) -> Values<'a> {
        if words == 0 {
            return Values::of(&[]);
        }
        let bytes = &mut scratch.bytes;
        bytes.clear();
        bytes.extend(self.place.words(offset, words).map(u64::to_le_bytes));
        Values::of(bytes.as_flattened())
    }

    /// The static text whose address stands at `offset`.
    fn static_text(&self, offset: usize, length: usize) -> &'static str {
        let address = std::ptr::with_exposed_provenance::<u8>(self.word(offset) as usize);
        // SAFETY: rules 1 and 2: `annotation` and `schedule` took both words from one `&'static str`.
        let bytes = unsafe { std::slice::from_raw_parts(address, length) };
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // A name of 64 KiB and more was cut inside a character.
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }

    fn location(&self, offset: usize) -> &'static Location<'static> {
        let address = std::ptr::with_exposed_provenance(self.word(offset) as usize);
        // SAFETY: rules 1 and 2: `annotation` and `schedule` took the word from a `&'static Location`.
        unsafe { &*address }
    }
}
