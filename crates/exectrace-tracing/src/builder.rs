//! The settings of a Layer or Subscriber.

use std::fmt;
use std::sync::Arc;

use exectrace_recorder::MAX_TEXT_BYTES;
use tracing_core::Subscriber as AnySubscriber;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::callbacks::Callbacks;
use crate::control::Control;
use crate::filter::Filter;
use crate::handle::Handle;
use crate::layer::{RecordFilter, RecordLayer};
use crate::redaction::Redaction;
use crate::subscriber::Subscriber;
use crate::user_tasks::UserTaskFilter;

/// Names of the fields of spans in which ids of distributed traces are looked for by default. See
/// [`Builder::trace_id_fields`].
pub const TRACE_ID_FIELDS: &[&str] = &["trace_id", "otel.trace_id", "traceparent"];

/// Configures a Layer or Subscriber, and makes it.
///
/// The filter can be changed later through the [`Handle`]. The other settings are fixed.
///
/// ```
/// use exectrace_tracing::Builder;
///
/// let (subscriber, handle) = Builder::new()
///     .filter("info,my_crate=trace".parse::<exectrace_tracing::Filter>()?)
///     .redact(["iban", "ssn"])
///     .subscriber();
/// # drop((subscriber, handle));
/// # Ok::<_, exectrace_tracing::ParseFilterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    filter: Filter,
    user_tasks: UserTaskFilter,
    redaction: Redaction,
    max_formatted_bytes: usize,
    trace_id_fields: Box<[Box<str>]>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            user_tasks: UserTaskFilter::default(),
            redaction: Redaction::default(),
            max_formatted_bytes: MAX_TEXT_BYTES,
            trace_id_fields: TRACE_ID_FIELDS.iter().map(|&name| name.into()).collect(),
        }
    }
}

impl Builder {
    /// The default settings: spans and events of level `INFO` and above are recorded, spans without a parent
    /// are user tasks, fields named in [`REDACTED_BY_DEFAULT`](crate::REDACTED_BY_DEFAULT) are hidden, and
    /// texts are cut at 1,024 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which spans and events are recorded: a level, or a [`Filter`].
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Filter>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Sets which spans are user tasks.
    #[must_use]
    pub fn user_tasks(mut self, user_tasks: UserTaskFilter) -> Self {
        self.user_tasks = user_tasks;
        self
    }

    /// Also hides the values of fields with these names.
    ///
    /// A hidden value is neither formatted nor copied; the trace has a mark in its place. A field is hidden
    /// if the last segment of its name equals one of these names, ignoring case: `token` hides
    /// `session.token`, but not `tokens`.
    #[must_use]
    pub fn redact<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.redaction.add(names);
        self
    }

    /// Hides the values of fields with these names only, in place of the default names. Without names, no field
    /// is hidden.
    #[must_use]
    pub fn redact_only<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.redaction = Redaction::of(names);
        self
    }

    /// Cuts formatted values (`?value`, `%value`) and messages at this many bytes. The default, and the
    /// maximum, is 1,024. Values that are strings are not formatted, and are cut at 1,024 bytes.
    ///
    /// The `Debug` output of a request or a query can be most of a trace, and most of the cost of tracing.
    /// Formatting stops where the value is cut, and the value in the trace ends in `…`.
    #[must_use]
    pub fn max_formatted_bytes(mut self, bytes: usize) -> Self {
        self.max_formatted_bytes = bytes.min(MAX_TEXT_BYTES);
        self
    }

    /// Looks for ids of distributed traces in fields of these names, in place of [`TRACE_ID_FIELDS`]. Without
    /// names, no field is an id. A name is compared as a whole.
    ///
    /// ```
    /// use exectrace_tracing::{Builder, TRACE_ID_FIELDS};
    ///
    /// let names = TRACE_ID_FIELDS.iter().chain(&["dd.trace_id"]);
    /// let (subscriber, handle) = Builder::new().trace_id_fields(names).subscriber();
    /// # drop((subscriber, handle));
    /// ```
    ///
    /// See [Ids of distributed traces](crate#ids-of-distributed-traces) for what becomes of the values.
    #[must_use]
    pub fn trace_id_fields<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.trace_id_fields = names.into_iter().map(|name| name.as_ref().into()).collect();
        self
    }

    /// Makes a Layer to combine with others. See [`layer`](crate::layer()).
    #[must_use]
    pub fn layer<S>(self) -> (impl Layer<S> + fmt::Debug + Send + Sync + 'static, Handle)
    where
        S: AnySubscriber + for<'span> LookupSpan<'span>,
    {
        let (layer, filter, handle) = self.layer_parts();
        (layer.with_filter(filter), handle)
    }

    /// Makes a Layer and its filter separately, for programs that wrap the filter or combine it with another
    /// one.
    ///
    /// For example, the filter can be put into a `tracing_subscriber::reload::Layer`, or combined with
    /// `FilterExt::and`. Note that a `reload::Layer` takes a read lock in each callback; changing the filter
    /// through the [`Handle`] does not. Put only the *filter* into it: with the whole Layer inside, the
    /// subscriber cannot see that there is a per-layer filter. While nothing records it would then disable
    /// all call sites for its other layers too.
    #[must_use]
    pub fn layer_parts(self) -> (RecordLayer, RecordFilter, Handle) {
        let (callbacks, handle) = self.callbacks();
        let filter = RecordFilter::new(Arc::clone(callbacks.control()));
        (RecordLayer::new(callbacks), filter, handle)
    }

    /// Makes a Subscriber. See [`subscriber`](crate::subscriber()).
    #[must_use]
    pub fn subscriber(self) -> (Subscriber, Handle) {
        let (callbacks, handle) = self.callbacks();
        (Subscriber::new(callbacks), handle)
    }

    fn callbacks(self) -> (Callbacks, Handle) {
        let max_bytes = self.max_formatted_bytes;
        let control = Control::new(
            self.filter,
            self.redaction,
            max_bytes,
            self.user_tasks,
            self.trace_id_fields,
        );
        let callbacks = Callbacks::new(Arc::new(control));
        let handle = Handle::new(Arc::clone(callbacks.control()), callbacks.failure());
        (callbacks, handle)
    }
}
