//! An async task and the state it is in.

use exectrace_format::{GoId, GoState, ProcId, ThreadId};

use super::book::{Stack, Text};
use super::fact::{Ready, Region};

/// The state of an async task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Runnable,
    Running,
    Waiting,
    Syscall,
    /// A thread's own code has its thread. Whether it runs, sleeps or waits is not in the trace.
    OwnCode,
}

impl State {
    /// `None` for a flow that does not exist, or of which nothing is known.
    pub(crate) fn of(state: GoState) -> Option<Self> {
        match state {
            GoState::Runnable => Some(Self::Runnable),
            GoState::Running => Some(Self::Running),
            GoState::Waiting => Some(Self::Waiting),
            GoState::Syscall => Some(Self::Syscall),
            GoState::Undetermined | GoState::NotExist => None,
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

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) state: State,
    pub(crate) begin: i64,
    /// Whether the trace tells when it began; otherwise it lasts since before.
    pub(crate) begin_told: bool,
    /// Why it waits, or stopped.
    pub(crate) reason: Text,
    /// Where it waits or called; for a runnable task, where the waker, the spawner or itself was.
    pub(crate) stack: Stack,
    /// Where it runs, or ran when it came into the state.
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
    /// For a runnable and then a running task: what made it ready.
    pub(crate) ready: Option<Ready>,
}

/// An async task that is alive.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: GoId,
    /// The function of its root frame; empty while not known.
    pub(crate) name: Text,
    pub(crate) label: Text,
    /// It is a thread's own code.
    pub(crate) is_thread: bool,
    /// Where it was spawned.
    pub(crate) spawned_at: Stack,
    /// `None` only while nothing is known of it.
    pub(crate) now: Option<Stretch>,
    /// Open regions, the outermost first.
    pub(crate) regions: Vec<Region>,
    /// Regions that ended though their begin is not in the trace.
    pub(crate) headless_regions: i64,
    /// The lanes on which it has an open run.
    pub(crate) on_worker: Option<ProcId>,
    pub(crate) on_thread: Option<ThreadId>,
}

impl Task {
    pub(crate) fn new(id: GoId) -> Self {
        Self {
            id,
            name: Text::EMPTY,
            label: Text::EMPTY,
            is_thread: false,
            spawned_at: Stack::NONE,
            now: None,
            regions: Vec::new(),
            headless_regions: 0,
            on_worker: None,
            on_thread: None,
        }
    }

    /// As Go's tools show it: `G7 name (label)`.
    pub(crate) fn title(&self, book: &super::Book) -> String {
        let mut title = format!("G{}", self.id.0);
        if self.name != Text::EMPTY {
            title.push(' ');
            title.push_str(book.text(self.name));
        }
        if self.label != Text::EMPTY {
            title.push_str(" (");
            title.push_str(book.text(self.label));
            title.push(')');
        }
        title
    }
}
