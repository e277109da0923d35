//! Regions by name and place: how long they took, and where their time went.
//!
//! A region is a span, whole: from its first entry to its close. Where the file has it in parts, the
//! parts are counted apart.

use exectrace_replay::{Location, Stack, Text, between};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::breakdown::{Breakdown, Sums};
use crate::histogram::Histogram;
use crate::names::{Place, Places};
use crate::sums::add_ns;
use crate::time::{RegionTime, WholeSpan, World};
use crate::top::Top;

/// The regions of a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Regions {
    /// By name and place, the one with the most time first.
    pub kinds: Vec<RegionKind>,
}

/// Regions of one name that begin at one place.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionKind {
    /// The name.
    pub name: String,
    /// The root frame of the stack at the begin, which Go's tool takes for the place as well.
    pub place: Option<Place>,
    /// How many spans, those included that the begin or the end of the trace cuts.
    pub count: u64,
    /// How many began before the trace.
    pub begun_before: u64,
    /// How many were open at the end.
    pub open: u64,
    /// How many were concurrent with others of their async task.
    pub concurrent: u64,
    /// How long all of them took, as far as the trace shows it.
    pub total_ns: u64,
    /// How many regions of single flows the trace has them in.
    pub parts: u64,
    /// How many times they were entered, as far as that is known.
    pub entries: u64,
    /// From first entry to close, of those whose first entry and close were both seen.
    pub durations: Histogram,
    /// How long they were entered, of those of which it is known.
    pub busy: Histogram,
    /// The sum of [`RegionInstance::self_ns`], of those of which it is known; `None` if it is of none.
    pub self_ns: Option<u64>,
    /// Of how many the trace shows where all their time went. For what concurrent spans waited it does not.
    pub broken_down: u64,
    /// Where the time of those went, or what is known of that of all if there are none. Without garbage
    /// collection's ranges.
    pub breakdown: Breakdown,
    /// The slowest.
    pub slowest: Vec<RegionInstance>,
}

/// One region: a span, from its first entry to its close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionInstance {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub place: Option<Place>,
    /// The async task it is of.
    pub async_task: u64,
    /// The user task it belongs to.
    pub user_task: Option<u64>,
    /// Whether it was concurrent with other spans of its async task.
    pub is_concurrent: bool,
    /// When it began, since the begin of the trace; `None` if that was before.
    pub begin_ns: Option<u64>,
    /// When it ended; `None` if it is open at the end.
    pub end_ns: Option<u64>,
    /// How long it took, as far as the trace shows it.
    pub duration_ns: u64,
    /// How long it was entered, all entries together, where that is known. Entries on several threads
    /// at once all count.
    pub busy_ns: Option<u64>,
    /// How many times it was entered, where that is known.
    pub entries: Option<u64>,
    /// How long no other region was inside it on its async task, waits included. `None` for a span that is
    /// concurrent with others of its async task, lies in several regions, or began before the trace.
    /// Concurrent spans inside it are not taken off.
    pub self_ns: Option<u64>,
    /// Where its time went; garbage collection's ranges are left out.
    pub breakdown: Breakdown,
}

#[derive(Debug)]
pub(crate) struct RegionPass {
    limit: usize,
    kinds: Vec<Kind>,
    by_place: FxHashMap<(Text, Stack), u32>,
    by_root: FxHashMap<(Text, u64), u32>,
    by_name: FxHashMap<Text, u32>,
}

#[derive(Debug)]
struct Kind {
    name: Text,
    root: Option<Location>,
    count: u64,
    begun_before: u64,
    open: u64,
    concurrent: u64,
    parts: u64,
    entries: u64,
    durations: Histogram,
    busy: Histogram,
    own: Option<u64>,
    total: u64,
    sums: Sums,
    /// Of how many all is known, and where their time went.
    known: (u64, Sums),
    slowest: Top<RegionInstance>,
}

impl Kind {
    fn new(name: Text, root: Option<Location>, limit: usize) -> Self {
        Self {
            name,
            root,
            count: 0,
            begun_before: 0,
            open: 0,
            concurrent: 0,
            parts: 0,
            entries: 0,
            durations: Histogram::default(),
            busy: Histogram::default(),
            own: None,
            total: 0,
            sums: Sums::default(),
            known: (0, Sums::default()),
            slowest: Top::new(limit),
        }
    }
}

impl RegionPass {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kinds: Vec::new(),
            by_place: FxHashMap::default(),
            by_root: FxHashMap::default(),
            by_name: FxHashMap::default(),
        }
    }

    /// A region of a flow has ended, be it a span or a part of one.
    pub(crate) fn region_ends(&mut self, world: &World<'_>, region: &RegionTime<'_>) {
        self.kind(world, region.name, region.stack).parts += 1;
    }

    pub(crate) fn span_ends(&mut self, world: &World<'_>, span: &WholeSpan<'_>) {
        let kind = self.kind(world, span.name, span.stack);
        let begin = span.begin.unwrap_or(world.begin);
        let duration = between(begin, span.end.unwrap_or(world.now));
        kind.count += 1;
        kind.begun_before += u64::from(span.begin.is_none_or(|begin| begin < world.begin));
        kind.open += u64::from(span.end.is_none());
        kind.concurrent += u64::from(span.is_carried);
        kind.entries += span.entries.unwrap_or(0);
        if span.begin.is_some() && span.end.is_some() {
            kind.durations.record(duration);
        }
        if let Some(busy) = span.busy {
            kind.busy.record(busy);
        }
        if let Some(own) = span.own {
            add_ns(kind.own.get_or_insert(0), own);
        }
        add_ns(&mut kind.total, duration);
        kind.sums.add(span.sums);
        if span.sums.unknown == 0 {
            kind.known.0 += 1;
            kind.known.1.add(span.sums);
        }
        if kind.slowest.wants(duration) {
            kind.slowest.push(duration, instance(world, span));
        }
    }

    fn kind(&mut self, world: &World<'_>, name: Text, stack: Stack) -> &mut Kind {
        let place = (name, stack);
        let index = match self.by_place.get(&place) {
            Some(&index) => index,
            None => {
                let root = world.names().span_place(stack).copied();
                let next = self.kinds.len() as u32;
                let index = match root {
                    Some(root) => *self.by_root.entry((name, root.pc)).or_insert(next),
                    // A span whose begin is not in the trace is of a place that has others.
                    None => *self.by_name.get(&name).unwrap_or(&next),
                };
                self.by_name.entry(name).or_insert(index);
                if index == next {
                    self.kinds.push(Kind::new(name, root, self.limit));
                }
                self.by_place.insert(place, index);
                index
            }
        };
        &mut self.kinds[index as usize]
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Regions {
        let mut kinds: Vec<RegionKind> = self
            .kinds
            .into_iter()
            .map(|kind| RegionKind {
                name: world.names().owned(kind.name),
                place: kind.root.map(|root| world.names().place(&root)),
                count: kind.count,
                begun_before: kind.begun_before,
                open: kind.open,
                concurrent: kind.concurrent,
                total_ns: kind.total,
                parts: kind.parts,
                entries: kind.entries,
                durations: kind.durations,
                busy: kind.busy,
                self_ns: kind.own,
                broken_down: kind.known.0,
                breakdown: match kind.known {
                    (0, _) => kind.sums.named(world),
                    (_, known) => known.named(world),
                },
                slowest: kind.slowest.into_items(),
            })
            .collect();
        kinds.sort_by(|a, b| {
            b.total_ns
                .cmp(&a.total_ns)
                .then_with(|| (&a.name, &a.place).cmp(&(&b.name, &b.place)))
        });
        Regions { kinds }
    }
}

pub(crate) fn instance(world: &World<'_>, span: &WholeSpan<'_>) -> RegionInstance {
    let place = world.names().span_place(span.stack);
    let begin = span.begin.unwrap_or(world.begin);
    let is_in_trace = |&begin: &i64| begin >= world.begin;
    RegionInstance {
        name: world.names().owned(span.name),
        place: place.map(|place| world.names().place(place)),
        async_task: span.go.0,
        is_concurrent: span.is_carried,
        user_task: (span.task != 0).then_some(span.task),
        begin_ns: span
            .begin
            .filter(is_in_trace)
            .map(|time| world.since_begin(time)),
        end_ns: span.end.map(|time| world.since_begin(time)),
        duration_ns: between(begin, span.end.unwrap_or(world.now)),
        busy_ns: span.busy,
        entries: span.entries,
        self_ns: span.own,
        breakdown: span.sums.named(world),
    }
}
