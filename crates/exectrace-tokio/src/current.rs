//! What a thread knows of itself: which worker it runs, and which tasks it polls.
//!
//! The thread-local has a constant initial value and no destructor, so that hooks can use it at any moment of
//! a thread's life. While nothing records, the hooks around polls do not touch it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use exectrace_recorder::{StackHash, Worker, epoch};

use crate::runtimes::RuntimeState;

/// How many nested polls of a thread are kept. Of more, the outermost are.
const MAX_DEPTH: usize = 8;

/// A poll that is under way on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenPoll {
    /// The task's id in Tokio; 0 if it has none.
    pub(crate) tokio_id: u64,
    /// Where the task waits after the poll.
    #[cfg_attr(not(tokio_unstable), allow(dead_code, reason = "only hooks read it"))]
    pub(crate) stack: Option<StackHash>,
}

impl OpenPoll {
    const NONE: Self = Self {
        tokio_id: 0,
        stack: None,
    };
}

struct Current {
    /// The runtime whose thread this is, one of a worker or of the blocking pool, if it has hooks.
    pool: Cell<Option<&'static RuntimeState>>,
    /// The epoch in which the thread reported its worker.
    epoch: Cell<u32>,
    /// The runtime and the worker that it reported, if any.
    state: Cell<Option<&'static RuntimeState>>,
    worker: Cell<Option<u32>>,
    /// The number of this thread in the claims of workers; 0 before its first claim.
    thread: Cell<u32>,
    /// The epoch of the polls in `open`.
    open_epoch: Cell<u32>,
    depth: Cell<usize>,
    open: [Cell<OpenPoll>; MAX_DEPTH],
    /// The task whose poll a wrapper was the last to report the end of.
    reported_end: Cell<u64>,
    #[cfg(tokio_unstable)]
    spawns: Spawns,
}

/// What the spawn hook and the functions that spawn pass to each other.
#[cfg(tokio_unstable)]
struct Spawns {
    name: Cell<Option<&'static str>>,
    last: Cell<u64>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            pool: Cell::new(None),
            epoch: Cell::new(0),
            state: Cell::new(None),
            worker: Cell::new(None),
            thread: Cell::new(0),
            open_epoch: Cell::new(0),
            depth: Cell::new(0),
            open: [const { Cell::new(OpenPoll::NONE) }; MAX_DEPTH],
            reported_end: Cell::new(0),
            #[cfg(tokio_unstable)]
            spawns: Spawns {
                name: Cell::new(None),
                last: Cell::new(0),
            },
        }
    };
}

impl Current {
    /// The worker of the runtime that this thread runs, if it has reported that in this epoch.
    #[inline]
    fn reported_worker(&self, state: &'static RuntimeState) -> Option<u32> {
        if self.epoch.get() != epoch() {
            return None;
        }
        if !self
            .state
            .get()
            .is_some_and(|reported| std::ptr::eq(reported, state))
        {
            return None;
        }
        let worker = self.worker.get()?;
        state
            .is_claimed_by(worker, self.thread.get())
            .then_some(worker)
    }

    fn thread(&self) -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        if self.thread.get() == 0 {
            self.thread.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        self.thread.get()
    }

    fn forget_worker(&self) {
        self.state.set(None);
        self.worker.set(None);
    }
}

/// Reports, once in a recording, which worker of the runtime the calling thread runs.
///
/// After `block_in_place` another thread runs the worker, and no hook reports that. So each poll checks
/// whether the worker is still on this thread.
#[inline]
pub(crate) fn report_worker(state: &'static RuntimeState) {
    let is_reported = CURRENT.with(|current| current.reported_worker(state).is_some());
    if !is_reported {
        unparks(state);
    }
}

/// The calling thread begins to look for work, as the worker that Tokio says it runs.
#[cold]
pub(crate) fn unparks(state: &'static RuntimeState) {
    let Some(worker) = worker_index() else {
        // The thread runs no worker. It may be the caller of a multi-threaded runtime's `block_on`.
        return;
    };
    CURRENT.with(|current| {
        current.epoch.set(epoch());
        current.state.set(Some(state));
        current.worker.set(Some(worker));
        state.claim(worker, current.thread());
    });
    state.set_busy(worker, true);
    state.runtime.unparks(Worker(worker));
}

/// The calling thread is one of the runtime's.
pub(crate) fn starts(state: &'static RuntimeState) {
    CURRENT.with(|current| current.pool.set(Some(state)));
}

/// The calling thread is no runtime's any more.
pub(crate) fn stops() {
    CURRENT.with(|current| current.pool.set(None));
}

/// The hooked runtime whose thread this is, unless it is in a poll or a closure that is reported.
pub(crate) fn pool_of_thread() -> Option<&'static RuntimeState> {
    CURRENT.with(|current| {
        let is_polling = current.open_epoch.get() == epoch() && current.depth.get() > 0;
        current.pool.get().filter(|_| !is_polling)
    })
}

/// The calling thread goes to sleep.
pub(crate) fn parks(state: &'static RuntimeState) {
    let reported = CURRENT.with(|current| current.reported_worker(state));
    if let Some(worker) = reported.or_else(worker_index) {
        state.set_busy(worker, false);
        state.runtime.parks(Worker(worker));
    }
}

/// The calling thread no longer runs a worker of the runtime.
pub(crate) fn leaves(state: &'static RuntimeState) {
    CURRENT.with(|current| {
        if let Some(worker) = current.reported_worker(state) {
            state.set_busy(worker, false);
            state.runtime.parks(Worker(worker));
            current.forget_worker();
        }
    });
}

/// The calling thread may no longer run its worker. Has the next poll check.
pub(crate) fn forget_worker() {
    CURRENT.with(Current::forget_worker);
}

fn worker_index() -> Option<u32> {
    tokio::runtime::worker_index().and_then(|index| u32::try_from(index).ok())
}

/// A poll begins. Returns how many were under way, for [`close_to`].
#[inline]
pub(crate) fn open(tokio_id: u64) -> usize {
    CURRENT.with(|current| {
        let epoch = epoch();
        if current.open_epoch.replace(epoch) != epoch {
            // What is left are polls from a recording that ended while they were under way.
            current.depth.set(0);
        }
        let depth = current.depth.get();
        if let Some(place) = current.open.get(depth) {
            place.set(OpenPoll {
                tokio_id,
                stack: None,
            });
            current.depth.set(depth + 1);
        }
        depth
    })
}

/// The poll for which [`open`] returned this depth has ended, and so have all inside it.
#[inline]
pub(crate) fn close_to(depth: usize, reported_end: u64) {
    CURRENT.with(|current| {
        current.depth.set(depth.min(current.depth.get()));
        current.reported_end.set(reported_end);
    });
}

/// Returns the depth of the innermost poll, if it is one of this task.
#[inline]
pub(crate) fn depth_if_open(tokio_id: u64) -> Option<usize> {
    CURRENT.with(|current| {
        let depth = current.depth.get().checked_sub(1)?;
        let open = current.open.get(depth)?.get();
        (tokio_id != 0 && open.tokio_id == tokio_id).then_some(depth)
    })
}

/// Sets the stack at which the task of this poll waits from now on.
#[inline]
pub(crate) fn set_stack(depth: usize, stack: Option<StackHash>) {
    CURRENT.with(|current| {
        if let Some(place) = current.open.get(depth) {
            place.set(OpenPoll {
                stack,
                ..place.get()
            });
        }
    });
}

/// The end of a poll, as the hook sees it.
#[cfg(tokio_unstable)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum HookedEnd {
    /// The hook has seen the poll's begin too. The task waits at this stack.
    OfOpen(Option<StackHash>),
    /// The poll began before the recording.
    OfOlder,
    /// A wrapper, which had not seen the begin either, has reported the end.
    Reported,
}

/// Like [`close_to`], for a hook, which cannot keep the depth.
#[cfg(tokio_unstable)]
#[inline]
pub(crate) fn close(tokio_id: u64) -> HookedEnd {
    CURRENT.with(|current| {
        let reported_end = current.reported_end.replace(0);
        for depth in (0..current.depth.get()).rev() {
            let open = current.open[depth].get();
            if open.tokio_id == tokio_id {
                current.depth.set(depth);
                return HookedEnd::OfOpen(open.stack);
            }
        }
        if reported_end == tokio_id {
            HookedEnd::Reported
        } else {
            HookedEnd::OfOlder
        }
    })
}

/// What the spawn hook and the functions that spawn pass to each other.
#[cfg(tokio_unstable)]
pub(crate) mod spawns {
    use super::CURRENT;

    /// Sets the name of the task that this thread spawns next.
    pub(crate) fn set_name(name: Option<&'static str>) {
        CURRENT.with(|current| current.spawns.name.set(name));
    }

    /// Takes the name of the task that is being spawned.
    pub(crate) fn take_name() -> Option<&'static str> {
        CURRENT.with(|current| current.spawns.name.take())
    }

    /// The hook has seen this task being spawned.
    pub(crate) fn set_last(tokio_id: u64) {
        CURRENT.with(|current| current.spawns.last.set(tokio_id));
    }

    /// Whether this is the last task that the hook has seen being spawned on this thread.
    pub(crate) fn is_last(tokio_id: u64) -> bool {
        CURRENT.with(|current| current.spawns.last.get() == tokio_id)
    }
}
