//! Runs of async tasks, by worker, thread and task.

use exectrace_replay::{GoroutineKind, Stack, Text};

/// What a task did in a span of time in which it had a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RunKind {
    /// It ran: a poll.
    Run,
    /// It was in a call of the system.
    Syscall,
    /// A thread's own code, of which is not known whether it ran.
    OwnCode,
}

/// A span of time in which an async task, or a thread's own code, had a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    /// An index into [`Runs::tasks`].
    pub(crate) task: u32,
    /// How long the task had been ready before, if that was seen.
    pub(crate) delay_ns: Option<u64>,
    /// Who woke it: an index into [`Runs::tasks`], or `u32::MAX`.
    pub(crate) woken_by: u32,
    /// Why and where it ended.
    pub(crate) reason: Text,
    pub(crate) stack: Stack,
    pub(crate) kind: RunKind,
    /// The state after it.
    pub(crate) next: NextState,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum NextState {
    Unknown,
    Runnable,
    Running,
    Waiting,
    Syscall,
    Ended,
    TraceEnd,
}

impl NextState {
    /// The state, in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Syscall => "syscall",
            Self::Ended => "ended",
            Self::TraceEnd => "end of the trace",
        }
    }
}

/// An async task, or a thread's own code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskEntry {
    pub(crate) id: u64,
    pub(crate) name: Text,
    pub(crate) kind: GoroutineKind,
    pub(crate) parent: Option<u64>,
    pub(crate) spawned_at: Stack,
    pub(crate) begin_ns: u64,
    /// What it is in before its first run.
    pub(crate) first: NextState,
    /// How long it has been ready at the end, without a run.
    pub(crate) ready_at_end_ns: u64,
    /// `None`: it lives when the trace ends.
    pub(crate) end_ns: Option<u64>,
}

/// All runs, and in which rows they lie.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// By their ends.
    pub(crate) all: Vec<Run>,
    /// In the order in which the trace reports them.
    pub(crate) tasks: Vec<TaskEntry>,
    pub(crate) by_worker: Rows,
    pub(crate) by_thread: Rows,
    pub(crate) by_task: Rows,
}

/// For each row, the indexes of what lies in it, by time.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    keys: Vec<u64>,
    offsets: Vec<u32>,
    items: Vec<u32>,
}

impl Rows {
    /// Sorts items into rows: `keys` has the row of each item, `None` if it lies in none. Items of a row keep their
    /// order.
    pub(crate) fn new(keys: impl Iterator<Item = Option<u64>> + Clone) -> Self {
        let mut rows: Vec<u64> = keys.clone().flatten().collect();
        rows.sort_unstable();
        rows.dedup();
        let row = |key: u64| rows.binary_search(&key).unwrap_or(0);
        let mut offsets = vec![0_u32; rows.len() + 1];
        for key in keys.clone().flatten() {
            offsets[row(key) + 1] += 1;
        }
        for index in 1..offsets.len() {
            offsets[index] += offsets[index - 1];
        }
        let mut next = offsets.clone();
        let mut items = vec![0_u32; *offsets.last().unwrap_or(&0) as usize];
        for (item, key) in (0_u32..).zip(keys) {
            let Some(key) = key else { continue };
            let next = &mut next[row(key)];
            items[*next as usize] = item;
            *next += 1;
        }
        Self {
            keys: rows,
            offsets,
            items,
        }
    }

    /// Puts what overlaps, which a sound trace has not, in the order of its begins: rows are searched by time.
    pub(crate) fn sort_by_begin(&mut self, runs: &[Run]) {
        let begin = |&item: &u32| runs[item as usize].begin_ns;
        for row in self.offsets.windows(2) {
            let items = &mut self.items[row[0] as usize..row[1] as usize];
            if !items.is_sorted_by_key(begin) {
                items.sort_by_key(begin);
            }
        }
    }

    /// The rows, by their keys.
    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The items of a row.
    pub(crate) fn row(&self, key: u64) -> &[u32] {
        let Ok(row) = self.keys.binary_search(&key) else {
            return &[];
        };
        let (begin, end) = (self.offsets[row], self.offsets[row + 1]);
        &self.items[begin as usize..end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_their_items_and_leave_out_what_has_none() {
        let rows = Rows::new([Some(7), None, Some(3), Some(7)].into_iter());
        assert_eq!(rows.keys(), [3, 7]);
        assert_eq!(rows.row(7), [0, 3]);
        assert_eq!(rows.row(3), [2]);
        assert!(rows.row(5).is_empty());
    }
}
