//! What was allocated and freed, by whom.

use exectrace_format::SideRecord;
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::time::World;

/// Memory that was allocated and freed. What is freed may have been allocated by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allocated {
    /// Bytes that were allocated, as many as were asked for.
    pub allocated_bytes: u64,
    /// In so many allocations.
    pub allocations: u64,
    /// Bytes that were freed.
    pub freed_bytes: u64,
    /// So many allocations were freed.
    pub frees: u64,
}

impl Allocated {
    pub(crate) fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.allocated_bytes, other.allocated_bytes),
            (&mut self.allocations, other.allocations),
            (&mut self.freed_bytes, other.freed_bytes),
            (&mut self.frees, other.frees),
        ];
        for (sum, value) in sums {
            *sum = sum.saturating_add(value);
        }
    }
}

/// What was allocated by goroutines or user tasks that have not ended yet.
///
/// The records stand before the events of their generation, so they are kept here until their owner ends.
#[derive(Debug, Default)]
pub(crate) struct AllocatedBy {
    owners: FxHashMap<u64, Allocated>,
    /// The trace has records of allocations.
    is_recorded: bool,
}

/// Who a record of allocations belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    Goroutine,
    UserTask,
}

impl AllocatedBy {
    pub(crate) fn side_record(&mut self, world: &World<'_>, owner: Owner, record: &SideRecord) {
        let SideRecord::Allocations {
            time_ns,
            go,
            task,
            allocated_bytes,
            allocations,
            freed_bytes,
            frees,
            ..
        } = *record
        else {
            return;
        };
        self.is_recorded = true;
        let time = i64::try_from(time_ns).unwrap_or(i64::MAX);
        let owner = match owner {
            Owner::Goroutine => go.0,
            Owner::UserTask => task.0,
        };
        if owner != 0 && world.clip.touches(time, time) {
            self.owners.entry(owner).or_default().add(&Allocated {
                allocated_bytes,
                allocations,
                freed_bytes,
                frees,
            });
        }
    }

    /// What an owner has allocated that ends now; `None` where the trace does not say.
    pub(crate) fn take(&mut self, owner: u64) -> Option<Allocated> {
        self.is_recorded
            .then(|| self.owners.remove(&owner).unwrap_or_default())
    }

    /// What is left: of owners that had ended before, and of those that the trace does not have.
    pub(crate) fn take_rest(&mut self) -> impl Iterator<Item = (u64, Allocated)> + use<> {
        std::mem::take(&mut self.owners).into_iter()
    }

    /// A sum, if the trace has any.
    pub(crate) fn known(&self, sum: Allocated) -> Option<Allocated> {
        self.is_recorded.then_some(sum)
    }
}
