//! An async task on its track, and the state it is in.

use std::ops::Deref;

use exectrace_format::{ProcId, ThreadId};
use exectrace_replay::{Goroutine, GoroutineKind, GoroutineState, Slot, Stack, Text};

use super::change::Ready;

/// The state of an async task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TrackState {
    Runnable,
    Running,
    Waiting,
    Syscall,
    /// A thread's own code has its thread. Whether it runs, sleeps or waits is not in the trace.
    OwnCode,
}

impl TrackState {
    /// `None` for a goroutine of which nothing is known.
    pub(super) fn of(state: GoroutineState, kind: GoroutineKind) -> Option<Self> {
        match (state, kind) {
            (GoroutineState::Runnable, _) => Some(Self::Runnable),
            (GoroutineState::Running, GoroutineKind::Thread) => Some(Self::OwnCode),
            (GoroutineState::Running, GoroutineKind::Task) => Some(Self::Running),
            (GoroutineState::Waiting, _) => Some(Self::Waiting),
            (GoroutineState::Syscall, _) => Some(Self::Syscall),
            (GoroutineState::Unknown, _) => None,
        }
    }

    /// Whether it has a thread.
    pub(crate) fn is_executing(self) -> bool {
        matches!(self, Self::Running | Self::Syscall | Self::OwnCode)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
            Self::OwnCode => "own code",
        }
    }
}

/// The time in one state, from its begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateSlice {
    pub(crate) state: TrackState,
    pub(crate) begin: i64,
    /// Whether its begin is in the trace; otherwise it lasts since before.
    #[cfg_attr(
        not(feature = "parquet"),
        allow(dead_code, reason = "only tables have a column of it")
    )]
    pub(crate) is_begin_seen: bool,
    /// Why it waits, or stopped.
    pub(crate) reason: Text,
    /// Where it waits or called; for a runnable task, where the waker, the spawner or itself was.
    pub(crate) stack: Stack,
    /// The call that it is in; empty if it is in none, and of Go's, whose stacks do not end in it.
    pub(crate) call: Text,
    /// Where it runs, or ran when it came into the state.
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
    /// For a runnable and then a running task: what made it ready.
    pub(crate) ready: Option<Ready>,
}

/// What is drawn of an async task at an instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drawn {
    /// `None` only while nothing is known of it.
    pub(super) now: Option<StateSlice>,
    /// What made it ready, of the state that it left last.
    pub(super) ready: Option<Ready>,
    /// The lanes on which it has an open run.
    pub(super) on_worker: Option<ProcId>,
    pub(super) on_thread: Option<ThreadId>,
}

/// What is drawn of those that are alive.
#[derive(Debug, Default)]
pub(super) struct DrawnTasks(Vec<Drawn>);

impl DrawnTasks {
    pub(super) fn begin(&mut self, slot: Slot) {
        if self.0.len() <= slot.index() {
            self.0.resize(slot.index() + 1, Drawn::default());
        }
        self.0[slot.index()] = Drawn::default();
    }

    #[inline]
    pub(super) fn at(&self, slot: Slot) -> &Drawn {
        &self.0[slot.index()]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, slot: Slot) -> &mut Drawn {
        &mut self.0[slot.index()]
    }
}

/// An async task that is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(super) goroutine: &'a Goroutine,
    pub(super) drawn: &'a Drawn,
}

impl Task<'_> {
    /// The state that it is in; `None` only while nothing is known of it.
    pub(crate) fn now(&self) -> Option<StateSlice> {
        self.drawn.now
    }

    /// Whether it is a thread's own code.
    pub(crate) fn is_thread(&self) -> bool {
        self.goroutine.kind == GoroutineKind::Thread
    }
}

impl Deref for Task<'_> {
    type Target = Goroutine;

    fn deref(&self) -> &Goroutine {
        self.goroutine
    }
}
