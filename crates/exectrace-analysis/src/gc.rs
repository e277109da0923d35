//! Garbage collection of Go programs.

use exectrace_format::CompactEvent;
use serde::Serialize;

use crate::histogram::Histogram;
use crate::names::Text;
use crate::play::World;

/// What garbage collection did and cost.
#[derive(Clone, Debug, Default, Serialize)]
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
    /// The greatest heap that the trace tells.
    pub heap_max_bytes: u64,
    /// The heap at the end.
    pub heap_last_bytes: u64,
    /// The least share of time that a program got in any window of a length, by that length; 1
    /// where nothing was taken.
    pub minimum_utilization: Vec<Utilization>,
}

/// Stops of the world for one reason.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pause {
    /// The reason.
    pub reason: String,
    /// How long each.
    pub durations: Histogram,
}

/// A point of the curve of minimum mutator utilisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Utilization {
    /// The length of the window.
    pub window_ns: u64,
    /// The least share that the program got in any such window, 0 to 1.
    pub share: f64,
}

#[derive(Debug, Default)]
pub(crate) struct GcPass {}

impl GcPass {
    pub(crate) fn event(&mut self, _world: &World, _event: &CompactEvent) {}

    pub(crate) fn label(&mut self, _world: &World, _event: &CompactEvent, _label: Text) {}

    pub(crate) fn finish(self, _world: &World) -> Gc {
        Gc::default()
    }
}
