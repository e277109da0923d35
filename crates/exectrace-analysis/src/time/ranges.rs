//! Ranges of garbage collection, charged to the flow that they belong to or fall on: by the rules of Go
//! 1.27's `go tool trace`.

use exectrace_format::RangeScope;
use exectrace_replay::{Range, State};

use crate::breakdown::add;

use super::analyzer::Analyzer;
use super::flow::Flows;

impl Analyzer {
    /// A range begins. `is_active`: a new generation says that it is open.
    pub(super) fn range_begins(&mut self, state: &State, range: &Range, is_active: bool) {
        let clip = self.totals.clip;
        let charges = &mut self.charges;
        let mut flows = Flows { state, charges };
        let go = match range.scope {
            RangeScope::Go(go) => go,
            // A sweep belongs to its proc; the flow that runs there bears it.
            RangeScope::Proc(proc) => {
                let is_known = flows.get(range.goroutine).is_some();
                if let (true, Some(proc)) = (is_known, self.totals.lanes.get_mut(proc.0)) {
                    proc.sweeping = Some(range.goroutine);
                }
                range.goroutine
            }
            RangeScope::Global => return,
        };
        let begin = match is_active {
            true => state.generation_begin(),
            false => state.now(),
        };
        let Some(flow) = flows.get_mut(go) else {
            return;
        };
        let time = flow.time;
        match time.ranges.iter_mut().find(|(open, _)| *open == range.name) {
            Some((_, known)) => {
                let before = clip.between(*known, begin);
                if is_active {
                    add(&mut time.sums.ranges, range.name, before);
                }
                *known = begin;
            }
            None => time.ranges.push((range.name, begin)),
        }
    }

    /// A range ends.
    pub(super) fn range_ends(&mut self, state: &State, range: &Range) {
        let go = match range.scope {
            RangeScope::Go(go) => go,
            RangeScope::Proc(proc) => {
                let proc = self.totals.lanes.get_mut(proc.0);
                match proc.and_then(|proc| proc.sweeping.take()) {
                    // It counts where it ends on the flow that it began on.
                    Some(go) if go == range.goroutine => go,
                    _ => return,
                }
            }
            RangeScope::Global => return,
        };
        let charges = &mut self.charges;
        let mut flows = Flows { state, charges };
        if let Some(flow) = flows.get_mut(go)
            && let Some(place) = flow
                .time
                .ranges
                .iter()
                .position(|&(open, _)| open == range.name)
        {
            let (_, begin) = flow.time.ranges.swap_remove(place);
            let inside = self.totals.clip.between(begin, state.now());
            add(&mut flow.time.sums.ranges, range.name, inside);
        }
    }
}
