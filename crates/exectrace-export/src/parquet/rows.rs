//! Rows of what a trace says.

use exectrace_format::{GoId, ProcId, SyncClock, TaskId, ThreadId};
use exectrace_replay::{End, Input, Names, Stack, Text, UserTask};
use rustc_hash::FxHashMap;

use super::events::event_row;
use super::schema::{
    EVENTS, LOGS, POLLS, REGIONS, SAMPLES, SPANS, TASK_STATES, TRACES, USER_TASKS,
};
use super::side::side_row;
use super::table::{Cell, Table};
use crate::error::{ExportError, Exported};
use crate::tracks::{
    AfterRun, Change, Lane, LogLine, Picture, RegionSlice, Run, Span, StateSlice, Task, TrackWriter,
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
        task: Task<'_>,
        slice: StateSlice,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let waker = slice.ready.map_or(GoId::NONE, |ready| ready.waker);
        let stack = stack_text(&mut self.stacks, slice.stack, picture.names());
        let cells = [
            number(task.id.0),
            Cell::Text(picture.text(task.name)),
            Cell::Text(slice.state.name()),
            Cell::Int(slice.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(slice.begin)),
            text(picture, slice.reason),
            stack,
            id(slice.worker.0),
            id(slice.thread.0),
            id(waker.0),
            Cell::Flag(slice.is_begin_seen),
            Cell::Flag(end != End::WithTrace),
            text(picture, slice.call),
        ];
        put(&mut self.tables, &self.trace_id, TASK_STATES, cells)
    }

    fn poll(
        &mut self,
        time: i64,
        worker: ProcId,
        run: Run,
        next: AfterRun,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let task = picture.task(run.task);
        // A thread's own code is not polled.
        if task.is_some_and(|task| task.is_thread()) {
            return Ok(());
        }
        let name = task.map_or(Text::EMPTY, |task| task.name);
        let ready = run.delay_ns().map_or(Cell::Null, |ns| Cell::Int(ns as i64));
        let waker = run.ready.map_or(GoId::NONE, |ready| ready.waker);
        let stack = stack_text(&mut self.stacks, next.stack, picture.names());
        let cells = [
            number(worker.0),
            id(run.thread.0),
            number(run.task.0),
            Cell::Text(picture.text(name)),
            Cell::Int(run.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(run.begin)),
            Cell::Int(run.syscall_ns),
            ready,
            id(waker.0),
            Cell::Text(next.name()),
            text(picture, next.reason),
            stack,
            Cell::Flag(end != End::WithTrace),
        ];
        put(&mut self.tables, &self.trace_id, POLLS, cells)
    }

    fn region(
        &mut self,
        time: i64,
        task: Task<'_>,
        region: RegionSlice,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let stack = stack_text(&mut self.stacks, region.stack, picture.names());
        let cells = [
            number(task.id.0),
            Cell::Text(picture.text(task.name)),
            user_task_id(region.user_task),
            Cell::Text(picture.text(region.name)),
            Cell::Int(region.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(region.begin)),
            stack,
            Cell::Flag(region.is_begin_seen),
            Cell::Flag(end == End::Seen),
            Cell::Flag(region.is_part),
        ];
        put(&mut self.tables, &self.trace_id, REGIONS, cells)?;
        if region.is_part {
            return Ok(());
        }
        let cells = [
            number(task.id.0),
            user_task_id(region.user_task),
            Cell::Text(picture.text(region.name)),
            Cell::Int(region.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(region.begin)),
            Cell::Null,
            Cell::Null,
            Cell::Flag(false),
            Cell::Flag(region.is_begin_seen),
            Cell::Flag(end == End::Seen),
        ];
        put(&mut self.tables, &self.trace_id, SPANS, cells)
    }

    /// A span that is not its region alone.
    fn span(&mut self, span: Span<'_>, picture: &Picture<'_>) -> Result<(), ExportError> {
        let record = span.record;
        let length_ns = record.end_ns.saturating_sub(record.first_ns);
        let is_in_file = i64::try_from(record.first_ns).is_ok_and(|first| first >= picture.begin());
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
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let trace_id = user_task.trace_id.map(|id| id.to_string());
        let cells = [
            number(user_task.id.0),
            user_task_id(user_task.parent),
            Cell::Text(picture.text(user_task.name)),
            Cell::Int(user_task.begin),
            Cell::Int(time),
            Cell::Int(time.saturating_sub(user_task.begin)),
            id(user_task.goroutine.0),
            Cell::Flag(user_task.is_begin_seen),
            Cell::Flag(end == End::Seen),
            Cell::Flag(user_task.carries_span),
            trace_id.as_deref().map_or(Cell::Null, Cell::Text),
        ];
        put(&mut self.tables, &self.trace_id, USER_TASKS, cells)
    }

    fn log(&mut self, time: i64, log: LogLine<'_>) -> Result<(), ExportError> {
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
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let stack = stack_text(&mut self.stacks, stack, picture.names());
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

impl TrackWriter for Rows {
    fn change(
        &mut self,
        time: i64,
        change: Change<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        match change {
            Change::Sync(clock) => {
                self.begin_ns = picture.begin();
                if let Some(clock) = clock {
                    self.clock(clock);
                }
                Ok(())
            }
            Change::Left { task, slice, end } => self.state(time, task, slice, end, picture),
            Change::RunEnded {
                lane: Lane::Worker(worker),
                run,
                next,
                end,
            } => self.poll(time, worker, run, next, end, picture),
            Change::RegionEnded { task, region, end } => {
                self.region(time, task, region, end, picture)
            }
            Change::Span(span) => self.span(span, picture),
            Change::UserTaskEnded { user_task, end } => {
                self.user_task(time, user_task, end, picture)
            }
            Change::Log(log) => self.log(time, log),
            Change::Sample {
                task,
                worker,
                thread,
                stack,
            } => self.sample(time, (task, worker, thread), stack, picture),
            Change::Side(record) => match side_row(record) {
                Some((table, cells)) => put(&mut self.tables, &self.trace_id, table, cells),
                None => Ok(()),
            },
            Change::TheEnd => {
                self.end_ns = time;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn event(&mut self, input: &Input<'_>, names: &mut Names) -> Result<(), ExportError> {
        let stack = names.stack(input.tables, input.event.stack);
        let stack = stack_text(&mut self.stacks, stack, names);
        let cells = event_row(input.event, input.tables, stack);
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

/// A number that is always there, with a sign.
pub(super) fn number(id: u64) -> Cell<'static> {
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
pub(super) fn user_task_id(user_task: TaskId) -> Cell<'static> {
    if user_task == TaskId::BACKGROUND {
        Cell::Null
    } else {
        id(user_task.0)
    }
}

fn text<'a>(picture: &Picture<'a>, text: Text) -> Cell<'a> {
    if text == Text::EMPTY {
        Cell::Null
    } else {
        Cell::Text(picture.text(text))
    }
}

fn stack_text<'a>(
    stacks: &'a mut FxHashMap<Stack, Box<str>>,
    stack: Stack,
    names: &Names,
) -> Cell<'a> {
    if stack == Stack::NONE {
        return Cell::Null;
    }
    let text = stacks
        .entry(stack)
        .or_insert_with(|| crate::tracks::stack_text(names, stack).into());
    Cell::Text(text)
}
