//! Sets a Layer or Subscriber up.

use std::sync::Arc;

use exectrace_recorder::MAX_TEXT_BYTES;
use tracing_core::Subscriber as AnySubscriber;
use tracing_subscriber::filter::Filtered;

use crate::control::Control;
use crate::filter::Filter;
use crate::handle::Handle;
use crate::layer::{FilteredLayer, RecordFilter, RecordLayer, UnfilteredLayer};
use crate::redaction::Redaction;
use crate::source::Source;
use crate::subscriber::Subscriber;
use crate::tasks::TaskFilter;

/// Sets a Layer or Subscriber up.
///
/// The filter can be changed later, through the [`Handle`]; which spans are user tasks and which
/// fields are hidden cannot.
///
/// ```
/// use exectrace_tracing::Builder;
///
/// let (subscriber, handle) = Builder::new()
///     .filter("info,my_crate=trace".parse::<exectrace_tracing::Filter>()?)
///     .redact(["iban", "ssn"])
///     .subscriber();
/// # drop((subscriber, handle));
/// # Ok::<_, tracing_subscriber::filter::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    filter: Filter,
    tasks: TaskFilter,
    redaction: Redaction,
    max_formatted_bytes: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            tasks: TaskFilter::default(),
            redaction: Redaction::default(),
            max_formatted_bytes: MAX_TEXT_BYTES,
        }
    }
}

impl Builder {
    /// Spans and events of level `INFO` and above are recorded, root spans are user tasks, and fields
    /// named in [`REDACTED_BY_DEFAULT`](crate::REDACTED_BY_DEFAULT) are hidden. Texts are cut at 1,024 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which spans and events are recorded: a level, or a [`Filter`].
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Filter>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Which spans are user tasks.
    #[must_use]
    pub fn tasks(mut self, tasks: TaskFilter) -> Self {
        self.tasks = tasks;
        self
    }

    /// Hides the values of fields with these names too.
    ///
    /// A hidden value is neither formatted nor copied; the trace has a mark in its place. Names are
    /// compared as a whole, in any case, with the last segment of a field's name, so `token` hides
    /// `session.token` and not `tokens`.
    #[must_use]
    pub fn redact<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.redaction.add(names);
        self
    }

    /// Hides the values of fields with these names and no others. None at all if there are none.
    #[must_use]
    pub fn redact_only<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.redaction = Redaction::of(names);
        self
    }

    /// Cuts what is formatted, that is values as in `?value` and `%value` and messages, at so many bytes; 1,024
    /// at most, which is the default. Strings that are given as they are have the limit of 1,024.
    ///
    /// A `Debug` of a request or a query can be most of a trace, and of what tracing costs: its formatting
    /// ends where it is cut, and the value in the trace ends in `…`.
    #[must_use]
    pub fn max_formatted_bytes(mut self, bytes: usize) -> Self {
        self.max_formatted_bytes = bytes.min(MAX_TEXT_BYTES);
        self
    }

    /// A Layer to put beside others: see [`layer`](crate::layer()).
    #[must_use]
    pub fn layer<S: AnySubscriber>(self) -> (FilteredLayer<S>, Handle) {
        let (layer, filter, handle) = self.layer_parts();
        (Filtered::new(layer, filter), handle)
    }

    /// The Layer and its filter apart, for those who combine or wrap them themselves.
    ///
    /// So the filter can be put into a `tracing_subscriber::reload::Layer`, or joined with another
    /// by `FilterExt::and`. A `reload` takes a read lock in each callback, which the [`Handle`]
    /// spares; and it should hold the *filter*: with a whole Layer inside, the subscriber cannot see
    /// that there is a per-layer filter, and takes our "nothing while nothing records" for the
    /// answer of all its layers.
    #[must_use]
    pub fn layer_parts(self) -> (RecordLayer, RecordFilter, Handle) {
        let (source, handle) = self.open();
        let filter = RecordFilter::new(Arc::clone(source.control()));
        (RecordLayer::new(source), filter, handle)
    }

    /// A Layer for a `Registry` with no other: see [`layer_unfiltered`](crate::layer_unfiltered).
    #[must_use]
    pub fn layer_unfiltered(self) -> (UnfilteredLayer, Handle) {
        let (source, handle) = self.open();
        (UnfilteredLayer::new(source), handle)
    }

    /// A Subscriber: see [`subscriber`](crate::subscriber()).
    #[must_use]
    pub fn subscriber(self) -> (Subscriber, Handle) {
        let (source, handle) = self.open();
        (Subscriber::new(source), handle)
    }

    fn open(self) -> (Source, Handle) {
        let max_bytes = self.max_formatted_bytes;
        let control = Control::new(self.filter, self.redaction, max_bytes, self.tasks);
        let source = Source::new(Arc::new(control));
        let handle = Handle::new(Arc::clone(source.control()), source.failure());
        (source, handle)
    }
}
