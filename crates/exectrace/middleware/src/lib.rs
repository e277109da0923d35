//! Runs real middleware and combinators under the tracer, and checks that the trace has the spans that they had.
//!
//! A [`Witness`] is a subscriber between the program and the tracer. It keeps an account of each span:
//! when it was first entered and closed, how often and for how long it was entered, and whose child it
//! is. [`record`] runs a program under it, and [`Trace::agrees_with`] compares what the tables of the program
//! `exectrace` and Go's reader see with that account.

#![forbid(unsafe_code)]

mod compare;
mod trace;
mod ways;
mod witness;

pub use compare::Tasks;
pub use trace::Trace;
pub use ways::{WAYS, Way, record, runtime};
pub use witness::{Account, Lived, Window, Witness};
