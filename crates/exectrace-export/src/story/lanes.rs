//! What runs on workers and threads: the runs of async tasks, and the system calls in them.

use exectrace_format::{CompactEvent, GoId, ProcId, ProcState, ThreadId};

use crate::error::ExportError;

use super::Sink;
use super::book::{Stack, Text};
use super::fact::{End, Fact, Lane, Next, Run};
use super::task::{State, Stretch};
use super::teller::Teller;

impl Teller {
    /// The task runs, or calls the system, on a worker and a thread.
    pub(super) fn take_lanes(
        &mut self,
        event: &CompactEvent,
        id: GoId,
        stretch: &Stretch,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let Some(task) = self.scene.tasks.get(&id) else {
            return Ok(());
        };
        let (on_worker, on_thread) = (task.on_worker, task.on_thread);
        if on_worker.is_none() && event.proc != ProcId::NONE {
            self.begin_run(Lane::Worker(event.proc), id, stretch, sink)?;
        }
        if on_thread.is_none() && event.thread != ThreadId::NONE {
            self.begin_run(Lane::Thread(event.thread), id, stretch, sink)?;
        }
        if stretch.state == State::Syscall {
            for lane in self.lanes_of(id) {
                self.begin_syscall(lane, stretch, sink)?;
            }
        }
        Ok(())
    }

    pub(super) fn lanes_of(&self, id: GoId) -> impl Iterator<Item = Lane> + use<> {
        let task = self.scene.tasks.get(&id);
        let worker = task.and_then(|task| task.on_worker).map(Lane::Worker);
        let thread = task.and_then(|task| task.on_thread).map(Lane::Thread);
        worker.into_iter().chain(thread)
    }

    fn begin_run(
        &mut self,
        lane: Lane,
        id: GoId,
        stretch: &Stretch,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let state = self.scene.lane(lane);
        if state.run.is_some() {
            // Two tasks on one lane: it was taken from the first without a word.
            self.end_run(lane, Next::UNKNOWN, End::Told, sink)?;
        }
        let state = self.scene.lane(lane);
        let run = Run {
            task: id,
            // What lasts since before the trace still begins after what is known of the lane.
            begin: stretch.begin.max(state.busy_until),
            ready: stretch.ready,
            syscall: None,
            syscall_ns: 0,
            worker: stretch.worker,
            thread: stretch.thread,
        };
        state.run = Some(run);
        state.is_held_back = true;
        let mut has_name = false;
        if let Some(task) = self.scene.tasks.get_mut(&id) {
            has_name = task.name != Text::EMPTY;
            match lane {
                Lane::Worker(worker) => task.on_worker = Some(worker),
                Lane::Thread(thread) => task.on_thread = Some(thread),
            }
        }
        if has_name {
            self.tell_run(lane, sink)
        } else {
            Ok(())
        }
    }

    /// Tells the begin of the lane's run, if that has been held back.
    pub(super) fn tell_run(&mut self, lane: Lane, sink: &mut impl Sink) -> Result<(), ExportError> {
        let state = self.scene.lane(lane);
        match state.run {
            Some(run) if std::mem::take(&mut state.is_held_back) => {
                self.say(sink, Fact::RunBegan { lane, run })
            }
            _ => Ok(()),
        }
    }

    fn begin_syscall(
        &mut self,
        lane: Lane,
        stretch: &Stretch,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        self.tell_run(lane, sink)?;
        let Some(run) = &mut self.scene.lane(lane).run else {
            return Ok(());
        };
        run.syscall = Some(stretch.begin.max(run.begin));
        let (run, stack) = (*run, stretch.stack);
        self.say(sink, Fact::SyscallBegan { lane, run, stack })
    }

    fn end_syscall(
        &mut self,
        lane: Lane,
        end: End,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let now = self.scene.now;
        let Some(run) = &mut self.scene.lane(lane).run else {
            return Ok(());
        };
        let Some(begin) = run.syscall.take() else {
            return Ok(());
        };
        run.syscall_ns += now - begin;
        self.say(sink, Fact::SyscallEnded { lane, end })
    }

    fn end_run(
        &mut self,
        lane: Lane,
        next: Next,
        end: End,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        self.tell_run(lane, sink)?;
        self.end_syscall(lane, end, sink)?;
        let now = self.scene.now;
        let state = self.scene.lane(lane);
        let Some(run) = state.run.take() else {
            return Ok(());
        };
        state.busy_until = now;
        if let Some(task) = self.scene.tasks.get_mut(&run.task) {
            match lane {
                Lane::Worker(_) => task.on_worker = None,
                Lane::Thread(_) => task.on_thread = None,
            }
        }
        self.say(
            sink,
            Fact::RunEnded {
                lane,
                run,
                next,
                end,
            },
        )
    }

    /// Before a task leaves its state: ends its runs, or only the system call in them.
    pub(super) fn leave_lanes(
        &mut self,
        id: GoId,
        before: Option<Stretch>,
        next: Next,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let was_syscall = before.is_some_and(|before| before.state == State::Syscall);
        let keeps_running = next.state.is_some_and(State::is_executing);
        for lane in self.lanes_of(id) {
            if !keeps_running {
                self.end_run(lane, next, End::Told, sink)?;
            } else if was_syscall {
                self.end_syscall(lane, End::Told, sink)?;
            }
        }
        Ok(())
    }

    pub(super) fn end_runs_with_trace(
        &mut self,
        id: GoId,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        for lane in self.lanes_of(id) {
            self.end_run(lane, Next::UNKNOWN, End::WithTrace, sink)?;
        }
        Ok(())
    }

    pub(super) fn worker_changes(
        &mut self,
        event: &CompactEvent,
        (worker, from, to): (ProcId, ProcState, ProcState),
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let thread = event.thread;
        match (from, to) {
            (ProcState::Idle, ProcState::Running) => {
                self.say(sink, Fact::WorkerHeld { worker, thread })
            }
            (ProcState::Running, ProcState::Idle) => {
                // A task that is in a system call, or runs on, does so without the worker.
                let running = self.scene.run(Lane::Worker(worker)).map(|run| run.task);
                let state = running
                    .and_then(|task| self.scene.tasks.get(&task))
                    .and_then(|task| task.now)
                    .map(|stretch| stretch.state);
                let next = Next {
                    state,
                    ..Next::UNKNOWN
                };
                self.end_run(Lane::Worker(worker), next, End::Told, sink)?;
                self.say(sink, Fact::WorkerFreed { worker, thread })
            }
            _ => Ok(()),
        }
    }
}

impl Next {
    const UNKNOWN: Self = Self {
        state: None,
        reason: Text::EMPTY,
        stack: Stack::NONE,
    };
}
