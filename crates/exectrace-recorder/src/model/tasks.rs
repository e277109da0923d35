//! User tasks of the annotation API that have not ended.

use exectrace_format::TaskId;
use rustc_hash::FxHashMap;

use super::names::NameId;

/// Most of them that may be open at once, some 60 bytes each.
pub(crate) const MAX_TASKS: usize = 1 << 20;

/// An open task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenTask {
    pub(crate) task: TaskId,
    pub(crate) parent: TaskId,
    pub(crate) name: NameId,
    pub(crate) began_ns: u64,
    /// How many losses there had been when it began.
    pub(crate) losses: u64,
    /// The generation that named it last.
    pub(crate) named: u64,
}

/// Open tasks by the program's number of them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    open: FxHashMap<u64, OpenTask>,
}

impl Tasks {
    /// Adds a task, unless there are too many.
    pub(crate) fn begin(&mut self, number: u64, task: OpenTask) -> bool {
        let fits = self.open.len() < MAX_TASKS;
        if fits {
            self.open.insert(number, task);
        }
        fits
    }

    pub(crate) fn end(&mut self, number: u64) -> Option<OpenTask> {
        self.open.remove(&number)
    }

    /// The trace's id of a task that a record of this generation names.
    pub(crate) fn name(&mut self, number: u64, generation: u64) -> Option<TaskId> {
        let open = self.open.get_mut(&number)?;
        open.named = generation;
        Some(open.task)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &OpenTask)> {
        self.open.iter().map(|(&number, open)| (number, open))
    }
}
