//! Records a Tokio program's schedule: spawns, polls, wakes and blocking calls.
//!
//! With it, a trace shows for each async task when it ran and on which worker, when it waited, on what and where
//! in the program, who woke it, how long it then waited for a worker, and where it was spawned.
//!
//! # Usage
//!
//! Call one method on the runtime's builder. For what hooks do not see, there are functions with the names of
//! Tokio's own:
//!
//! ```
//! use exectrace_tokio::{BuilderExt, block_on, spawn};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("trace.out");
//! let runtime = tokio::runtime::Builder::new_multi_thread()
//!     .enable_all()
//!     .exectrace("main")
//!     .build()?;
//! let recording = exectrace_recorder::start(&path)?;
//! let answer = block_on(&runtime, async { spawn(async { 6 * 7 }).await })?;
//! assert_eq!(answer, 42);
//! assert!(recording.stop()?.events > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What is seen
//!
//! | | any build | `--cfg tokio_unstable` | and `-C force-frame-pointers=yes` |
//! |---|---|---|---|
//! | workers: park, unpark, which thread | yes | yes | yes |
//! | tasks spawned through this crate: spawn, polls, end | yes | yes | yes |
//! | … their wakes: by whom and when | yes | yes | yes |
//! | … where and on what they wait | by who wakes them | by who wakes them | by their own stacks |
//! | all other tasks: spawn, polls, end | – | yes | yes |
//! | … their wakes | – | at the next poll, marked; or see [below](#wakes-of-all-tasks) | the same |
//! | tasks of a `LocalSet` | through [`spawn_local`] | through [`spawn_local`] | through [`spawn_local`] |
//! | root futures | through [`block_on`], [`root()`] | the same | the same |
//! | blocking closures: queue and run | through [`spawn_blocking`] | the same | the same |
//! | tasks that are alive when a recording starts | those of this crate | all | all |
//!
//! The trace marks what was concluded and not observed:
//!
//! - A wake that was not seen has the stack `(wake not seen)`. A task whose spawn was not seen is listed in the
//!   side data.
//! - In the format only a running task can end. So a task that is aborted or dropped while it does not run gets a
//!   final run of some nanoseconds on the tracer's lane. The side data lists these runs, and the `exectrace`
//!   program leaves them out of its tables.
//! - A task that was being polled when the recording began is shown as waiting until the end of that poll. The
//!   side data lists these waits too.
//!
//! The reason of a wait says how it is known. `exectrace_format::conventions::WaitSource` has these three cases:
//!
//! | known from | reasons |
//! |---|---|
//! | the stack of the wait | `chan receive`, `chan send`, `sync`, `sync (join)`, `sync (blocking call)`, `sync (child process)`, `sync (watch or barrier)`, `select`, `sleep`, `network` |
//! | who woke the task | `network, timer or signal` (the driver), `sync (woken by task)`, `sync (woken by thread)`, `sync (woken by blocking call)` |
//! | nothing | `unknown` |
//!
//! If a worker wakes a task between two polls, the reason is `unknown`: a task that is joined may have completed,
//! the worker may have polled the driver without parking, or a task that yielded may resume. A wait that has not
//! ended when it is written, about a tenth of a second after it began, is `unknown` as well. But if its stack is
//! known, and all earlier waits at this stack had the same reason, it gets that reason.
//!
//! [`reasons`] has a table of Tokio's primitives, with the reason that a wait in each of them has in each kind of
//! build. [`capabilities()`] returns what a build sees, and each trace says it too.
//!
//! `--cfg tokio_unstable` applies to the whole build. Set it in `.cargo/config.toml`, next to the workspace's
//! manifest. A `RUSTFLAGS` in the environment replaces what is set there.
//!
//! ```toml
//! [build]
//! rustflags = ["--cfg", "tokio_unstable", "-C", "force-frame-pointers=yes"]
//! ```
//!
//! # Wakes of all tasks
//!
//! Only Tokio knows who wakes a task that was not spawned through this crate. It reports that in two ways. Both
//! need `--cfg tokio_unstable`, and a feature of this crate:
//!
//! - `tracing`: Tokio has a span around each task and an event for each wake. A Layer or Subscriber of exectrace
//!   records these as wakes, whatever its filter is: by whom and when, for tasks that are spawned while something
//!   records. They are not shown as regions or logs. A task has the name that `tokio::task::Builder` gave it.
//!   Tokio's spans around locks, sockets and timers are left out. The feature costs 40 to 60 ns a poll while
//!   nothing records, and some 100 ns more while something does.
//! - `schedule-latency`: a runtime whose builder has `track_task_schedule_latency()` reports at each poll how long
//!   ago the task was woken. By whom is marked as not seen. This costs some 50 ns a poll, also while nothing
//!   records.
//!
//! A wake that is reported in several ways counts once.
//!
//! # Calls that block
//!
//! With the feature `syscalls`, on Linux, calls to the C library are recorded, on the async task or thread that made
//! them: reads and writes of files, sleeps, waits for locks. What a worker's driver waited for is known then, too: a
//! timer, or a socket or another source. The crate `exectrace-syscalls` lists the functions, and says what is not seen.
//!
//! # What it costs
//!
//! `cargo bench -p exectrace-tokio --bench overhead` measures it. With `--cfg tokio_unstable`, on an AMD EPYC with
//! two shared cores, on 2026-11-23:
//!
//! - The hooks cost up to 8 ns a poll while nothing records, and some 20 ns while something does. An exchange of
//!   messages between two tasks on two workers, which do nothing else, then takes 1.22 times as long, and an echo
//!   over loopback 1.01 times.
//! - A spawn costs some 35 to 50 ns more, for keeping live tasks ([`keep_live_tasks`]).
//! - The wrapper adds some 8 ns a poll while nothing records, and 20 to 30 ns while something does, for the wakes.
//!
//! # What it does not do
//!
//! - It does not change what a program does. The order of polls, budgets, panics and what a `JoinHandle`
//!   returns are Tokio's.
//! - It does not see inside a poll. Spans do.
//! - Without stacks and without the feature `syscalls` it cannot distinguish a timer from a socket: both are
//!   `network, timer or signal`.

#![forbid(unsafe_code)]

mod blocking;
mod capabilities;
mod closures;
mod counters;
mod current;
mod hooks;
mod ids;
mod options;
mod reported;
mod runtimes;
mod sealed;
mod spawn;
mod traced;

// Mentioned, so that it is linked: its functions then take the place of the C library's.
#[cfg(feature = "syscalls")]
use exectrace_syscalls as _;

pub mod reasons {
    #![doc = include_str!("../REASONS.md")]
}

pub use blocking::{
    block_in_place, block_on, block_on_handle, block_on_local, spawn_blocking, spawn_blocking_on,
};
pub use capabilities::{Capabilities, capabilities, keep_live_tasks};
pub use hooks::BuilderExt;
pub use options::Options;
pub use spawn::{JoinSetExt, spawn, spawn_local, spawn_local_on, spawn_named, spawn_on};
pub use traced::{Traced, TracedExt, root};
