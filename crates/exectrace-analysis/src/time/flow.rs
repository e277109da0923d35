//! A flow (an async task, or a thread's own code): its state, and what it is charged with.

use std::ops::Deref;

use exectrace_format::GoId;
use exectrace_replay::{Goroutine, Slot, State, Text};

use crate::breakdown::Sums;
use crate::gc::Collecting;
use crate::kernel_wait::KernelSums;

use super::gap::{Gap, Mark};
use super::regions::RegionBegin;

/// What a flow is charged with.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    pub(crate) sums: Sums,
    /// The trace has ended, and the sums hold the state in which the flow is.
    pub(super) is_cut: bool,
    /// The sums are closed: it has ended, or waits forever.
    pub(super) is_closed: bool,
    /// Open ranges of garbage collection, with their begin.
    pub(crate) ranges: Vec<(Text, i64)>,
    /// Since when it is polled, while it is in a call in the middle of the poll, or has made one in it.
    pub(super) poll_since: Option<i64>,
    /// For how long the kernel has kept it from running in the poll that it is in, where the kernel reported all of it.
    pub(super) poll_preempted: Option<u64>,
    /// What its thread waited for the kernel in all its polls. That of its regions is in its sums, with bounds of its own.
    pub(super) kernel: KernelSums,
    /// It is charged with what its thread waited for the kernel up to here.
    pub(super) kernel_until: i64,
    /// How long the tasks of its pool had been ready when the call began that it is in, all together.
    pub(crate) ready_at_call: u64,
    pub(crate) runs: u64,
    pub(crate) longest_run: u64,
    pub(crate) wakes: u64,
    /// What it recorded last in the run that it is in.
    pub(crate) last_mark: Mark,
    /// The longest gap between records of that run.
    pub(crate) longest_gap: Option<Box<Gap>>,
    /// What its sums were when its open regions began, the outermost first.
    pub(super) regions: Vec<RegionBegin>,
    /// Waiting times at the begin of the open regions, one behind the other.
    pub(super) region_waits: Vec<(Text, u64)>,
    /// The pool whose workers can run it, as far as is known.
    pub(crate) pool: Option<u32>,
    /// The proc that this is known by.
    pub(crate) pool_proc: Option<u64>,
    /// The pool in which it is ready to run.
    pub(crate) ready_in: Option<u32>,
    /// The proc on which it ran last, or `u64::MAX`.
    pub(crate) last_lane: u64,
    /// The number of its group in the analysis of tasks, plus one.
    pub(crate) group: u32,
    /// What it does for the garbage collector, in the analysis of that.
    pub(crate) collecting: Collecting,
}

/// A flow at an instant.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    pub(crate) goroutine: &'a Goroutine,
    pub(crate) time: &'a mut Charge,
}

impl Deref for Flow<'_> {
    type Target = Goroutine;

    #[inline]
    fn deref(&self) -> &Goroutine {
        self.goroutine
    }
}

/// What the flows are charged with that are alive, by their slots.
#[derive(Debug, Default)]
pub(crate) struct Charges(Vec<Charge>);

impl Charges {
    /// A flow appears.
    pub(super) fn begin(&mut self, slot: Slot) {
        if self.0.len() <= slot.index() {
            self.0.resize_with(slot.index() + 1, Charge::default);
        }
        self.0[slot.index()] = Charge {
            last_lane: u64::MAX,
            ..Charge::default()
        };
    }

    /// The flow in a slot.
    #[inline]
    pub(super) fn flow<'a>(&'a mut self, state: &'a State, slot: Slot) -> Flow<'a> {
        Flow {
            goroutine: state.goroutines().at(slot),
            time: &mut self.0[slot.index()],
        }
    }
}

/// All flows that are alive.
#[derive(Debug)]
pub(crate) struct Flows<'a> {
    pub(super) state: &'a State,
    pub(super) charges: &'a mut Charges,
}

impl Flows<'_> {
    /// Its state.
    pub(crate) fn get(&self, id: GoId) -> Option<&Goroutine> {
        self.state.goroutines().get(id)
    }

    /// Its state, and what it is charged with.
    pub(crate) fn get_mut(&mut self, id: GoId) -> Option<Flow<'_>> {
        let slot = self.state.goroutines().find(id)?;
        Some(self.charges.flow(self.state, slot))
    }
}
