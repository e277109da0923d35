//! What a thread knows of itself: which worker it is, and what it polls.
//!
//! Constant to begin with and without a destructor, so that hooks can reach it at any moment of a
//! thread's life. Nothing here is touched by the poll hooks while nothing records.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use exectrace_recorder::{StackHash, Worker, epoch};

use crate::runtimes::RuntimeState;

/// Polls inside polls on one thread that are told apart. Of deeper ones the outermost are kept.
const MAX_DEPTH: usize = 8;

/// A poll that is under way on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenPoll {
    /// The task's number in Tokio; 0 if it has none.
    pub(crate) tokio_number: u64,
    /// Where the task waits after the poll.
    #[cfg_attr(not(tokio_unstable), allow(dead_code, reason = "it is for hooks"))]
    pub(crate) stack: Option<StackHash>,
}

impl OpenPoll {
    const NONE: Self = Self {
        tokio_number: 0,
        stack: None,
    };
}

struct Current {
    /// The epoch in which the thread told its worker.
    epoch: Cell<u32>,
    /// The runtime and the worker that it told, if any.
    state: Cell<Option<&'static RuntimeState>>,
    worker: Cell<Option<u32>>,
    /// A number for this thread in the claims; 0 before its first.
    thread: Cell<u32>,
    /// The epoch of what is in `open`.
    open_epoch: Cell<u32>,
    depth: Cell<usize>,
    open: [Cell<OpenPoll>; MAX_DEPTH],
    /// The task whose poll a wrapper told the end of last.
    told_end: Cell<u64>,
    #[cfg(tokio_unstable)]
    spawns: Spawns,
}

/// What the spawn hook and those who cause it tell each other.
#[cfg(tokio_unstable)]
struct Spawns {
    name: Cell<Option<&'static str>>,
    last: Cell<u64>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            epoch: Cell::new(0),
            state: Cell::new(None),
            worker: Cell::new(None),
            thread: Cell::new(0),
            open_epoch: Cell::new(0),
            depth: Cell::new(0),
            open: [const { Cell::new(OpenPoll::NONE) }; MAX_DEPTH],
            told_end: Cell::new(0),
            #[cfg(tokio_unstable)]
            spawns: Spawns {
                name: Cell::new(None),
                last: Cell::new(0),
            },
        }
    };
}

impl Current {
    /// The worker of the runtime that this thread is known to be.
    #[inline]
    fn told_worker(&self, state: &'static RuntimeState) -> Option<u32> {
        if self.epoch.get() != epoch() {
            return None;
        }
        if !self
            .state
            .get()
            .is_some_and(|told| std::ptr::eq(told, state))
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

/// Tells, once in a recording, which worker of the runtime the calling thread is.
///
/// A thread can become another's worker without a hook: after `block_in_place`. So each poll looks
/// whether the thread is still the one that the worker is on.
#[inline]
pub(crate) fn tell_worker(state: &'static RuntimeState) {
    let is_told = CURRENT.with(|current| current.told_worker(state).is_some());
    if !is_told {
        unparks(state);
    }
}

/// The calling thread looks for work for the runtime, as the worker that Tokio says it is.
#[cold]
pub(crate) fn unparks(state: &'static RuntimeState) {
    let Some(worker) = worker_index() else {
        // Not a worker's thread, such as the caller of a multi-threaded runtime's `block_on`.
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

/// The calling thread goes to sleep.
pub(crate) fn parks(state: &'static RuntimeState) {
    let told = CURRENT.with(|current| current.told_worker(state));
    if let Some(worker) = told.or_else(worker_index) {
        state.set_busy(worker, false);
        state.runtime.parks(Worker(worker));
    }
}

/// The calling thread is no worker of the runtime any more.
pub(crate) fn leaves(state: &'static RuntimeState) {
    CURRENT.with(|current| {
        if let Some(worker) = current.told_worker(state) {
            state.set_busy(worker, false);
            state.runtime.parks(Worker(worker));
            current.forget_worker();
        }
    });
}

/// The calling thread may have lost its worker to another.
pub(crate) fn doubt_worker() {
    CURRENT.with(Current::forget_worker);
}

fn worker_index() -> Option<u32> {
    tokio::runtime::worker_index().and_then(|index| u32::try_from(index).ok())
}

/// Notes that a poll begins. Returns how many were under way, for [`close_to`].
#[inline]
pub(crate) fn open(tokio_number: u64) -> usize {
    CURRENT.with(|current| {
        let epoch = epoch();
        if current.open_epoch.replace(epoch) != epoch {
            // What is left was opened in a recording that ended in the middle of a poll.
            current.depth.set(0);
        }
        let depth = current.depth.get();
        if let Some(place) = current.open.get(depth) {
            place.set(OpenPoll {
                tokio_number,
                stack: None,
            });
            current.depth.set(depth + 1);
        }
        depth
    })
}

/// Notes that the poll has ended that [`open`] returned this for, and all inside it.
#[inline]
pub(crate) fn close_to(depth: usize, told_end: u64) {
    CURRENT.with(|current| {
        current.depth.set(depth.min(current.depth.get()));
        current.told_end.set(told_end);
    });
}

/// Whether a poll of this task is under way, and nothing inside it; its depth then.
#[inline]
pub(crate) fn depth_if_open(tokio_number: u64) -> Option<usize> {
    CURRENT.with(|current| {
        let depth = current.depth.get().checked_sub(1)?;
        let open = current.open.get(depth)?.get();
        (tokio_number != 0 && open.tokio_number == tokio_number).then_some(depth)
    })
}

/// Notes where the task of this poll waits from now on.
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

/// The end of a poll that the hooks saw.
#[cfg(tokio_unstable)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum HookedEnd {
    /// Its begin was seen as well; the task waits here.
    OfOpen(Option<StackHash>),
    /// It began before the recording.
    OfOlder,
    /// A wrapper, which knew of no begin either, has told it.
    Told,
}

/// As [`close_to`], for a hook, which cannot keep the depth.
#[cfg(tokio_unstable)]
#[inline]
pub(crate) fn close(tokio_number: u64) -> HookedEnd {
    CURRENT.with(|current| {
        let told_end = current.told_end.replace(0);
        for depth in (0..current.depth.get()).rev() {
            let open = current.open[depth].get();
            if open.tokio_number == tokio_number {
                current.depth.set(depth);
                return HookedEnd::OfOpen(open.stack);
            }
        }
        if told_end == tokio_number {
            HookedEnd::Told
        } else {
            HookedEnd::OfOlder
        }
    })
}

/// What hooks on spawning leave for the functions that spawn, and the other way round.
#[cfg(tokio_unstable)]
pub(crate) mod spawns {
    use super::CURRENT;

    /// Names the task that is spawned next on this thread.
    pub(crate) fn set_name(name: Option<&'static str>) {
        CURRENT.with(|current| current.spawns.name.set(name));
    }

    /// The name of the task that is being spawned.
    pub(crate) fn take_name() -> Option<&'static str> {
        CURRENT.with(|current| current.spawns.name.take())
    }

    /// The hook saw this task spawned.
    pub(crate) fn set_last(tokio_number: u64) {
        CURRENT.with(|current| current.spawns.last.set(tokio_number));
    }

    /// Whether this is the last task that the hook saw spawned on this thread.
    pub(crate) fn is_last(tokio_number: u64) -> bool {
        CURRENT.with(|current| current.spawns.last.get() == tokio_number)
    }
}
