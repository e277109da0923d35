//! What a reader shows of the states of goroutines and procs, and what a range concerns.
//!
//! These types can be matched without a wildcard: what a later version of the format adds would be a kind of
//! event of its own.

use crate::ids::{GoId, ProcId};

/// What a range concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeScope {
    /// The whole program.
    Global,
    /// A proc.
    Proc(ProcId),
    /// A goroutine.
    Go(GoId),
}

/// The states of a goroutine or proc before and after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// Of a goroutine.
    Go {
        /// The goroutine.
        go: GoId,
        /// Before.
        from: GoState,
        /// After.
        to: GoState,
    },
    /// Of a proc.
    Proc {
        /// The proc.
        proc: ProcId,
        /// Before.
        from: ProcState,
        /// After.
        to: ProcState,
    },
}

/// The state of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoState {
    /// Not known, as the trace begins here.
    Undetermined,
    /// There is no such goroutine: it is not made yet, or has ended.
    NotExist,
    /// Could run, and waits for a proc.
    Runnable,
    /// Runs.
    Running,
    /// Waits for something.
    Waiting,
    /// Is in a system call.
    Syscall,
}

/// The state of a proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcState {
    /// Not known, as the trace begins here.
    Undetermined,
    /// There is no such proc yet.
    NotExist,
    /// Held by a thread, which may be in a system call.
    Running,
    /// Free.
    Idle,
}

impl ProcState {
    /// A word for it: `undetermined`, `none`, `running`, `idle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undetermined => "undetermined",
            Self::NotExist => "none",
            Self::Running => "running",
            Self::Idle => "idle",
        }
    }
}

impl GoState {
    /// A word for it: `undetermined`, `none`, `runnable`, `running`, `waiting`, `syscall`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undetermined => "undetermined",
            Self::NotExist => "none",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
        }
    }

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
