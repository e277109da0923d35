//! More and more async tasks of one kind are alive, throughout the trace.
//!
//! A server whose clients all connect at its begin has many tasks that do not end either, but no more of
//! them later on.

use exectrace_format::GoId;
use exectrace_replay::{GoroutineState, Location, Text, between};
use rustc_hash::FxHashMap;

use crate::names::Places;
use crate::time::{Flow, World};

use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, tasks_of};

/// From so many spawned tasks on ...
const MIN_SPAWNED: u64 = 100;
/// ... in a trace of this length at least.
const MIN_LENGTH_NS: u64 = 1_000_000_000;
/// The trace is looked at in so many parts ...
const PARTS: usize = 4;
/// ... each of which must have spawned this share of those that are alive at the end: a tenth.
const SHARE: u64 = 10;

#[derive(Debug, Default)]
pub(super) struct GrowingWatch {
    kinds: FxHashMap<Text, Kind>,
}

/// Tasks of one name.
#[derive(Debug, Default)]
struct Kind {
    root: Option<Location>,
    spawned: u64,
    /// Those alive at the end, by the part of the trace in which they were spawned.
    alive: [u64; PARTS],
    task: Option<GoId>,
}

impl Kind {
    fn alive(&self) -> u64 {
        self.alive.iter().sum()
    }

    fn grows(&self) -> bool {
        let alive = self.alive();
        let in_each_part = self.alive.iter().all(|part| part * SHARE >= alive);
        self.spawned >= MIN_SPAWNED && alive > self.spawned / 2 && in_each_part
    }
}

impl GrowingWatch {
    pub(super) fn flow_ends(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        if flow.is_older_than_trace() {
            return;
        }
        let kind = self.kinds.entry(flow.name).or_default();
        kind.root = kind.root.or(flow.root);
        kind.spawned += 1;
        if flow.state != GoroutineState::Unknown {
            let length = u128::from(between(world.begin, world.now)) + 1;
            let age = u128::from(between(world.begin, flow.created));
            let part = (age * PARTS as u128 / length) as usize;
            kind.alive[part.min(PARTS - 1)] += 1;
            kind.task = kind.task.or(Some(flow.id));
        }
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        if between(world.begin, world.now) < MIN_LENGTH_NS {
            return None;
        }
        let mut growing: Vec<(Text, Kind)> = self
            .kinds
            .into_iter()
            .filter(|(_, kind)| kind.grows())
            .collect();
        growing.sort_by_key(|(name, kind)| (std::cmp::Reverse(kind.alive()), *name));
        let (worst, most) = growing.first()?;
        let exemplar = |(name, kind): &(Text, Kind)| Exemplar {
            what: format!(
                "{}: {} spawned, {} ended, {} alive",
                world.names().get(*name),
                kind.spawned,
                kind.spawned - kind.alive(),
                kind.alive()
            ),
            async_task: kind.task.map(|task| task.0),
            place: kind.root.map(|root| world.names().place(&root)),
            ..Exemplar::default()
        };
        Some(Finding {
            id: "growing",
            severity: Severity::Warning,
            message: format!(
                "{} grow in number, such as {} with {} alive",
                tasks_of(growing.len()),
                world.names().get(*worst),
                most.alive()
            ),
            count: growing.iter().map(|(_, kind)| kind.alive()).sum(),
            exemplars: growing.iter().take(MAX_EXEMPLARS).map(exemplar).collect(),
            rule: "In a second or more 100 tasks or more were spawned and fewer than half of them ended; \
                   each quarter of the trace spawned a tenth or more of those that live on.",
            help: "Look for tasks that wait for what never comes; bound their number.",
            basis: String::new(),
            ..Finding::default()
        })
    }
}
