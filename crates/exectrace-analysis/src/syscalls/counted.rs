//! Calls that were counted and have no events.
//!
//! Their records come before the events of their generation, so whose they are is known by its id alone. They are
//! kept until that flow ends.

use exectrace_format::{GoId, SideRecord};
use rustc_hash::FxHashMap;

use super::{Calls, OTHER_CALLS};

/// So many names have sums of their own. A recorder has fewer; the rest of what a file names is one call of the name
/// [`OTHER_CALLS`].
const MAX_NAMES: usize = 256;

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
    /// The numbers of the names.
    numbers: FxHashMap<String, usize>,
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
        let number = self.number(call);
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

    fn number(&mut self, call: &str) -> usize {
        if let Some(&number) = self.numbers.get(call) {
            return number;
        }
        let name = match self.numbers.len() < MAX_NAMES {
            true => call,
            false => OTHER_CALLS,
        };
        let new = self.numbers.len();
        *self.numbers.entry(name.to_owned()).or_insert(new)
    }

    /// The numbers of the names, which begin with 0.
    pub(super) fn into_numbers(self) -> FxHashMap<String, usize> {
        self.numbers
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

#[cfg(test)]
mod tests {
    use exectrace_format::{TaskId, ThreadId};

    use super::*;

    #[test]
    fn a_file_with_more_names_than_any_recorder_has_one_more_call() {
        let mut counted = CountedCalls::default();
        for name in 0..MAX_NAMES + 3 {
            counted.add(&SideRecord::CallCounts {
                time_ns: 1,
                thread: ThreadId(1),
                go: GoId(1),
                task: TaskId(0),
                call: format!("call {name}").into(),
                calls: 2,
                total_ns: 0,
            });
        }
        let of_flow = counted.take(GoId(1));
        let numbers = counted.into_numbers();
        assert_eq!(
            (of_flow.len(), numbers.len()),
            (MAX_NAMES + 1, MAX_NAMES + 1)
        );
        let other = &of_flow[numbers[OTHER_CALLS]];
        assert_eq!(other.calls, 6);
    }
}
