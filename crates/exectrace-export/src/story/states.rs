//! States of async tasks, and what runs on workers and threads.

use exectrace_format::{CompactEvent, GoId, GoState, ProcId, ProcState, ThreadId};

use crate::error::ExportError;

use super::Sink;
use super::book::{Stack, Text};
use super::fact::{End, Fact, Lane, Next, Ready, Run, Wake};
use super::task::{State, Stretch, Task};
use super::teller::Teller;

impl Teller {
    /// An async task changes its state, or the trace tells the state it has been in.
    ///
    /// `stacks`: the task's own, and that of who changes its state.
    pub(super) fn task_changes(
        &mut self,
        event: &CompactEvent,
        (id, from, to): (GoId, GoState, GoState),
        reason: Text,
        (own_stack, actor_stack): (Stack, Stack),
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let state = State::of(to);
        let spawned_at = match from {
            GoState::NotExist => Some(actor_stack),
            _ => None,
        };
        self.see_task(id, spawned_at);
        self.name_task(id, own_stack, sink)?;
        let before = self.scene.tasks.get(&id).and_then(|task| task.now);
        if before.map(|stretch| stretch.state) == state && state.is_some() {
            // The status at the begin of a generation says what is known.
            return Ok(());
        }
        let next = Next {
            state,
            reason,
            stack: own_stack,
        };
        self.leave_lanes(id, before, next, sink)?;
        self.leave(id, sink)?;
        let Some(state) = state else {
            return if to == GoState::NotExist {
                self.bury(id, sink)
            } else {
                Ok(())
            };
        };
        let is_wake =
            state == State::Runnable && matches!(from, GoState::Waiting | GoState::NotExist);
        let ready = match state {
            State::Runnable => Some(self.ready(event, id, is_wake, from, sink)?),
            State::Running => before.and_then(|before| before.ready),
            State::Waiting | State::Syscall => None,
        };
        let stack = if is_wake { actor_stack } else { own_stack };
        self.enter(
            event,
            id,
            Stretch {
                state,
                begin: self.scene.now,
                begin_told: from != GoState::Undetermined,
                reason,
                stack,
                worker: event.proc,
                thread: event.thread,
                ready,
            },
            sink,
        )
    }

    /// Makes a task's entry, if this is the first that is heard of it.
    fn see_task(&mut self, id: GoId, spawned_at: Option<Stack>) {
        if self.scene.tasks.contains_key(&id) {
            return;
        }
        let mut task = Task::new(id);
        task.spawned_at = spawned_at.unwrap_or(Stack::NONE);
        self.scene.tasks.insert(id, task);
    }

    /// A task's name is the root of the first stack of its own.
    fn name_task(
        &mut self,
        id: GoId,
        own_stack: Stack,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let Some(root) = self.scene.book.root(own_stack) else {
            return Ok(());
        };
        match self.scene.tasks.get_mut(&id) {
            Some(task) if task.name == Text::EMPTY => task.name = root.function,
            _ => return Ok(()),
        }
        self.say_task(id, sink, Fact::TaskNamed)?;
        for lane in self.lanes_of(id) {
            self.tell_run(lane, sink)?;
        }
        Ok(())
    }

    pub(super) fn label(
        &mut self,
        id: GoId,
        label: Text,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        match self.scene.tasks.get_mut(&id) {
            Some(task) if task.label != label => task.label = label,
            _ => return Ok(()),
        }
        self.say_task(id, sink, Fact::TaskNamed)
    }

    fn say_task<'a>(
        &'a self,
        id: GoId,
        sink: &mut impl Sink,
        fact: impl FnOnce(&'a Task) -> Fact<'a>,
    ) -> Result<(), ExportError> {
        match self.scene.tasks.get(&id) {
            Some(task) => self.say(sink, fact(task)),
            None => Ok(()),
        }
    }

    /// A task becomes ready; if another made it so, that is a wake.
    fn ready(
        &mut self,
        event: &CompactEvent,
        id: GoId,
        is_wake: bool,
        from: GoState,
        sink: &mut impl Sink,
    ) -> Result<Ready, ExportError> {
        let mut ready = Ready {
            since: self.scene.now,
            waker: GoId::NONE,
            wake: 0,
        };
        if from == GoState::Undetermined {
            ready.since = self.scene.generation_begin;
        }
        if is_wake {
            self.wakes += 1;
            ready.waker = event.go;
            ready.wake = self.wakes;
            self.say(
                sink,
                Fact::Wake(Wake {
                    number: self.wakes,
                    woken: id,
                    is_spawn: from == GoState::NotExist,
                    waker: event.go,
                    worker: event.proc,
                    thread: event.thread,
                }),
            )?;
        }
        Ok(ready)
    }

    fn leave(&mut self, id: GoId, sink: &mut impl Sink) -> Result<(), ExportError> {
        self.leave_as(id, End::Told, sink)
    }

    fn leave_as(&mut self, id: GoId, end: End, sink: &mut impl Sink) -> Result<(), ExportError> {
        let Some(task) = self.scene.tasks.get_mut(&id) else {
            return Ok(());
        };
        let Some(stretch) = task.now.take() else {
            return Ok(());
        };
        self.say_task(id, sink, |task| Fact::Left { task, stretch, end })
    }

    pub(super) fn leave_with_trace(
        &mut self,
        id: GoId,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        self.leave_as(id, End::WithTrace, sink)
    }

    fn enter(
        &mut self,
        event: &CompactEvent,
        id: GoId,
        mut stretch: Stretch,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        if !stretch.begin_told {
            stretch.begin = self.scene.generation_begin;
        }
        match self.scene.tasks.get_mut(&id) {
            Some(task) => task.now = Some(stretch),
            None => return Ok(()),
        }
        self.say_task(id, sink, Fact::Entered)?;
        if stretch.state.is_executing() {
            self.take_lanes(event, id, &stretch, sink)?;
        }
        Ok(())
    }

    /// The task runs, or calls the system, on a worker and a thread.
    fn take_lanes(
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

    fn lanes_of(&self, id: GoId) -> impl Iterator<Item = Lane> + use<> {
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
    fn tell_run(&mut self, lane: Lane, sink: &mut impl Sink) -> Result<(), ExportError> {
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
    fn leave_lanes(
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

    /// The task has ended, and all that is open in it.
    fn bury(&mut self, id: GoId, sink: &mut impl Sink) -> Result<(), ExportError> {
        self.end_regions(id, End::WithTask, sink)?;
        self.say_task(id, sink, Fact::TaskGone)?;
        self.scene.tasks.remove(&id);
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
