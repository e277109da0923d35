//! All that is known at an instant of the trace: who is alive, and what is open.

use exectrace_format::{GoId, ProcId, RangeScope, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use super::book::{Book, Text};
use super::fact::{Lane, Run, UserTask};
use super::task::{State, Stretch, Task};

/// The least begin of a trace in formats that know no time before zero: room for a thousand regions
/// that are older than the trace, each a nanosecond older than those in it.
const LEAST_BEGIN_NS: i64 = 1_000;

/// A worker or a thread.
#[derive(Debug)]
pub(crate) struct LaneState {
    /// Empty while the trace has not told one.
    pub(crate) name: Text,
    pub(crate) run: Option<Run>,
    /// Whether the run's begin has yet to be told: its task has no name so far.
    pub(super) is_held_back: bool,
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
            is_held_back: false,
            busy_until: i64::MIN,
        })
    }

    /// What formats that know no time before zero add to all times. Traces of Go 1.21 and older count
    /// from their own begin, and what is older would come before; cut off at zero, it would lose its
    /// order.
    pub(crate) fn shift(&self) -> i64 {
        LEAST_BEGIN_NS.saturating_sub(self.begin).max(0)
    }

    /// What the lane runs.
    pub(crate) fn run(&self, lane: Lane) -> Option<Run> {
        self.lanes.get(&lane)?.run
    }

    /// As it is shown: `Worker 1 name`, `Thread 4711 name`.
    pub(crate) fn lane_title(&self, lane: Lane) -> String {
        let name = self.lane_name(lane);
        let mut title = match lane {
            Lane::Worker(ProcId(id)) => format!("Worker {id}"),
            Lane::Thread(ThreadId(id)) => format!("Thread {id}"),
        };
        if !name.is_empty() {
            title.push(' ');
            title.push_str(name);
        }
        title
    }

    /// The name that the trace tells; empty if none.
    pub(crate) fn lane_name(&self, lane: Lane) -> &str {
        self.lanes
            .get(&lane)
            .map_or("", |lane| self.book.text(lane.name))
    }

    /// As it is shown: `G7 name (label)`; `G7` if nothing is known of it any more.
    pub(crate) fn task_title(&self, task: GoId) -> String {
        self.tasks
            .get(&task)
            .map_or_else(|| format!("G{}", task.0), |task| task.title(&self.book))
    }

    /// A task's name; its number where it has none.
    pub(crate) fn task_name(&self, task: GoId) -> String {
        match self.tasks.get(&task) {
            Some(task) if task.name != Text::EMPTY => self.book.text(task.name).to_owned(),
            _ => format!("G{}", task.0),
        }
    }

    /// `waiting: network`, `running`.
    pub(crate) fn state_title(&self, stretch: &Stretch) -> String {
        let reason = self.book.text(stretch.reason);
        match stretch.state {
            State::Waiting if !reason.is_empty() => format!("waiting: {reason}"),
            state => state.name().to_owned(),
        }
    }

    /// Whom a range of garbage collection concerns.
    pub(crate) fn range_title(&self, scope: RangeScope) -> String {
        match scope {
            RangeScope::Global => "program".to_owned(),
            RangeScope::Proc(worker) => self.lane_title(Lane::Worker(worker)),
            RangeScope::Go(task) => self.task_title(task),
        }
    }
}
