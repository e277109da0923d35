//! An async task that the wrapper reports, because no hook does.

use std::panic::Location;

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, StackHash};

use crate::current;
use crate::runtimes::RuntimeState;

/// An async task that is reported from its spawn to its end. Dropping this reports the end, if nothing else has.
#[derive(Debug)]
pub(crate) struct ReportedTask {
    pub(crate) state: &'static RuntimeState,
    /// The task; [`ENDED`] after its end.
    pub(crate) task: AsyncTaskId,
}

const ENDED: AsyncTaskId = AsyncTaskId::of_runtime(0);

impl ReportedTask {
    /// Reports a task that is spawned now.
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

    /// Reports the end of the task, unless that is done.
    pub(crate) fn end(&mut self) {
        if self.task != ENDED {
            self.state.runtime.ended(self.task);
            self.task = ENDED;
        }
    }

    /// Reports that the calling thread begins to poll the task. The caller has checked that something records.
    ///
    /// `tokio_id` is the task's id in Tokio, or 0 if it has none.
    #[inline]
    pub(crate) fn poll(&mut self, tokio_id: u64) -> ReportedPoll<'_> {
        current::report_worker(self.state);
        self.run(tokio_id)
    }

    /// Reports that the calling thread, which is one of the blocking pool, runs the task to its end. The caller
    /// has checked that something records.
    pub(crate) fn run(&mut self, tokio_id: u64) -> ReportedPoll<'_> {
        let depth = current::open(tokio_id);
        self.state.runtime.poll_begins(self.task);
        ReportedPoll {
            id: self.task,
            task: self,
            tokio_id,
            depth,
            outcome: Outcome::Ended,
        }
    }
}

impl Drop for ReportedTask {
    fn drop(&mut self) {
        self.end();
    }
}

/// The outcome of a poll. A poll that panics ends its task.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Ended,
    Waits(Option<StackHash>),
}

/// A poll that is under way. Dropping this reports the poll's end.
#[derive(Debug)]
pub(crate) struct ReportedPoll<'a> {
    task: &'a mut ReportedTask,
    id: AsyncTaskId,
    tokio_id: u64,
    depth: usize,
    outcome: Outcome,
}

impl ReportedPoll<'_> {
    /// The task has not ended. It waits at this stack, if that is known.
    #[inline]
    pub(crate) fn waits(&mut self, stack: Option<StackHash>) {
        self.outcome = Outcome::Waits(stack);
    }
}

impl Drop for ReportedPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.outcome, Outcome::Ended) {
            self.task.end();
        }
        current::close_to(self.depth, self.tokio_id);
        let (runtime, task) = (self.task.state.runtime, self.id);
        match self.outcome {
            Outcome::Waits(Some(stack)) => runtime.poll_ends_at(task, stack),
            _ => runtime.poll_ends(task),
        }
    }
}
