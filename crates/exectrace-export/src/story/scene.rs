//! All that is known at an instant of the trace: who is alive, and what is open.

use exectrace_format::{GoId, ProcId, RangeScope, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use super::book::{Book, Text};
use super::fact::{Lane, Run, UserTask};
use super::task::Task;

/// A worker or a thread.
#[derive(Debug)]
pub(crate) struct LaneState {
    /// Empty while the trace has not told one.
    pub(crate) name: Text,
    pub(crate) run: Option<Run>,
    /// Nothing on it ends later than this so far.
    pub(super) busy_until: i64,
}

/// All that is known at an instant. Memory: what is open, and the book.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) book: Book,
    /// Tasks that are alive.
    pub(crate) tasks: FxHashMap<GoId, Task>,
    pub(crate) user_tasks: FxHashMap<TaskId, UserTask>,
    lanes: FxHashMap<Lane, LaneState>,
    pub(super) ranges: FxHashMap<(RangeScope, Text), i64>,
    /// Begins of user tasks that lie before the trace, told before the tasks themselves.
    pub(super) began_before: FxHashMap<TaskId, i64>,
    /// The time of the first sync.
    pub(crate) begin: i64,
    /// The time of the current generation's sync.
    pub(super) generation_begin: i64,
    /// The time of the last event.
    pub(crate) now: i64,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            book: Book::new(),
            tasks: FxHashMap::default(),
            user_tasks: FxHashMap::default(),
            lanes: FxHashMap::default(),
            ranges: FxHashMap::default(),
            began_before: FxHashMap::default(),
            begin: 0,
            generation_begin: 0,
            now: 0,
        }
    }

    pub(super) fn lane(&mut self, lane: Lane) -> &mut LaneState {
        self.lanes.entry(lane).or_insert(LaneState {
            name: Text::EMPTY,
            run: None,
            busy_until: i64::MIN,
        })
    }

    /// What the lane runs.
    pub(crate) fn run(&self, lane: Lane) -> Option<Run> {
        self.lanes.get(&lane)?.run
    }

    /// As it is shown: `Worker 1 name`, `Thread 4711 name`.
    pub(crate) fn lane_title(&self, lane: Lane) -> String {
        let name = self.lanes.get(&lane).map_or(Text::EMPTY, |lane| lane.name);
        let mut title = match lane {
            Lane::Worker(ProcId(id)) => format!("Worker {id}"),
            Lane::Thread(ThreadId(id)) => format!("Thread {id}"),
        };
        if name != Text::EMPTY {
            title.push(' ');
            title.push_str(self.book.text(name));
        }
        title
    }

    /// As it is shown: `G7 name (label)`; `G7` if nothing is known of it any more.
    pub(crate) fn task_title(&self, task: GoId) -> String {
        self.tasks
            .get(&task)
            .map_or_else(|| format!("G{}", task.0), |task| task.title(&self.book))
    }
}
