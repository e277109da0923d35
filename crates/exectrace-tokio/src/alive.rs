//! Which tasks are entered in the recorder's roster of tasks alive: all, unless the program says not.

use std::sync::atomic::{AtomicBool, Ordering};

use exectrace_recorder::{AliveTask, AsyncTaskId, roster};

static IS_KEPT: AtomicBool = AtomicBool::new(true);

/// Whether tasks spawned from now on are entered.
pub(crate) fn set_kept(is_kept: bool) {
    IS_KEPT.store(is_kept, Ordering::Relaxed);
}

/// Whether tasks are entered.
#[inline]
pub(crate) fn is_kept() -> bool {
    IS_KEPT.load(Ordering::Relaxed)
}

/// Enters a task, if that is wanted.
#[inline]
pub(crate) fn insert(task: &AliveTask) {
    if is_kept() {
        roster::enter(task);
    }
}

/// Whether it is known that hooks, or a wrapper, told of a task.
pub(crate) fn is_told(task: AsyncTaskId) -> bool {
    roster::has(task) || !is_kept()
}
