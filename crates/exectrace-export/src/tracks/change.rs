//! What a trace says, in the words of a picture: things begin, end, and change their state.

use exectrace_format::{GoId, ProcId, SideRecord, SpanRecord, SyncClock, TaskId, ThreadId};
use exectrace_replay::{End, Range, Stack, Text, UserTask};

use super::task::{StateSlice, Task, TrackState};

/// What holds an async task while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Worker(ProcId),
    Thread(ThreadId),
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
pub(crate) struct RegionSlice {
    pub(crate) name: Text,
    pub(crate) user_task: TaskId,
    pub(crate) begin: i64,
    /// Whether its begin is in the trace.
    pub(crate) is_begin_seen: bool,
    pub(crate) stack: Stack,
    /// It has ended, and is a part of a span; else it is a span by itself.
    #[cfg_attr(
        not(feature = "parquet"),
        allow(dead_code, reason = "only tables have a column of it")
    )]
    pub(crate) is_part: bool,
}

/// A span that is not its region alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) record: &'a SpanRecord,
    /// Nothing else is as long: it was entered by a thread's own code, in which it has a region for each
    /// time that it was entered.
    pub(crate) is_in_parts: bool,
}

/// A wake, or the spawn of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WakeArrow {
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
pub(crate) struct LogLine<'a> {
    pub(crate) user_task: TaskId,
    pub(crate) task: GoId,
    pub(crate) worker: ProcId,
    pub(crate) thread: ThreadId,
    pub(crate) category: &'a str,
    pub(crate) message: &'a str,
    pub(crate) stack: Stack,
}

/// One thing that a trace says. Of what ends at once, the inner comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// A generation begins, or the trace ends.
    Sync(Option<SyncClock>),
    /// The name or label of an async task has become known.
    TaskNamed(Task<'a>),
    /// An async task leaves a state.
    Left {
        task: Task<'a>,
        slice: StateSlice,
        end: End,
    },
    /// An async task enters a state, that in `task.now()`.
    Entered(Task<'a>),
    /// An async task has ended.
    TaskGone(Task<'a>),
    /// If the task had no name at `run.begin`, this comes when it has, at the latest when the run ends.
    RunBegan {
        lane: Lane,
        run: Run,
    },
    /// `next` is what came after: the state, the reason, and the stack at the end.
    RunEnded {
        lane: Lane,
        run: Run,
        next: AfterRun,
        end: End,
    },
    /// A call inside a run: of the system, or one of the C library that waits.
    SyscallBegan {
        lane: Lane,
        run: Run,
        stack: Stack,
        /// Its name, where the trace has it.
        call: Text,
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
    Wake(WakeArrow),
    RegionBegan {
        task: Task<'a>,
        region: RegionSlice,
    },
    RegionEnded {
        task: Task<'a>,
        region: RegionSlice,
        end: End,
    },
    /// A span has closed, or does so within the generation.
    Span(Span<'a>),
    UserTaskBegan(UserTask),
    UserTaskEnded {
        user_task: UserTask,
        end: End,
    },
    Log(LogLine<'a>),
    /// A counter of Go's has a new value.
    Metric {
        name: &'static str,
        value: u64,
    },
    RangeBegan(Range),
    RangeEnded {
        range: Range,
        end: End,
    },
    /// A CPU sample.
    Sample {
        task: GoId,
        worker: ProcId,
        thread: ThreadId,
        stack: Stack,
    },
    /// A record of side data. Names of workers and threads are known already.
    Side(&'a SideRecord),
    /// Nothing follows.
    TheEnd,
}

/// What came after a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AfterRun {
    /// `None` where the task ended or is not known any more.
    pub(crate) state: Option<TrackState>,
    pub(crate) reason: Text,
    pub(crate) stack: Stack,
}

impl AfterRun {
    pub(super) const UNKNOWN: Self = Self {
        state: None,
        reason: Text::EMPTY,
        stack: Stack::NONE,
    };

    /// The state, in a word.
    pub(crate) fn name(&self) -> &'static str {
        self.state.map_or("ended", TrackState::name)
    }
}
