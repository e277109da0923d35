//! Regions and user tasks.

use exectrace_replay::{Stack, Text};

/// A region of an async task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegionEntry {
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    /// An index into the tasks.
    pub(crate) task: u32,
    /// How many regions of the task are around it.
    pub(crate) depth: u32,
    pub(crate) name: Text,
    pub(crate) user_task: u64,
    pub(crate) stack: Stack,
}

/// A user task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserTaskEntry {
    pub(crate) id: u64,
    pub(crate) name: Text,
    /// `None`: before the trace.
    pub(crate) begin_ns: Option<u64>,
    /// `None`: it is open when the trace ends.
    pub(crate) end_ns: Option<u64>,
}

/// All that is annotated.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    /// By task, then begin.
    pub(crate) regions: Vec<RegionEntry>,
    /// By id.
    pub(crate) user_tasks: Vec<UserTaskEntry>,
}

impl Spans {
    /// The regions of a task, by their begins.
    pub(crate) fn of_task(&self, task: u32) -> &[RegionEntry] {
        let begin = self.regions.partition_point(|region| region.task < task);
        let end = self.regions.partition_point(|region| region.task <= task);
        &self.regions[begin..end]
    }

    /// A user task.
    pub(crate) fn user_task(&self, id: u64) -> Option<&UserTaskEntry> {
        let found = self.user_tasks.binary_search_by_key(&id, |task| task.id);
        self.user_tasks.get(found.ok()?)
    }
}
