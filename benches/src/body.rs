//! The bodies: what is done over and over while the clock runs.
//!
//! Each is a function of its own that is not inlined, so that a profile shows it and the instructions
//! of all subjects are those of the same code.

use std::hint::black_box;
use std::ops::Range;

use crate::Subject;
use crate::baseline::store;

/// One kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// A span without fields and without a parent: made, entered, left and closed.
    Span,
    /// The same with a number and a text.
    SpanWithFields,
    /// An event with a number and a message.
    Event,
    /// A region of the annotation API, opened and closed.
    Region,
}

impl Body {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Span, Self::SpanWithFields, Self::Event, Self::Region];

    /// What it is called in tables and in the bench's own command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::SpanWithFields => "span with two fields",
            Self::Event => "event with a field and a message",
            Self::Region => "region",
        }
    }

    /// The body with that [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|body| body.name() == name)
    }

    /// Does it once for each of `numbers`, in the way of `subject`.
    pub fn run(self, subject: Subject, numbers: Range<u64>) {
        match (subject, self) {
            (Subject::Floor, Self::Span | Self::Region) => floor_of_two(numbers),
            (Subject::Floor, Self::SpanWithFields) => floor_of_three(numbers),
            (Subject::Floor, Self::Event) => floor_of_one(numbers),
            (_, Self::Span) => spans(numbers),
            (_, Self::SpanWithFields) => spans_with_fields(numbers),
            (_, Self::Event) => events(numbers),
            (_, Self::Region) => regions(numbers),
        }
    }
}

#[inline(never)]
fn spans(numbers: Range<u64>) {
    for number in numbers {
        let span = tracing::info_span!("span");
        let _entered = span.enter();
        black_box(number);
    }
}

#[inline(never)]
fn spans_with_fields(numbers: Range<u64>) {
    for number in numbers {
        let span = tracing::info_span!("span", number, method = "GET");
        let _entered = span.enter();
        black_box(number);
    }
}

#[inline(never)]
fn events(numbers: Range<u64>) {
    for number in numbers {
        tracing::info!(number, "a block was read");
        black_box(number);
    }
}

#[inline(never)]
fn regions(numbers: Range<u64>) {
    for number in numbers {
        let _region = exectrace_recorder::region("region");
        black_box(number);
    }
}

#[inline(never)]
fn floor_of_one(numbers: Range<u64>) {
    for number in numbers {
        store(1, black_box(number));
    }
}

#[inline(never)]
fn floor_of_two(numbers: Range<u64>) {
    for number in numbers {
        store(1, number);
        black_box(number);
        store(2, number);
    }
}

#[inline(never)]
fn floor_of_three(numbers: Range<u64>) {
    for number in numbers {
        store(1, number);
        store(2, number);
        black_box(number);
        store(3, number);
    }
}
