//! What pictures with rows have in common: Perfetto's and Chrome's.
//!
//! A [`Timeline`] takes the changes that a trace reports and draws them on a [`Canvas`]: slices that begin and
//! end, instants, values of counters, each on its row. `states` draws what async tasks and lanes do,
//! `annotations` what the program says of itself, `program` what concerns it as a whole. A format
//! decides what its rows are and how a mark is written.
//!
//! Slices nest on their row by construction: states of a task follow each other, runs of a lane hold
//! at most one system call, and regions of a task nest in every trace that the reader accepts. What
//! the trace ends in the middle of stays without an end, which viewers show as such.

mod annotations;
mod canvas;
mod program;
mod states;

use exectrace_format::{GoId, ProcId, TaskId, ThreadId};
use exectrace_replay::End;

use crate::error::ExportError;
use crate::options::Options;
use crate::tracks::{Change, Lane, Picture, TrackWriter};

pub(crate) use canvas::{Argument, Arrow, Canvas, Mark, Stroke, Track, Value};

/// Draws the changes of a trace.
pub(crate) struct Timeline<'a, C> {
    pub(crate) canvas: C,
    options: &'a Options,
}

impl<'a, C: Canvas> Timeline<'a, C> {
    pub(crate) fn new(canvas: C, options: &'a Options) -> Self {
        Self { canvas, options }
    }

    fn shows(&self, lane: Lane) -> bool {
        match lane {
            Lane::Worker(_) => self.options.workers,
            Lane::Thread(_) => self.options.threads,
        }
    }

    /// The row on which it is best seen what somebody did.
    fn row_of_actor(
        &mut self,
        task: GoId,
        worker: ProcId,
        thread: ThreadId,
        picture: &Picture<'_>,
    ) -> Result<C::Row, ExportError> {
        let place = if self.options.workers && worker != ProcId::NONE {
            Track::Lane(Lane::Worker(worker))
        } else if let (true, Some(task)) = (self.options.tasks, picture.task(task)) {
            Track::States(task)
        } else if self.options.threads && thread != ThreadId::NONE {
            Track::Lane(Lane::Thread(thread))
        } else {
            Track::Program
        };
        self.canvas.row(place, picture)
    }

    /// Begins a slice.
    fn begin(
        &mut self,
        time: i64,
        place: Track<'_>,
        mark: &Mark<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let row = self.canvas.row(place, picture)?;
        self.canvas.draw(time, (row, Stroke::Begin), mark, picture)
    }

    /// Ends a slice, unless it is the trace that ends.
    fn end(
        &mut self,
        time: i64,
        (place, end): (Track<'_>, End),
        mark: &Mark<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if end == End::WithTrace {
            return Ok(());
        }
        let row = self.canvas.row(place, picture)?;
        self.canvas.draw(time, (row, Stroke::End), mark, picture)
    }
}

impl<C: Canvas> TrackWriter for Timeline<'_, C> {
    fn change(
        &mut self,
        time: i64,
        change: Change<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        self.canvas.begin_change(picture);
        match change {
            Change::Sync(clock) => clock.map_or(Ok(()), |clock| self.canvas.clock(clock)),
            Change::TheEnd => self.canvas.the_end(picture),
            Change::TaskNamed(task) => self.canvas.task_named(task, picture),
            Change::TaskGone(task) => self.canvas.task_gone(task, picture),
            Change::Entered(task) => self.enter(task, picture),
            Change::Left { task, end, .. } => self.leave(time, task, end, picture),
            Change::RunBegan { lane, run } => self.begin_run(lane, run, picture),
            Change::RunEnded {
                lane, next, end, ..
            } => self.end_run(time, lane, next, end, picture),
            Change::SyscallBegan {
                lane,
                run,
                stack,
                call,
            } => self.begin_syscall((lane, run), (call, stack), picture),
            Change::SyscallEnded { lane, end, .. } => self.end_syscall(time, lane, end, picture),
            Change::WorkerHeld { worker, thread } => {
                self.hand_over(time, "unpark", worker, thread, picture)
            }
            Change::WorkerFreed { worker, thread } => {
                self.hand_over(time, "park", worker, thread, picture)
            }
            Change::Wake(wake) => self.wake(time, wake, picture),
            Change::RegionBegan { task, region } => self.begin_region(task, region, picture),
            Change::RegionEnded { task, region, end } => {
                self.end_region(time, task, region, end, picture)
            }
            Change::Span(span) => self.span(span, picture),
            Change::UserTaskBegan(user_task) => self.begin_user_task(user_task, picture),
            Change::UserTaskEnded { user_task, end } => {
                self.end_user_task(time, user_task, end, picture)
            }
            Change::Log(log) => self.log(time, log, picture),
            Change::Metric { name, value } => {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                self.canvas.value(time, name, value)
            }
            Change::RangeBegan(range) => self.begin_range(range, picture),
            Change::RangeEnded { range, end } => self.end_range(time, range.scope, end, picture),
            Change::Sample {
                task,
                worker,
                thread,
                stack,
            } => self.sample(time, (task, worker, thread), stack, picture),
            Change::Side(record) => self.side(record, picture),
        }
    }
}

/// The number of a user task as an argument; none where there is no task.
fn user_task_number(id: TaskId) -> Value<'static> {
    Value::Number(if id == TaskId::BACKGROUND {
        TaskId::NONE.0
    } else {
        id.0
    })
}
