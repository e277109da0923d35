//! How events contradict each other, in wordings close to Go's.

use std::fmt;

use thiserror::Error;

use crate::event::EventKind;
use crate::ids::{GoId, ProcId, TaskId, ThreadId};

/// The events contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Every thread waits for something that never happens.
    #[error("broken trace: failed to advance: frontier: {0}")]
    FailedToAdvance(Frontier),
    /// The event needs a thread.
    #[error("expected a thread but didn't have one ({0:?})")]
    ExpectedThread(EventKind),
    /// The event needs a proc.
    #[error("expected a proc but didn't have one ({0:?})")]
    ExpectedProc(EventKind),
    /// The event must not have a proc.
    #[error("expected no proc but had one ({0:?})")]
    ExpectedNoProc(EventKind),
    /// The event needs a goroutine.
    #[error("expected a goroutine but didn't have one ({0:?})")]
    ExpectedGo(EventKind),
    /// The event must not have a goroutine.
    #[error("expected no goroutine but had one ({0:?})")]
    ExpectedNoGo(EventKind),
    /// A status code is unknown.
    #[error("invalid status for goroutine {go}: {status}")]
    InvalidGoStatus {
        /// The goroutine.
        go: GoId,
        /// The code.
        status: u64,
    },
    /// A status code is unknown.
    #[error("invalid status for proc {proc}: {status}")]
    InvalidProcStatus {
        /// The proc.
        proc: ProcId,
        /// The code.
        status: u64,
    },
    /// A status contradicts what is known.
    #[error("inconsistent status for goroutine {go}: old {old} vs. new {new}")]
    InconsistentGo {
        /// The goroutine.
        go: GoId,
        /// The status so far.
        old: u8,
        /// The status that was reported.
        new: u8,
    },
    /// A status contradicts what is known.
    #[error("inconsistent status for proc {proc}: old {old} vs. new {new}")]
    InconsistentProc {
        /// The proc.
        proc: ProcId,
        /// The status so far.
        old: u8,
        /// The status that was reported.
        new: u8,
    },
    /// A goroutine cannot appear by its status later than in the first generation.
    #[error("found goroutine status for new goroutine after the first generation: id={0}")]
    LateGo(GoId),
    /// A goroutine in a system call needs a thread.
    #[error("found goroutine {0} in syscall without a thread")]
    SyscallWithoutThread(GoId),
    /// The thread named has another goroutine.
    #[error(
        "inconsistent thread for syscalling goroutine {go}: thread {thread} has goroutine {found}"
    )]
    InconsistentThread {
        /// The goroutine.
        go: GoId,
        /// The thread.
        thread: ThreadId,
        /// The thread's goroutine.
        found: GoId,
    },
    /// A proc said to be lost in a system call belongs to no thread.
    #[error("failed to find sched context for proc {0} that's about to be stolen")]
    LostProc(ProcId),
    /// The goroutine concerned does not exist (any more).
    #[error("event {kind:?} for goroutine ({go}) that doesn't exist")]
    NoSuchGo {
        /// The event.
        kind: EventKind,
        /// The goroutine.
        go: GoId,
    },
    /// The proc concerned does not exist.
    #[error("event {kind:?} for proc ({proc}) that doesn't exist")]
    NoSuchProc {
        /// The event.
        kind: EventKind,
        /// The proc.
        proc: ProcId,
    },
    /// The goroutine concerned is in the wrong state.
    #[error("{kind:?} event for goroutine that's not {expected}")]
    WrongGoState {
        /// The event.
        kind: EventKind,
        /// The state it needs.
        expected: &'static str,
    },
    /// The proc concerned is in the wrong state.
    #[error("{kind:?} event for proc that's not {expected}")]
    WrongProcState {
        /// The event.
        kind: EventKind,
        /// The state it needs.
        expected: &'static str,
    },
    /// A goroutine is made that exists.
    #[error("tried to create goroutine ({0}) that already exists")]
    GoExists(GoId),
    /// A proc is taken from a thread that does not exist.
    #[error("stole proc from non-existent thread {0}")]
    StolenFromNobody(ThreadId),
    /// A proc is taken from a thread that has another one.
    #[error("tried to steal proc {proc} from thread {thread}, but got proc {found} instead")]
    StolenOther {
        /// The proc to be taken.
        proc: ProcId,
        /// The thread.
        thread: ThreadId,
        /// The thread's proc.
        found: ProcId,
    },
    /// The sequence number of a system call is wrong.
    #[error("failed to advance {kind:?}: can't make sequence: {last} -> {found}")]
    WrongSequence {
        /// The event.
        kind: EventKind,
        /// The last number of that proc in this generation; 0 if it has none.
        last: u64,
        /// The number of the event.
        found: u64,
    },
    /// A user task begins that is open.
    #[error("task ID conflict: {0}")]
    TaskConflict(TaskId),
    /// A region ends that is not the innermost one.
    #[error(
        "misuse of region in goroutine {go}: region end {{{task} {name}}} when the inner-most active region start event is {{{open_task} {open_name}}}"
    )]
    RegionMisuse {
        /// The goroutine.
        go: GoId,
        /// The task of the region that ends.
        task: TaskId,
        /// The name of the region that ends.
        name: String,
        /// The task of the innermost region.
        open_task: TaskId,
        /// The name of the innermost region.
        open_name: String,
    },
    /// A range begins that is open.
    #[error("discovered event already in-flight for when starting event {0:?}")]
    RangeOpen(EventKind),
    /// A range ends that is not open.
    #[error("tried to end event {0:?}, but not in-flight")]
    RangeNotOpen(EventKind),
    /// A range is said to be open and is not.
    #[error("resource is missing active range: {0:?}")]
    RangeMissing(EventKind),
    /// A garbage collection contradicts what is known of it.
    #[error("encountered {kind:?} {problem}")]
    Gc {
        /// The event.
        kind: EventKind,
        /// The contradiction.
        problem: &'static str,
    },
    /// Open goroutines, procs, threads, tasks, regions exceed the limit:
    /// [`MAX_STATE_BYTES`](crate::MAX_STATE_BYTES), or what
    /// [`Reader::with_max_state_bytes`](crate::Reader::with_max_state_bytes) set.
    #[error("more goroutines, user tasks and regions are open at once than fit in {0} bytes")]
    StateTooLarge(u64),
}

/// The events that the threads of a stuck trace wait with; the first few of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Frontier {
    /// Thread and event.
    pub waiting: Vec<(ThreadId, EventKind, Vec<u64>)>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (thread, kind, arguments)) in self.waiting.iter().enumerate() {
            write!(f, "{}{thread} {kind:?}", if index == 0 { "" } else { ", " })?;
            for (argument, value) in kind.arguments().iter().zip(arguments) {
                write!(f, " {}={value}", argument.name)?;
            }
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}
