//! What the fast way of reading yields: events as plain numbers, which name [`Tables`](super::Tables).

use crate::event::{EventKind, MAX_ARGUMENTS};
use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
use crate::side::SideDataError;

use super::trace_event::{RangeScope, StateChange, SyncClock, TraceTime};

/// An event, with ids in place of names and stacks; otherwise the same as a
/// [`TraceEvent`](crate::TraceEvent).
///
/// Names and stacks are numbers in [`Reader::tables`](crate::Reader::tables), which are not those
/// in the file, and hold until the next [`CompactKind::Sync`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactEvent {
    /// When. Later for each event than for the one before, apart from side data, which have the
    /// time of their sync.
    pub time: TraceTime,
    /// The thread on which it happened, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// The lane that the thread held before it, or [`ProcId::NONE`].
    pub proc: ProcId,
    /// The flow that ran on the thread before it, or [`GoId::NONE`].
    pub go: GoId,
    /// Where in the program it happened, or [`StackId::NONE`].
    pub stack: StackId,
    /// What happened.
    pub kind: CompactKind,
}

impl Default for CompactEvent {
    /// In place of an event that is still to come.
    #[inline]
    fn default() -> Self {
        Self {
            time: TraceTime(0),
            thread: ThreadId::NONE,
            proc: ProcId::NONE,
            go: GoId::NONE,
            stack: StackId::NONE,
            kind: CompactKind::StackSample,
        }
    }
}

/// An event without context.
pub(super) fn bare(time: TraceTime, kind: CompactKind) -> CompactEvent {
    CompactEvent {
        time,
        kind,
        ..CompactEvent::default()
    }
}

/// What happened at a [`CompactEvent`]. The variants are those of
/// [`TraceEventKind`](crate::TraceEventKind).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CompactKind {
    /// A generation begins, or the trace ends. Ids of strings and stacks begin anew.
    Sync {
        /// Counts the syncs of the trace from 1.
        number: u64,
        /// The clocks of the machine; from header 25 on, and not at the end.
        clock: Option<SyncClock>,
    },
    /// A quantity has a new value.
    Metric {
        /// Which quantity.
        metric: Metric,
        /// Its value.
        value: u64,
    },
    /// A flow has a new label.
    Label {
        /// The flow.
        go: GoId,
        /// The label.
        label: StringId,
    },
    /// A CPU sample.
    StackSample,
    /// A range begins: garbage collection, its parts, the world stopped.
    RangeBegin {
        /// Which range.
        range: RangeName,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range is open that began earlier.
    RangeActive {
        /// Which range.
        range: RangeName,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range ends.
    RangeEnd {
        /// Which range.
        range: RangeName,
        /// What it concerns.
        scope: RangeScope,
        /// For sweeps: bytes swept and bytes reclaimed.
        swept: Option<(u64, u64)>,
    },
    /// A user task begins.
    TaskBegin {
        /// The task.
        task: TaskId,
        /// Its parent, or [`TaskId::NONE`].
        parent: TaskId,
        /// Its name.
        name: StringId,
    },
    /// A user task ends.
    TaskEnd {
        /// The task.
        task: TaskId,
        /// Its parent as told at its begin, or [`TaskId::NONE`].
        parent: TaskId,
        /// Its name as told at its begin, else [`StringId::EMPTY`].
        name: StringId,
    },
    /// A region of the running flow begins.
    RegionBegin {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: StringId,
    },
    /// A region of the running flow ends.
    RegionEnd {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: StringId,
    },
    /// A message.
    Log {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its category.
        category: StringId,
        /// Its text.
        message: StringId,
    },
    /// A flow or lane changes its state.
    StateTransition {
        /// Which, from what, to what.
        change: StateChange,
        /// Why, where it is told: for flows that stop or block.
        reason: StringId,
        /// The stack of the flow concerned, where it is told; its root frame names the flow.
        stack: StackId,
    },
    /// An event of Go's allocation experiment.
    Experimental {
        /// Which.
        kind: EventKind,
        /// Its arguments, as many as the kind has.
        arguments: [u64; MAX_ARGUMENTS],
    },
    /// A record of our side data, in [`Reader::side_record`](crate::Reader::side_record).
    SideData,
    /// Side data of ours that this version cannot read. The rest of their batch is skipped.
    UnreadableSideData(SideDataError),
}

impl CompactKind {
    /// Whether it tells something of the traced program at its time. Syncs and side data do not: they
    /// are about the trace. This is what counts as an event wherever events are counted.
    #[inline]
    pub const fn is_of_program(&self) -> bool {
        !matches!(
            self,
            Self::Sync { .. } | Self::SideData | Self::UnreadableSideData(_)
        )
    }
}

/// A quantity that changes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// The number of lanes.
    Gomaxprocs,
    /// Bytes of heap objects.
    HeapAlloc,
    /// Bytes of heap that the collector aims at.
    HeapGoal,
}

impl Metric {
    /// The name that Go gives it, with the unit behind the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gomaxprocs => "/sched/gomaxprocs:threads",
            Self::HeapAlloc => "/memory/classes/heap/objects:bytes",
            Self::HeapGoal => "/gc/heap/goal:bytes",
        }
    }
}

/// What kind of range begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RangeName {
    /// The collector's mark phase.
    Mark,
    /// A part of a sweep.
    Sweep,
    /// A flow's help with marking.
    Assist,
    /// The world is stopped, for this reason.
    StopTheWorld(StringId),
}

impl RangeName {
    /// The name that Go gives it; for a stop of the world it is followed by the reason in
    /// parentheses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mark => "GC concurrent mark phase",
            Self::Sweep => "GC incremental sweep",
            Self::Assist => "GC mark assist",
            Self::StopTheWorld(_) => "stop-the-world",
        }
    }
}
