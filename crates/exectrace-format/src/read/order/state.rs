//! What the rules know of goroutines, procs, threads and user tasks.

use crate::ids::TaskId;

use super::names::KeptNameId;
use super::ranges::KnownRange;

/// The states of goroutines on the wire.
pub(super) mod go_status {
    pub(in super::super) const RUNNABLE: u8 = 1;
    pub(in super::super) const RUNNING: u8 = 2;
    pub(in super::super) const SYSCALL: u8 = 3;
    pub(in super::super) const WAITING: u8 = 4;
    pub(in super::super) const LAST: u8 = 4;
}

/// The states of procs on the wire.
pub(super) mod proc_status {
    pub(in super::super) const RUNNING: u8 = 1;
    pub(in super::super) const IDLE: u8 = 2;
    pub(in super::super) const SYSCALL: u8 = 3;
    pub(in super::super) const ABANDONED: u8 = 4;
    pub(in super::super) const LAST: u8 = 4;
}

/// A sequence number within a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seq {
    pub(super) generation: u64,
    pub(super) number: u64,
}

impl Seq {
    #[inline]
    pub(super) fn is_next(self, generation: u64, number: u64) -> bool {
        self.generation == generation && number == self.number.wrapping_add(1)
    }
}

/// What is known of a goroutine.
#[derive(Clone, Debug)]
pub(super) struct KnownGo {
    pub(super) status: u8,
    pub(super) seq: Seq,
    pub(super) ranges: Vec<KnownRange>,
    /// Open regions: task and name.
    pub(super) regions: Vec<(u64, KeptNameId)>,
}

/// What is known of a proc.
#[derive(Clone, Debug)]
pub(super) struct KnownProc {
    pub(super) status: u8,
    pub(super) seq: Seq,
    pub(super) ranges: Vec<KnownRange>,
    /// The threads bound to it, as indices: one at most, unless the trace contradicts itself.
    pub(super) holders: Vec<usize>,
}

/// What is known of a thread.
#[derive(Clone, Debug)]
pub(super) struct KnownThread {
    pub(super) id: u64,
    pub(super) proc: u64,
    pub(super) go: u64,
    /// Its place among the holders of `proc`, if it holds one.
    pub(super) holder_slot: usize,
    /// Whether an event of it was tried, or a status named it.
    pub(super) known: bool,
}

/// An open user task.
#[derive(Clone, Debug)]
pub(super) struct OpenTask {
    pub(super) parent: TaskId,
    pub(super) name: KeptNameId,
}
