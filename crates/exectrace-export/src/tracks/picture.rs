//! All that is known at an instant of the trace: who is alive, and what is drawn.

use exectrace_format::{GoId, ProcId, RangeScope, TaskId, ThreadId};
use exectrace_replay::{Names, Stack, State, Text, UserTask};
use rustc_hash::FxHashMap;

use super::change::{Lane, Run};
use super::task::{DrawnTasks, StateSlice, Task, TrackState};

/// The least begin of a trace in formats that know no time before zero: room for a thousand regions
/// that are older than the trace, each a nanosecond older than those in it.
const LEAST_BEGIN_NS: i64 = 1_000;

/// What runs on a worker or a thread.
#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) run: Option<Run>,
    /// Whether the run's begin has yet to be drawn: its task has no name so far.
    pub(super) is_held_back: bool,
    /// Nothing on it ends later than this so far.
    pub(super) busy_until: i64,
}

/// All workers and threads.
#[derive(Debug, Default)]
pub(super) struct Lanes(FxHashMap<Lane, LaneState>);

impl Lanes {
    pub(super) fn entry(&mut self, lane: Lane) -> &mut LaneState {
        self.0.entry(lane).or_insert(LaneState {
            run: None,
            is_held_back: false,
            busy_until: i64::MIN,
        })
    }

    /// What the lane runs.
    pub(super) fn run(&self, lane: Lane) -> Option<Run> {
        self.0.get(&lane)?.run
    }
}

/// All that is known at an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) state: &'a State,
    pub(super) tasks: &'a DrawnTasks,
}

impl<'a> Picture<'a> {
    pub(crate) fn names(&self) -> &'a Names {
        self.state.names()
    }

    pub(crate) fn text(&self, text: Text) -> &'a str {
        self.state.names().get(text)
    }

    /// A line for each frame, leaf first: `function (file:line)`.
    pub(crate) fn stack_text(&self, stack: Stack) -> String {
        stack_text(self.names(), stack)
    }

    /// An async task that is alive.
    pub(crate) fn task(&self, id: GoId) -> Option<Task<'a>> {
        let goroutines = self.state.goroutines();
        let slot = goroutines.find(id)?;
        Some(Task {
            goroutine: goroutines.at(slot),
            drawn: self.tasks.at(slot),
        })
    }

    /// A user task that is open.
    pub(crate) fn user_task(&self, id: TaskId) -> Option<&'a UserTask> {
        self.state.user_task(id)
    }

    /// The time of the first event.
    pub(crate) fn begin(&self) -> i64 {
        self.state.begin()
    }

    /// The time of the current event.
    pub(crate) fn now(&self) -> i64 {
        self.state.now()
    }

    /// What formats that know no time before zero add to all times. Traces of Go 1.21 and older count
    /// from their own begin, and what is older would come before; cut off at zero, it would lose its
    /// order.
    pub(crate) fn shift(&self) -> i64 {
        LEAST_BEGIN_NS.saturating_sub(self.begin()).max(0)
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

    /// The name that the trace has; empty if none.
    pub(crate) fn lane_name(&self, lane: Lane) -> &'a str {
        match lane {
            Lane::Worker(id) => self.state.proc_name(id),
            Lane::Thread(id) => self.state.thread_name(id),
        }
    }

    /// As Go's tools show it: `G7 name (label)`.
    pub(crate) fn title(&self, task: Task<'_>) -> String {
        let mut title = format!("G{}", task.id.0);
        if task.name != Text::EMPTY {
            title.push(' ');
            title.push_str(self.text(task.name));
        }
        if task.label != Text::EMPTY {
            title.push_str(" (");
            title.push_str(self.text(task.label));
            title.push(')');
        }
        title
    }

    /// As it is shown: `G7 name (label)`; `G7` if nothing is known of it any more.
    pub(crate) fn task_title(&self, task: GoId) -> String {
        let known = self.task(task);
        known.map_or_else(|| format!("G{}", task.0), |task| self.title(task))
    }

    /// A task's name; its number where it has none.
    pub(crate) fn task_name(&self, task: GoId) -> String {
        match self.task(task) {
            Some(task) if task.name != Text::EMPTY => self.text(task.name).to_owned(),
            _ => format!("G{}", task.0),
        }
    }

    /// `waiting: network`, `running`, `syscall: read`, `waiting: sleep (nanosleep)`.
    pub(crate) fn state_title(&self, slice: &StateSlice) -> String {
        let (reason, call) = (self.text(slice.reason), self.text(slice.call));
        match slice.state {
            TrackState::Syscall if !call.is_empty() => format!("syscall: {call}"),
            TrackState::Waiting if !call.is_empty() => format!("waiting: {reason} ({call})"),
            TrackState::Waiting if !reason.is_empty() => format!("waiting: {reason}"),
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

/// A line for each frame, leaf first: `function (file:line)`.
pub(crate) fn stack_text(names: &Names, stack: Stack) -> String {
    let mut text = String::new();
    for at in names.locations(stack) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(names.get(at.function));
        let file = names.get(at.file);
        if !file.is_empty() {
            text.push_str(&format!(" ({file}:{})", at.line));
        }
    }
    text
}
