//! The critical path of a user task: what it was waiting for at each moment.
//!
//! The path is walked from the end of the user task to its begin. It lies on the async task that
//! ended it. Where that was woken by another async task that served the same user task or one of
//! its descendants, the path goes on there, at the moment of the wake; where it was spawned, it
//! goes on with the spawner. A wait that anything else ended is charged to its reason. What runs is
//! split where regions begin and end in it.

use exectrace_format::GoId;
use exectrace_replay::{GoroutineState, Origin, Stack, Text, UserTask, between};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::names::{Place, Places};
use crate::sums::add_ns;
use crate::time::{Flow, TimeSpan, World};

/// What a user task was waiting for at each moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CriticalPath {
    /// The user task.
    pub user_task: u64,
    /// Its name.
    pub name: String,
    /// When it began, since the begin of the trace; 0 if that was before.
    pub begin_ns: u64,
    /// From there to its end, or to the end of the trace.
    pub duration_ns: u64,
    /// Whether both were seen.
    pub is_complete: bool,
    /// The path, in time, without gaps.
    pub steps: Vec<PathStep>,
    /// Its time by state, reason and region, the longest first.
    pub totals: Vec<PathTotal>,
    /// States of tasks that were left out because there were more than [`MAX_PIECES`].
    pub left_out: u64,
}

/// A span of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PathStep {
    /// The async task it lies on.
    pub async_task: u64,
    /// Its name.
    pub name: String,
    /// When the step begins, since the begin of the trace.
    pub begin_ns: u64,
    /// How long it is.
    pub duration_ns: u64,
    /// `running`, `runnable`, `waiting`, `syscall`, or `unknown`.
    pub state: &'static str,
    /// Of a wait: what for.
    pub reason: String,
    /// Of a wait: which async task ended it, if one did.
    pub woken_by: Option<u64>,
    /// The innermost region of the async task meanwhile; empty if there was none.
    pub region: String,
    /// Of a wait or system call: where, leaf first.
    pub stack: Vec<Place>,
}

/// Time of the path by what it was spent on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PathTotal {
    /// As in [`PathStep`].
    pub state: &'static str,
    /// As in [`PathStep`].
    pub reason: String,
    /// As in [`PathStep`].
    pub region: String,
    /// How long in all.
    pub duration_ns: u64,
}

/// So many states of async tasks, and so many begins and ends of regions in them, are kept while the
/// user task is open.
pub const MAX_PIECES: usize = 1 << 22;

#[derive(Debug)]
pub(crate) struct CriticalPathPass {
    task: u64,
    name: Text,
    /// The user task and its descendants.
    family: FxHashSet<u64>,
    begin: Option<i64>,
    end: Option<i64>,
    /// The flow that ended it, else the one that began it.
    last: GoId,
    pieces: Vec<Piece>,
    /// The innermost region of each flow, with when it became that.
    regions: FxHashMap<GoId, Vec<(i64, Text)>>,
    /// How many of those there are.
    changes: usize,
    left_out: u64,
}

/// A state of a flow while the user task was open.
#[derive(Clone, Copy, Debug)]
struct Piece {
    go: GoId,
    name: Text,
    state: GoroutineState,
    begin: i64,
    end: i64,
    origin: Origin,
    actor: GoId,
    reason: Text,
    stack: Stack,
    user_task: u64,
    region: Text,
}

impl CriticalPathPass {
    pub(crate) fn new(task: u64) -> Self {
        Self {
            task,
            name: Text::EMPTY,
            family: FxHashSet::from_iter([task]),
            begin: None,
            end: None,
            last: GoId::NONE,
            pieces: Vec::new(),
            regions: FxHashMap::default(),
            changes: 0,
            left_out: 0,
        }
    }

    pub(crate) fn task_begins(&mut self, world: &World<'_>, begun: &UserTask) {
        let (task, parent, name, go) = (begun.id, begun.parent, begun.name, begun.goroutine);
        if task.0 == self.task {
            (self.begin, self.last, self.name) = (Some(world.now), go, name);
            // What ended before is not on the path.
            self.pieces.clear();
            self.forget_changes();
            self.left_out = 0;
        } else if self.family.contains(&parent.0) {
            self.family.insert(task.0);
        }
    }

    pub(crate) fn task_ends(&mut self, world: &World<'_>, ended: &UserTask) {
        let (task, name, go) = (ended.id, ended.name, world.state.goroutine());
        if task.0 == self.task && self.end.is_none() {
            (self.end, self.last, self.name) = (Some(world.now), go, name);
        }
    }

    /// A region has begun, or ended.
    pub(crate) fn region_changes(&mut self, now: i64, flow: &Flow<'_>) {
        if self.end.is_some() {
            return;
        }
        if self.changes >= MAX_PIECES {
            self.left_out += 1;
            if self.begin.is_some() {
                return;
            }
            // The user task may begin yet.
            self.forget_changes();
        }
        let changes = self.regions.entry(flow.id).or_default();
        changes.push((now, innermost(flow)));
        self.changes += 1;
    }

    /// Forgets all changes of regions but the last of each flow that is in one.
    fn forget_changes(&mut self) {
        self.regions.retain(|_, changes| {
            changes.drain(..changes.len().saturating_sub(1));
            changes
                .last()
                .is_some_and(|&(_, region)| region != Text::EMPTY)
        });
        self.changes = self.regions.len();
    }

    #[inline]
    pub(crate) fn leave(&mut self, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        let is_before = self.begin.is_some_and(|begin| span.end <= begin);
        if is_before || self.end.is_some_and(|end| span.begin >= end) {
            return;
        }
        if self.pieces.len() >= MAX_PIECES {
            self.left_out += 1;
            return;
        }
        self.pieces.push(Piece {
            go: flow.id,
            name: flow.name,
            state: span.state,
            begin: span.begin,
            end: span.end,
            origin: span.origin,
            actor: span.actor,
            reason: span.reason,
            stack: span.stack,
            user_task: flow.user_task().0,
            region: innermost(flow),
        });
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Option<CriticalPath> {
        if self.begin.is_none() && self.end.is_none() {
            return None;
        }
        let begin = self.begin.unwrap_or(world.begin);
        let end = self.end.unwrap_or(world.now);
        let mut steps = self.walk(world, begin, end);
        steps.reverse();
        let totals = totals(&steps);
        Some(CriticalPath {
            user_task: self.task,
            name: world.names().owned(self.name),
            begin_ns: world.since_begin(begin),
            duration_ns: between(begin, end),
            is_complete: self.begin.is_some() && self.end.is_some(),
            steps,
            totals,
            left_out: self.left_out,
        })
    }

    /// The steps from the end to the begin.
    fn walk(&self, world: &World<'_>, begin: i64, end: i64) -> Vec<PathStep> {
        let mut flows: FxHashMap<GoId, Vec<&Piece>> = FxHashMap::default();
        for piece in &self.pieces {
            flows.entry(piece.go).or_default().push(piece);
        }
        let mut steps = Vec::new();
        let (mut go, mut now) = (self.last, end);
        while now > begin {
            let pieces = flows.get(&go).map_or(&[][..], |pieces| pieces);
            // Pieces of a flow come in time, one behind the other.
            let next = pieces.partition_point(|piece| piece.begin < now);
            let Some(piece) = next.checked_sub(1).and_then(|last| pieces.get(last)) else {
                steps.push(unknown(world, go, begin, now));
                break;
            };
            if piece.end < now {
                steps.push(unknown(world, go, piece.end.max(begin), now));
                now = piece.end;
                continue;
            }
            let ender = pieces.get(next).filter(|ender| ender.begin == piece.end);
            let waker = ender
                .map(|ender| ender.actor)
                .filter(|&waker| waker != go && waker != GoId::NONE);
            if let (GoroutineState::Waiting, Some(waker)) = (piece.state, waker)
                && now == piece.end
                && self.serves(&flows, waker, now)
            {
                go = waker;
                continue;
            }
            let from = piece.begin.max(begin);
            self.split(piece, from, now, |region, from, to| {
                let piece = Piece { region, ..**piece };
                steps.push(step(world, &piece, from, to, waker));
            });
            now = from;
            if piece.origin == Origin::Spawned && from == piece.begin && piece.actor != GoId::NONE {
                go = piece.actor;
            }
        }
        steps
    }

    /// Calls back with each region in which the piece was from `begin` to `end`, the last one first.
    fn split(&self, piece: &Piece, begin: i64, end: i64, mut each: impl FnMut(Text, i64, i64)) {
        let may_change = matches!(
            piece.state,
            GoroutineState::Running | GoroutineState::Unknown
        );
        let changes = self.regions.get(&piece.go).filter(|_| may_change);
        let Some(changes) = changes else {
            return each(piece.region, begin, end);
        };
        let before = changes.partition_point(|&(time, _)| time < end);
        let mut to = end;
        for &(time, region) in changes[..before].iter().rev() {
            let from = time.max(begin);
            if from < to {
                each(region, from, to);
            }
            to = to.min(from);
            if time <= begin {
                return;
            }
        }
        if begin < to {
            each(Text::EMPTY, begin, to);
        }
    }

    /// Whether the flow ran for the user task at that time.
    fn serves(&self, flows: &FxHashMap<GoId, Vec<&Piece>>, go: GoId, time: i64) -> bool {
        let pieces = flows.get(&go).map_or(&[][..], |pieces| pieces);
        let next = pieces.partition_point(|piece| piece.begin < time);
        let piece = next.checked_sub(1).and_then(|last| pieces.get(last));
        piece.is_some_and(|piece| {
            // Of a thread's own code it is not known whether it ran.
            matches!(
                piece.state,
                GoroutineState::Running | GoroutineState::Unknown
            ) && piece.end >= time
                && self.family.contains(&piece.user_task)
        })
    }
}

/// The name of the flow's innermost region.
fn innermost(flow: &Flow<'_>) -> Text {
    let region = flow.regions.last();
    region.map_or(Text::EMPTY, |region| region.name)
}

/// The sums of the steps, the longest first.
fn totals(steps: &[PathStep]) -> Vec<PathTotal> {
    let mut sums: FxHashMap<(&'static str, &str, &str), u64> = FxHashMap::default();
    for step in steps {
        let sum = sums
            .entry((step.state, &step.reason, &step.region))
            .or_default();
        add_ns(sum, step.duration_ns);
    }
    let totals = sums.into_iter();
    let totals = totals.map(|((state, reason, region), duration_ns)| PathTotal {
        state,
        reason: reason.to_owned(),
        region: region.to_owned(),
        duration_ns,
    });
    let mut totals: Vec<PathTotal> = totals.collect();
    totals.sort_by(|a, b| {
        let by_name = || (a.state, &a.reason, &a.region).cmp(&(b.state, &b.reason, &b.region));
        b.duration_ns.cmp(&a.duration_ns).then_with(by_name)
    });
    totals
}

fn unknown(world: &World<'_>, go: GoId, begin: i64, end: i64) -> PathStep {
    PathStep {
        async_task: go.0,
        begin_ns: world.since_begin(begin),
        duration_ns: between(begin, end),
        state: GoroutineState::Unknown.name(),
        ..PathStep::default()
    }
}

fn step(world: &World<'_>, piece: &Piece, begin: i64, end: i64, waker: Option<GoId>) -> PathStep {
    let waits = piece.state == GoroutineState::Waiting;
    let has_place = waits || piece.state == GoroutineState::Syscall;
    PathStep {
        async_task: piece.go.0,
        name: world.names().owned(piece.name),
        begin_ns: world.since_begin(begin),
        duration_ns: between(begin, end),
        state: piece.state.name(),
        reason: if waits {
            world.names().owned(piece.reason)
        } else {
            String::new()
        },
        woken_by: waker.filter(|_| waits).map(|waker| waker.0),
        region: world.names().owned(piece.region),
        stack: if has_place {
            world.names().places(piece.stack)
        } else {
            Vec::new()
        },
    }
}
