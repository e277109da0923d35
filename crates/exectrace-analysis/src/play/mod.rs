//! The machine that all analyses share: which flow is in which state, on which worker, in which
//! regions, and since when.
//!
//! It turns events into *stretches* (a flow was in one state from here to there), which is what
//! most analyses want to know.

mod charge;
mod event_filter;
mod finish;
mod flow;
mod gap;
mod index;
mod lane;
mod player;
mod processors;
mod ranges;
mod region;
mod slack;
mod spans;
mod stretch;

pub use event_filter::EventFilter;
pub(crate) use flow::{Flow, Flows};
pub(crate) use gap::{Did, Gap, Mark};
pub(crate) use index::Index;
pub(crate) use player::{Player, UserTask, World};
pub(crate) use processors::Processors;
pub use processors::ThreadTime;
pub(crate) use region::EndedRegion;
pub(crate) use spans::{Part, Spans, WholeSpan};
pub(crate) use stretch::{Next, Origin, State, Stretch, between};
