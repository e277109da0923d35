//! An execution tracer for Rust: see what a program did, thread by thread and request by request.
//!
//! exectrace records the spans and events of a program that uses `tracing`, and writes them in the
//! format of Go's execution tracer. Everything that reads Go traces opens them: `go tool trace` first
//! of all.
//!
//! - [Five minutes](#five-minutes)
//! - [A service with every task in it](#a-service-with-every-task-in-it)
//! - [Beside a log](#beside-a-log)
//! - [Without `tracing`](#without-tracing)
//! - [On and off at run time](#on-and-off-at-run-time)
//! - [Reading a trace](#reading-a-trace)
//! - [What it costs](#what-it-costs)
//! - [What it does not do](#what-it-does-not-do)
//! - [Features](#features)
//!
//! # Five minutes
//!
//! In a program that uses `tracing`, add this crate, and three lines:
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! #[tracing::instrument]
//! fn work(size: u64) -> u64 {
//!     tracing::info!("working");
//!     (0..size).sum()
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//!     exectrace::init()?;
//!     let recording = exectrace::start("trace.out")?;
//!     work(1_000);
//!     println!("{}", recording.stop()?);
//!     Ok(())
//! }
//! ```
//!
//! Then `go tool trace trace.out`, and look at *User-defined tasks* and *User-defined regions*. Each
//! span without a parent is a user task; spans are regions of it where they are entered; events are
//! its logs.
//!
//! # A service with every task in it
//!
#![cfg_attr(feature = "tokio", doc = include_str!("../RECIPE.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "The documentation of a build with the feature `tokio` has the whole recipe."
)]
//!
//! # Beside a log
//!
//! `init` sets a subscriber that does nothing but record. A program that also prints its events, or
//! sends them elsewhere, adds a layer instead:
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("trace.out");
//! let (layer, handle) = exectrace::layer();
//! tracing_subscriber::registry()
//!     .with(layer)
//!     // .with(tracing_subscriber::fmt::layer())
//!     .try_init()?;
//!
//! handle.start(&path)?;
//! tracing::info_span!("request").in_scope(|| tracing::info!("hello"));
//! let report = handle.stop()?;
//! assert_eq!(report.records_dropped, 0);
//! # Ok(())
//! # }
//! ```
//!
//! The layer carries a filter of its own, and `tracing_subscriber::reload` panics when it is handed such a
//! layer: do not put it, or an `Option` of it, into a `reload::Layer` later. `Handle` switches it on and
//! off and changes its filter; `Builder::layer_parts` has the filter apart, for programs that wrap it.
//!
//! # Without `tracing`
//!
//! [`Task`], [`Region`] and [`log()`] are what Go's `runtime/trace` package has. They may be mixed with
//! spans.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("trace.out");
//! let recording = exectrace::start(&path)?;
//! {
//!     let request = exectrace::Task::new("request");
//!     let _region = request.region("parse");
//!     request.log("size", "17 bytes");
//! }
//! assert!(recording.stop()?.events > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # On and off at run time
//!
//! A recording may be started and stopped at any moment, by any thread, any number of times, and
//! several may run at once. With the feature `tracing`, `Handle` also changes the filter while the
//! program runs. There are two ways to hold a recording:
//!
//! | | who holds it | ends | for |
//! |---|---|---|---|
//! | [`start`], [`RecordingOptions`] | the [`Recording`] that is returned | by `stop`, or when it is dropped | a `main`, a test, a function that records its own span of time |
//! | `Handle::start`, `Handle::start_with` | the handle, one at a time | by `Handle::stop`, or with the last clone of the handle | a switch: an admin endpoint, a signal, a button |
//!
//! Both hold the same records, and both may run at once.
//!
//! # Reading a trace
//!
//! Go's tools read the files: `go tool trace FILE`, of Go 1.25 or newer (or
//! [`RecordingOptions::compatible_with_go_1_23`]). A thread of the program shows as a goroutine.
//!
//! # What it costs
//!
//! While nothing records: at a `tracing` call site, what it costs with no subscriber; for the
//! functions of this crate, one load and a branch.
//!
//! While a recording runs: a clock read and a few stores for each record, some 10 ns, and four records
//! a span. No lock, no allocation, no waiting; a background thread encodes and writes. The memory is
//! bounded by [`Settings`]; when it is used up, records are dropped and counted, and the program goes
//! on.
//!
//! # What it does not do
//!
//! - It does not follow async tasks without the feature `tokio`: of a future it then sees the spans that
//!   are entered while it is polled.
//! - It takes no samples: what has no span, region or log is not seen inside a poll or a thread. The one
//!   kind of stack that it takes is where an async task waits (feature `tokio`, with frame pointers).
//! - It does not tell tests apart: a recording holds what the whole process does while it runs, other
//!   tests of the same binary included. A test that reads its trace runs in a process of its own
//!   (`cargo nextest`), or takes turns with the others.
//! - It sends nothing anywhere. A recording is a file, or what a
//!   [`Write`](std::io::Write) makes of it.
//!
//! # Features
//!
//! - `tracing` (default): the Layer, the Subscriber, `init`. Without it, this crate is the recorder
//!   and its annotations.
//! - `tokio`: the module `runtime`, which records when each async task runs, waits and is woken.
//! - `tokio-tracing`: with `--cfg tokio_unstable`, Tokio's own spans and events say who wakes the tasks
//!   that are spawned by others. 40 to 60 ns a poll while nothing records.
//! - `tokio-schedule-latency`: with `--cfg tokio_unstable`, when such tasks are woken, in runtimes whose
//!   builder was told to `track_task_schedule_latency()`. 50 ns a poll.

#![forbid(unsafe_code)]

#[cfg(feature = "tracing")]
mod init;

pub use exectrace_recorder::{
    MAX_TEXT_BYTES, Recording, RecordingOptions, Region, Report, Settings, SettingsError,
    SinkError, StartError, StopError, Task, is_enabled, log, log_args, name, note, region, start,
};

/// The schedule of Tokio's runtimes: one method on a runtime's builder, and functions that spawn.
///
/// Everything of the crate `exectrace-tokio`, whose documentation says what each build sees.
// Not `tokio`: after `use exectrace::*` that would stand in the place of Tokio itself.
#[cfg(feature = "tokio")]
pub mod runtime {
    pub use exectrace_tokio::*;
}

/// For those who feed the tracer from a source of spans of their own.
pub mod source {
    pub use exectrace_recorder::{
        Callsite, CallsiteKind, Fields, Parent, SpanSource, TaskRule, TooManySpanSources,
        on_enabled_change,
    };
}

#[cfg(feature = "tracing")]
pub use {
    exectrace_tracing::{
        Builder, Filter, FilteredLayer, Handle, HandleError, REDACTED_BY_DEFAULT, RecordFilter,
        RecordLayer, Subscriber, TaskFilter, UnfilteredLayer, layer, layer_unfiltered, subscriber,
    },
    init::{InitError, init},
};
