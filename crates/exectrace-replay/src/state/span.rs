//! The time that a goroutine spends in one state.

use exectrace_format::{GoId, GoState, ProcId, ThreadId};

use crate::names::{Stack, Text};

/// The state of a goroutine that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GoroutineState {
    /// Not known.
    #[default]
    Unknown,
    /// It could run.
    Runnable,
    /// It runs, on a thread.
    Running,
    /// It waits for something.
    Waiting,
    /// It is in a system call, on a thread.
    Syscall,
}

impl GoroutineState {
    /// The state that the format calls so.
    #[inline]
    pub fn of(state: GoState) -> Self {
        match state {
            GoState::Runnable => Self::Runnable,
            GoState::Running => Self::Running,
            GoState::Waiting => Self::Waiting,
            GoState::Syscall => Self::Syscall,
            GoState::Undetermined | GoState::NotExist => Self::Unknown,
        }
    }

    /// A word for it: `unknown`, `runnable`, `running`, `waiting`, `syscall`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
        }
    }

    /// Whether a goroutine in this state has a thread.
    #[inline]
    pub const fn has_thread(self) -> bool {
        matches!(self, Self::Running | Self::Syscall)
    }
}

/// What a goroutine did before it came into a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It was in this state when the trace began.
    #[default]
    Before,
    /// It was made.
    Spawned,
    /// It was in this state.
    From(GoroutineState),
}

/// What comes after a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Another state.
    State(GoroutineState),
    /// The goroutine ends.
    End,
    /// The trace ends, and the state lasts.
    TraceEnd,
}

/// The time that a goroutine spent in one state. Times are nanoseconds on the clock of the trace.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StateSpan {
    /// The state.
    pub state: GoroutineState,
    /// When it began; with [`Origin::Before`], when the trace reports it first.
    pub begin: i64,
    /// When it ended.
    pub end: i64,
    /// In a system call: when its proc was taken away; `end` if it was not.
    pub blocked: i64,
    /// What was before it.
    pub origin: Origin,
    /// What comes after it.
    pub next: Next,
    /// Why it began: of a wait its reason, of a goroutine that stopped the reason of that.
    pub reason: Text,
    /// Who began it: of a wake the waker, of a spawn the spawner, else mostly the goroutine itself.
    pub actor: GoId,
    /// The stack of the event that began it; of a wake that is the waker's.
    pub stack: Stack,
    /// The goroutine's own stack where it began, if the event had that.
    pub own_stack: Stack,
    /// Why it ended, where that is known.
    pub end_reason: Text,
    /// The stack of the event that ended it.
    pub end_stack: Stack,
    /// The goroutine's own stack where it ended, if the event had that.
    pub own_end_stack: Stack,
    /// The proc of the thread on which it began, or [`ProcId::NONE`].
    pub proc: ProcId,
    /// The thread on which it began, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// It began with a wake that was not seen: the recorder concluded it from the run that followed.
    pub is_wake_concluded: bool,
    /// It is a thread's own code that had its thread: whether it ran, slept or waited is not in the trace.
    pub is_own_code: bool,
}

impl StateSpan {
    /// How long it lasted, in nanoseconds.
    #[inline]
    pub fn duration(&self) -> u64 {
        between(self.begin, self.end)
    }

    /// The state as far as it was seen: unknown for a thread's own code.
    #[inline]
    pub fn seen_state(&self) -> GoroutineState {
        match self.is_own_code {
            true => GoroutineState::Unknown,
            false => self.state,
        }
    }

    /// Whether its end was seen.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.next != Next::TraceEnd
    }

    /// Whether it is the time from a wake to the run, and the wake was seen.
    #[inline]
    pub fn is_wake_delay(&self) -> bool {
        self.state == GoroutineState::Runnable
            && self.next != Next::End
            && self.origin == Origin::From(GoroutineState::Waiting)
            && !self.is_wake_concluded
    }
}

/// The nanoseconds from `begin` to `end`; 0 if `end` is the earlier.
#[inline]
pub fn between(begin: i64, end: i64) -> u64 {
    // The difference of any two fits an unsigned number of the same width.
    if begin < end { end.abs_diff(begin) } else { 0 }
}
