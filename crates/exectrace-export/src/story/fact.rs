//! What a trace tells, in the words of a picture: things begin, end, and change their state.

use exectrace_format::{
    GoId, ProcId, RangeScope, SideRecord, SpanRecord, SyncClock, TaskId, ThreadId,
};

use super::book::{Stack, Text};
use super::task::{State, Stretch, Task};

/// What holds an async task while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Worker(ProcId),
    Thread(ThreadId),
}

/// How it is known that something is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The trace tells of its end.
    Told,
    /// The async task it belonged to ended.
    WithTask,
    /// The trace ends before it.
    WithTrace,
}

/// An async task on a lane, from the moment it gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) task: GoId,
    pub(crate) begin: i64,
    /// How it became ready; `None` if that was not seen.
    pub(crate) ready: Option<Ready>,
    /// The begin of the system call it is in.
    pub(crate) syscall: Option<i64>,
    /// Nanoseconds in system calls that are over.
    pub(crate) syscall_ns: i64,
    /// The worker of a run on a thread, the thread of a run on a worker.
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
}

impl Run {
    /// How long the task was ready before, if that was seen.
    pub(crate) fn delay_ns(&self) -> Option<u64> {
        let ready = self.ready.filter(|ready| ready.is_seen)?;
        Some(self.begin.abs_diff(ready.since))
    }
}

/// How an async task became ready to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) since: i64,
    /// Who woke it, or spawned it.
    pub(crate) waker: GoId,
    /// The number of the wake; 0 if there was none.
    pub(crate) wake: u64,
    /// Whether `since` was seen, and not concluded from the run that followed.
    pub(crate) is_seen: bool,
}

/// A region that is open or has just ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) name: Text,
    pub(crate) user_task: TaskId,
    pub(crate) begin: i64,
    /// Whether its begin is in the trace.
    pub(crate) begin_told: bool,
    pub(crate) stack: Stack,
    /// It has ended, and is a part of a span; else it is a span by itself.
    #[cfg_attr(
        not(feature = "parquet"),
        allow(dead_code, reason = "only tables tell it")
    )]
    pub(crate) is_part: bool,
}

/// A span that its region does not tell of, or not all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) record: &'a SpanRecord,
    /// Nothing else is as long: it was entered by a thread's own code, in which each stretch is a region.
    pub(crate) is_in_stretches: bool,
}

/// A user task that is open or has just ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserTask {
    pub(crate) id: TaskId,
    /// [`TaskId::NONE`] or [`TaskId::BACKGROUND`] if it has none.
    pub(crate) parent: TaskId,
    pub(crate) name: Text,
    /// May lie before the trace.
    pub(crate) begin: i64,
    /// Whether its begin is in the trace.
    #[cfg_attr(
        not(feature = "parquet"),
        allow(dead_code, reason = "only tables tell it")
    )]
    pub(crate) begin_told: bool,
    /// The async task in which it began.
    pub(crate) task: GoId,
    /// It is no operation: it carries a span that is concurrent with others of its async task.
    pub(crate) carries: bool,
}

/// A wake, or the spawn of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake {
    /// Counts from 1.
    pub(crate) number: u64,
    pub(crate) woken: GoId,
    pub(crate) is_spawn: bool,
    /// Where the waker was, each `NONE` if nowhere.
    pub(crate) waker: GoId,
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'a> {
    pub(crate) user_task: TaskId,
    pub(crate) task: GoId,
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
    pub(crate) category: &'a str,
    pub(crate) message: &'a str,
    pub(crate) stack: Stack,
}

/// One thing that a trace tells. Where two end at once, the inner one is told first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact<'a> {
    /// A generation begins, or the trace ends.
    Sync(Option<SyncClock>),
    /// The name or label of an async task has become known.
    TaskNamed(&'a Task),
    /// An async task leaves a state.
    Left {
        task: &'a Task,
        stretch: Stretch,
        end: End,
    },
    /// An async task enters a state, that in `task.now`.
    Entered(&'a Task),
    /// An async task has ended.
    TaskGone(&'a Task),
    /// If the task had no name at `run.begin`, this is told when it has, at the latest when the run
    /// ends.
    RunBegan {
        lane: Lane,
        run: Run,
    },
    /// `next` is what came after: the state, the reason, and the stack at the end.
    RunEnded {
        lane: Lane,
        run: Run,
        next: Next,
        end: End,
    },
    /// A system call inside a run.
    SyscallBegan {
        lane: Lane,
        run: Run,
        stack: Stack,
    },
    SyscallEnded {
        lane: Lane,
        end: End,
    },
    /// A thread takes a worker (unpark), or leaves it (park).
    WorkerHeld {
        worker: ProcId,
        thread: ThreadId,
    },
    WorkerFreed {
        worker: ProcId,
        thread: ThreadId,
    },
    Wake(Wake),
    RegionBegan {
        task: &'a Task,
        region: Region,
    },
    RegionEnded {
        task: &'a Task,
        region: Region,
        end: End,
    },
    /// A span has closed, or does so within the generation.
    Span(Span<'a>),
    UserTaskBegan(UserTask),
    UserTaskEnded {
        user_task: UserTask,
        end: End,
    },
    Log(Log<'a>),
    /// A counter of Go's has a new value.
    Metric {
        name: &'static str,
        value: u64,
    },
    RangeBegan {
        scope: RangeScope,
        name: Text,
        begin: i64,
    },
    RangeEnded {
        scope: RangeScope,
        name: Text,
        begin: i64,
        end: End,
    },
    /// A CPU sample.
    Sample {
        task: GoId,
        worker: ProcId,
        thread: ThreadId,
        stack: Stack,
    },
    /// A record of side data. Names of workers and threads stand in the scene already.
    Side(&'a SideRecord),
    /// Nothing follows.
    TheEnd,
}

/// What came after a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    /// `None` where the task ended or is not known any more.
    pub(crate) state: Option<State>,
    pub(crate) reason: Text,
    pub(crate) stack: Stack,
}

impl Next {
    /// The state, in a word.
    pub(crate) fn name(&self) -> &'static str {
        self.state.map_or("ended", State::name)
    }
}
