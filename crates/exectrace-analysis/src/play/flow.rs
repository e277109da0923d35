//! The flows (async tasks) that live at an instant.

use exectrace_format::GoId;

use crate::breakdown::Sums;
use crate::gc::Collecting;
use crate::names::{Frame, Stack, Text};

use crate::sight::FlowKind;

use super::gap::{Gap, Mark};
use super::index::Index;
use super::region::OpenRegion;
use super::stretch::{Origin, State};

/// A flow's place in the array of living flows; given to another when the flow has ended.
pub(crate) type FlowIndex = u32;

/// What is known of a flow at an instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) id: GoId,
    /// The function of its root frame; 0 while no stack of its own was seen.
    pub(crate) name: Text,
    pub(crate) root: Option<Frame>,
    pub(crate) label: Text,
    pub(crate) kind: FlowKind,
    /// Who spawned it, and where; not known for those that lived before the trace.
    pub(crate) parent: Option<GoId>,
    pub(crate) spawned_at: Stack,
    /// When the trace first tells of it, or the generation in which it does begins.
    pub(crate) created: i64,
    /// When it first ran.
    pub(crate) started: Option<i64>,
    /// When it ended, or began to wait forever.
    pub(crate) ended: Option<i64>,

    pub(crate) state: State,
    pub(crate) since: i64,
    /// In a system call: when its lane was taken away.
    pub(crate) lane_lost: Option<i64>,
    /// In a system call: the lane it was entered on.
    pub(crate) syscall_lane: u64,
    /// The pool whose workers can run it, as far as is known.
    pub(crate) pool: Option<u32>,
    /// The lane that this is known by.
    pub(crate) pool_lane: u64,
    /// The pool in which it is ready to run.
    pub(crate) ready_in: Option<u32>,
    /// It is ready to run, and the wake was not seen but concluded from the run that follows.
    pub(crate) is_wake_concluded: bool,
    pub(crate) origin: Origin,
    pub(crate) reason: Text,
    pub(crate) stack: Stack,
    pub(crate) actor: GoId,
    pub(crate) lane: u64,
    pub(crate) thread: u64,
    /// The lane on which it ran last, or `u64::MAX`.
    pub(crate) last_lane: u64,

    pub(crate) sums: Sums,
    /// Open ranges of garbage collection, with their begin.
    pub(crate) ranges: Vec<(Text, i64)>,
    pub(crate) runs: u64,
    pub(crate) longest_run: u64,
    /// What it recorded last in the run that it is in.
    pub(crate) last_mark: Mark,
    /// The longest gap between records of that run.
    pub(crate) longest_gap: Option<Box<Gap>>,
    pub(crate) wakes: u64,

    /// Open regions, the innermost last.
    pub(crate) regions: Vec<OpenRegion>,
    /// Waiting times at the begin of the open regions, one behind the other.
    pub(crate) region_waits: Vec<(Text, u64)>,
    /// The user task of the region in which it was spawned.
    pub(crate) inherited_task: u64,
    /// The number of its group in the pass over tasks, plus one.
    pub(crate) group: u32,
    /// What it does for the garbage collector, in the pass over that.
    pub(crate) collecting: Collecting,
}

impl Flow {
    /// Whether it is a thread's own code and has its thread. What the code does then (run, sleep, wait
    /// for a lock) the trace does not show.
    pub(crate) fn has_thread(&self) -> bool {
        self.kind == FlowKind::Thread && matches!(self.state, State::Running | State::Runnable)
    }

    /// Whether it lived before the trace.
    pub(crate) fn is_older_than_trace(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether it runs or is in a system call.
    pub(crate) fn executes(&self) -> bool {
        matches!(self.state, State::Running | State::Syscall)
    }

    /// The user task it works for now: that of the innermost region, else the inherited one.
    pub(crate) fn user_task(&self) -> u64 {
        self.regions
            .last()
            .map_or(self.inherited_task, |region| region.task)
    }

    /// Whether it has begun to wait forever, which is told of flows that are dead.
    pub(crate) fn waits_forever(&self) -> bool {
        self.state == State::Waiting && self.ended.is_some()
    }
}

/// The living flows.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    all: Vec<Flow>,
    free: Vec<FlowIndex>,
    index: Index,
    /// How many there were in all.
    pub(crate) seen: u64,
}

impl Flows {
    #[inline]
    pub(crate) fn find(&self, id: GoId) -> Option<FlowIndex> {
        self.index.get(id.0)
    }

    #[inline]
    pub(crate) fn get(&self, id: GoId) -> Option<&Flow> {
        self.all.get(self.find(id)? as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: GoId) -> Option<&mut Flow> {
        let index = self.find(id)?;
        self.all.get_mut(index as usize)
    }

    #[inline]
    pub(crate) fn at(&mut self, index: FlowIndex) -> Option<&mut Flow> {
        self.all.get_mut(index as usize)
    }

    /// Adds a flow; what was known under the same id is replaced.
    pub(crate) fn add(&mut self, id: GoId) -> FlowIndex {
        self.seen += 1;
        let flow = Flow {
            id,
            lane: u64::MAX,
            thread: u64::MAX,
            last_lane: u64::MAX,
            syscall_lane: u64::MAX,
            pool_lane: u64::MAX,
            actor: GoId::NONE,
            ..Flow::default()
        };
        let known = self.find(id).or_else(|| self.free.pop());
        let index = match known {
            Some(index) => index,
            None => {
                self.all.push(Flow::default());
                // Ids take bytes in the file, which has fewer than 2^32 flows at a time.
                (self.all.len() - 1) as FlowIndex
            }
        };
        self.all[index as usize] = flow;
        self.index.insert(id.0, index);
        index
    }

    /// Takes out a flow that has ended.
    pub(crate) fn remove(&mut self, id: GoId) {
        if let Some(index) = self.find(id) {
            self.index.remove(id.0);
            self.free.push(index);
        }
    }

    /// The flows that live, in no particular order.
    pub(crate) fn living(&self) -> Vec<GoId> {
        let mut ids: Vec<GoId> = self
            .all
            .iter()
            .enumerate()
            .filter(|&(place, flow)| self.find(flow.id) == FlowIndex::try_from(place).ok())
            .map(|(_, flow)| flow.id)
            .collect();
        ids.sort_unstable();
        ids
    }
}
