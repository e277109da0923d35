//! A task that no hook tells of: what its wrapper tells.

use std::panic::Location;

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, StackHash};

use crate::current;
use crate::runtimes::RuntimeState;

/// A task that is told of from its spawn to its end, which is when this is dropped at the latest.
#[derive(Debug)]
pub(crate) struct ToldTask {
    pub(crate) state: &'static RuntimeState,
    /// Its number; that of no task once it has ended.
    pub(crate) task: AsyncTaskId,
}

const ENDED: AsyncTaskId = AsyncTaskId::of_runtime(0);

impl ToldTask {
    /// Tells of a task that is spawned now.
    pub(crate) fn spawned(
        state: &'static RuntimeState,
        task: AsyncTaskId,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        state.runtime.spawned(task, kind, place, name);
        Self { state, task }
    }

    /// The task is at its end.
    pub(crate) fn end(&mut self) {
        if self.task != ENDED {
            self.state.runtime.ended(self.task);
            self.task = ENDED;
        }
    }

    /// Tells that the calling thread begins to poll the task. The caller has looked at the switch.
    ///
    /// `tokio_number` is the task's number in Tokio, 0 if it has none.
    #[inline]
    pub(crate) fn poll(&mut self, tokio_number: u64) -> ToldPoll<'_> {
        current::tell_worker(self.state);
        self.run(tokio_number)
    }

    /// Tells that the calling thread, of the blocking pool, runs the task, on to its end. The caller has looked at the
    /// switch.
    pub(crate) fn run(&mut self, tokio_number: u64) -> ToldPoll<'_> {
        let depth = current::open(tokio_number);
        self.state.runtime.poll_begins(self.task);
        ToldPoll {
            number: self.task,
            task: self,
            tokio_number,
            depth,
            outcome: Outcome::Ended,
        }
    }
}

impl Drop for ToldTask {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a poll came to. One that is left by a panic ends its task.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Ended,
    Waits(Option<StackHash>),
}

/// A poll that is under way. Its end is told when this is dropped.
#[derive(Debug)]
pub(crate) struct ToldPoll<'a> {
    task: &'a mut ToldTask,
    number: AsyncTaskId,
    tokio_number: u64,
    depth: usize,
    outcome: Outcome,
}

impl ToldPoll<'_> {
    /// The task is not at its end; it waits, here if that is known.
    #[inline]
    pub(crate) fn waits(&mut self, stack: Option<StackHash>) {
        self.outcome = Outcome::Waits(stack);
    }
}

impl Drop for ToldPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.outcome, Outcome::Ended) {
            self.task.end();
        }
        current::close_to(self.depth, self.tokio_number);
        let (runtime, task) = (self.task.state.runtime, self.number);
        match self.outcome {
            Outcome::Waits(Some(stack)) => runtime.poll_ends_at(task, stack),
            _ => runtime.poll_ends(task),
        }
    }
}
