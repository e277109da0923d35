//! Records the spans and events of `tracing` into a Go execution trace.
//!
//! - [Layer or Subscriber](#layer-or-subscriber)
//! - [What becomes of spans and events](#what-becomes-of-spans-and-events)
//! - [What is recorded](#what-is-recorded)
//! - [Switching on and off](#switching-on-and-off)
//! - [Field values](#field-values)
//! - [Ids of distributed traces](#ids-of-distributed-traces)
//! - [Records of the `log` crate](#records-of-the-log-crate)
//! - [What it costs](#what-it-costs)
//! - [What it does not do](#what-it-does-not-do)
//!
//! # Layer or Subscriber
//!
//! | | for | a span costs |
//! |---|---|---|
//! | [`layer()`] | programs with other layers on a `Registry` (a log, OpenTelemetry) | what the `Registry` costs, and some 45 ns |
//! | [`subscriber()`] | programs whose spans and events go nowhere else | some 50 ns in all |
//!
//! ```
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! // With a layer that prints:
//! let (layer, handle) = exectrace_tracing::layer();
//! let printing = tracing_subscriber::fmt::layer();
//! let subscriber = tracing_subscriber::registry().with(layer).with(printing);
//! # drop(subscriber);
//!
//! // Or alone:
//! let (subscriber, handle) = exectrace_tracing::subscriber();
//! # drop((subscriber, handle));
//! ```
//!
//! Several of them may exist at once. All of them write into the same recordings, and each has its own spans.
//!
//! # What becomes of spans and events
//!
//! - A span without a parent is a **user task** (Go's term for one logical operation, such as a
//!   request), and a **region** in each thread or async task that enters it. [`UserTaskFilter`] changes which
//!   spans are user tasks.
//! - Any other span is a region of the user task that it belongs to, for each time it is entered.
//! - An event is a **log** of the user task that it belongs to. The log's category is the event's level and
//!   target.
//! - The fields of a span are logs at the time at which they are recorded.
//! - `follows_from` is a log that names the other span.
//!
//! A contextual span or event has as its parent the innermost recorded span that its thread has entered.
//!
//! # What is recorded
//!
//! Spans and events of level `INFO` and above. [`Handle::reload`] changes the filter at any time. Each trace
//! names the filter that it was recorded with (`tracing.filter`).
//!
//! ```
//! let (_subscriber, handle) = exectrace_tracing::subscriber();
//! handle.reload(tracing::Level::DEBUG);
//! # assert_eq!(handle.filter().to_string(), "debug");
//! ```
//!
//! # Switching on and off
//!
//! While nothing records, all call sites are disabled, and cost what they cost with no subscriber. [`Handle`]
//! starts and stops recordings and changes the [`Filter`] at run time. [`exectrace_recorder::start`] may be used
//! in place of the handle's `start`. A span that was created while nothing was recorded, or while the filter
//! excluded it, is not recorded later either.
//!
//! # Field values
//!
//! Numbers, booleans and strings are copied, and formatted later by a background thread.
//! `Debug` and `Display` values, and errors with their causes, are formatted directly into the
//! buffer. Text is cut at 1,024 bytes, at a character boundary.
//!
//! If formatting a value emits an event, that event is dropped and counted in
//! [`Report::records_dropped`]. If it panics, the record that has the value is dropped and the panic continues.
//!
//! A field that is named like a secret ([`REDACTED_BY_DEFAULT`], [`Builder::redact`]) shows as `<redacted>`.
//! Its value is neither formatted nor copied.
//!
//! # Ids of distributed traces
//!
//! A field of a span that is called `trace_id`, `otel.trace_id` or `traceparent` ([`TRACE_ID_FIELDS`],
//! [`Builder::trace_id_fields`]) says which distributed trace the span's user task is a part of: where the span is
//! made, or later with `Span::record`. `exectrace usertasks --trace-id` finds the user task by it.
//!
//! ```
//! # let (subscriber, _handle) = exectrace_tracing::subscriber();
//! # let _default = tracing::subscriber::set_default(subscriber);
//! let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
//! let request = tracing::info_span!("request", traceparent = header);
//!
//! let job = tracing::info_span!("job", trace_id = tracing::field::Empty);
//! job.record("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
//! # drop((request, job));
//! ```
//!
//! The value is 32 hexadecimal digits, also with the dashes of a UUID; 16 digits, for half an id; the header
//! `traceparent` of the W3C's *Trace Context*; or a number. A value of any other form is a field and no more, and so
//! is one that is hidden, or cut by [`Builder::max_formatted_bytes`]. The id is a log of the user task with the
//! category `trace_id`, besides the log of the field.
//!
//! Recognising it costs the program nothing: the background thread does it.
//!
//! ## From OpenTelemetry
//!
//! With the feature `opentelemetry`, the Layer also takes the id from OpenTelemetry's current context, where a span is
//! entered. The layer of `tracing-opentelemetry` sets that context, and has to do so first: add it to the `Registry`
//! before this one.
//!
//! ```ignore
//! tracing_subscriber::registry()
//!     .with(tracing_opentelemetry::layer().with_tracer(tracer))
//!     .with(exectrace::layer().0)
//! ```
//!
//! In the other order, a span has no id where it is entered first, or that of the context around it. With
//! `with_context_activation(false)`, the other layer sets no context, and no span has an id. A context that the
//! program attaches by itself counts as well. The crate `opentelemetry` must be of version 0.33, that of `tracing-opentelemetry`
//! 0.34. Each entry of a span costs a look at the thread's current context, and the first one on a thread a record.
//!
//! # Records of the `log` crate
//!
//! Install `tracing_log::LogTracer`. Its events keep the target, module, file and line of the
//! original record.
//!
//! # What it costs
//!
//! Creating, entering, leaving and dropping a span are one record each. A record is a clock read and a few
//! stores, some 10 ns. No callback takes a lock or looks up a span. A callback allocates only when a call site
//! is used for the first time, in the first record of a thread, and when a thread has entered more than 32 spans
//! at once. A field adds a few nanoseconds, or the cost of its formatting.
//!
//! # What it does not do
//!
//! - It prints nothing. Add a `fmt` layer for that.
//! - The [`Subscriber`] [never reports that a span has closed](Subscriber#it-is-a-fast-path-without-layers-above-it),
//!   and takes no layers that need a `Registry`.
//! - At most 1,023 Layers and Subscribers can exist at once. A further one records nothing, and its
//!   [`Handle::start`] returns [`HandleError::TooManySources`].
//! - Of the call sites of a process, the first 12,288 have all features. Under the [`Subscriber`],
//!   `Span::current()` does not return spans of any further ones.
//! - It records what `tracing` reports. For polls, wakes and blocking calls see `exectrace-tokio`.

#![forbid(unsafe_code)]

mod builder;
mod callbacks;
mod callsites;
mod control;
mod filter;
mod filters;
mod handle;
mod interest;
mod layer;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod redaction;
mod stack;
mod subscriber;
mod tokio;
mod used;
mod user_tasks;
mod visitor;

use std::fmt;

use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

pub use builder::{Builder, TRACE_ID_FIELDS};
/// What [`Handle`] takes and returns.
pub use exectrace_recorder::{
    Recording, RecordingOptions, Report, StartError, StopError, TooManySpanSources,
};
pub use filter::{Filter, ParseFilterError};
pub use filters::override_filters;
pub use handle::{Handle, HandleError};
pub use layer::{RecordFilter, RecordLayer};
pub use redaction::REDACTED_BY_DEFAULT;
pub use subscriber::Subscriber;
pub use user_tasks::UserTaskFilter;

/// Makes a Layer to combine with others on a `Registry`, and its handle.
///
/// It records spans and events of level `INFO` and above; [`Handle::reload`] and [`Builder::filter`] change
/// that. It has a per-layer filter, so what it leaves out still reaches other layers. [`Builder::layer`] makes
/// one with other settings.
///
/// The type of the Layer has no name. To keep it in a struct, box it: `layer.boxed()`.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let (layer, handle) = exectrace_tracing::layer();
/// let subscriber = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(layer);
/// tracing::subscriber::with_default(subscriber, || {
///     handle.start_with(|| {
///         exectrace_tracing::RecordingOptions::new().start_writer(std::io::sink())
///     })?;
///     tracing::info_span!("request").in_scope(|| tracing::info!("printed and recorded"));
///     let report = handle.stop()?;
///     assert_eq!(report.records_dropped, 0);
///     Ok::<_, exectrace_tracing::HandleError>(())
/// })?;
/// # Ok::<_, exectrace_tracing::HandleError>(())
/// ```
#[must_use]
pub fn layer<S>() -> (impl Layer<S> + fmt::Debug + Send + Sync + 'static, Handle)
where
    S: tracing_core::Subscriber + for<'span> LookupSpan<'span>,
{
    Builder::new().layer()
}

/// Makes a [`Subscriber`], for programs whose spans and events go nowhere else, and its handle.
///
/// It records what [`layer()`] records. [`Builder::subscriber`] makes one with other settings.
///
/// ```
/// let (subscriber, handle) = exectrace_tracing::subscriber();
/// tracing::subscriber::set_global_default(subscriber)?;
/// assert!(!handle.is_recording());
/// # Ok::<_, tracing::subscriber::SetGlobalDefaultError>(())
/// ```
#[must_use]
pub fn subscriber() -> (Subscriber, Handle) {
    Builder::new().subscriber()
}
