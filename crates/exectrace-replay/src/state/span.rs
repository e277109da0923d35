//! The time that a goroutine spends in one state.

use std::ops::Deref;

use exectrace_format::GoState;

use crate::names::{Stack, Text};

use super::goroutines::Goroutine;

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
///
/// Why and how the state began is in the [`Goroutine`], to which this derefs: its `state`, `origin`,
/// `reason`, `actor`, `stack`, `proc`, `thread`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StateSpan<'a> {
    /// The goroutine, which is in the state still.
    pub goroutine: &'a Goroutine,
    /// When it began; with [`Origin::Before`], when the trace reports it first.
    pub begin: i64,
    /// When it ended.
    pub end: i64,
    /// In a system call: when its proc was taken away; `end` if it was not.
    pub blocked: i64,
    /// What comes after it.
    pub next: Next,
    /// Why it ended, where that is known.
    pub end_reason: Text,
    /// The stack of the event that ended it.
    pub end_stack: Stack,
    /// The goroutine's own stack where it ended, if the event had that.
    pub own_end_stack: Stack,
    /// It is a thread's own code that had its thread: whether it ran, slept or waited is not in the trace.
    pub is_own_code: bool,
    /// It ends in a call: what ran is in the middle of a run still, and keeps its thread.
    pub enters_call: bool,
}

impl Deref for StateSpan<'_> {
    type Target = Goroutine;

    #[inline]
    fn deref(&self) -> &Goroutine {
        self.goroutine
    }
}

impl StateSpan<'_> {
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
            false => self.goroutine.state,
        }
    }

    /// Whether its end was seen.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.next != Next::TraceEnd
    }

    /// Whether it is the time from a wake to the run, and the wake was seen. Who has waited in a call was not
    /// woken, and runs on when that is over.
    #[inline]
    pub fn is_wake_delay(&self) -> bool {
        let goroutine = self.goroutine;
        goroutine.state == GoroutineState::Runnable
            && self.next != Next::End
            && goroutine.origin == Origin::From(GoroutineState::Waiting)
            && !goroutine.is_wake_concluded
            && !goroutine.waits_in_call
    }
}

/// The nanoseconds from `begin` to `end`; 0 if `end` is the earlier.
#[inline]
pub fn between(begin: i64, end: i64) -> u64 {
    // The difference of any two fits an unsigned number of the same width.
    if begin < end { end.abs_diff(begin) } else { 0 }
}
