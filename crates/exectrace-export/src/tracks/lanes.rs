//! What runs on workers and threads: the runs of async tasks, and the system calls in them.

use exectrace_format::{ProcId, ProcState, ThreadId};
use exectrace_replay::{End, ProcChange, Slot, State, Text};

use crate::error::ExportError;

use super::TrackWriter;
use super::change::{AfterRun, Change, Lane, Run};
use super::observer::Tracks;
use super::task::{StateSlice, TrackState};

impl<W: TrackWriter> Tracks<'_, W> {
    /// The task runs, or is in a call, on a worker and a thread.
    pub(super) fn take_lanes(
        &mut self,
        state: &State,
        slot: Slot,
        slice: &StateSlice,
    ) -> Result<(), ExportError> {
        let drawn = self.tasks.at(slot);
        let (on_worker, on_thread) = (drawn.on_worker, drawn.on_thread);
        if on_worker.is_none() && slice.worker != ProcId::NONE {
            self.begin_run(state, Lane::Worker(slice.worker), slot, slice)?;
        }
        if on_thread.is_none() && slice.thread != ThreadId::NONE {
            self.begin_run(state, Lane::Thread(slice.thread), slot, slice)?;
        }
        let is_in_call = slice.state == TrackState::Syscall || slice.state == TrackState::Waiting;
        if is_in_call {
            for lane in self.lanes_of(slot) {
                self.begin_syscall(state, lane, slice)?;
            }
        }
        Ok(())
    }

    fn lanes_of(&self, slot: Slot) -> impl Iterator<Item = Lane> + use<W> {
        let drawn = self.tasks.at(slot);
        let worker = drawn.on_worker.map(Lane::Worker);
        worker.into_iter().chain(drawn.on_thread.map(Lane::Thread))
    }

    fn begin_run(
        &mut self,
        state: &State,
        lane: Lane,
        slot: Slot,
        slice: &StateSlice,
    ) -> Result<(), ExportError> {
        if self.lanes.entry(lane).run.is_some() {
            // Two tasks on one lane: it was taken from the first without a word.
            self.end_run(state, lane, AfterRun::UNKNOWN, End::Seen)?;
        }
        let goroutine = state.goroutines().at(slot);
        let entry = self.lanes.entry(lane);
        entry.run = Some(Run {
            task: goroutine.id,
            // What lasts since before the trace still begins after what is known of the lane.
            begin: slice.begin.max(entry.busy_until),
            ready: slice.ready,
            syscall: None,
            syscall_ns: 0,
            worker: slice.worker,
            thread: slice.thread,
        });
        entry.is_held_back = true;
        let drawn = self.tasks.at_mut(slot);
        match lane {
            Lane::Worker(worker) => drawn.on_worker = Some(worker),
            Lane::Thread(thread) => drawn.on_thread = Some(thread),
        }
        match goroutine.name == Text::EMPTY {
            true => Ok(()),
            false => self.write_run(state, lane),
        }
    }

    /// Writes the begins of the task's runs, as far as they were held back for its name.
    pub(super) fn write_held_back(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        for lane in self.lanes_of(slot) {
            self.write_run(state, lane)?;
        }
        Ok(())
    }

    /// Writes the begin of the lane's run, if that has been held back.
    fn write_run(&mut self, state: &State, lane: Lane) -> Result<(), ExportError> {
        let entry = self.lanes.entry(lane);
        match entry.run {
            Some(run) if std::mem::take(&mut entry.is_held_back) => {
                self.write(state, Change::RunBegan { lane, run })
            }
            _ => Ok(()),
        }
    }

    fn begin_syscall(
        &mut self,
        state: &State,
        lane: Lane,
        slice: &StateSlice,
    ) -> Result<(), ExportError> {
        self.write_run(state, lane)?;
        let Some(run) = &mut self.lanes.entry(lane).run else {
            return Ok(());
        };
        run.syscall = Some(slice.begin.max(run.begin));
        let (run, stack, call) = (*run, slice.stack, slice.call);
        let began = Change::SyscallBegan {
            lane,
            run,
            stack,
            call,
        };
        self.write(state, began)
    }

    fn end_syscall(&mut self, state: &State, lane: Lane, end: End) -> Result<(), ExportError> {
        let Some(run) = &mut self.lanes.entry(lane).run else {
            return Ok(());
        };
        let Some(begin) = run.syscall.take() else {
            return Ok(());
        };
        run.syscall_ns += state.now() - begin;
        self.write(state, Change::SyscallEnded { lane, end })
    }

    fn end_run(
        &mut self,
        state: &State,
        lane: Lane,
        next: AfterRun,
        end: End,
    ) -> Result<(), ExportError> {
        self.write_run(state, lane)?;
        self.end_syscall(state, lane, end)?;
        let entry = self.lanes.entry(lane);
        let Some(run) = entry.run.take() else {
            return Ok(());
        };
        entry.busy_until = state.now();
        if let Some(slot) = state.goroutines().find(run.task) {
            let drawn = self.tasks.at_mut(slot);
            match lane {
                Lane::Worker(_) => drawn.on_worker = None,
                Lane::Thread(_) => drawn.on_thread = None,
            }
        }
        let change = Change::RunEnded {
            lane,
            run,
            next,
            end,
        };
        self.write(state, change)
    }

    /// Before a task leaves its state: ends its runs, or only the call in them. `stays`: it keeps its lanes, whatever
    /// the next state is called.
    pub(super) fn leave_lanes(
        &mut self,
        state: &State,
        slot: Slot,
        next: AfterRun,
        (was_in_call, stays): (bool, bool),
    ) -> Result<(), ExportError> {
        let keeps_running = stays || next.state.is_some_and(TrackState::is_executing);
        for lane in self.lanes_of(slot) {
            if !keeps_running {
                self.end_run(state, lane, next, End::Seen)?;
            } else if was_in_call {
                self.end_syscall(state, lane, End::Seen)?;
            }
        }
        Ok(())
    }

    pub(super) fn end_runs_with_trace(
        &mut self,
        state: &State,
        slot: Slot,
    ) -> Result<(), ExportError> {
        for lane in self.lanes_of(slot) {
            self.end_run(state, lane, AfterRun::UNKNOWN, End::WithTrace)?;
        }
        Ok(())
    }

    pub(super) fn worker_changes(
        &mut self,
        state: &State,
        change: &ProcChange,
    ) -> Result<(), ExportError> {
        let (worker, thread) = (change.proc, change.thread);
        match (change.from, change.to) {
            (ProcState::Idle, ProcState::Running) => {
                self.write(state, Change::WorkerHeld { worker, thread })
            }
            (ProcState::Running, ProcState::Idle) => {
                // A task that is in a system call, or runs on, does so without the worker.
                let running = self.lanes.run(Lane::Worker(worker)).map(|run| run.task);
                let slot = running.and_then(|task| state.goroutines().find(task));
                let now = slot.and_then(|slot| self.tasks.at(slot).now);
                let next = AfterRun {
                    state: now.map(|slice| slice.state),
                    ..AfterRun::UNKNOWN
                };
                self.end_run(state, Lane::Worker(worker), next, End::Seen)?;
                self.write(state, Change::WorkerFreed { worker, thread })
            }
            _ => Ok(()),
        }
    }
}
