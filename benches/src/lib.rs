//! What recording costs, beside what it would cost at least.
//!
//! Four benches stand on this library:
//!
//! - `cargo bench -p exectrace-benches --bench record` times spans, events and regions, weighs them
//!   in the file, and measures the flush thread;
//! - `cargo bench -p exectrace-benches --bench instructions` counts instructions with callgrind;
//! - `cargo bench -p exectrace-benches --bench reading` counts those of reading, analysing and exporting;
//! - `cargo bench -p exectrace-benches --features cpu --bench samples` measures what CPU samples cost.
//!
//! All print a table, and the first two at its end each aim with what was measured. `-- --quick` takes seconds,
//! and its figures are rough. `benches/peers`, a workspace of its own, takes bodies and baselines from
//! here.
//!
//! # Method
//!
//! A process has one global subscriber and one tracer, so each [`Subject`] lives in a process of its
//! own, for as long as the bench runs. The bench has them work one after the other, a millisecond or
//! two at a time and in changing order, and compares what was measured in the same turn: on a machine
//! whose speed changes from minute to minute, that leaves the ratios alone. Times are CPU time of the
//! thread that records; of all turns the median counts.
//!
//! The subjects that record make a recording for each turn, into a sink that throws all away. A turn
//! is shorter than the tracer's memory, so that no record is dropped; one that drops is an error.

#![forbid(unsafe_code)]

mod baseline;
mod body;
mod counts;
mod figures;
mod helper;
mod machine;
mod requests;
mod subject;
mod work;

use std::io;
use std::process::ExitCode;

pub use baseline::{DoNothing, RecordOnly};
pub use body::Body;
pub use counts::{Counts, check, instructions, keep, valgrind};
pub use figures::{Verdicts, median, quartiles};
pub use helper::{Helper, answer_as_helper};
pub use machine::{describe_machine, describe_run, thread_time};
pub use requests::requests;
pub use subject::Subject;
pub use work::{FlushCost, run_once};

/// How a bench ends: with its error, if there is one.
#[must_use]
pub fn conclude(outcome: io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
