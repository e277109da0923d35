//! Gathers [`Gc`] while a trace is replayed.

use exectrace_format::{CompactEvent, CompactKind, Metric, RangeName, RangeScope, Tables};
use exectrace_replay::{State, between};

use crate::histogram::Histogram;
use crate::time::{Flow, Flows, World};

use super::utilization::Utilizations;
use super::{Gc, Pause};

#[derive(Debug, Default)]
pub(crate) struct GcPass {
    result: Gc,
    open: Vec<OpenRange>,
    utilizations: Utilizations,
}

/// A range that has begun. Few are open at a time: one a worker.
#[derive(Clone, Debug)]
struct OpenRange {
    scope: RangeScope,
    kind: Kind,
    begin: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Mark,
    Sweep,
    Assist,
    Pause(String),
}

impl Kind {
    fn of(range: RangeName, tables: &Tables) -> Option<Self> {
        Some(match range {
            RangeName::Mark => Self::Mark,
            RangeName::Sweep => Self::Sweep,
            RangeName::Assist => Self::Assist,
            RangeName::StopTheWorld(reason) => Self::Pause(tables.text(reason).to_owned()),
            _ => return None,
        })
    }
}

impl GcPass {
    /// A sync, a range or a new value of a quantity.
    pub(crate) fn event(
        &mut self,
        world: &World<'_>,
        flows: &mut Flows,
        event: &CompactEvent,
        tables: &Tables,
    ) {
        let time = event.time.0;
        match event.kind {
            CompactKind::Metric { metric, value } if world.clip.touches(time, time) => match metric
            {
                Metric::HeapAlloc => {
                    self.result.heap_max_bytes = self.result.heap_max_bytes.max(value);
                    self.result.heap_last_bytes = value;
                }
                Metric::HeapGoal => self.result.heap_goal_bytes = value,
                _ => {}
            },
            CompactKind::RangeBegin { range, scope } => self.begin(range, scope, time, tables),
            CompactKind::RangeActive { range, scope } => {
                self.begin(range, scope, world.begin, tables);
            }
            CompactKind::RangeEnd {
                range,
                scope,
                swept,
            } => {
                let kind = Kind::of(range, tables);
                let is_it =
                    |open: &OpenRange| open.scope == scope && Some(&open.kind) == kind.as_ref();
                if let Some(place) = self.open.iter().position(is_it) {
                    let open = self.open.swap_remove(place);
                    self.end(world, open, swept, time);
                }
            }
            _ => {}
        }
        self.utilizations.event(event, tables, flows);
    }

    fn begin(&mut self, range: RangeName, scope: RangeScope, begin: i64, tables: &Tables) {
        if let Some(kind) = Kind::of(range, tables)
            && !self
                .open
                .iter()
                .any(|open| open.scope == scope && open.kind == kind)
        {
            self.open.push(OpenRange { scope, kind, begin });
        }
    }

    fn end(&mut self, world: &World<'_>, open: OpenRange, swept: Option<(u64, u64)>, end: i64) {
        if !world.clip.touches(open.begin, end) {
            return;
        }
        let duration = between(open.begin, end);
        match open.kind {
            Kind::Mark => {
                self.result.cycles += 1;
                self.result.mark.record(duration);
            }
            Kind::Sweep => {
                self.result.sweep.record(duration);
                let (swept, reclaimed) = swept.unwrap_or_default();
                self.result.swept_bytes = self.result.swept_bytes.saturating_add(swept);
                self.result.reclaimed_bytes = self.result.reclaimed_bytes.saturating_add(reclaimed);
            }
            Kind::Assist => self.result.assist.record(duration),
            Kind::Pause(reason) => {
                let pauses = &mut self.result.stop_the_world;
                let place = pauses.iter().position(|pause| pause.reason == reason);
                let place = place.unwrap_or_else(|| {
                    pauses.push(Pause {
                        reason,
                        durations: Histogram::default(),
                    });
                    pauses.len() - 1
                });
                pauses[place].durations.record(duration);
            }
        }
    }

    /// A flow begins to execute, or leaves its thread.
    #[inline]
    pub(crate) fn executes(&mut self, state: &State, flow: &mut Flow<'_>, executes: bool) {
        self.utilizations.executes(state, flow, executes);
    }

    pub(crate) fn label(&mut self, state: &State, flow: &mut Flow<'_>) {
        self.utilizations.label(state, flow);
    }

    pub(crate) fn finish(mut self, world: &World<'_>) -> Gc {
        for open in std::mem::take(&mut self.open) {
            self.end(world, open, None, world.now);
        }
        let pauses = &mut self.result.stop_the_world;
        pauses.sort_by_key(|pause| std::cmp::Reverse(pause.durations.total_ns()));
        self.result.minimum_utilization = self.utilizations.finish(world.now);
        self.result
    }
}
