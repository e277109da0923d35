//! Calls that were counted and have no events.
//!
//! Their records come before the events of their generation, so whose they are is known by its id alone. They are
//! kept until that flow ends.

use exectrace_format::{GoId, SideRecord};
use rustc_hash::FxHashMap;

use super::Calls;

/// Counts of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// The number of its name.
    pub(super) call: usize,
    calls: u64,
    total_ns: u64,
}

impl Counted {
    pub(super) fn add_to(&self, sums: &mut Calls) {
        sums.counted = sums.counted.saturating_add(self.calls);
        // 0 says that their kind is not timed.
        if self.total_ns > 0 {
            let sum = sums.counted_ns.get_or_insert(0);
            *sum = sum.saturating_add(self.total_ns);
        }
    }
}

/// Counts whose flow has not ended.
#[derive(Debug, Default)]
pub(super) struct CountedCalls {
    pub(super) names: Vec<String>,
    by_flow: FxHashMap<GoId, Vec<Counted>>,
}

impl CountedCalls {
    /// A record of counts.
    pub(super) fn add(&mut self, record: &SideRecord) {
        let SideRecord::CallCounts {
            go,
            call,
            calls,
            total_ns,
            ..
        } = record
        else {
            return;
        };
        let known = self.names.iter().position(|name| name == call);
        let number = known.unwrap_or_else(|| {
            self.names.push(call.to_string());
            self.names.len() - 1
        });
        let of_flow = self.by_flow.entry(*go).or_default();
        match of_flow.iter_mut().find(|counted| counted.call == number) {
            Some(counted) => {
                counted.calls = counted.calls.saturating_add(*calls);
                counted.total_ns = counted.total_ns.saturating_add(*total_ns);
            }
            None => of_flow.push(Counted {
                call: number,
                calls: *calls,
                total_ns: *total_ns,
            }),
        }
    }

    /// What a flow made.
    pub(super) fn take(&mut self, flow: GoId) -> Vec<Counted> {
        self.by_flow.remove(&flow).unwrap_or_default()
    }

    /// What belongs to no flow that is known.
    pub(super) fn take_rest(&mut self) -> Vec<Counted> {
        self.by_flow
            .drain()
            .flat_map(|(_, counted)| counted)
            .collect()
    }
}
