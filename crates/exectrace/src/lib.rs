//! An execution tracer for Rust: see what a program did, thread by thread and request by request.
//!
//! exectrace records the spans and events of a program that uses `tracing`, and writes them in the
//! format of Go's execution tracer. Everything that reads Go traces opens them: `go tool trace` first
//! of all.
//!
//! - [Five minutes](#five-minutes)
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
//! program runs.
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
//! - It takes no samples and no stacks: what has no span, region or log is not seen.
//! - It sends nothing anywhere. A recording is a file, or what a
//!   [`Write`](std::io::Write) makes of it.
//!
//! # Features
//!
//! - `tracing` (default): the Layer, the Subscriber, `init`. Without it, this crate is the recorder
//!   and its annotations.
//! - `tokio`: the module `tokio`, which records when each async task runs, waits and is woken.

#![forbid(unsafe_code)]

#[cfg(feature = "tracing")]
mod init;

pub use exectrace_recorder::{
    MAX_TEXT_BYTES, Recording, RecordingOptions, Region, Report, Settings, SettingsError,
    SinkError, StartError, StopError, Task, is_enabled, log, log_args, note, region, start,
};

/// The schedule of Tokio: one method on a runtime's builder, and functions that spawn.
#[cfg(feature = "tokio")]
pub mod tokio {
    pub use exectrace_tokio::*;
}

/// For those who feed the tracer from a source of spans of their own.
pub mod source {
    pub use exectrace_recorder::{
        Callsite, CallsiteKind, Door, Fields, Parent, TaskRule, TooManyDoors, on_switch,
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
