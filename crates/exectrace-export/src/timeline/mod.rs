//! What pictures with rows have in common: Perfetto's and Chrome's.
//!
//! A [`Timeline`] hears the facts of a trace and draws them on a [`Canvas`]: slices that begin and
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

use crate::error::ExportError;
use crate::options::Options;
use crate::story::{End, Fact, Lane, Scene, Sink};

pub(crate) use canvas::{Argument, Arrow, Canvas, Mark, Place, Stroke, Value};

/// Draws the facts of a trace.
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
        scene: &Scene,
    ) -> Result<C::Row, ExportError> {
        let place = if self.options.workers && worker != ProcId::NONE {
            Place::Lane(Lane::Worker(worker))
        } else if let (true, Some(task)) = (self.options.tasks, scene.tasks.get(&task)) {
            Place::States(task)
        } else if self.options.threads && thread != ThreadId::NONE {
            Place::Lane(Lane::Thread(thread))
        } else {
            Place::Program
        };
        self.canvas.row(place, scene)
    }

    /// Begins a slice.
    fn begin(
        &mut self,
        time: i64,
        place: Place<'_>,
        mark: &Mark<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let row = self.canvas.row(place, scene)?;
        self.canvas.draw(time, (row, Stroke::Begin), mark, scene)
    }

    /// Ends a slice, unless it is the trace that ends.
    fn end(
        &mut self,
        time: i64,
        (place, end): (Place<'_>, End),
        mark: &Mark<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if end == End::WithTrace {
            return Ok(());
        }
        let row = self.canvas.row(place, scene)?;
        self.canvas.draw(time, (row, Stroke::End), mark, scene)
    }
}

impl<C: Canvas> Sink for Timeline<'_, C> {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        self.canvas.begin_fact(scene);
        match fact {
            Fact::Sync(clock) => clock.map_or(Ok(()), |clock| self.canvas.clock(clock)),
            Fact::TheEnd => self.canvas.the_end(scene),
            Fact::TaskNamed(task) => self.canvas.task_named(task, scene),
            Fact::TaskGone(task) => self.canvas.task_gone(task, scene),
            Fact::Entered(task) => self.enter(task, scene),
            Fact::Left { task, end, .. } => self.leave(time, task, end, scene),
            Fact::RunBegan { lane, run } => self.begin_run(lane, run, scene),
            Fact::RunEnded {
                lane, next, end, ..
            } => self.end_run(time, lane, next, end, scene),
            Fact::SyscallBegan { lane, run, stack } => self.begin_syscall(lane, run, stack, scene),
            Fact::SyscallEnded { lane, end, .. } => self.end_syscall(time, lane, end, scene),
            Fact::WorkerHeld { worker, thread } => {
                self.hand_over(time, "unpark", worker, thread, scene)
            }
            Fact::WorkerFreed { worker, thread } => {
                self.hand_over(time, "park", worker, thread, scene)
            }
            Fact::Wake(wake) => self.wake(time, wake, scene),
            Fact::RegionBegan { task, region } => self.begin_region(task, region, scene),
            Fact::RegionEnded { task, region, end } => {
                self.end_region(time, task, region, end, scene)
            }
            Fact::Span(span) => self.span(span, scene),
            Fact::UserTaskBegan(user_task) => self.begin_user_task(user_task, scene),
            Fact::UserTaskEnded { user_task, end } => {
                self.end_user_task(time, user_task, end, scene)
            }
            Fact::Log(log) => self.log(time, log, scene),
            Fact::Metric { name, value } => {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                self.canvas.value(time, name, value)
            }
            Fact::RangeBegan { scope, name, begin } => self.begin_range(begin, scope, name, scene),
            Fact::RangeEnded { scope, end, .. } => self.end_range(time, scope, end, scene),
            Fact::Sample {
                task,
                worker,
                thread,
                stack,
            } => self.sample(time, (task, worker, thread), stack, scene),
            Fact::Side(record) => self.side(record, scene),
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
