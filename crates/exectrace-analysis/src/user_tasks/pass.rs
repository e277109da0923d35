//! Gathers [`UserTasks`] while a trace is replayed.

use std::collections::VecDeque;

use exectrace_format::conventions::{BACKGROUND_TASK, TraceId};
use exectrace_format::{GoId, TaskId};
use exectrace_replay::{Text, UserTask, between};
use rustc_hash::FxHashMap;

use crate::allocated::{Allocated, AllocatedBy};
use crate::breakdown::Sums;
use crate::histogram::Histogram;
use crate::names::Places;
use crate::time::{Flow, RegionTime, WholeSpan, World};
use crate::top::Top;

use super::found::{Finder, TraceIdQuery};
use super::trees::Trees;
use super::{UserTaskInstance, UserTaskKind, UserTasks};

#[derive(Debug)]
pub(crate) struct UserTaskPass {
    limit: usize,
    kinds: Vec<Kind>,
    kind_of_name: FxHashMap<Text, u32>,
    open: FxHashMap<u64, OpenTask>,
    trees: Trees,
    finder: Option<Finder>,
    pub(crate) allocated: AllocatedBy,
    /// The kinds of those that ended last: what is allocated in their regions is still theirs.
    ended: LastEnded,
    /// The kind of what belongs to no user task.
    background: Option<u32>,
}

/// Most user tasks that are remembered after their ends, some 30 bytes each.
const MAX_ENDED: usize = 1 << 16;

/// The kinds of the user tasks that ended last.
#[derive(Debug, Default)]
struct LastEnded {
    kinds: FxHashMap<u64, u32>,
    order: VecDeque<u64>,
}

impl LastEnded {
    fn push(&mut self, task: u64, kind: u32) {
        if self.order.len() >= MAX_ENDED
            && let Some(first) = self.order.pop_front()
        {
            self.kinds.remove(&first);
        }
        if self.kinds.insert(task, kind).is_none() {
            self.order.push_back(task);
        }
    }
}

#[derive(Debug)]
struct Kind {
    name: Text,
    count: u64,
    complete: u64,
    open: u64,
    durations: Histogram,
    slowest: Top<UserTaskInstance>,
    sums: Sums,
    allocated: Allocated,
}

/// A user task that has begun and not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTask {
    kind: u32,
    pub(super) name: Text,
    pub(super) parent: Option<u64>,
    /// It carries a concurrent span, and is no operation of its own.
    pub(super) carries: bool,
    /// The operation that it is a part of: itself, unless it carries a span.
    owner: u64,
    /// Earlier than the trace where the trace says so.
    pub(super) begin: i64,
    pub(super) begun_by: Option<u64>,
    /// The distributed trace that it is a part of; known where it ends.
    trace_id: Option<TraceId>,
}

impl UserTaskPass {
    pub(crate) fn new(limit: usize, trees: &[u64], trace_id: Option<TraceIdQuery>) -> Self {
        Self {
            limit,
            kinds: Vec::new(),
            kind_of_name: FxHashMap::default(),
            open: FxHashMap::default(),
            trees: Trees::new(trees),
            finder: trace_id.map(Finder::new),
            allocated: AllocatedBy::default(),
            ended: LastEnded::default(),
            background: None,
        }
    }

    pub(crate) fn task_begins(&mut self, world: &World<'_>, begun: &UserTask) {
        let (task, name) = (begun.id.0, begun.name);
        let parent = self.open.get(&begun.parent.0);
        let (kind, owner) = match parent.filter(|_| begun.carries_span) {
            Some(parent) => (parent.kind, parent.owner),
            None => (self.kind(name), task),
        };
        let open = OpenTask {
            kind,
            name,
            parent: known_parent(begun.parent),
            carries: begun.carries_span,
            owner,
            begin: begun.begin,
            begun_by: known_go(begun.goroutine),
            trace_id: begun.trace_id,
        };
        if begun.id == BACKGROUND_TASK && !world.is_of_go() {
            self.background = Some(kind);
        }
        self.open.insert(task, open);
        self.trees.task_begins(world, task, &open, begun.stack);
    }

    /// The operation that a user task is a part of.
    fn owner(&self, task: u64) -> u64 {
        self.open.get(&task).map_or(task, |open| open.owner)
    }

    pub(crate) fn task_ends(&mut self, world: &World<'_>, task: &UserTask) {
        let trace_id = task.trace_id;
        let (task, parent, name) = (task.id, task.parent, task.name);
        let go = world.state.goroutine();
        let mut begun = self.open.remove(&task.0);
        if let Some(begun) = &mut begun {
            begun.trace_id = trace_id;
        }
        let open = begun.unwrap_or(OpenTask {
            kind: self.kind(name),
            name,
            parent: known_parent(parent),
            carries: false,
            owner: task.0,
            begin: world.begin,
            begun_by: None,
            trace_id,
        });
        self.has_allocated(task.0, open.kind);
        self.ended.push(task.0, open.kind);
        if !world.clip.touches(open.begin, world.now) {
            return;
        }
        let duration = between(open.begin, world.now);
        if open.carries {
            let mut ended = instance(world, task.0, &open);
            ended.end_ns = Some(world.since_begin(world.now));
            ended.ended_by = known_go(go);
            self.trees.task_ends(&ended);
            return;
        }
        let kind = &mut self.kinds[open.kind as usize];
        kind.count += 1;
        if begun.is_some() {
            kind.complete += 1;
            kind.durations.record(duration);
        }
        let is_found = matches!(&self.finder, Some(finder) if finder.wants(trace_id));
        if kind.slowest.wants(duration) || self.trees.has(task.0) || is_found {
            let mut ended = instance(world, task.0, &open);
            ended.end_ns = Some(world.since_begin(world.now));
            ended.ended_by = known_go(go);
            if begun.is_none() {
                ended.begin_ns = None;
            }
            self.trees.task_ends(&ended);
            if let Some(finder) = self.finder.as_mut().filter(|_| is_found) {
                finder.push(ended.clone());
            }
            kind.slowest.push(duration, ended);
        }
    }

    /// The trace ends before the task does. What is known of it at last.
    pub(crate) fn task_stays_open(&mut self, task: &UserTask) {
        if let Some(open) = self.open.get_mut(&task.id.0) {
            open.trace_id = task.trace_id;
        }
    }

    pub(crate) fn region_begins(&mut self, flow: &Flow<'_>) {
        if let Some(region) = flow.regions.last() {
            self.trees.serves(region.user_task.0, flow.id);
        }
    }

    pub(crate) fn span_ends(&mut self, world: &World<'_>, span: &WholeSpan<'_>) {
        self.trees.span_ends(world, span);
    }

    pub(crate) fn region_ends(&mut self, flow: &Flow<'_>, region: &RegionTime<'_>) {
        // What an outer region of the same operation holds is counted with that.
        let owner = self.owner(region.task);
        let mut outer = flow.regions.iter();
        if outer.any(|outer| self.owner(outer.user_task.0) == owner) {
            return;
        }
        if let Some(task) = self.open.get(&region.task) {
            self.kinds[task.kind as usize].sums.add(region.sums);
        }
    }

    pub(crate) fn log(&mut self, world: &World<'_>, go: GoId, task: TaskId, texts: (&str, &str)) {
        self.trees.log(world, go, task.0, texts);
    }

    /// The allocations of a user task that ends are those of its kind: that of the operation, if it is a part of one.
    fn has_allocated(&mut self, task: u64, kind: u32) {
        if let Some(allocated) = self.allocated.take(task) {
            self.kinds[kind as usize].allocated.add(&allocated);
        }
    }

    fn kind(&mut self, name: Text) -> u32 {
        let next = self.kinds.len() as u32;
        let index = *self.kind_of_name.entry(name).or_insert(next);
        if index == next {
            self.kinds.push(Kind {
                name,
                count: 0,
                complete: 0,
                open: 0,
                durations: Histogram::default(),
                slowest: Top::new(self.limit),
                sums: Sums::default(),
                allocated: Allocated::default(),
            });
        }
        index
    }

    pub(crate) fn finish(mut self, world: &World<'_>) -> UserTasks {
        let mut open: Vec<(u64, OpenTask)> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_unstable_by_key(|(task, _)| *task);
        for (task, open) in open {
            self.has_allocated(task, open.kind);
            let duration = between(open.begin, world.now);
            if open.carries {
                self.trees.task_ends(&instance(world, task, &open));
                continue;
            }
            let kind = &mut self.kinds[open.kind as usize];
            kind.count += 1;
            kind.open += 1;
            let is_found = matches!(&self.finder, Some(finder) if finder.wants(open.trace_id))
                && world.clip.touches(open.begin, world.now);
            if kind.slowest.wants(duration) || self.trees.has(task) || is_found {
                let cut = instance(world, task, &open);
                self.trees.task_ends(&cut);
                if let Some(finder) = self.finder.as_mut().filter(|_| is_found) {
                    finder.push(cut.clone());
                }
                kind.slowest.push(duration, cut);
            }
        }
        // Of those that ended long before, as of those that were none.
        for (task, allocated) in self.allocated.take_rest() {
            let kind = self.ended.kinds.get(&task).copied().or(self.background);
            if let Some(kind) = kind {
                self.kinds[kind as usize].allocated.add(&allocated);
            }
        }
        let mut kinds: Vec<UserTaskKind> = self
            .kinds
            .into_iter()
            .filter(|kind| kind.count > 0)
            .map(|kind| UserTaskKind {
                name: world.names().owned(kind.name),
                count: kind.count,
                complete: kind.complete,
                open: kind.open,
                durations: kind.durations,
                slowest: kind.slowest.into_items(),
                breakdown: kind.sums.named(world),
                allocated: self.allocated.known(kind.allocated),
            })
            .collect();
        kinds.sort_by(|a, b| {
            let (a_ns, b_ns) = (a.durations.total_ns(), b.durations.total_ns());
            b_ns.cmp(&a_ns).then_with(|| a.name.cmp(&b.name))
        });
        UserTasks {
            kinds,
            trees: self.trees.finish(world),
            found: self.finder.map(Finder::finish),
        }
    }
}

/// The task as it stands now.
fn instance(world: &World<'_>, task: u64, open: &OpenTask) -> UserTaskInstance {
    UserTaskInstance {
        id: task,
        name: world.names().owned(open.name),
        parent: open.parent,
        begin_ns: (open.begin >= world.begin).then(|| world.since_begin(open.begin)),
        end_ns: None,
        duration_ns: between(open.begin, world.now),
        begun_by: open.begun_by,
        ended_by: None,
        trace_id: open.trace_id.map(|id| id.to_string()),
    }
}

fn known_parent(parent: TaskId) -> Option<u64> {
    (parent != TaskId::NONE && parent != TaskId::BACKGROUND).then_some(parent.0)
}

pub(super) fn known_go(go: GoId) -> Option<u64> {
    (go != GoId::NONE).then_some(go.0)
}
