//! Ranges of garbage collection, charged to the flow that they belong to or fall on.

use exectrace_format::{CompactEvent, CompactKind, RangeName, RangeScope, Tables};

use crate::breakdown::add;
use crate::names::Text;

use super::player::Player;

impl Player {
    pub(super) fn range(&mut self, event: &CompactEvent, tables: &Tables) {
        let (time, clip) = (event.time.0, self.world.clip);
        match event.kind {
            CompactKind::RangeBegin { range, scope }
            | CompactKind::RangeActive { range, scope } => {
                let name = self.range_name(range, tables);
                let go = match scope {
                    RangeScope::Go(go) => go,
                    // A sweep belongs to its lane; the flow that runs there bears it.
                    RangeScope::Proc(proc) => {
                        let is_known = self.flows.get(event.go).is_some();
                        if let (true, Some(lane)) = (is_known, self.world.lanes.get_mut(proc.0)) {
                            lane.sweeping = Some(event.go);
                        }
                        event.go
                    }
                    RangeScope::Global => return,
                };
                let is_active = matches!(event.kind, CompactKind::RangeActive { .. });
                let begin = if is_active { self.sync } else { time };
                if let Some(flow) = self.flows.get_mut(go) {
                    match flow.ranges.iter_mut().find(|(open, _)| *open == name) {
                        // Told again, in a new generation.
                        Some((_, known)) => {
                            let before = clip.between(*known, begin);
                            if is_active {
                                add(&mut flow.sums.ranges, name, before);
                            }
                            *known = begin;
                        }
                        None => flow.ranges.push((name, begin)),
                    }
                }
            }
            CompactKind::RangeEnd { range, scope, .. } => {
                let name = self.range_name(range, tables);
                let go = match scope {
                    RangeScope::Go(go) => go,
                    RangeScope::Proc(proc) => {
                        let lane = self.world.lanes.get_mut(proc.0);
                        match lane.and_then(|lane| lane.sweeping.take()) {
                            // It counts where it ends on the flow that it began on.
                            Some(go) if go == event.go => go,
                            _ => return,
                        }
                    }
                    RangeScope::Global => return,
                };
                if let Some(flow) = self.flows.get_mut(go)
                    && let Some(place) = flow.ranges.iter().position(|&(open, _)| open == name)
                {
                    let (_, begin) = flow.ranges.swap_remove(place);
                    add(&mut flow.sums.ranges, name, clip.between(begin, time));
                }
            }
            _ => {}
        }
    }

    /// The range's name as Go's tool shows it.
    fn range_name(&mut self, range: RangeName, tables: &Tables) -> Text {
        match range {
            RangeName::StopTheWorld(reason) => {
                let name = format!("stop-the-world ({})", tables.text(reason));
                self.world.names.intern(&name)
            }
            range => self.world.names.intern(range.name()),
        }
    }
}
