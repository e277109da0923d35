//! The tracks: which there are, what they are called, and what they hang under.
//!
//! ```text
//! process ─┬─ Workers ─── one for each worker
//!          ├─ threads, which Perfetto puts under the process by itself ─── when each had no processor
//!          ├─ Async tasks ─── one for each, with its states ─── regions
//!          ├─ User tasks ─── one for each, under its parent's
//!          ├─ Garbage collection ─── one for each that a range concerns
//!          └─ counters
//! ```
//!
//! A track is described once, as readers ask for it: when it is first used; one called like an async
//! task, when the task is gone or the trace ends, since name and label may come late. Readers take in
//! all descriptions before they place events.

use std::io::Write;

use exectrace_format::{GoId, RangeScope, SpanRecord, TaskId, ThreadId};
use exectrace_replay::UserTask;
use rustc_hash::FxHashMap;

use super::packets::Packets;
use super::schema::{
    BY_RANK, BY_TIME, CounterDescriptor, ProcessDescriptor, ThreadDescriptor, TracePacket,
    TrackDescriptor, UNIT_BYTES, UNIT_COUNT,
};
use crate::error::ExportError;
use crate::timeline::Track;
use crate::tracks::{Lane, Picture, Task};

/// The process's number; that of the program is not in the trace.
pub(super) const PID: i32 = 1;

const PROCESS: u64 = 1;
const WORKERS: u64 = 2;
const TASKS: u64 = 3;
const USER_TASKS: u64 = 4;
const RANGES: u64 = 5;
/// Numbers of tracks from here on are given as they come.
const FIRST_FREE: u64 = 16;

/// The tracks of an async task.
#[derive(Clone, Copy, Debug)]
struct TaskRow {
    states: u64,
    regions: Option<u64>,
}

/// The tracks in use.
#[derive(Debug)]
pub(super) struct Rows {
    used: u64,
    lanes: FxHashMap<Lane, u64>,
    processors: FxHashMap<ThreadId, u64>,
    tasks: FxHashMap<GoId, TaskRow>,
    /// Tracks that are called like tasks which are still there, and their parents.
    untitled: FxHashMap<GoId, Vec<(u64, u64)>>,
    user_tasks: FxHashMap<TaskId, u64>,
    /// By their first entry.
    spans: FxHashMap<u64, u64>,
    ranges: FxHashMap<RangeScope, u64>,
    counters: FxHashMap<String, u64>,
}

impl Rows {
    /// Describes the process and the groups.
    pub(super) fn new(
        process_name: &str,
        packets: &mut Packets<impl Write>,
    ) -> Result<Self, ExportError> {
        describe(
            packets,
            TrackDescriptor {
                uuid: PROCESS,
                process: Some(ProcessDescriptor {
                    pid: PID,
                    process_name: process_name.to_owned(),
                }),
                child_ordering: Some(BY_RANK),
                ..TrackDescriptor::default()
            },
        )?;
        let groups = [
            (WORKERS, "Workers", BY_RANK),
            (USER_TASKS, "User tasks", BY_TIME),
            (TASKS, "Async tasks", BY_TIME),
            (RANGES, "Garbage collection", BY_TIME),
        ];
        for (rank, (uuid, name, order)) in groups.into_iter().enumerate() {
            describe(
                packets,
                TrackDescriptor {
                    child_ordering: Some(order),
                    sibling_order_rank: Some(rank as i32),
                    ..plain(uuid, PROCESS, name.to_owned())
                },
            )?;
        }
        Ok(Self {
            used: FIRST_FREE,
            lanes: FxHashMap::default(),
            processors: FxHashMap::default(),
            tasks: FxHashMap::default(),
            untitled: FxHashMap::default(),
            user_tasks: FxHashMap::default(),
            spans: FxHashMap::default(),
            ranges: FxHashMap::default(),
            counters: FxHashMap::default(),
        })
    }

    /// The track for a place; a new one is described.
    pub(super) fn row(
        &mut self,
        place: Track<'_>,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        match place {
            Track::Lane(lane) => self.lane(lane, picture, packets),
            Track::Processor(thread) => self.processor(thread, picture, packets),
            Track::States(task) => Ok(self.task(task.id)),
            Track::Regions(task) => self.regions(task.id, packets),
            Track::UserTask(user_task) => self.user_task(user_task, picture, packets),
            Track::Span(span) => self.span(span, packets),
            Track::Ranges(scope) => self.range(scope, picture, packets),
            Track::Program => Ok(PROCESS),
        }
    }

    fn free(&mut self) -> u64 {
        self.used += 1;
        self.used
    }

    fn lane(
        &mut self,
        lane: Lane,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.lanes.get(&lane) {
            return Ok(known);
        }
        let uuid = self.free();
        self.lanes.insert(lane, uuid);
        let title = picture.lane_title(lane);
        let descriptor = match lane {
            Lane::Worker(worker) => TrackDescriptor {
                sibling_order_rank: i32::try_from(worker.0).ok(),
                ..plain(uuid, WORKERS, title)
            },
            Lane::Thread(ThreadId(id)) => match i32::try_from(id) {
                Ok(tid) => TrackDescriptor {
                    uuid,
                    parent_uuid: Some(PROCESS),
                    thread: Some(ThreadDescriptor {
                        pid: PID,
                        tid,
                        thread_name: picture.lane_name(lane).to_owned(),
                    }),
                    ..TrackDescriptor::default()
                },
                // No number of a thread, so Perfetto would not take it for one.
                Err(_) => plain(uuid, PROCESS, title),
            },
        };
        describe(packets, descriptor)?;
        Ok(uuid)
    }

    /// The track of the times without a processor, below that of the thread.
    fn processor(
        &mut self,
        thread: ThreadId,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.processors.get(&thread) {
            return Ok(known);
        }
        let parent = self.lane(Lane::Thread(thread), picture, packets)?;
        let uuid = self.free();
        self.processors.insert(thread, uuid);
        describe(packets, plain(uuid, parent, "no processor".to_owned()))?;
        Ok(uuid)
    }

    /// The track of a task's states.
    fn task(&mut self, task: GoId) -> u64 {
        if let Some(row) = self.tasks.get(&task) {
            return row.states;
        }
        let row = TaskRow {
            states: self.free(),
            regions: None,
        };
        self.tasks.insert(task, row);
        self.title_later(task, row.states, TASKS);
        row.states
    }

    fn title_later(&mut self, task: GoId, uuid: u64, parent: u64) {
        self.untitled.entry(task).or_default().push((uuid, parent));
    }

    /// The track of a task's regions, below that of its states.
    fn regions(
        &mut self,
        task: GoId,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        let states = self.task(task);
        if let Some(TaskRow {
            regions: Some(known),
            ..
        }) = self.tasks.get(&task)
        {
            return Ok(*known);
        }
        let uuid = self.free();
        if let Some(row) = self.tasks.get_mut(&task) {
            row.regions = Some(uuid);
        }
        describe(packets, plain(uuid, states, "regions".to_owned()))?;
        Ok(uuid)
    }

    /// Describes the tracks of a task that is gone, and forgets them.
    pub(super) fn task_gone(
        &mut self,
        task: Task<'_>,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<(), ExportError> {
        self.tasks.remove(&task.id);
        self.ranges.remove(&RangeScope::Go(task.id));
        for (uuid, parent) in self.untitled.remove(&task.id).unwrap_or_default() {
            describe(packets, plain(uuid, parent, picture.title(task)))?;
        }
        Ok(())
    }

    /// Describes the tracks of tasks that are there when the trace ends.
    pub(super) fn finish(
        &mut self,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<(), ExportError> {
        let mut untitled: Vec<_> = self.untitled.drain().collect();
        untitled.sort_unstable_by_key(|&(task, _)| task);
        for (task, tracks) in untitled {
            for (uuid, parent) in tracks {
                describe(packets, plain(uuid, parent, picture.task_title(task)))?;
            }
        }
        Ok(())
    }

    fn user_task(
        &mut self,
        user_task: &UserTask,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.user_tasks.get(&user_task.id) {
            return Ok(known);
        }
        let uuid = self.free();
        self.user_tasks.insert(user_task.id, uuid);
        let parent = self
            .user_tasks
            .get(&user_task.parent)
            .copied()
            .unwrap_or(USER_TASKS);
        let title = format!("{} T{}", picture.text(user_task.name), user_task.id.0);
        describe(packets, plain(uuid, parent, title))?;
        Ok(uuid)
    }

    /// The track of a span, under that of its user task.
    fn span(
        &mut self,
        span: &SpanRecord,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.spans.get(&span.first_ns) {
            return Ok(known);
        }
        let uuid = self.free();
        self.spans.insert(span.first_ns, uuid);
        let parent = self.user_tasks.get(&span.task).copied();
        let title = span.name.to_string();
        describe(packets, plain(uuid, parent.unwrap_or(USER_TASKS), title))?;
        Ok(uuid)
    }

    pub(super) fn forget_span(&mut self, first_ns: u64) {
        self.spans.remove(&first_ns);
    }

    pub(super) fn forget_user_task(&mut self, id: TaskId) {
        self.user_tasks.remove(&id);
    }

    fn range(
        &mut self,
        scope: RangeScope,
        picture: &Picture<'_>,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.ranges.get(&scope) {
            return Ok(known);
        }
        let uuid = self.free();
        self.ranges.insert(scope, uuid);
        if let RangeScope::Go(task) = scope
            && picture.task(task).is_some()
        {
            self.title_later(task, uuid, RANGES);
            return Ok(uuid);
        }
        let title = picture.range_title(scope);
        describe(packets, plain(uuid, RANGES, title))?;
        Ok(uuid)
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        is_bytes: bool,
        packets: &mut Packets<impl Write>,
    ) -> Result<u64, ExportError> {
        if let Some(&known) = self.counters.get(name) {
            return Ok(known);
        }
        let uuid = self.free();
        self.counters.insert(name.to_owned(), uuid);
        let unit = if is_bytes { UNIT_BYTES } else { UNIT_COUNT };
        describe(
            packets,
            TrackDescriptor {
                counter: Some(CounterDescriptor { unit }),
                ..plain(uuid, PROCESS, name.to_owned())
            },
        )?;
        Ok(uuid)
    }
}

fn plain(uuid: u64, parent: u64, name: String) -> TrackDescriptor {
    TrackDescriptor {
        uuid,
        parent_uuid: Some(parent),
        name: Some(name),
        ..TrackDescriptor::default()
    }
}

fn describe(
    packets: &mut Packets<impl Write>,
    descriptor: TrackDescriptor,
) -> Result<(), ExportError> {
    packets.write(TracePacket {
        track_descriptor: Some(descriptor),
        ..TracePacket::default()
    })
}
