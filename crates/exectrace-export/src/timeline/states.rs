//! What async tasks, workers and threads do: states, runs and the system calls in them, wakes.

use exectrace_format::{GoId, ProcId, ThreadId};
use exectrace_replay::{End, Stack, Text};

use super::{Arrow, Canvas, Mark, Stroke, Timeline, Track, Value};
use crate::error::ExportError;
use crate::tracks::{AfterRun, Lane, Picture, Run, Task, TrackState, WakeArrow};

impl<C: Canvas> Timeline<'_, C> {
    pub(super) fn enter(
        &mut self,
        task: Task<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let (true, Some(now)) = (self.options.tasks, task.now()) else {
            return Ok(());
        };
        let waker = match now.ready {
            Some(ready) if ready.waker != GoId::NONE && now.state == TrackState::Runnable => {
                picture.task_title(ready.waker)
            }
            _ => String::new(),
        };
        let worker = if now.state.is_executing() {
            now.worker
        } else {
            ProcId::NONE
        };
        let arrow = match now.ready {
            Some(ready) if now.state == TrackState::Running && ready.wake != 0 => {
                Arrow::Via(ready.wake)
            }
            _ => Arrow::None,
        };
        let mark = Mark {
            category: "task",
            name: &picture.state_title(&now),
            arguments: &[
                ("worker", Value::Number(worker.0)),
                ("woken by", Value::Name(&waker)),
                ("stack", Value::Stack(now.stack)),
            ],
            arrow,
        };
        self.begin(now.begin, Track::States(task), &mark, picture)
    }

    pub(super) fn leave(
        &mut self,
        time: i64,
        task: Task<'_>,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        self.end(time, (Track::States(task), end), &Mark::default(), picture)
    }

    pub(super) fn begin_run(
        &mut self,
        lane: Lane,
        run: Run,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let wake = run.ready.map_or(0, |ready| ready.wake);
        let (other, arrow) = match lane {
            Lane::Worker(_) if wake != 0 => (("thread", run.thread.0), Arrow::To(wake)),
            Lane::Worker(_) => (("thread", run.thread.0), Arrow::None),
            Lane::Thread(_) => (("worker", run.worker.0), Arrow::None),
        };
        let mark = Mark {
            category: "run",
            name: &picture.task_name(run.task),
            arguments: &[
                ("task", Value::Number(run.task.0)),
                (other.0, Value::Number(other.1)),
                (
                    "ready before, ns",
                    Value::Number(run.delay_ns().unwrap_or(u64::MAX)),
                ),
            ],
            arrow,
        };
        self.begin(run.begin, Track::Lane(lane), &mark, picture)
    }

    pub(super) fn end_run(
        &mut self,
        time: i64,
        lane: Lane,
        next: AfterRun,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let mark = Mark {
            arguments: &[
                ("then", Value::Name(next.name())),
                ("reason", Value::Name(picture.text(next.reason))),
                ("stack", Value::Stack(next.stack)),
            ],
            ..Mark::default()
        };
        self.end(time, (Track::Lane(lane), end), &mark, picture)
    }

    pub(super) fn begin_syscall(
        &mut self,
        (lane, run): (Lane, Run),
        (call, stack): (Text, Stack),
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let mark = Mark {
            category: "syscall",
            name: match picture.text(call) {
                "" => "syscall",
                call => call,
            },
            arguments: &[("stack", Value::Stack(stack))],
            ..Mark::default()
        };
        let begin = run.syscall.unwrap_or(run.begin);
        self.begin(begin, Track::Lane(lane), &mark, picture)
    }

    pub(super) fn end_syscall(
        &mut self,
        time: i64,
        lane: Lane,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        self.end(time, (Track::Lane(lane), end), &Mark::default(), picture)
    }

    /// A thread takes a worker, or leaves it.
    pub(super) fn hand_over(
        &mut self,
        time: i64,
        name: &str,
        worker: ProcId,
        thread: ThreadId,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.workers {
            return Ok(());
        }
        let row = self
            .canvas
            .row(Track::Lane(Lane::Worker(worker)), picture)?;
        let mark = Mark {
            category: "worker",
            name,
            arguments: &[("thread", Value::Number(thread.0))],
            ..Mark::default()
        };
        self.canvas
            .draw(time, (row, Stroke::Instant), &mark, picture)
    }

    /// An instant where the waker was, and an arrow from there to the run that it led to.
    pub(super) fn wake(
        &mut self,
        time: i64,
        wake: WakeArrow,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let row = self.row_of_actor(wake.waker, wake.worker, wake.thread, picture)?;
        let mark = Mark {
            category: "wake",
            name: if wake.is_spawn { "spawn" } else { "wake" },
            arguments: &[("task", Value::Name(&picture.task_title(wake.woken)))],
            arrow: if wake.waker == GoId::NONE {
                Arrow::FromNowhere(wake.number)
            } else {
                Arrow::From(wake.number)
            },
        };
        self.canvas
            .draw(time, (row, Stroke::Instant), &mark, picture)
    }
}
