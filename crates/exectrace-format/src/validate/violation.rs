//! What a [`Validator`](super::Validator) objects to.

use std::fmt;

use thiserror::Error;

use crate::ids::{GoId, ProcId, TaskId, ThreadId};
use crate::read::{GoState, ProcState, TraceTime};

/// A rule of valid traces is broken: where, and which.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub struct Violation {
    /// The time of the event that breaks the rule.
    pub time: TraceTime,
    /// The generation it belongs to; 0 where the trace ends.
    pub generation: u64,
    /// The thread it happened on, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// Which rule, and how it is broken.
    #[source]
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} ns, generation {}", self.time, self.generation)?;
        if self.thread != ThreadId::NONE {
            write!(f, ", thread {}", self.thread)?;
        }
        write!(f, ": {}", self.rule)
    }
}

/// A clock that each generation shows once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// The time of the day.
    Wall,
    /// The clock of the machine that never falls.
    Monotonic,
    /// The clock of the trace.
    Trace,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wall => "wall",
            Self::Monotonic => "mono",
            Self::Trace => "trace",
        })
    }
}

/// A rule of valid traces, and how it is broken.
///
/// The wordings are close to those of Go's validator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rule {
    /// An event is not later than the one before. Possible in traces of Go 1.21 and earlier only.
    #[error("timestamp out-of-order (want > {last} ns)")]
    TimeOrder {
        /// The time of the event before.
        last: TraceTime,
    },
    /// A generation has no greater number than the one before. Possible from header 26 on only:
    /// [`Reader`](crate::Reader) refuses older traces of which that is true. Go does not check this.
    #[error("generation {found} after generation {last}")]
    GenerationOrder {
        /// The number of the generation before.
        last: u64,
        /// The number of this one.
        found: u64,
    },
    /// There is no generation, and so no snapshot of the clocks.
    #[error("sync {sync} has no clock snapshot")]
    NoClock {
        /// The number of the sync.
        sync: u64,
    },
    /// A clock shows 0.
    #[error("sync {sync} has zero {clock} time")]
    ZeroClock {
        /// The number of the sync.
        sync: u64,
        /// Which clock.
        clock: Clock,
    },
    /// A clock does not show more than in the generation before.
    #[error("sync {sync} has non-increasing {clock} time: {found_ns} ns after {last_ns} ns")]
    ClockOrder {
        /// The number of the sync.
        sync: u64,
        /// Which clock.
        clock: Clock,
        /// What it showed in the generation before, in nanoseconds.
        last_ns: i128,
        /// What it shows, in nanoseconds.
        found_ns: i128,
    },
    /// A frame of a stack, other than the first, lacks function, file, line or program counter.
    #[error("invalid stack frame {index}: missing information (pc {pc}, line {line})")]
    Frame {
        /// Which frame, the leaf being 0.
        index: usize,
        /// Its program counter.
        pc: u64,
        /// Its line.
        line: u64,
    },
    /// A goroutine has an empty label.
    #[error("invalid label \"\"")]
    EmptyLabel,
    /// A goroutine or proc runs, but the event belongs to no thread.
    #[error("must have thread, but thread ID is none")]
    NoThread,
    /// A goroutine changes to a state that is none.
    #[error("transition to undetermined state for goroutine {0}")]
    GoToUndetermined(GoId),
    /// A proc changes to a state that is none.
    #[error("transition to undetermined state for proc {0}")]
    ProcToUndetermined(ProcId),
    /// A goroutine first appears by its status, later than in the first generation.
    #[error("undetermined goroutine {0} after first global sync")]
    LateGo(GoId),
    /// A proc first appears by its status, later than in the first generation.
    #[error("undetermined proc {0} after first global sync")]
    LateProc(ProcId),
    /// A goroutine ends, and a range of it has not ended.
    #[error("goroutine {0} died with active ranges")]
    GoDiedInRange(GoId),
    /// The state that a goroutine leaves is not the one it was in.
    #[error("bad old state for goroutine {go}: got {found:?}, want {known:?}")]
    GoState {
        /// The goroutine.
        go: GoId,
        /// The state it leaves.
        found: GoState,
        /// The state it was in.
        known: GoState,
    },
    /// A goroutine that was never seen leaves a state.
    #[error("bad old state for unregistered goroutine {go}: {found:?}")]
    UnknownGo {
        /// The goroutine.
        go: GoId,
        /// The state it leaves.
        found: GoState,
    },
    /// The state that a proc leaves is not the one it was in.
    #[error("bad old state for proc {proc}: got {found:?}, want {known:?}")]
    ProcState {
        /// The proc.
        proc: ProcId,
        /// The state it leaves.
        found: ProcState,
        /// The state it was in.
        known: ProcState,
    },
    /// A proc that was never seen leaves a state.
    #[error("bad old state for unregistered proc {proc}: {found:?}")]
    UnknownProc {
        /// The proc.
        proc: ProcId,
        /// The state it leaves.
        found: ProcState,
    },
    /// A goroutine runs on a thread on which another one runs.
    #[error("tried to run goroutine {go} when one was already executing ({other})")]
    GoOnBusyThread {
        /// The goroutine.
        go: GoId,
        /// The goroutine that runs there.
        other: GoId,
    },
    /// A goroutine stops that does not run on its thread.
    #[error("tried to stop goroutine {go} when it wasn't currently executing ({other})")]
    GoNotOnThread {
        /// The goroutine.
        go: GoId,
        /// The goroutine that runs there, or [`GoId::NONE`].
        other: GoId,
    },
    /// A goroutine stops that runs on no thread.
    #[error("stopping goroutine {0} not bound to any active context")]
    GoUnbound(GoId),
    /// The stack of a goroutine that stops is not that of the event.
    #[error("StateTransition.Stack doesn't match Event.Stack")]
    StacksDiffer,
    /// A proc runs on a thread that holds another one.
    #[error("tried to run proc {proc} when one was already executing ({other})")]
    ProcOnBusyThread {
        /// The proc.
        proc: ProcId,
        /// The proc that the thread holds.
        other: ProcId,
    },
    /// A proc stops that its thread does not hold.
    #[error("tried to stop proc {proc} when it wasn't currently executing ({other})")]
    ProcNotOnThread {
        /// The proc.
        proc: ProcId,
        /// The proc that the thread holds, or [`ProcId::NONE`].
        other: ProcId,
    },
    /// A proc stops that no thread holds.
    #[error("stopping proc {0} not bound to any active context")]
    ProcUnbound(ProcId),
    /// A range begins that is open.
    #[error("already active range {0:?} begun again")]
    RangeOpen(String),
    /// A range ends that is not open.
    #[error("inactive range {0:?} ended")]
    RangeNotOpen(String),
    /// A user task has an id that stands for something else.
    #[error("found invalid task ID for task of type {name} ({task})")]
    TaskId {
        /// The id.
        task: TaskId,
        /// The task's name.
        name: String,
    },
    /// A user task ends under another name than it began with.
    #[error("task end type {found:?} doesn't match task start type {known:?} for task {task}")]
    TaskName {
        /// The task.
        task: TaskId,
        /// Its name at its begin.
        known: String,
        /// Its name at its end.
        found: String,
    },
}
