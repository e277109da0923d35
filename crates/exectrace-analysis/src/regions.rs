//! Regions by name and place: how long they took, and where their time went.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::breakdown::{Breakdown, Sums};
use crate::histogram::Histogram;
use crate::names::{Frame, Place, Stack, Text};
use crate::play::{EndedRegion, Flow, World, between};
use crate::top::Top;

/// The regions of a trace.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Regions {
    /// By name and place, the one with the most time first.
    pub kinds: Vec<RegionKind>,
}

/// Regions of one name that begin at one place.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionKind {
    /// The name.
    pub name: String,
    /// The root frame of the stack at the begin, which Go's tool takes for the place as well.
    pub place: Option<Place>,
    /// How many, those included that the begin or the end of the trace cuts.
    pub count: u64,
    /// How many began before the trace.
    pub begun_before: u64,
    /// How many were open at the end.
    pub open: u64,
    /// From begin to end, of those whose begin and end were both seen.
    pub durations: Histogram,
    /// Where the time of all of them went; garbage collection's ranges are not told.
    pub breakdown: Breakdown,
    /// The slowest.
    pub slowest: Vec<RegionInstance>,
}

/// One region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegionInstance {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub place: Option<Place>,
    /// The async task it is of.
    pub async_task: u64,
    /// The user task it belongs to.
    pub user_task: Option<u64>,
    /// When it began, since the begin of the trace; `None` if that was before.
    pub begin_ns: Option<u64>,
    /// When it ended; `None` if it is open at the end.
    pub end_ns: Option<u64>,
    /// How long it took, as far as the trace shows it.
    pub duration_ns: u64,
    /// Where its time went; garbage collection's ranges are not told.
    pub breakdown: Breakdown,
}

#[derive(Debug)]
pub(crate) struct RegionPass {
    limit: usize,
    kinds: Vec<Kind>,
    by_place: FxHashMap<(Text, Stack), u32>,
    by_root: FxHashMap<(Text, u64), u32>,
}

#[derive(Debug)]
struct Kind {
    name: Text,
    root: Option<Frame>,
    count: u64,
    begun_before: u64,
    open: u64,
    durations: Histogram,
    sums: Sums,
    slowest: Top<RegionInstance>,
}

impl RegionPass {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kinds: Vec::new(),
            by_place: FxHashMap::default(),
            by_root: FxHashMap::default(),
        }
    }

    pub(crate) fn region_ends(&mut self, world: &World, flow: &Flow, region: &EndedRegion<'_>) {
        let kind = self.kind(world, region);
        let begin = region.begin.unwrap_or(world.begin);
        let duration = between(begin, region.end.unwrap_or(world.now));
        kind.count += 1;
        kind.begun_before += u64::from(region.begin.is_none());
        kind.open += u64::from(region.end.is_none());
        if region.begin.is_some() && region.end.is_some() {
            kind.durations.record(duration);
        }
        kind.sums.add(region.sums);
        if kind.slowest.wants(duration) {
            kind.slowest.push(duration, instance(world, flow, region));
        }
    }

    fn kind(&mut self, world: &World, region: &EndedRegion<'_>) -> &mut Kind {
        let place = (region.name, region.stack);
        let index = match self.by_place.get(&place) {
            Some(&index) => index,
            None => {
                let root = world.names.root(region.stack).copied();
                let key = (region.name, root.map_or(0, |root| root.pc));
                let next = self.kinds.len() as u32;
                let index = *self.by_root.entry(key).or_insert(next);
                if index == next {
                    self.kinds.push(Kind {
                        name: region.name,
                        root,
                        count: 0,
                        begun_before: 0,
                        open: 0,
                        durations: Histogram::default(),
                        sums: Sums::default(),
                        slowest: Top::new(self.limit),
                    });
                }
                self.by_place.insert(place, index);
                index
            }
        };
        &mut self.kinds[index as usize]
    }

    pub(crate) fn finish(self, world: &World) -> Regions {
        let mut kinds: Vec<RegionKind> = self
            .kinds
            .into_iter()
            .map(|kind| RegionKind {
                name: world.names.owned(kind.name),
                place: kind.root.map(|root| world.names.place(&root)),
                count: kind.count,
                begun_before: kind.begun_before,
                open: kind.open,
                durations: kind.durations,
                breakdown: kind.sums.named(world),
                slowest: kind.slowest.into_items(),
            })
            .collect();
        kinds.sort_by(|a, b| {
            let (a_ns, b_ns) = (a.breakdown.total_ns, b.breakdown.total_ns);
            b_ns.cmp(&a_ns)
                .then_with(|| (&a.name, &a.place).cmp(&(&b.name, &b.place)))
        });
        Regions { kinds }
    }
}

pub(crate) fn instance(world: &World, flow: &Flow, region: &EndedRegion<'_>) -> RegionInstance {
    let root = world.names.root(region.stack);
    let begin = region.begin.unwrap_or(world.begin);
    RegionInstance {
        name: world.names.owned(region.name),
        place: root.map(|root| world.names.place(root)),
        async_task: flow.id.0,
        user_task: (region.task != 0).then_some(region.task),
        begin_ns: region.begin.map(|time| world.since_begin(time)),
        end_ns: region.end.map(|time| world.since_begin(time)),
        duration_ns: between(begin, region.end.unwrap_or(world.now)),
        breakdown: region.sums.named(world),
    }
}
