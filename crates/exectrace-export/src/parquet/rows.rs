//! Rows of what a trace tells.

use exectrace_format::{CompactEvent, GoId, ProcId, SyncClock, Tables, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use super::events::event_row;
use super::schema::{
    EVENTS, LOGS, POLLS, REGIONS, SAMPLES, SPANS, TASK_STATES, TRACES, USER_TASKS,
};
use super::table::{Cell, Table};
use crate::error::{ExportError, Exported};
use crate::story::{
    End, Fact, Lane, Log, Next, Region, Run, Scene, Sink, Span, Stack, Stretch, Task, Text,
    UserTask,
};

/// The tables of one trace.
pub(super) struct Rows {
    trace_id: String,
    tables: Vec<Table>,
    /// Texts of stacks, of which there are few.
    stacks: FxHashMap<Stack, Box<str>>,
    begin_ns: i64,
    end_ns: i64,
    /// The machine's clock at the begin of the trace.
    begin_unix_ns: Option<i64>,
}

impl Rows {
    pub(super) fn new(trace_id: String, tables: Vec<Table>) -> Self {
        Self {
            trace_id,
            tables,
            stacks: FxHashMap::default(),
            begin_ns: 0,
            end_ns: 0,
            begin_unix_ns: None,
        }
    }

    /// Completes the files, gives them their names, and counts their rows.
    pub(super) fn finish(mut self, exported: &Exported) -> Result<u64, ExportError> {
        let damage = exported.damage.as_ref().map(ToString::to_string);
        let cells = [
            Cell::Int(self.begin_ns),
            Cell::Int(self.end_ns),
            self.begin_unix_ns.map_or(Cell::Null, Cell::Int),
            Cell::Int(exported.events as i64),
            damage.as_deref().map_or(Cell::Null, Cell::Text),
        ];
        put(&mut self.tables, &self.trace_id, TRACES, cells)?;
        for table in &mut self.tables {
            table.close()?;
        }
        for table in &self.tables {
            table.publish()?;
        }
        Ok(self.tables.iter().map(|table| table.rows).sum())
    }

    fn clock(&mut self, clock: SyncClock) {
        let snapshot = clock.snapshot;
        let seconds = i64::try_from(snapshot.unix_seconds).unwrap_or(i64::MAX);
        let unix_ns = seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::from(snapshot.unix_nanoseconds));
        let since_begin_ns = clock.time.0.saturating_sub(self.begin_ns);
        self.begin_unix_ns
            .get_or_insert(unix_ns.saturating_sub(since_begin_ns));
    }

    fn state(
        &mut self,
        time: i64,
        task: &Task,
        stretch: Stretch,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let waker = stretch.ready.map_or(GoId::NONE, |ready| ready.waker);
        let stack = stack_text(&mut self.stacks, stretch.stack, scene);
        let cells = [
            number(task.id.0),
            Cell::Text(scene.book.text(task.name)),
            Cell::Text(stretch.state.name()),
            Cell::Int(stretch.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(stretch.begin)),
            text(scene, stretch.reason),
            stack,
            id(stretch.worker.0),
            id(stretch.thread.0),
            id(waker.0),
            Cell::Flag(stretch.begin_told),
            Cell::Flag(end != End::WithTrace),
        ];
        put(&mut self.tables, &self.trace_id, TASK_STATES, cells)
    }

    fn poll(
        &mut self,
        time: i64,
        worker: ProcId,
        run: Run,
        next: Next,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let task = scene.tasks.get(&run.task);
        // A thread's own code is not polled.
        if task.is_some_and(|task| task.is_thread) {
            return Ok(());
        }
        let name = task.map_or(Text::EMPTY, |task| task.name);
        let ready = run.delay_ns().map_or(Cell::Null, |ns| Cell::Int(ns as i64));
        let waker = run.ready.map_or(GoId::NONE, |ready| ready.waker);
        let stack = stack_text(&mut self.stacks, next.stack, scene);
        let cells = [
            number(worker.0),
            id(run.thread.0),
            number(run.task.0),
            Cell::Text(scene.book.text(name)),
            Cell::Int(run.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(run.begin)),
            Cell::Int(run.syscall_ns),
            ready,
            id(waker.0),
            Cell::Text(next.name()),
            text(scene, next.reason),
            stack,
            Cell::Flag(end != End::WithTrace),
        ];
        put(&mut self.tables, &self.trace_id, POLLS, cells)
    }

    fn region(
        &mut self,
        time: i64,
        task: &Task,
        region: Region,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let stack = stack_text(&mut self.stacks, region.stack, scene);
        let cells = [
            number(task.id.0),
            Cell::Text(scene.book.text(task.name)),
            user_task_id(region.user_task),
            Cell::Text(scene.book.text(region.name)),
            Cell::Int(region.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(region.begin)),
            stack,
            Cell::Flag(region.begin_told),
            Cell::Flag(end == End::Told),
            Cell::Flag(region.is_part),
        ];
        put(&mut self.tables, &self.trace_id, REGIONS, cells)?;
        if region.is_part {
            return Ok(());
        }
        let cells = [
            number(task.id.0),
            user_task_id(region.user_task),
            Cell::Text(scene.book.text(region.name)),
            Cell::Int(region.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(region.begin)),
            Cell::Null,
            Cell::Null,
            Cell::Flag(false),
            Cell::Flag(region.begin_told),
            Cell::Flag(end == End::Told),
        ];
        put(&mut self.tables, &self.trace_id, SPANS, cells)
    }

    /// A span that its region does not tell of, or not all.
    fn span(&mut self, span: Span<'_>, scene: &Scene) -> Result<(), ExportError> {
        let record = span.record;
        let length_ns = record.end_ns.saturating_sub(record.first_ns);
        let is_in_file = i64::try_from(record.first_ns).is_ok_and(|first| first >= scene.begin);
        let cells = [
            number(record.flow.0),
            user_task_id(record.task),
            Cell::Text(&record.name),
            number(record.first_ns),
            number(record.end_ns),
            number(length_ns),
            number(record.busy_ns),
            number(record.entries),
            Cell::Flag(record.carried),
            Cell::Flag(is_in_file),
            Cell::Flag(!record.inferred),
        ];
        put(&mut self.tables, &self.trace_id, SPANS, cells)
    }

    fn user_task(
        &mut self,
        time: i64,
        user_task: UserTask,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let cells = [
            number(user_task.id.0),
            user_task_id(user_task.parent),
            Cell::Text(scene.book.text(user_task.name)),
            Cell::Int(user_task.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(user_task.begin)),
            id(user_task.task.0),
            Cell::Flag(user_task.begin_told),
            Cell::Flag(end == End::Told),
            Cell::Flag(user_task.carries),
        ];
        put(&mut self.tables, &self.trace_id, USER_TASKS, cells)
    }

    fn log(&mut self, time: i64, log: Log<'_>) -> Result<(), ExportError> {
        let cells = [
            Cell::Int(time),
            user_task_id(log.user_task),
            id(log.task.0),
            id(log.worker.0),
            id(log.thread.0),
            Cell::Text(log.category),
            Cell::Text(log.message),
        ];
        put(&mut self.tables, &self.trace_id, LOGS, cells)
    }

    fn sample(
        &mut self,
        time: i64,
        (task, worker, thread): (GoId, ProcId, ThreadId),
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let stack = stack_text(&mut self.stacks, stack, scene);
        let cells = [
            Cell::Int(time),
            id(task.0),
            id(worker.0),
            id(thread.0),
            stack,
        ];
        put(&mut self.tables, &self.trace_id, SAMPLES, cells)
    }
}

impl Sink for Rows {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        match fact {
            Fact::Sync(clock) => {
                self.begin_ns = scene.begin;
                if let Some(clock) = clock {
                    self.clock(clock);
                }
                Ok(())
            }
            Fact::Left { task, stretch, end } => self.state(time, task, stretch, end, scene),
            Fact::RunEnded {
                lane: Lane::Worker(worker),
                run,
                next,
                end,
            } => self.poll(time, worker, run, next, end, scene),
            Fact::RegionEnded { task, region, end } => self.region(time, task, region, end, scene),
            Fact::Span(span) => self.span(span, scene),
            Fact::UserTaskEnded { user_task, end } => self.user_task(time, user_task, end, scene),
            Fact::Log(log) => self.log(time, log),
            Fact::Sample {
                task,
                worker,
                thread,
                stack,
            } => self.sample(time, (task, worker, thread), stack, scene),
            Fact::TheEnd => {
                self.end_ns = time;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn event(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        scene: &mut Scene,
    ) -> Result<(), ExportError> {
        let stack = scene.book.stack_of(event.stack, tables);
        let stack = stack_text(&mut self.stacks, stack, scene);
        let cells = event_row(event, tables, stack);
        put(&mut self.tables, &self.trace_id, EVENTS, cells)
    }
}

fn put<'a>(
    tables: &mut [Table],
    trace_id: &'a str,
    table: usize,
    cells: impl IntoIterator<Item = Cell<'a>>,
) -> Result<(), ExportError> {
    match tables.get_mut(table) {
        Some(table) => table.push(std::iter::once(Cell::Text(trace_id)).chain(cells)),
        None => Ok(()),
    }
}

/// An id that is always told, as a number with a sign.
fn number(id: u64) -> Cell<'static> {
    Cell::Int(id as i64)
}

/// An id as a number with a sign; none is null.
pub(super) fn id(id: u64) -> Cell<'static> {
    if id == u64::MAX {
        Cell::Null
    } else {
        number(id)
    }
}

/// A user task; the background is none.
fn user_task_id(user_task: TaskId) -> Cell<'static> {
    if user_task == TaskId::BACKGROUND {
        Cell::Null
    } else {
        id(user_task.0)
    }
}

fn text(scene: &Scene, text: Text) -> Cell<'_> {
    if text == Text::EMPTY {
        Cell::Null
    } else {
        Cell::Text(scene.book.text(text))
    }
}

fn stack_text<'a>(
    stacks: &'a mut FxHashMap<Stack, Box<str>>,
    stack: Stack,
    scene: &Scene,
) -> Cell<'a> {
    if stack == Stack::NONE {
        return Cell::Null;
    }
    let text = stacks
        .entry(stack)
        .or_insert_with(|| scene.book.stack_text(stack).into());
    Cell::Text(text)
}
