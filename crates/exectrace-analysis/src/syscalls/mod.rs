//! Calls into the system, by name, by who made them and by place.

mod counted;
mod errno;
mod pass;

use serde::Serialize;

use crate::FlowKind;
use crate::histogram::Histogram;
use crate::names::Place;

pub(crate) use pass::{SyscallPass, place_of_call};

/// The name under which calls are summed that were only counted, past the first 256 names of such calls.
pub const OTHER_CALLS: &str = "other";

/// The calls of a trace: system calls, and calls of the C library that wait.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Syscalls {
    /// By name, the one with the most time first.
    pub by_name: Vec<Syscall>,
    /// By async task or thread, the one with the most time first.
    pub by_task: Vec<TaskCalls>,
    /// By the place in the program and the call; the most time first. Calls that were only counted have no place.
    pub by_place: Vec<PlaceCalls>,
}

/// How many calls, and how long they took.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Calls {
    /// How many that have events of their own.
    pub count: u64,
    /// For how long these lasted in all, up to the end of the trace.
    pub total_ns: u64,
    /// How many more that were only counted: they were short, or are of a kind that is not recorded.
    pub counted: u64,
    /// For how long these lasted in all; `None` where that was not measured.
    pub counted_ns: Option<u64>,
    /// How many lost their worker.
    pub blocked: u64,
    /// The time after the worker was taken away.
    pub blocked_ns: u64,
    /// The time in which calls of async tasks kept a worker from other tasks.
    pub on_worker_ns: u64,
    /// Those that have events and failed, by error; the most first.
    pub failed: Vec<FailedCalls>,
    /// How long, of those with events whose end was seen.
    pub durations: Histogram,
}

impl Calls {
    /// How many in all.
    pub fn all(&self) -> u64 {
        self.count.saturating_add(self.counted)
    }

    /// For how long in all; `None` if that was measured of none.
    pub fn all_ns(&self) -> Option<u64> {
        match self.count {
            0 => self.counted_ns,
            _ => Some(self.total_ns.saturating_add(self.counted_ns.unwrap_or(0))),
        }
    }

    /// How many failed.
    pub fn all_failed(&self) -> u64 {
        self.failed
            .iter()
            .fold(0, |sum, failed| failed.count.saturating_add(sum))
    }
}

/// Calls that failed with one error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedCalls {
    /// The system's number of the error.
    pub errno: u64,
    /// Its name, as `ENOENT`; empty where Linux has none for the number.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// Calls of one name.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Syscall {
    /// The call; of Go, the first function of the stack that is no mere entry to the system. Empty without a stack,
    /// and [`OTHER_CALLS`] for what was counted under more names than any recorder has.
    pub name: String,
    /// How many, and how long.
    #[serde(flatten)]
    pub calls: Calls,
    /// The longest.
    pub longest: Vec<SyscallInstance>,
}

/// Calls that async tasks of one name, or threads, made.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskCalls {
    /// The name.
    pub name: String,
    /// What it is; `None` for calls that belong to neither, as those of runtimes between two polls and those in
    /// signal handlers.
    pub kind: Option<FlowKind>,
    /// How many, and how long.
    #[serde(flatten)]
    pub calls: Calls,
}

/// Calls of one name at one place.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaceCalls {
    /// The call.
    pub name: String,
    /// The first place below the call that is the program's own; `None` without a stack.
    pub place: Option<Place>,
    /// How many, and how long.
    #[serde(flatten)]
    pub calls: Calls,
    /// The stack of the first of them, leaf first.
    pub stack: Vec<Place>,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyscallInstance {
    /// The async task.
    pub async_task: u64,
    /// Its name.
    pub task_name: String,
    /// When it began, since the begin of the trace.
    pub begin_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The worker on which it began.
    pub worker: Option<u64>,
    /// Whether the worker was taken away, to run other tasks meanwhile.
    pub is_handed_over: bool,
    /// The error with which it failed.
    pub errno: Option<u64>,
    /// Where, leaf first.
    pub stack: Vec<Place>,
}
