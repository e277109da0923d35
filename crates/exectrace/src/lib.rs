//! An execution tracer for Rust: see what a program did, thread by thread and request by request.
//!
//! exectrace records the spans and events of a program that uses `tracing`, and writes them in the
//! format of Go's execution tracer. `go tool trace`, and everything else that reads Go traces, opens the files.
//!
//! - [Five minutes](#five-minutes)
//! - [A service with every task in it](#a-service-with-every-task-in-it)
//! - [With other layers](#with-other-layers)
//! - [Without `tracing`](#without-tracing)
//! - [By the environment](#by-the-environment)
//! - [Tests](#tests)
//! - [On and off at run time](#on-and-off-at-run-time)
//! - [Reading a trace](#reading-a-trace)
//! - [What it costs](#what-it-costs)
//! - [What it does not do](#what-it-does-not-do)
//! - [Features](#features)
//!
//! # Five minutes
//!
//! Add this crate to a program that uses `tracing`, and three lines to its `main`:
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
//! Then run `go tool trace trace.out`, and look at *User-defined tasks* and *User-defined regions*. Each
//! span without a parent is a user task. The spans below it are its regions, and events are its logs.
//!
//! # A service with every task in it
//!
#![cfg_attr(feature = "tokio", doc = include_str!("../RECIPE.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "With the feature `tokio`, this documentation has the whole recipe."
)]
//!
//! # With other layers
//!
//! `init` installs a subscriber that only records. A program that also prints its events, or
//! sends them elsewhere, adds a layer to its `Registry` instead:
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
//! `Handle` switches the layer on and off and changes its filter. Do not put the layer, or an `Option` of it,
//! into a `reload::Layer` later: it has a per-layer filter, and `tracing_subscriber::reload` panics when it is
//! given such a layer. Programs that want to wrap the filter get it from `Builder::layer_parts`.
//!
//! # Without `tracing`
//!
//! [`Task`], [`Region`] and [`log()`] correspond to Go's package `runtime/trace`. They can be combined with
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
//! # By the environment
//!
//! A program need not say itself whether and where it records. [`from_env`] starts what the environment asks for,
//! and `#[exectrace::main]` (feature `macros`) does so in place of `#[tokio::main]`, with a runtime that is traced:
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! #[exectrace::main]
//! async fn main() {
//!     let seven = exectrace::runtime::spawn(async { 7 });
//!     println!("{:?}", seven.await);
//! }
//! ```
//!
//! `EXECTRACE=trace.out ./program` then records it. The module [`env`](mod@env) has all variables. The arguments of the
//! attribute are those of `#[tokio::main]`, and what is wrong with them is an error at their place:
//!
#![cfg_attr(feature = "macros", doc = "```compile_fail")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! #[exectrace::main(worker_threads = 0)]
//! async fn main() {}
//! ```
//!
//! # Tests
//!
//! `#[exectrace::test]` (feature `macros`) takes the place of `#[tokio::test]`, and of `#[test]`:
//!
#![cfg_attr(feature = "macros", doc = "```")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! #[exectrace::test]
//! async fn seven_is_seven() -> Result<(), tokio::task::JoinError> {
//!     assert_eq!(exectrace::runtime::spawn(async { 7 }).await?, 7);
//!     Ok(())
//! }
//! ```
//!
//! A test is traced if `EXECTRACE` or `EXECTRACE_TEST=1` is set; else it is what it would be without the attribute.
//! Each test is a user task with the test's name, to which all async tasks and spans belong that it makes, also at the
//! same time as other tests. Threads that it makes by itself are in the trace too, as their own.
//!
//! - With `EXECTRACE_TEST=1` the trace of a test program is `target/exectrace/PROGRAM.trace`. Under nextest, which runs
//!   each test in a process of its own, it is `target/exectrace/PROGRAM/TEST.trace`, and that of the second
//!   attempt, where nextest tries again, `TEST.attempt-2.trace`. It takes the place of that of
//!   an earlier run, and is removed at the exit of the process if no test with this attribute has failed, unless
//!   `EXECTRACE_KEEP=1` is set. Whether a plain `#[test]` fails is not seen. `EXECTRACE_ROTATE` has no effect on it.
//! - With `EXECTRACE=PATH` it is there, as of any program, and is kept. `PATH` should have `%n` and `%p` in it, as there
//!   are several test programs, which all get the same environment.
//! - exectrace's subscriber is installed if the process has none by then, as a test cannot count on setting the one of
//!   its process; `EXECTRACE_SUBSCRIBER=none` prevents that.
//!
//! # On and off at run time
//!
//! A recording can be started and stopped at any time, by any thread, any number of times, and
//! several can run at once. With the feature `tracing`, `Handle` also changes the filter while the
//! program runs. A recording is owned in one of two ways:
//!
//! | | owner | ends | for |
//! |---|---|---|---|
//! | [`start`], [`RecordingOptions`] | the [`Recording`] that is returned | by `stop`, or when it is dropped | a `main`, a test, a function that records itself |
//! | `Handle::start`, `Handle::start_with` | the handle, which has one at a time | by `Handle::stop`, or when the last clone of the handle is dropped | a switch: an admin endpoint, a signal, a button |
//!
//! Both contain the same records. [`RecordingOptions::stop_after`] ends a recording after a time, and
//! [`RecordingOptions::start_stream`] starts one that is read while it is made.
//!
//! [`status`] says what the tracer is doing: which recordings run and what they have written, how many records there were
//! of spans, events, async tasks and so on, when the last one was made, and what was dropped. If a recording records
//! nothing for five seconds, the status says so with the likely cause, and so do the trace, its [`Report`] and
//! [`RecordingOptions::on_nothing_recorded`].
//!
//! A program that records for as long as it runs writes one file after the other, and keeps the newest: see
//! [`Rotation`].
//!
//! # Reading a trace
//!
//! Go's tools read the files: `go tool trace FILE`, of Go 1.25 or newer (or of Go 1.23, with
//! [`RecordingOptions::compatible_with_go_1_23`]). Go's tools show each thread of the program as a goroutine.
//!
//! # What it costs
//!
//! While nothing records, a `tracing` call site costs what it costs with no subscriber, and a function of this
//! crate costs one load and a branch.
//!
//! While a recording runs, a record is a clock read and a few stores, some 10 ns, and a span has four records.
//! The threads of the program take no lock, allocate nothing and wait for nothing; a background thread encodes
//! and writes. [`Settings`] bounds the memory. When it is used up, records are dropped and counted, and the
//! program goes on.
//!
//! # What it does not do
//!
//! - Without the feature `tokio` it does not follow async tasks. Of a future it then sees the spans that
//!   are entered while the future is polled.
//! - Without the feature `cpu` it does not sample. It then sees only spans, regions and logs of what happens inside a
//!   poll or a thread, and the only stacks that it takes are those of waiting async tasks (feature `tokio`, with frame
//!   pointers).
//! - A recording contains what the whole process does while it runs, including other tests of the same binary, though
//!   those with `#[exectrace::test]` have user tasks of their own. A test that reads its trace needs a process of its own
//!   (`cargo nextest`), or a lock that all tests of the binary take.
//! - It sends nothing anywhere by itself. A recording goes to a file, to a [`Write`](std::io::Write), or to a client
//!   that asks for it (feature `http`).
//!
//! # Features
//!
//! - `tracing` (default): the Layer, the Subscriber and `init`. Without it, this crate is the recorder
//!   and its annotations.
//! - `tokio`: the module `runtime`, which records when each async task runs, waits and is woken.
//! - `macros`: `#[exectrace::main]` and `#[exectrace::test]`; turns `tokio` on.
//! - `cpu`: samples what the threads that record are doing, 99 times in each second of processor time that they use
//!   ([`Settings`] has the rate). Each sample has the async task that the thread ran, and the stack, if the program
//!   and its dependencies are built with `-C force-frame-pointers=yes`; otherwise only the function. For Linux on x86-64
//!   and AArch64; elsewhere the feature does nothing. It uses a real-time signal.
//! - `tokio-tracing`: with `--cfg tokio_unstable`, records who wakes async tasks that were spawned by other
//!   crates, from Tokio's own spans and events. Costs 40 to 60 ns a poll while nothing records.
//! - `tokio-schedule-latency`: with `--cfg tokio_unstable`, records when such tasks are woken, in runtimes whose
//!   builder has `track_task_schedule_latency()`. Costs 50 ns a poll.
//! - `syscalls`: Linux only; records the calls to the C library that can block, of all that is linked into the
//!   program: which call, how long, and whether it failed. There is nothing to call. For programs, not for shared
//!   libraries; the crate `exectrace-syscalls` lists the functions, and says what is not seen.
//! - `upload`: the module `upload`, which puts the finished files of a rotating recording into an object store.
//! - `zstd`: `Rotation::zstd` compresses the files of a rotating recording.
//! - `http`: the module `http`, a `tower::Service` with the paths of Go's `net/http/pprof`: a request starts a recording
//!   and gets the trace as its answer, sees the status, and changes the filter.
//! - `http-server`: `http::serve`, a small server for it on a thread of its own.
//! - `opentelemetry`: the Layer knows of each user task which distributed trace it is a part of, if a layer of
//!   `tracing-opentelemetry` was added to the `Registry` before it. In the other order a root span that is entered inside
//!   another context has the id of that one.
//! - `alloc`: `Allocator`, a global allocator that counts what each async task and user task allocates, and how
//!   many bytes are alive. It samples one allocation for each 512 KiB ([`Settings`] has the distance), from which
//!   `exectrace profile --kind heap` makes a heap profile; its stacks need frame pointers, as those of `cpu` do.

#![forbid(unsafe_code)]

#[cfg(feature = "macros")]
mod attributes;
pub mod env;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "tracing")]
mod init;
#[cfg(feature = "upload")]
pub mod upload;

/// What the attributes expand to. No part of the public interface.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private {
    pub use crate::attributes::{Expected, Main, NoFailure, Returned, Test};
}

pub use exectrace_recorder::{
    Contents, Destination, Dropped, MAX_TEXT_BYTES, Memory, NothingCause, NothingRecorded,
    RecordCounts, Recording, RecordingOptions, RecordingStatus, Region, Report, Rotation, Sealed,
    Settings, SettingsError, SettingsInForce, SinkError, Source, StartError, Status, StopError,
    Stream, Task, is_enabled, log, log_args, name, note, region, start, status,
};

pub use env::from_env;

#[cfg(feature = "macros")]
pub use exectrace_macros::{main, test};

#[cfg(feature = "alloc")]
pub use exectrace_recorder::Allocator;

/// The schedule of Tokio's runtimes: a method on a runtime's builder, and functions that spawn.
///
/// This is the crate `exectrace-tokio`. Its documentation says what each kind of build records.
// Not named `tokio`, so that it cannot be confused with Tokio itself.
#[cfg(feature = "tokio")]
pub mod runtime {
    pub use exectrace_tokio::{
        BuilderExt, Capabilities, JoinSetExt, Options, Traced, TracedExt, block_in_place, block_on,
        block_on_handle, block_on_local, capabilities, keep_live_tasks, reasons, root, spawn,
        spawn_blocking, spawn_blocking_on, spawn_local, spawn_local_on, spawn_named, spawn_on,
    };
}

/// The calls of the C library that can block.
///
/// This is the crate `exectrace-syscalls`, which is empty but on Linux. Its documentation says which calls are seen.
#[cfg(feature = "syscalls")]
pub mod syscalls {
    pub use exectrace_syscalls::{EntryPoint, entry_points};
}

/// For programs that have spans from another source than `tracing`.
pub mod source {
    pub use exectrace_recorder::{
        Callsite, CallsiteKind, Fields, Parent, SpanSource, TaskRule, TooManySpanSources,
        on_enabled_change,
    };
}

#[cfg(feature = "tracing")]
pub use {
    exectrace_tracing::{
        Builder, Filter, Handle, HandleError, ParseFilterError, REDACTED_BY_DEFAULT, RecordFilter,
        RecordLayer, Subscriber, TRACE_ID_FIELDS, UserTaskFilter, layer, override_filters,
        subscriber,
    },
    init::{InitError, init},
};
