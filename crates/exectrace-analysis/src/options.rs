//! What is to be computed, and of which part of the trace.

use exectrace_replay::{Filter, Window};

/// What to compute. The default is the [`Overview`](crate::Overview) alone.
///
/// Each part costs time; what is not asked for costs nothing.
///
/// ```
/// use exectrace_analysis::Options;
///
/// let options = Options { tasks: true, top: 20, ..Options::default() };
/// assert!(!options.workers);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// [`Tasks`](crate::Tasks): async tasks by name.
    pub tasks: bool,
    /// With `tasks`: each single async task as well. Memory grows with their number.
    pub each_task: bool,
    /// [`Latencies`](crate::Latencies): how the lengths of runs, delays and waits are distributed.
    pub latencies: bool,
    /// [`Workers`](crate::Workers): workers and threads.
    pub workers: bool,
    /// [`UserTasks`](crate::UserTasks): user tasks by name.
    pub user_tasks: bool,
    /// With `user_tasks`: the whole trees of these user tasks, by their ids.
    pub user_task_trees: Vec<u64>,
    /// With `user_tasks`: those that are a part of this distributed trace.
    pub trace_id: Option<crate::TraceIdQuery>,
    /// [`CriticalPath`](crate::CriticalPath) of this user task, by its id. Memory grows with what
    /// happens while it is open.
    pub critical_path: Option<u64>,
    /// [`Regions`](crate::Regions): regions by name and place.
    pub regions: bool,
    /// [`Logs`](crate::Logs): logs by category and place.
    pub logs: bool,
    /// [`Profile`](crate::Profile)s of these kinds.
    pub profiles: Vec<crate::ProfileKind>,
    /// What the profiles are limited to.
    pub profile_scope: crate::ProfileScope,
    /// [`Syscalls`](crate::Syscalls): system calls by name.
    pub syscalls: bool,
    /// [`Gc`](crate::Gc): garbage collection of Go programs.
    pub gc: bool,
    /// [`Counter`](crate::Counter)s.
    pub counters: bool,
    /// What [`Analysis::findings`](crate::Analysis::findings) must watch beside the other parts: who
    /// wakes whom, which sleeps last how long. Set by [`Options::for_findings`].
    pub findings: bool,
    /// How many of the longest, slowest, oldest are kept of each kind.
    pub top: usize,
    /// Only this part of the trace counts.
    pub window: Option<Window>,
    /// Only async tasks that this lets through count.
    pub filter: Filter,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tasks: false,
            each_task: false,
            latencies: false,
            workers: false,
            user_tasks: false,
            user_task_trees: Vec::new(),
            trace_id: None,
            critical_path: None,
            regions: false,
            logs: false,
            profiles: Vec::new(),
            profile_scope: crate::ProfileScope::default(),
            syscalls: false,
            gc: false,
            counters: false,
            findings: false,
            top: 10,
            window: None,
            filter: Filter::default(),
        }
    }
}

impl Options {
    /// Everything that needs no further choice: all but single tasks, trees and profiles.
    pub fn all() -> Self {
        Self {
            tasks: true,
            latencies: true,
            workers: true,
            user_tasks: true,
            regions: true,
            logs: true,
            syscalls: true,
            gc: true,
            counters: true,
            findings: true,
            ..Self::default()
        }
    }
}
