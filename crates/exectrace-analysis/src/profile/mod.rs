//! Profiles: time in a state by stack, as `go tool trace -pprof` makes them.

mod pass;
mod pprof;

use serde::Serialize;

use crate::names::Place;

pub(crate) use pass::ProfilePass;
pub use pprof::PprofError;

/// What a profile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Waiting for the network: Go's `net`.
    Network,
    /// Waiting for channels, locks and the like: Go's `sync`.
    Sync,
    /// In system calls: Go's `syscall`.
    Syscall,
    /// Ready to run, waiting for a worker: Go's `sched`.
    Scheduler,
    /// Waiting, whatever the reason.
    Wait,
    /// Running; the stack is where the run ended.
    Run,
    /// CPU samples; the time is not told by the trace and 0.
    Cpu,
}

/// What profiles are limited to. The default is the whole trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileScope {
    /// Only async tasks of this name.
    pub group: Option<String>,
    /// Only while the async task worked for a user task of this name.
    pub user_task: Option<String>,
    /// Only while the async task was in a region of this name.
    pub region: Option<String>,
}

/// Time by stack.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// What it counts.
    pub kind: ProfileKind,
    /// By stack, the most time first.
    pub samples: Vec<ProfileSample>,
}

/// What one stack took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProfileSample {
    /// The stack, leaf first; empty where none was told.
    pub stack: Vec<Place>,
    /// How many times.
    pub count: u64,
    /// For how long in all.
    pub duration_ns: u64,
}
