//! User tasks: latency by name, and the tree of each that is asked for.

mod found;
mod parts;
mod pass;
mod trees;

use exectrace_format::conventions::{BACKGROUND_NAME, TRACER_NAME};
use serde::Serialize;

use crate::allocated::Allocated;
use crate::breakdown::Breakdown;
use crate::histogram::Histogram;
use crate::names::Place;
use crate::regions::RegionInstance;

pub use found::{FoundUserTasks, MAX_FOUND, TraceIdQuery, TraceIdQueryError};
pub use parts::UserTaskPart;
pub(crate) use pass::UserTaskPass;

/// The user tasks of a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserTasks {
    /// By name, the one with the most time first.
    pub kinds: Vec<UserTaskKind>,
    /// Those of [`Options::user_task_trees`](crate::Options::user_task_trees) that the trace has
    /// of.
    pub trees: Vec<UserTaskTree>,
    /// Those of [`Options::trace_id`](crate::Options::trace_id), if that is set.
    pub found: Option<FoundUserTasks>,
}

/// User tasks of one name.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserTaskKind {
    /// The name; empty for those whose begin was not seen.
    pub name: String,
    /// How many.
    pub count: u64,
    /// How many whose begin and end were both seen.
    pub complete: u64,
    /// How many were open at the end of the trace.
    pub open: u64,
    /// From begin to end, of the complete ones.
    pub durations: Histogram,
    /// The slowest.
    pub slowest: Vec<UserTaskInstance>,
    /// Where the time of their regions went, outermost ones only, while they were open.
    pub breakdown: Breakdown,
    /// What was allocated and freed in their regions, also in those that are open after the end of the user task;
    /// `None` in a trace that does not say. Of a user task that ended more than 65,536 others ago it belongs to `background`.
    pub allocated: Option<Allocated>,
}

impl UserTaskKind {
    /// Whether it is what the recorder makes of itself: its messages, and what belongs to no operation. They say
    /// nothing of the program.
    pub fn is_of_the_tracer(&self) -> bool {
        let has_its_name = matches!(self.name.as_str(), TRACER_NAME | BACKGROUND_NAME);
        has_its_name && self.count == 1 && self.open == 1
    }
}

/// One user task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserTaskInstance {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its parent.
    pub parent: Option<u64>,
    /// When it began, since the begin of the trace; `None` if that was not seen.
    pub begin_ns: Option<u64>,
    /// When it ended; `None` if it is open at the end.
    pub end_ns: Option<u64>,
    /// How long it took, as far as the trace shows it.
    pub duration_ns: u64,
    /// The async task that began it.
    pub begun_by: Option<u64>,
    /// The async task that ended it.
    pub ended_by: Option<u64>,
    /// The id of the distributed trace that it is a part of, in 32 hexadecimal digits. It is that of its parent, if
    /// nothing else is known.
    pub trace_id: Option<String>,
}

/// A user task with all that belongs to it.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserTaskTree {
    /// The task itself.
    #[serde(flatten)]
    pub task: UserTaskInstance,
    /// Whether it is no operation of its own: it carries a span that is concurrent with others of its
    /// async task, whose regions could not nest.
    pub carries: bool,
    /// That span, once it is closed.
    pub span: Option<RegionInstance>,
    /// Where it began.
    pub place: Option<Place>,
    /// The async tasks that served it: began or ended it, had a region of it, or logged for it.
    pub async_tasks: Vec<u64>,
    /// Its spans and other regions, by their begin. The parts of a span that is not closed are not
    /// among them.
    pub regions: Vec<RegionInstance>,
    /// Its logs, in time.
    pub logs: Vec<LogEntry>,
    /// User tasks that this one follows from without being their child.
    pub follows_from: Vec<u64>,
    /// Its children, by their begin.
    pub children: Vec<UserTaskTree>,
    /// What was left out because it exceeded [`MAX_TREE_PARTS`].
    pub left_out: u64,
}

/// A tree holds at most so many regions, logs and children in all.
pub const MAX_TREE_PARTS: usize = 1 << 20;

/// A log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogEntry {
    /// When, since the begin of the trace.
    pub time_ns: u64,
    /// The async task that wrote it.
    pub async_task: Option<u64>,
    /// Its category.
    pub category: String,
    /// Its message.
    pub message: String,
}
