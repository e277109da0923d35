//! Garbage collection of Go programs.

mod pass;
mod utilization;

use serde::Serialize;

use crate::histogram::Histogram;

pub(crate) use pass::GcPass;
pub(crate) use utilization::Collecting;

/// What garbage collection did and cost.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gc {
    /// Mark phases, those included that the begin or the end of the trace cuts.
    pub cycles: u64,
    /// Mark phases: how long each.
    pub mark: Histogram,
    /// Stops of the world, by reason; the one with the most time first.
    pub stop_the_world: Vec<Pause>,
    /// Marking that async tasks had to help with: how long each time.
    pub assist: Histogram,
    /// Sweeping on workers: how long each time.
    pub sweep: Histogram,
    /// Bytes swept.
    pub swept_bytes: u64,
    /// Of these, reclaimed.
    pub reclaimed_bytes: u64,
    /// The greatest heap that the trace reports.
    pub heap_max_bytes: u64,
    /// The heap at the end.
    pub heap_last_bytes: u64,
    /// The heap that the collector aims at, at the end.
    pub heap_goal_bytes: u64,
    /// The least share of its workers' time that the program got in any window of a length, by
    /// that length: what is left by stops of the world, mark workers, assists and sweeps. Empty
    /// where the trace does not have the number of workers.
    pub minimum_utilization: Vec<Utilization>,
}

/// Stops of the world for one reason.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pause {
    /// The reason.
    pub reason: String,
    /// How long each.
    pub durations: Histogram,
}

/// A point of the curve of minimum mutator utilisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Utilization {
    /// The length of the window.
    pub window_ns: u64,
    /// The least share that the program got in any such window, 0 to 1.
    pub share: f64,
}
