//! Span sources: whatever reports spans and events, such as a `tracing` subscriber.
//!
//! A span source has its own space of span ids and its own type of static call-site data. Records carry
//! the source's number, the span's id and the call site's address. The flush thread asks the source's
//! `describe` function once for each call site what stands at its address.

pub(crate) mod numbers;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU128;

use crate::fields::Fields;
use crate::is_enabled;
use crate::kinds::Kind;
use crate::record::{MAX_SOURCES, head};
use crate::reservation::Reservation;
use crate::thread_buffer::record;

/// What a call site of spans or events says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callsite {
    /// The span's name. Not shown for events.
    pub name: &'static str,
    /// The subsystem it belongs to, usually the module path.
    pub target: &'static str,
    /// How important it is, as shown in the category of a log: `INFO`, `WARN` …
    pub level: &'static str,
    /// The function or module it stands in, if known.
    pub module: Option<&'static str>,
    /// The source file, if known.
    pub file: Option<&'static str>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// Names of the fields, in the order of their indices.
    pub fields: Vec<&'static str>,
    /// Of a span: the indices of those fields whose values are ids of distributed traces, in a form of
    /// [`TraceId::parse`](exectrace_format::conventions::TraceId::parse) or as a number. Each value that is an id
    /// becomes a log of the span's user task as well. Other values are fields like any other.
    pub trace_id_fields: Vec<usize>,
    /// Whether it makes spans or events.
    pub kind: CallsiteKind,
    /// Which of its spans are user tasks.
    pub task: TaskRule,
}

/// What a call site makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallsiteKind {
    /// Spans.
    Span,
    /// Events, whose field `message` is the message.
    Event,
    /// Records of the `log` crate: events whose own target and place come in the fields
    /// `log.target`, `log.module_path`, `log.file` and `log.line`.
    Log,
    /// Spans that an async runtime makes around its tasks. They are not shown: their field `task.id`
    /// says which task [`woken`](SpanSource::woken) is about, and `task.name` names it.
    AsyncTask,
}

/// Which spans of a call site become user tasks; the others are regions of their parent's task.
///
/// A boolean field `exectrace.task` of a span decides before this does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskRule {
    /// Those without a parent.
    #[default]
    Roots,
    /// All.
    Always,
    /// None.
    Never,
}

/// How a new span or an event stands to other spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// It was said to have no parent.
    Root,
    /// It was said to belong to this span.
    Explicit(u64),
    /// It belongs to the span that the thread is in: this one, or none if 0.
    Current(u64),
}

impl Parent {
    /// The two words that say it in a record.
    #[inline]
    pub(crate) fn words(self) -> (u64, u64) {
        match self {
            Parent::Root => (0, 0),
            Parent::Explicit(span) => (span, 1 << PARENT_SHIFT),
            Parent::Current(span) => (span, 2 << PARENT_SHIFT),
        }
    }

    /// Reads back what `words` wrote.
    pub(crate) fn of_words(span: u64, packed: u64) -> Self {
        match packed >> PARENT_SHIFT & 3 {
            0 => Parent::Root,
            1 => Parent::Explicit(span),
            _ => Parent::Current(span),
        }
    }
}

const PARENT_SHIFT: u32 = 32;
/// Set in the packed word when some fields did not fit.
pub(crate) const FIELDS_TRUNCATED: u64 = 1 << 40;
/// Words of fields, in the packed word.
pub(crate) const FIELD_WORDS_MASK: u64 = 0xffff_ffff;

/// Index of the value that is the id of a distributed trace and no field of the call site, the only value of its
/// record.
pub(crate) const TRACE_ID_INDEX: usize = 0xffff;

/// There are as many span sources as records can distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "all {} numbers of span sources are taken; drop a source whose call sites are of the same type first",
    MAX_SOURCES - 1
)]
pub struct TooManySpanSources;

/// A source of spans and events whose call sites are described by `&'static T`: it records what a `tracing`
/// subscriber or layer, or another library for spans, receives.
///
/// Each method writes one record, if something records. A span's id is any number but 0
/// that is unique among the source's open spans; it may be used again after the span's end.
pub struct SpanSource<T: 'static> {
    number: u16,
    sites: PhantomData<fn(&'static T)>,
}

impl<T> fmt::Debug for SpanSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanSource")
            .field("number", &self.number)
            .finish()
    }
}

impl<T: Sync + 'static> SpanSource<T> {
    /// Registers a span source. `describe` is called on the flush thread, once for each call site; it must
    /// not panic.
    ///
    /// There are 1,023 numbers for span sources. When a source is dropped, its number can be used again by a
    /// source of the same `T`, and is once no other number is left.
    ///
    /// # Errors
    /// [`TooManySpanSources`] when all numbers are in use, or were those of sources of other types.
    pub fn register(
        describe: impl Fn(&'static T) -> Callsite + Send + Sync + 'static,
    ) -> Result<Self, TooManySpanSources> {
        let number = numbers::take(describe)?;
        Ok(Self {
            number,
            sites: PhantomData,
        })
    }

    /// A span was made, with these fields.
    #[inline]
    pub fn new_span(
        &self,
        span: u64,
        site: &'static T,
        parent: Parent,
        fields: impl FnOnce(&mut Fields),
    ) {
        if is_enabled() {
            let (parent, packed) = parent.words();
            let words = [0, span, address(site), parent, packed];
            self.with_fields(Kind::SpanNew, words, fields);
        }
    }

    /// A span without fields was made: as [`new_span`](Self::new_span), and cheaper.
    #[inline]
    pub fn new_span_without_fields(&self, span: u64, site: &'static T, parent: Parent) {
        if is_enabled() {
            let (parent, packed) = parent.words();
            let operands = [span, address(site), parent, packed];
            record(Kind::SpanNew, self.number, operands);
        }
    }

    /// The calling thread entered the span.
    #[inline]
    pub fn enter(&self, span: u64) {
        self.about(Kind::SpanEnter, span);
    }

    /// The calling thread left the span.
    #[inline]
    pub fn exit(&self, span: u64) {
        self.about(Kind::SpanExit, span);
    }

    /// The calling thread wakes the async task whose span this is, from a call site of
    /// [`CallsiteKind::AsyncTask`].
    #[inline]
    pub fn woken(&self, span: u64) {
        self.about(Kind::WakeBy, span);
    }

    /// The span has ended: for sources that count a span's handles themselves.
    #[inline]
    pub fn close(&self, span: u64) {
        self.about(Kind::SpanClose, span);
    }

    /// The span has one handle more: for sources that leave the counting to us.
    #[inline]
    pub fn clone_handle(&self, span: u64) {
        self.about(Kind::SpanClone, span);
    }

    /// One handle of the span was dropped. A span begins with one, and ends with its last.
    #[inline]
    pub fn drop_handle(&self, span: u64) {
        self.about(Kind::SpanDrop, span);
    }

    #[inline]
    fn about(&self, kind: Kind, span: u64) {
        if is_enabled() {
            record(kind, self.number, [span]);
        }
    }

    /// Values of a span's fields became known. The indices are those of its own call site.
    #[inline]
    pub fn record(&self, span: u64, fields: impl FnOnce(&mut Fields)) {
        if is_enabled() {
            self.with_fields(Kind::SpanRecord, [0, span, 0], fields);
        }
    }

    /// The span's user task is a part of this distributed trace, by its id in the W3C's *Trace Context*: as a field
    /// of [`Callsite::trace_id_fields`] says it, for sources that know the id otherwise.
    #[inline]
    pub fn trace_id(&self, span: u64, id: NonZeroU128) {
        self.record(span, |fields| fields.u128(TRACE_ID_INDEX, id.get()));
    }

    /// The span follows from another: a link, not a parent.
    #[inline]
    pub fn follows_from(&self, span: u64, followed: u64) {
        if is_enabled() {
            record(Kind::SpanFollows, self.number, [span, followed]);
        }
    }

    /// An event happened, with these fields.
    #[inline]
    pub fn event(&self, site: &'static T, parent: Parent, fields: impl FnOnce(&mut Fields)) {
        if is_enabled() {
            let (parent, packed) = parent.words();
            let words = [0, address(site), parent, packed];
            self.with_fields(Kind::Event, words, fields);
        }
    }

    /// Writes a record of these words, then its fields. The first word is to be the head; in the last
    /// one the number of words of fields is filled in.
    #[inline]
    fn with_fields<const N: usize>(
        &self,
        kind: Kind,
        mut words: [u64; N],
        fields: impl FnOnce(&mut Fields),
    ) {
        // Room for a field as well, so that most records need no second look.
        let Some((mut reservation, ticks)) = Reservation::begin(N + 3) else {
            return;
        };
        words[0] = head(kind, self.number, ticks);
        let fits = reservation.push_all(words);
        let mut writer = Fields::new(reservation);
        fields(&mut writer);
        let truncated = if writer.is_full() {
            FIELDS_TRUNCATED
        } else {
            0
        };
        let mut reservation = writer.into_reservation();
        if fits {
            let field_words = (reservation.length() - N) as u64;
            reservation.set(N - 1, words[N - 1] | truncated | field_words);
            reservation.finish();
        }
    }
}

fn address<T>(site: &'static T) -> u64 {
    std::ptr::from_ref(site).expose_provenance() as u64
}

impl<T: 'static> Drop for SpanSource<T> {
    fn drop(&mut self) {
        if is_enabled() {
            record(Kind::SourceClosed, self.number, [0]);
        }
        numbers::give_back(self.number);
    }
}
