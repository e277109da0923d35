//! What a reader yields: events in their true order, with their context, names and stacks.

use std::fmt;
use std::sync::Arc;

use crate::event::{EventKind, MAX_ARGUMENTS};
use crate::ids::{GoId, ProcId, TaskId, ThreadId};
use crate::side::{SideDataError, SideRecord};
use crate::wire::ClockSnapshot;

/// An instant on the clock of the trace, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceTime(
    /// Nanoseconds since the clock's zero, which is the writer's choice.
    pub i64,
);

impl fmt::Display for TraceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event, as the reader yields it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvent {
    /// When. Later for each event than for the one before, apart from side data, which have the
    /// time of their sync.
    pub time: TraceTime,
    /// The thread on which it happened.
    pub thread: Option<ThreadId>,
    /// The lane that the thread held before it.
    pub proc: Option<ProcId>,
    /// The flow that ran on the thread before it.
    pub go: Option<GoId>,
    /// Where in the program it happened, leaf first.
    pub stack: Option<Arc<[StackFrame]>>,
    /// What happened.
    pub kind: TraceEventKind,
}

/// What happened at a [`TraceEvent`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TraceEventKind {
    /// A generation begins, or the trace ends.
    Sync {
        /// Counts the syncs of the trace from 1.
        number: u64,
        /// The clocks of the machine; from header 25 on, and not at the end.
        clock: Option<SyncClock>,
    },
    /// A quantity has a new value.
    Metric {
        /// Which quantity, as Go names it.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// A flow has a new label.
    Label {
        /// The flow.
        go: GoId,
        /// The label.
        label: Arc<str>,
    },
    /// A CPU sample.
    StackSample,
    /// A range begins: garbage collection, its parts, the world stopped.
    RangeBegin {
        /// Its name.
        name: Arc<str>,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range is open that began earlier.
    RangeActive {
        /// Its name.
        name: Arc<str>,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range ends.
    RangeEnd {
        /// Its name.
        name: Arc<str>,
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
        name: Arc<str>,
    },
    /// A user task ends.
    TaskEnd {
        /// The task.
        task: TaskId,
        /// Its parent as told at its begin, or [`TaskId::NONE`].
        parent: TaskId,
        /// Its name as told at its begin, else empty.
        name: Arc<str>,
    },
    /// A region of the running flow begins.
    RegionBegin {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: Arc<str>,
    },
    /// A region of the running flow ends.
    RegionEnd {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: Arc<str>,
    },
    /// A message.
    Log {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its category.
        category: Arc<str>,
        /// Its text.
        message: Arc<str>,
    },
    /// A flow or lane changes its state.
    StateTransition {
        /// Which, from what, to what.
        change: StateChange,
        /// Why, where it is told: for flows that stop or block.
        reason: Arc<str>,
        /// The stack of the flow concerned, where it is told; its root frame names the flow.
        stack: Option<Arc<[StackFrame]>>,
    },
    /// An event of Go's allocation experiment.
    Experimental {
        /// Which.
        kind: EventKind,
        /// Its arguments, as many as the kind has.
        arguments: [u64; MAX_ARGUMENTS],
    },
    /// A record of our side data; they follow the sync of their generation.
    SideData(SideRecord),
    /// Side data of ours that this version cannot read. The rest of their batch is skipped.
    UnreadableSideData(SideDataError),
}

/// One entry of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StackFrame {
    /// The number that stands for the place, across the whole trace.
    pub pc: u64,
    /// The function's name.
    pub function: Arc<str>,
    /// The source file.
    pub file: Arc<str>,
    /// The line.
    pub line: u64,
}

/// The clocks at an instant of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncClock {
    /// The instant on the clock of the trace.
    pub time: TraceTime,
    /// The other clocks at that instant.
    pub snapshot: ClockSnapshot,
}

/// What a range concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeScope {
    /// The whole program.
    Global,
    /// A lane.
    Proc(ProcId),
    /// A flow.
    Go(GoId),
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// Of a flow.
    Go {
        /// The flow.
        go: GoId,
        /// Before.
        from: GoState,
        /// After.
        to: GoState,
    },
    /// Of a lane.
    Proc {
        /// The lane.
        proc: ProcId,
        /// Before.
        from: ProcState,
        /// After.
        to: ProcState,
    },
}

/// The state of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoState {
    /// Not known: the trace begins here.
    Undetermined,
    /// There is no such flow, before its begin or after its end.
    NotExist,
    /// Could run, waits for a lane.
    Runnable,
    /// Runs.
    Running,
    /// Waits for something.
    Waiting,
    /// Is in a system call.
    Syscall,
}

/// The state of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcState {
    /// Not known: the trace begins here.
    Undetermined,
    /// There is no such lane yet.
    NotExist,
    /// Held by a thread, which may be in a system call.
    Running,
    /// Free.
    Idle,
}

impl GoState {
    /// What a status on the wire means; 0 is tolerated.
    pub(super) fn of_status(status: u8) -> Self {
        match status {
            1 => Self::Runnable,
            2 => Self::Running,
            3 => Self::Syscall,
            4 => Self::Waiting,
            _ => Self::Undetermined,
        }
    }
}

impl ProcState {
    /// What a status on the wire means; 0 is tolerated.
    pub(super) fn of_status(status: u8) -> Self {
        match status {
            1 | 3 => Self::Running,
            2 | 4 => Self::Idle,
            _ => Self::Undetermined,
        }
    }
}
