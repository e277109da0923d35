//! A recording that the environment of the program asks for.
//!
//! A program calls [`from_env`] first in its `main`, or has the attribute `#[exectrace::main]`, which
//! does so. Then whoever starts the program decides whether it is traced:
//!
//! ```sh
//! EXECTRACE=trace.out ./program
//! EXECTRACE=traces/%n-%p.out EXECTRACE_FILTER=info,my_crate=trace ./program
//! ```
//!
//! If none of these variables is set, nothing is done, and a start takes some microseconds for the look at them. One
//! that is set to nothing counts as not set.
//!
//! | variable | accepts | what it does |
//! |---|---|---|
//! | `EXECTRACE` | a path, in which `%p` is the process's id, `%n` the program's name, `%t` the time of the start (`20261129T021500.123Z`) and `%%` a `%` | records into this file from here to the end of the program |
//! | `EXECTRACE_FILTER` | directives as [`Filter`](crate::Filter) has them: `info`, `info,my_crate=trace,h2=off` | which spans and events are recorded, in place of the filters that all Layers and Subscribers were given |
//! | `EXECTRACE_SUBSCRIBER` | `install`, `none` | whether exectrace's own subscriber is made the default of the process, for a program that has none; by default it is not |
//! | `EXECTRACE_ROTATE` | `100MB`, `10m`, `keep=1GB`, `zstd` or `zstd=3`, and several of these with commas between | records into one file after the other ([`Rotation`](crate::Rotation)): the size and age at which the next begins, how many bytes are kept in all, and whether they are compressed (feature `zstd`) |
//! | `EXECTRACE_HTTP` | an address and a port: `127.0.0.1:6060`; port 0 has the system choose one, which a message says | serves traces over HTTP there, as the module `http` says, until the guard is dropped; needs the feature `http-server` |
//! | `EXECTRACE_MEMORY` | bytes up to 64 GiB: `16MiB`, `64MB`, `1048576` | the memory for records ([`Settings::memory_bytes`](crate::Settings::memory_bytes)) |
//! | `EXECTRACE_CPU` | a number from 0 to 1000 | CPU samples a second (`Settings::cpu_samples_hz`); needs the feature `cpu` |
//! | `EXECTRACE_TEST` | `1`, `0` | has tests with `#[exectrace::test]` traced, in files of their own |
//! | `EXECTRACE_KEEP` | `1`, `0` | keeps these files also when no test failed |
//!
//! What a variable does not change stays as the program has set it by [`Settings`](crate::Settings) before.
//!
//! A value that is none of those accepted is an error, which names them. `#[exectrace::main]` prints it to standard
//! error, and the program goes on and is not traced.
//!
//! # Spans need a subscriber
//!
//! Async tasks, workers, and what the annotation API has are recorded without one. Spans and events come from
//! `tracing`, which has one global subscriber for a process, and setting it is for the program: if it were set here, a
//! later `tracing_subscriber::fmt().init()` would panic. So nothing here does that, unless it is asked for.
//!
//! - A program with a subscriber of its own adds [`exectrace::layer()`](crate::layer()) to it, once and for all. While
//!   nothing records, that costs nothing.
//! - A program without one calls [`exectrace::init()`](crate::init()) in its `main`.
//! - `EXECTRACE_SUBSCRIBER=install` does the same as `init`, for a program whose code is not to be changed. It must be
//!   one that sets no subscriber itself.
//!
//! If a recording ends and there was no Layer or Subscriber, a message on standard error says so.
//!
//! # No file is overwritten
//!
//! All processes of a command have the same environment: a program and its children, or the test programs of
//! `cargo test`. So a recording only goes into a file that was made for it, or that was empty and nobody's. Where a file
//! of this name exists, the process's id goes into the name: `trace.out` becomes `trace.1234.out`. A message says so.
//! With `%p` or `%t` in the name each run has a name of its own. A device or a pipe is written to as it is.
//!
//! With `EXECTRACE_ROTATE` each file has the time and the process's id in its name: `EXECTRACE=traces/server.out` makes
//! `traces/server-20261129T021500.123Z-1234-0001.trace` and so on.
//!
//! Folders that do not exist are made. In a child that the process forks, nothing is recorded, and the parent's file is
//! not touched.

mod error;
mod filter;
mod free_path;
mod guard;
mod http;
mod pattern;
mod rotate;
mod variables;

pub use error::FromEnvError;
pub use guard::{Guard, from_env};

#[cfg(feature = "macros")]
pub(crate) use guard::start_replacing;
#[cfg(feature = "macros")]
pub(crate) use variables::{Variables, of_tests};

use std::fmt;
use std::io::Write;

/// Prints a message to standard error. If that is closed, nobody can read it.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "exectrace: {message}");
}
