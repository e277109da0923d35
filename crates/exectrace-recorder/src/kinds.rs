//! The kinds of records: one row for each, with all that is to be known of it.
//!
//! A row has the kind's number in a record's head, how many words its records have, what they are
//! decoded to for the model, and, for some kinds, what the model wants to know of them before they are applied. What
//! the words behind the head are stands above each row. In all rows:
//!
//! - *text* is the address of a static string, then a word with the string's length in bytes in its lower
//!   16 bits, and a number above (of a user task, or of an async task's kind).
//! - *parent* is a span, then a word that says how it was given, and holds how many words of *fields*
//!   follow; *fields* are laid out as `fields` says.
//! - the *source* in the head is the number of the span source, or, where a record is of async tasks and
//!   workers, that of the runtime.

use crate::annotation::WITH_SPAWNED;
use crate::decode::{Record, Scratch};
use crate::input::{Input, Upcoming, WakerKey};
use crate::model::{Model, ThreadIndex};
use crate::runtime::AsyncTaskKind;
use crate::values::Value;

/// What is fixed of the records of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) words: Words,
    /// Offset of the span whose making should come before the record; 0 if there is none.
    names_span_at: u8,
    /// The record closes what an earlier one opened.
    is_end: bool,
}

/// How many words a record has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Words {
    Fixed(u8),
    /// Up to the word at this offset, and as many more as that says there are of fields.
    Fields(u8),
    /// Up to the word at this offset, which is the header of one value, and that value.
    Value(u8),
    /// Up to the word at this offset, and as many more as that says.
    Stack(u8),
}

impl Layout {
    const fn fixed(words: u8) -> Self {
        Self::of(Words::Fixed(words))
    }

    const fn of(words: Words) -> Self {
        Self {
            words,
            names_span_at: 0,
            is_end: false,
        }
    }

    const fn names_span_at(mut self, offset: u8) -> Self {
        self.names_span_at = offset;
        self
    }

    const fn end(mut self) -> Self {
        self.is_end = true;
        self
    }
}

macro_rules! kinds {
    (|$record:ident, $scratch:ident| $(
        $(#[doc = $doc:literal])*
        $kind:ident = $number:literal, $layout:expr => $input:expr $(, ahead $upcoming:expr)?;
    )*) => {
        /// What a record says. The numbers are those of the head's lowest six bits.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $( $(#[doc = $doc])* $kind = $number, )*
        }

        /// All kinds, in the order of their numbers, which begin with 1.
        const ALL: &[Kind] = &[$(Kind::$kind),*];

        const LAYOUTS: &[Layout] = &[$($layout),*];

        impl Record<'_> {
            /// Decodes the record and gives it to the model. Texts and fields are copied to `scratch` and
            /// borrowed from there.
            ///
            /// Inlined, as what it calls is: then each kind is decoded into the arguments of its handler.
            #[inline(always)]
            pub(crate) fn handle(
                self,
                $scratch: &mut Scratch,
                model: &mut Model,
                thread: ThreadIndex,
            ) {
                let $record = self;
                match $record.kind() {
                    $( Kind::$kind => model.handle(thread, $input), )*
                }
            }

            /// What the model wants to know of the record before it is applied.
            #[inline]
            pub(crate) fn upcoming(self) -> Option<Upcoming> {
                let $record = self;
                match $record.kind() {
                    $( $( Kind::$kind => $upcoming, )? )*
                    _ => None,
                }
            }
        }
    };
}

kinds! { |record, scratch|
    /// *text* (name, user task), location; the source says whether async tasks that are spawned have it too
    RegionBegin = 1, Layout::fixed(4) => {
        let (task, name) = record.number_and_text(1);
        Input::RegionBegin {
            began: record.ticks(),
            name,
            task,
            place: record.location(3),
            with_spawned: record.source() == WITH_SPAWNED,
        }
    };
    /// ticks of the begin
    RegionEnd = 2, Layout::fixed(2).end() => Input::RegionEnd { began: record.word(1) };
    /// *text* (name, user task), location, parent user task
    TaskBegin = 3, Layout::fixed(5) => {
        let (task, name) = record.number_and_text(1);
        Input::TaskBegin {
            task,
            parent: record.word(4),
            name,
            place: record.location(3),
        }
    };
    /// user task
    TaskEnd = 4, Layout::fixed(2).end() => Input::TaskEnd { task: record.word(1) };
    /// *text* (category, user task), location, the message as a value
    Log = 5, Layout::of(Words::Value(4)) => {
        let (task, category) = record.number_and_text(1);
        let message = record.values(4, scratch).next();
        Input::Log {
            task,
            category,
            message: message.map_or(Value::Text(""), |(_, value)| value),
            place: record.location(3),
        }
    };
    /// span, call site, *parent*, *fields*
    SpanNew = 6, Layout::of(Words::Fields(4)).names_span_at(3) => Input::SpanNew(record.new_span(scratch));
    /// span
    SpanEnter = 7, Layout::fixed(2).names_span_at(1) => Input::SpanEnter(record.span(1));
    /// span
    SpanExit = 8, Layout::fixed(2).end() => Input::SpanExit(record.span(1));
    /// span
    SpanClose = 9, Layout::fixed(2).names_span_at(1).end() => Input::SpanClose(record.span(1));
    /// span
    SpanClone = 10, Layout::fixed(2) => Input::SpanClone(record.span(1)),
        ahead Some(Upcoming::Clone(record.span(1)));
    /// span
    SpanDrop = 11, Layout::fixed(2).names_span_at(1).end() => Input::SpanDrop(record.span(1));
    /// span, words of fields, *fields*
    SpanRecord = 12, Layout::of(Words::Fields(2)).names_span_at(1) => Input::SpanRecord {
        span: record.span(1),
        fields: record.fields(2, scratch),
    };
    /// span, the span that it follows from
    SpanFollows = 13, Layout::fixed(3).names_span_at(1) => Input::SpanFollows {
        span: record.span(1),
        followed: record.span(2),
    };
    /// call site, *parent*, *fields*
    Event = 14, Layout::of(Words::Fields(3)).names_span_at(2) => Input::Event {
        site: record.site(1),
        parent: record.parent(2),
        fields: record.fields(3, scratch),
    };
    /// 0, so that every record has two words
    SourceClosed = 15, Layout::fixed(2).end() => Input::SourceClosed { source: record.source() };
    /// 0, so that every record has two words
    ThreadEnd = 16, Layout::fixed(2).end() => Input::ThreadEnd;
    /// records that the thread has lost so far
    Lost = 17, Layout::fixed(2) => Input::Lost { records: record.word(1) };
    /// async task, location, *text* (name, kind of task)
    AsyncSpawn = 18, Layout::fixed(5) => {
        let (kind, name) = record.number_and_text(3);
        Input::AsyncSpawn {
            task: record.task(),
            kind: AsyncTaskKind::of_number(kind),
            place: record.location(2),
            name: (!name.is_empty()).then_some(name),
        }
    }, ahead {
        let kind = AsyncTaskKind::of_number(record.number_at(4));
        (kind == AsyncTaskKind::Blocking).then(|| Upcoming::BlockingSpawn(record.task()))
    };
    /// async task
    PollBegin = 19, Layout::fixed(2) => Input::PollBegin(record.task()),
        ahead Some(Upcoming::PollBegin { task: record.task(), waited_ns: None });
    /// async task
    PollEnd = 20, Layout::fixed(2).end() => Input::PollEnd { task: record.task(), stack: 0 },
        ahead Some(Upcoming::PollEnd);
    /// async task, hash of the stack where it waits
    PollEndAt = 21, Layout::fixed(3).end() => Input::PollEnd { task: record.task(), stack: record.word(2) },
        ahead Some(Upcoming::PollEnd);
    /// async task
    AsyncEnd = 22, Layout::fixed(2).end() => Input::AsyncEnd(record.task());
    /// async task
    Wake = 23, Layout::fixed(2) => Input::Wake(record.task()),
        ahead Some(Upcoming::Wake(record.task()));
    /// worker
    Park = 24, Layout::fixed(2).end() => Input::Park, ahead Some(Upcoming::Park(true));
    /// worker
    Unpark = 25, Layout::fixed(2) => Input::Unpark { runtime: record.source(), worker: record.word(1) },
        ahead Some(Upcoming::Park(false));
    /// async task, the address that its wakers carry
    WakerOf = 26, Layout::fixed(3) => Input::WakerOf { task: record.task(), address: record.word(2) },
        ahead Some(Upcoming::WakerOf {
            task: record.task(),
            waker: WakerKey::of_address(record.word(2)),
        });
    /// the address that a waker carries; where the source is not 0, the span of the async task
    WakeBy = 27, Layout::fixed(2) => Input::WakeBy(record.span(1)),
        ahead Some(Upcoming::WakeBy(record.span(1)));
    /// hash of a stack, number of its addresses, addresses from leaf to root
    StackIs = 28, Layout::of(Words::Stack(2)) => Input::StackIs {
        hash: record.word(1),
        addresses: record.addresses(3, scratch),
    };
    /// async task, nanoseconds since it was woken
    PollBeginAfter = 29, Layout::fixed(3) => Input::PollBegin(record.task()),
        ahead Some(Upcoming::PollBegin { task: record.task(), waited_ns: Some(record.word(2)) });
    /// Its ticks are those of the begin: ticks that the call took, its result, hash of the stack or 0. The source
    /// is the number of the call.
    Call = 30, Layout::fixed(4) => Input::Call(record.call(record.word(1))),
        ahead record.driver_wait();
    /// calls counted so far, and their ticks; the source is the number of the call
    CallSum = 31, Layout::fixed(3) => Input::CallSum {
        call: record.source(),
        calls: record.word(1),
        total_ns: record.word(2),
    };
    /// bytes allocated so far, allocations, bytes freed, allocations freed
    HeapSum = 32, Layout::fixed(5) => Input::HeapSum(record.heap_sum());
    /// closure of a blocking pool, which its thread runs since now or a little earlier
    ClosureBegin = 33, Layout::fixed(2) => Input::ClosureBegin(record.task()),
        ahead Some(Upcoming::ClosureBegin(record.task()));
    /// number of the sample, bytes that were allocated, mean distance of samples in bytes, where the walk over the
    /// stack ended, number of its addresses, addresses from leaf to root
    HeapSample = 34, Layout::of(Words::Stack(5)) => Input::HeapSample(record.heap_sample(scratch));
    /// number of the sample whose allocation was freed
    HeapFree = 35, Layout::fixed(2) => Input::HeapFree { sample: record.word(1) };
}

/// Numbers that the six bits of a head can hold.
pub(crate) const NUMBERS: usize = 64;

/// Words of records by number; 0 where it varies.
static FIXED_WORDS: [u8; NUMBERS] = {
    let mut words = [0; NUMBERS];
    let mut index = 0;
    while index < ALL.len() {
        assert!(ALL[index] as usize == index + 1, "the numbers have no gaps");
        if let Words::Fixed(fixed) = LAYOUTS[index].words {
            words[index + 1] = fixed;
        }
        index += 1;
    }
    words
};

/// [`Layout::names_span_at`] by number.
static NAMES_SPAN_AT: [u8; NUMBERS] = {
    let mut offsets = [0; NUMBERS];
    let mut index = 0;
    while index < ALL.len() {
        offsets[index + 1] = LAYOUTS[index].names_span_at;
        index += 1;
    }
    offsets
};

impl Kind {
    /// The kind of a number.
    #[inline]
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        ALL.get((number as usize).wrapping_sub(1)).copied()
    }

    fn layout(self) -> &'static Layout {
        &LAYOUTS[self as usize - 1]
    }

    /// How many words a record of this kind has, if all have as many.
    #[inline(always)]
    pub(crate) fn fixed_words(self) -> Option<usize> {
        let words = FIXED_WORDS[self as usize % NUMBERS];
        (words != 0).then_some(usize::from(words))
    }

    /// What says how many words a record has.
    #[inline]
    pub(crate) fn words(self) -> Words {
        self.layout().words
    }

    /// Offset of the span whose making should come before a record of this kind.
    #[inline(always)]
    pub(crate) fn names_span_at(self) -> Option<usize> {
        let offset = NAMES_SPAN_AT[self as usize % NUMBERS];
        (offset != 0).then_some(usize::from(offset))
    }

    /// Whether what a thread does after such a record counts for somebody else.
    #[inline(always)]
    pub(crate) const fn is_switch(self) -> bool {
        matches!(
            self,
            Self::RegionBegin
                | Self::RegionEnd
                | Self::SpanEnter
                | Self::SpanExit
                | Self::PollBegin
                | Self::PollBeginAfter
                | Self::PollEnd
                | Self::PollEndAt
                | Self::AsyncEnd
                | Self::Park
                | Self::Unpark
        )
    }

    /// Whether the record closes what an earlier one opened: these may use a chunk's reserve.
    pub(crate) fn is_end(self) -> bool {
        self.layout().is_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_under_its_own_number() {
        for &kind in ALL {
            assert_eq!(Kind::of_number(kind as u64), Some(kind));
        }
        assert_eq!(Kind::of_number(0), None);
        assert_eq!(Kind::of_number(63), None);
    }
}
