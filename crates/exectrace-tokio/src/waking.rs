//! What this crate takes of the recorder's watching of wakers and stacks, in one place.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Context;

use exectrace_recorder::{AsyncTaskId, Runtime, StackHash, on_switch};

static EPOCH: AtomicU32 = AtomicU32::new(1);

/// Which stretch of recording this is: a number that changes when records are switched on.
#[inline(always)]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Has [`epoch`] kept up.
pub(crate) fn count_epochs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        on_switch(|| {
            EPOCH.fetch_add(1, Ordering::Relaxed);
        });
    });
}

/// Polls with a waker that records the wakes of the task, and remembers where it was cloned last.
#[inline(always)]
pub(crate) fn observe_poll<R>(
    _runtime: Runtime,
    _task: AsyncTaskId,
    _told: &mut u32,
    context: &mut Context<'_>,
    f: impl FnOnce(&mut Context<'_>) -> R,
) -> R {
    f(context)
}

/// Where the task that this thread polled last waits, if that is known.
#[inline(always)]
pub(crate) fn last_stack() -> Option<StackHash> {
    None
}
