//! Records a Tokio program's schedule: spawns, polls, wakes, blocks.
//!
//! With it a trace shows for each async task when it ran and on which worker, when it was woken and
//! waited for a worker, when it waited, on what and where in the program, who woke it, and who spawned
//! it.
//!
//! # Use
//!
//! One method on the runtime's builder, and, for what hooks do not see, functions with the names of
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
//! | … their wakes: who and when | yes | yes | yes |
//! | … where and on what they wait | by who wakes them | by who wakes them | by their own stacks |
//! | all other tasks: spawn, polls, end | – | yes | yes |
//! | … their wakes | – | at the next poll, marked; or see [below](#wakes-of-all-tasks) | the same |
//! | tasks of a `LocalSet` | through [`spawn_local`] | through [`spawn_local`] | through [`spawn_local`] |
//! | root futures | through [`block_on`], [`root()`] | the same | the same |
//! | blocking closures: queue and run | through [`spawn_blocking`] | the same | the same |
//! | tasks alive before a recording | those of this crate | all | all |
//!
//! What is not observed but concluded is marked in the trace: a wake that was not seen has the stack
//! `(wake not seen)`; a task whose spawn was not seen is in the side data. The format lets only what runs end,
//! so a task that is aborted or dropped while it does not run has a last run of some nanoseconds on the tracer's
//! lane: that has a record in the side data and is in no table of the `exectrace` program. A task that was
//! polled when the recording began is said to wait until the end of that poll, which is marked likewise. The reason of a wait
//! says how it is known. `exectrace_format::WaitSource` tells the three kinds apart:
//!
//! | known from | reasons |
//! |---|---|
//! | the stack of the wait | `chan receive`, `chan send`, `sync`, `sync (join)`, `sync (blocking call)`, `sync (child process)`, `sync (watch or barrier)`, `select`, `sleep`, `network` |
//! | who woke the task | `network, timer or signal` (the driver), `sync (woken by task)`, `sync (woken by thread)`, `sync (woken by blocking call)` |
//! | nothing | `unknown` |
//!
//! A worker that wakes a task between two polls may have completed a task that is joined, asked the
//! driver without parking, or resumed a task that yielded: such a wait is `unknown`. So is a wait that
//! nobody has ended when it is written, about a tenth of a second after it began; if its stack is known
//! and all earlier waits there ended in the same way, the wait gets the reason of those.
//!
//! [`reasons`] has a table of Tokio's primitives: which reason a wait in each has, in which build.
//!
//! [`capabilities`] tells what a build sees, and each trace says it as well.
//!
//! The flag is a setting of the whole build. Set it in `.cargo/config.toml`, next to the workspace's
//! manifest, and mind that a `RUSTFLAGS` in the environment replaces what stands there:
//!
//! ```toml
//! [build]
//! rustflags = ["--cfg", "tokio_unstable", "-C", "force-frame-pointers=yes"]
//! ```
//!
//! # Wakes of all tasks
//!
//! Who wakes a task that this crate did not spawn is known to Tokio alone, and it can say so in two
//! ways, both with the flag and a feature of this crate:
//!
//! - `tracing`: Tokio makes a span around each task and an event at each wake. A Layer or Subscriber of
//!   this tracer's takes them, whatever its filter says, and makes wakes of them: who and when, for
//!   tasks that are spawned while something records. They show neither as regions nor as logs; a task
//!   has the name given to `tokio::task::Builder`. Tokio's spans around locks, sockets and timers are
//!   left out. The feature costs 40 to 60 ns a poll while nothing records, and some 100 ns more while
//!   something does.
//! - `schedule-latency`: a runtime whose builder was told to `track_task_schedule_latency()` says at
//!   each poll how long ago the task was woken; by whom is marked as not seen. It costs some 50 ns a
//!   poll, also while nothing records.
//!
//! A wake that is told in several ways counts once.
//!
//! # What it costs
//!
//! `cargo bench -p exectrace-tokio --bench overhead` measures it; with the flag, on an AMD EPYC of two
//! shared cores on 2026-11-23, the hooks cost up to 8 ns a poll while nothing records and some 20 ns
//! while something does: 1.22 times a bare exchange of messages between two tasks on two workers, 1.01
//! times an echo over loopback. A spawn costs some 35 to 50 ns more, which is the upkeep of the list of
//! live tasks ([`keep_live_tasks`]). The wrapper adds some 8 ns a poll while off and 20 to 30 ns while
//! on, for the wakes.
//!
//! # What it does not do
//!
//! - It does not change what a program does: the order of polls, budgets, panics and what a
//!   `JoinHandle` gives are Tokio's.
//! - It does not see inside a poll. Spans do.
//! - It cannot tell a timer from a socket without stacks: both are `network, timer or signal` then.

#![forbid(unsafe_code)]

mod blocking;
mod capabilities;
mod counters;
mod current;
mod hooks;
mod numbers;
mod options;
mod runtimes;
mod spawn;
mod told;
mod traced;

pub mod reasons {
    #![doc = include_str!("../REASONS.md")]
}

pub use blocking::{block_in_place, block_on, block_on_handle, spawn_blocking, spawn_blocking_on};
pub use capabilities::{Capabilities, capabilities, keep_live_tasks};
pub use hooks::BuilderExt;
pub use options::Options;
pub use spawn::{JoinSetExt, spawn, spawn_local, spawn_local_on, spawn_named, spawn_on};
pub use traced::{Traced, TracedExt, instrument, root};
