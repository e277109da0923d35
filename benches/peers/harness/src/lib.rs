//! The workloads that every tracer's program runs, and how they are timed.
//!
//! A program holds one or more *subjects*: a tracer in one way of using it. It is started as
//! `program SUBJECT FOLDER`, installs the subject, and then reads one order a line and answers each
//! with a line of numbers (`serve`). The driver has the programs of all peers take turns, so that what
//! else the machine does meets all alike.
//!
//! - `peer`: what a program must say of its tracer; by default it is spans and events of `tracing`
//! - `hot`: spans, events and regions on 1 to 64 threads, beside the floor on the same threads
//! - `tasks`: Tokio's tasks, beside the same without the tracer on a runtime of its own
//! - `files`, `http`: reading a file, serving requests
//! - `clocks`: CPU time of threads and processes, memory

#![forbid(unsafe_code)]

mod clocks;
mod files;
mod hot;
mod http;
mod peer;
mod pinned;
mod serve;
mod tasks;

use std::error::Error;

pub use exectrace_benches::Body;
pub use hot::tracing_body;
pub use http::Answer;
pub use peer::{Ended, Peer, PlainTasks, Tasks, TracingTasks};
pub use serve::{Subject, main, serve};

/// What can go wrong in a program; the driver prints it in the peer's row.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
