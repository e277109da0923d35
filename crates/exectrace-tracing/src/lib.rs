//! Records the spans and events of `tracing` into a Go execution trace.
//!
//! - [Three doors](#three-doors)
//! - [What becomes of spans and events](#what-becomes-of-spans-and-events)
//! - [What is recorded](#what-is-recorded)
//! - [Switching on and off](#switching-on-and-off)
//! - [Field values](#field-values)
//! - [Records of the `log` crate](#records-of-the-log-crate)
//! - [What it costs](#what-it-costs)
//! - [What it does not do](#what-it-does-not-do)
//!
//! # Three doors
//!
//! | | for | a span costs |
//! |---|---|---|
//! | [`layer()`] | a `Registry` with other layers (a log, OpenTelemetry) | what the `Registry` costs, and some 45 ns |
//! | [`layer_unfiltered()`] | a `Registry` with no other layer | a little less |
//! | [`subscriber()`] | programs whose spans go nowhere else | some 50 ns in all |
//!
//! ```
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! // Beside a layer that prints:
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
//! Any number of them may exist at once; all write into the same recordings, and spans of one are
//! never taken for spans of another.
//!
//! # What becomes of spans and events
//!
//! - A span without a parent is a **user task** (Go's word for one logical operation, such as a
//!   request), and a **region** where it is entered. Which spans are user tasks is a setting:
//!   [`TaskFilter`].
//! - Any other span is a region of the user task it belongs to, once for each stretch between an
//!   enter and its exit.
//! - An event is a **log** of the user task it belongs to: its category is its level and target.
//! - Fields of a span, and values recorded later, are logs at the time they became known.
//! - `follows_from` is a log that names the other span.
//!
//! The parent of a contextual span or event is the innermost recorded span that its thread is in.
//!
//! # What is recorded
//!
//! Spans and events of level `INFO` and above. [`Handle::reload`] changes that at any time, and each
//! trace says which filter it was recorded with (`tracing.filter`):
//!
//! ```
//! let (_subscriber, handle) = exectrace_tracing::subscriber();
//! handle.reload(tracing::Level::DEBUG);
//! # assert_eq!(handle.filter().to_string(), "debug");
//! ```
//!
//! # Switching on and off
//!
//! While nothing records, each call site is told that nobody wants it, and costs what it costs with
//! no subscriber at all. [`Handle`] starts and stops recordings and changes the [`Filter`] at run
//! time; [`exectrace_recorder::start`] does as well as the handle's own `start`. A span made while
//! nothing records, or while the filter leaves it out, is not recorded later either.
//!
//! # Field values
//!
//! Numbers, booleans and strings are copied as they are and formatted off the program's threads.
//! `Debug` and `Display` values, and errors with their causes, are formatted straight into the
//! buffer. Texts are cut at 1,024 bytes, at a character boundary.
//!
//! An event that such a formatting emits is left out and counted in
//! [`Report::records_dropped`](exectrace_recorder::Report::records_dropped); if a formatting panics,
//! the record it was for is left out, and the panic goes on as it would have.
//!
//! Fields named like a secret ([`REDACTED_BY_DEFAULT`]; [`Builder::redact`]) show as `<redacted>`;
//! their values are neither formatted nor copied.
//!
//! # Records of the `log` crate
//!
//! Install `tracing_log::LogTracer`; its events keep the target, module, file and line of the
//! original record.
//!
//! # What it costs
//!
//! Making, entering, leaving and ending a span is one record each: a clock read and a few stores, some
//! 10 ns. No callback takes a lock or looks a span up. None allocates, but at the first sight of a
//! call site, in a thread's first record, and where a thread is in more than 32 spans at once. A
//! field adds a few nanoseconds, or what its own formatting costs.
//!
//! # What it does not do
//!
//! - It writes no log for people to read: put a `fmt` layer beside it.
//! - The [`Subscriber`] takes no layers that need a `Registry`.
//! - Call sites past the first 12,288 of a process work, but `Span::current()` does not know their
//!   spans under the [`Subscriber`].
//! - It records what `tracing` tells. Polls, wakes and blocking calls need the runtime's help.

#![forbid(unsafe_code)]

mod builder;
mod callsites;
mod control;
mod filter;
mod filters;
mod handle;
mod interest;
mod layer;
mod redaction;
mod source;
mod stack;
mod subscriber;
mod tasks;
mod tokio;
mod visitor;

pub use builder::Builder;
pub use filter::Filter;
pub use handle::{Handle, HandleError};
pub use layer::{FilteredLayer, RecordFilter, RecordLayer, UnfilteredLayer};
pub use redaction::REDACTED_BY_DEFAULT;
pub use subscriber::Subscriber;
pub use tasks::TaskFilter;

/// Makes a Layer to put beside others on a `Registry`, and its handle. It records spans and events of
/// level `INFO` and above; for others see [`Handle::reload`] and [`Builder::filter`].
///
/// It carries a per-layer filter of its own, so that what it wants and does not want is nobody
/// else's matter. To set it up, use [`Builder::layer`].
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
///         exectrace_recorder::RecordingOptions::new().start_writer(std::io::sink())
///     })?;
///     tracing::info_span!("request").in_scope(|| tracing::info!("printed and recorded"));
///     let report = handle.stop()?;
///     assert_eq!(report.records_dropped, 0);
///     Ok::<_, exectrace_tracing::HandleError>(())
/// })?;
/// # Ok::<_, exectrace_tracing::HandleError>(())
/// ```
///
/// # Too many
/// Not more than 1,023 Layers and Subscribers can exist at once. One past that records nothing, and
/// its [`Handle::start`] says so.
#[must_use]
pub fn layer<S: tracing_core::Subscriber>() -> (FilteredLayer<S>, Handle) {
    Builder::new().layer()
}

/// Makes a Layer for a `Registry` with no other layer, and its handle. It records what
/// [`layer()`] records.
///
/// It has no per-layer filter, which saves a look-up of the span in most callbacks. But what it does
/// not want, *nobody gets*: while nothing records, all call sites are off, for other layers too. With
/// other layers use [`layer()`]; with none, consider [`subscriber()`], which costs a fifth.
#[must_use]
pub fn layer_unfiltered() -> (UnfilteredLayer, Handle) {
    Builder::new().layer_unfiltered()
}

/// Makes a [`Subscriber`], for programs whose spans and events go nowhere else, and its handle. It
/// records what [`layer()`] records.
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
