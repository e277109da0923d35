//! A stretch: the time that a flow spent in one state.

use exectrace_format::{GoId, GoState};

use crate::names::{Stack, Text};

/// The state of a flow that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Not known yet, or no longer told of.
    #[default]
    Unknown,
    Runnable,
    Running,
    Waiting,
    Syscall,
}

impl State {
    pub(crate) fn of(state: GoState) -> Self {
        match state {
            GoState::Runnable => Self::Runnable,
            GoState::Running => Self::Running,
            GoState::Waiting => Self::Waiting,
            GoState::Syscall => Self::Syscall,
            GoState::Undetermined | GoState::NotExist => Self::Unknown,
        }
    }

    /// As the documented schema calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
        }
    }
}

/// What the flow did before the stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was in this state when the trace began, or when the trace first tells of it.
    #[default]
    Before,
    /// It was spawned.
    Spawned,
    /// It was in this state.
    From(State),
}

/// What comes after the stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    State(State),
    /// The flow ends.
    End,
    /// The trace ends, and the stretch is open.
    TraceEnd,
}

/// A stretch of a flow. Times are on the clock of the trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) state: State,
    pub(crate) begin: i64,
    pub(crate) end: i64,
    /// How many nanoseconds of it lie in the part of the trace that counts.
    pub(crate) inside: u64,
    /// In a system call: when its worker was taken away; `end` if it was not.
    pub(crate) blocked: i64,
    pub(crate) origin: Origin,
    pub(crate) next: Next,
    /// Why it began: of a wait its reason, of a yield its.
    pub(crate) reason: Text,
    /// Who began it: of a wake the waker, of a spawn the spawner, else mostly the flow itself.
    pub(crate) actor: GoId,
    /// The stack of the event that began it; of a wake that is the waker's.
    pub(crate) stack: Stack,
    /// Why it ended, where that is told.
    pub(crate) end_reason: Text,
    /// The stack of the event that ended it.
    pub(crate) end_stack: Stack,
    /// The worker where it began, or `u64::MAX`.
    pub(crate) lane: u64,
    /// The thread where it began, or `u64::MAX`.
    pub(crate) thread: u64,
    /// The flow is a thread's own code, which had its thread: whether it ran or slept was not seen,
    /// and `state` is [`State::Unknown`].
    pub(crate) is_own_code: bool,
    /// The wake that began it was not seen: the recorder concluded it from the run that followed.
    pub(crate) is_wake_concluded: bool,
}

impl Stretch {
    pub(crate) fn duration(&self) -> u64 {
        between(self.begin, self.end)
    }

    /// Whether its end was seen.
    pub(crate) fn is_closed(&self) -> bool {
        self.next != Next::TraceEnd
    }

    /// Whether it is the delay between a wake and the run, and the wake was seen.
    pub(crate) fn is_wake_delay(&self) -> bool {
        self.state == State::Runnable
            && self.next != Next::End
            && self.origin == Origin::From(State::Waiting)
            && !self.is_wake_concluded
    }
}

/// The nanoseconds from `begin` to `end`; 0 if `end` is the earlier.
#[inline]
pub(crate) fn between(begin: i64, end: i64) -> u64 {
    // The difference of any two fits an unsigned number of the same width.
    if begin < end { end.abs_diff(begin) } else { 0 }
}
