//! The rows: which kinds there are, and what each row is called.
//!
//! What Chrome calls a process is here a kind of row, and what it calls a thread is a row. User
//! tasks overlap, so they have no rows of their own: they are asynchronous events, distinguished by
//! their numbers.

use std::io::Write;

use exectrace_format::{GoId, ProcId, RangeScope, TaskId, ThreadId};
use rustc_hash::FxHashSet;

use super::json::{Event, Events, Value};
use crate::error::ExportError;
use crate::timeline::Track;
use crate::tracks::{Lane, Picture, Task};

const WORKERS: u32 = 1;
const THREADS: u32 = 2;
const TASKS: u32 = 3;
const REGIONS: u32 = 4;
const USER_TASKS: u32 = 5;
const RANGES: u32 = 6;
const PROGRAM: u32 = 7;
const PROCESSORS: u32 = 8;

/// What the kinds of rows are called.
const KINDS: [(u32, &str); 8] = [
    (WORKERS, "Workers"),
    (THREADS, "Threads"),
    (TASKS, "Async tasks"),
    (REGIONS, "Regions"),
    (USER_TASKS, "User tasks"),
    (RANGES, "Garbage collection"),
    (PROGRAM, "Program"),
    (PROCESSORS, "Threads without a processor"),
];

/// A row: Chrome's process and thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) pid: u32,
    pub(super) tid: u64,
    /// The user task that the row's events are of, if it is asynchronous.
    pub(super) user_task: Option<TaskId>,
}

impl Row {
    /// Where counters are.
    pub(super) const PROGRAM: Self = Self::new(PROGRAM, 0);

    const fn new(pid: u32, tid: u64) -> Self {
        Self {
            pid,
            tid,
            user_task: None,
        }
    }

    fn of(place: Track<'_>) -> Self {
        match place {
            Track::Lane(Lane::Worker(ProcId(id))) => Self::new(WORKERS, id),
            Track::Lane(Lane::Thread(ThreadId(id))) => Self::new(THREADS, id),
            Track::Processor(thread) => Self::new(PROCESSORS, thread.0),
            Track::States(task) => Self::new(TASKS, task.id.0),
            Track::Regions(task) => Self::new(REGIONS, task.id.0),
            Track::UserTask(user_task) => Self {
                user_task: Some(user_task.id),
                ..Self::new(USER_TASKS, 0)
            },
            // Numbers of asynchronous events count for each category.
            Track::Span(span) => Self {
                user_task: Some(TaskId(span.first_ns)),
                ..Self::new(USER_TASKS, 0)
            },
            Track::Ranges(RangeScope::Global) => Self::new(RANGES, 0),
            // Two kinds of ids in one kind of row: workers get the even numbers, async tasks the odd.
            Track::Ranges(RangeScope::Proc(worker)) => {
                Self::new(RANGES, worker.0.saturating_add(1).saturating_mul(2))
            }
            Track::Ranges(RangeScope::Go(task)) => {
                Self::new(RANGES, task.0.saturating_mul(2).saturating_add(1))
            }
            Track::Program => Self::PROGRAM,
        }
    }

    /// The rows that have a task's name.
    fn of_task(task: GoId) -> [Self; 3] {
        let ranges = Self::of(Track::Ranges(RangeScope::Go(task)));
        [Self::new(TASKS, task.0), Self::new(REGIONS, task.0), ranges]
    }
}

/// The rows in use.
#[derive(Debug)]
pub(super) struct Rows {
    process_name: String,
    /// Rows that have a name; those of async tasks as long as they live.
    named: FxHashSet<Row>,
    /// Kinds of rows that have a name, as in [`KINDS`].
    named_kinds: [bool; KINDS.len()],
}

impl Rows {
    pub(super) fn new(process_name: &str) -> Self {
        Self {
            process_name: process_name.to_owned(),
            named: FxHashSet::default(),
            named_kinds: [false; KINDS.len()],
        }
    }

    /// The row for a place, which gets its name.
    pub(super) fn row(
        &mut self,
        place: Track<'_>,
        picture: &Picture<'_>,
        events: &mut Events<impl Write>,
    ) -> Result<Row, ExportError> {
        let row = Row::of(place);
        // Asynchronous events have their own names.
        if row.user_task.is_none() && self.named.insert(row) {
            name(events, row, "thread_name", &title(place, picture))?;
        }
        Ok(row)
    }

    /// Names the kind of a row, unless it has its name already: viewers show kinds without rows.
    pub(super) fn name_kind(
        &mut self,
        row: Row,
        events: &mut Events<impl Write>,
    ) -> Result<(), ExportError> {
        for ((pid, kind), is_named) in KINDS.into_iter().zip(&mut self.named_kinds) {
            if pid != row.pid || std::mem::replace(is_named, true) {
                continue;
            }
            let row = Row::new(pid, 0);
            let title = format!("{}: {kind}", self.process_name);
            name(events, row, "process_name", &title)?;
            let rank = ("sort_index", Value::Number(u64::from(pid)));
            return metadata(events, row, "process_sort_index", rank);
        }
        Ok(())
    }

    /// A name that became known later replaces the number.
    pub(super) fn rename_task(
        &mut self,
        task: Task<'_>,
        picture: &Picture<'_>,
        events: &mut Events<impl Write>,
    ) -> Result<(), ExportError> {
        for row in Row::of_task(task.id) {
            if self.named.contains(&row) {
                name(events, row, "thread_name", &picture.title(task))?;
            }
        }
        Ok(())
    }

    pub(super) fn forget_task(&mut self, task: GoId) {
        for row in Row::of_task(task) {
            self.named.remove(&row);
        }
    }
}

fn title(place: Track<'_>, picture: &Picture<'_>) -> String {
    match place {
        Track::Lane(lane) => picture.lane_title(lane),
        Track::Processor(thread) => picture.lane_title(Lane::Thread(thread)),
        Track::States(task) | Track::Regions(task) => picture.title(task),
        Track::Ranges(scope) => picture.range_title(scope),
        Track::UserTask(_) | Track::Span(_) | Track::Program => "program".to_owned(),
    }
}

fn name(
    events: &mut Events<impl Write>,
    row: Row,
    what: &str,
    title: &str,
) -> Result<(), ExportError> {
    metadata(events, row, what, ("name", Value::Text(title)))
}

fn metadata(
    events: &mut Events<impl Write>,
    row: Row,
    name: &str,
    argument: (&str, Value<'_>),
) -> Result<(), ExportError> {
    events.write(
        None,
        row,
        &Event {
            phase: "M",
            name,
            arguments: &[argument],
            ..Event::default()
        },
    )
}
