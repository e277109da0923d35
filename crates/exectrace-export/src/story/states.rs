//! States of async tasks: who changes them, why, and who woke whom.

use exectrace_format::conventions::{FOREVER, THREAD_FILE, WAKE_NOT_SEEN};
use exectrace_format::{CompactEvent, GoId, GoState};

use crate::error::ExportError;

use super::Sink;
use super::book::{Stack, Text};
use super::fact::{End, Fact, Next, Ready, Wake};
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
        let spawned_at = match from {
            GoState::NotExist => Some(actor_stack),
            _ => None,
        };
        self.see_task(id, spawned_at);
        self.name_task(id, own_stack, sink)?;
        let is_thread = self.scene.tasks.get(&id).is_some_and(|task| task.is_thread);
        let state = match State::of(to) {
            Some(State::Running) if is_thread => Some(State::OwnCode),
            state => state,
        };
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
        if state == State::Waiting && self.scene.book.text(reason) == FOREVER {
            self.end_regions(id, End::WithTask, sink)?;
        }
        let is_wake =
            state == State::Runnable && matches!(from, GoState::Waiting | GoState::NotExist);
        let ready = match state {
            State::Runnable => {
                let mut ready = self.ready(event, id, is_wake, from, sink)?;
                ready.is_seen = !is_thread && !self.is_wake_not_seen(actor_stack);
                Some(ready)
            }
            State::Running => before.and_then(|before| before.ready),
            State::Waiting | State::Syscall | State::OwnCode => None,
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
        let is_thread = self.scene.book.text(root.file) == THREAD_FILE;
        match self.scene.tasks.get_mut(&id) {
            Some(task) if task.name == Text::EMPTY => {
                (task.name, task.is_thread) = (root.function, is_thread);
                if is_thread {
                    self.threads.insert(id);
                }
            }
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

    /// Whether a wake with this stack was not seen, but concluded from the run that follows.
    fn is_wake_not_seen(&self, stack: Stack) -> bool {
        let book = &self.scene.book;
        let leaf = book.frames(stack).next();
        leaf.is_some_and(|leaf| book.text(leaf.function) == WAKE_NOT_SEEN)
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
            is_seen: true,
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

    /// The task has ended, and all that is open in it.
    fn bury(&mut self, id: GoId, sink: &mut impl Sink) -> Result<(), ExportError> {
        self.end_regions(id, End::WithTask, sink)?;
        self.say_task(id, sink, Fact::TaskGone)?;
        self.scene.tasks.remove(&id);
        Ok(())
    }
}
