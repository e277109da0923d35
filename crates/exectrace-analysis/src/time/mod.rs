//! Where time goes: what each goroutine, region, worker and thread is charged with while a trace is
//! replayed.
//!
//! The [`Analyzer`] observes the replay. It charges the time that a goroutine spent in one state to the
//! goroutine and its regions, and hands it to the analyses.

mod analyzer;
mod charge;
mod flow;
mod gap;
mod kernel;
mod processors;
mod procs;
mod ranges;
mod regions;
mod reports;
mod seconds;
mod slack;
mod span;
mod tracing_spans;
mod world;

pub(crate) use analyzer::Analyzer;
pub(crate) use flow::{Flow, Flows};
pub(crate) use gap::{Did, Gap, Mark};
pub(crate) use processors::Processors;
pub use processors::ThreadTime;
pub(crate) use regions::RegionTime;
pub use reports::OffProcessor;
pub use seconds::{WorkerSecond, WorkerSeconds};
pub(crate) use span::{Poll, TimeSpan};
pub(crate) use tracing_spans::{BegunTask, Part, Spans, WholeSpan};
pub(crate) use world::{Totals, World};
