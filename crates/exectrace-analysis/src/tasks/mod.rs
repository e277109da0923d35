//! Async tasks by name: how many, where their time went, the longest polls, the wake-to-run delays.

mod pass;

use serde::Serialize;

use crate::allocated::Allocated;
use crate::breakdown::Breakdown;
use crate::histogram::Histogram;
use crate::names::Place;
use crate::sight::FlowKind;

pub(crate) use pass::TaskPass;

/// The async tasks of a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tasks {
    /// By name, the one with the most running time first.
    pub groups: Vec<TaskGroup>,
    /// The longest polls of all.
    pub longest_runs: Vec<Run>,
    /// Tasks that were spawned and never ran; the oldest, at most
    /// [`Options::top`](crate::Options::top).
    pub never_ran: Vec<TaskInstance>,
    /// Tasks that wait at the end of the trace and were never woken in it; those that wait the
    /// longest.
    pub never_woken: Vec<TaskInstance>,
    /// Tasks alive at the end of the trace, the oldest first.
    pub alive: Vec<TaskInstance>,
    /// Every task, in the order of their ids; only with
    /// [`Options::each_task`](crate::Options::each_task).
    pub each: Vec<TaskInstance>,
}

/// Async tasks of one name.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskGroup {
    /// The function of the root frame, as Go names goroutines; empty for tasks without a stack.
    pub name: String,
    /// What they are.
    pub kind: FlowKind,
    /// Where that is in the source, of the first of them.
    pub place: Option<Place>,
    /// How many.
    pub count: u64,
    /// How many of them were spawned within the trace.
    pub spawned: u64,
    /// How many ended.
    pub ended: u64,
    /// How many were alive at the end.
    pub alive: u64,
    /// How many were spawned and never ran.
    pub never_ran: u64,
    /// How many wait at the end and were never woken.
    pub never_woken: u64,
    /// Whether they are Go's own: its collector's, its timers'.
    #[serde(skip)]
    pub(crate) is_of_go_runtime: bool,
    /// How many polls ended with the task ready to run again.
    pub yields: u64,
    /// Where the time of all of them together went.
    pub breakdown: Breakdown,
    /// What all of them together have allocated and freed; `None` in a trace that does not say.
    pub allocated: Option<Allocated>,
    /// How long each poll took, those apart that are cut by the end of the trace.
    pub runs: Histogram,
    /// From each wake to the run.
    pub wake_delays: Histogram,
    /// Their longest polls.
    pub longest_runs: Vec<Run>,
}

/// One async task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskInstance {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its label, where it has one.
    pub label: String,
    /// Who spawned it; `None` if it is older than the trace.
    pub parent: Option<u64>,
    /// Where it was spawned.
    pub spawned_at: Option<Place>,
    /// When it was spawned, since the begin of the trace; of an older one, when the generation
    /// begins that first reports it.
    pub begin_ns: u64,
    /// When it first ran.
    pub first_run_ns: Option<u64>,
    /// When it ended; `None` if it is alive.
    pub end_ns: Option<u64>,
    /// Its state at the end: `runnable`, `running`, `waiting`, `syscall`; `ended` if it ended.
    pub state: &'static str,
    /// Since when it is in that state.
    pub state_since_ns: u64,
    /// What it waits for, where it waits.
    pub reason: String,
    /// Where it waits, leaf first.
    pub stack: Vec<Place>,
    /// How many times it ran.
    pub runs: u64,
    /// Its longest poll.
    pub longest_run_ns: u64,
    /// How many times it was woken.
    pub wakes: u64,
    /// Where its time went.
    pub breakdown: Breakdown,
    /// What it has allocated and freed; `None` in a trace that does not say.
    pub allocated: Option<Allocated>,
}

/// One poll: a span in which a task ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// The task.
    pub task: u64,
    /// Its name.
    pub name: String,
    /// When it began, since the begin of the trace.
    pub begin_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The worker.
    pub worker: Option<u64>,
    /// The thread.
    pub thread: Option<u64>,
    /// The user task it ran for.
    pub user_task: Option<u64>,
    /// What came then: `waiting`, `runnable`, `syscall`, `ended`, or `trace_end` if it was cut.
    pub next: &'static str,
    /// Why, where that is known.
    pub reason: String,
    /// Where it stopped, leaf first.
    pub stack: Vec<Place>,
}
