//! The enabled flag, which every record looks at first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::table::Table;

/// The enabled flag: the epoch of recording, or 0 while nothing records.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Whether anything records now.
///
/// One relaxed load. A thread may see a change late by as long as its processor takes to see
/// another's store; a record written in that time is left out.
#[inline(always)]
#[must_use]
pub fn is_enabled() -> bool {
    // Relaxed: the flag guards no memory. A thread that acts on an old value writes a record that
    // the flush thread ignores by its time, or omits one that raced with the change anyway.
    EPOCH.load(Ordering::Relaxed) != 0
}

/// The number of the present epoch of recording, from 1 up, or 0 while nothing records.
///
/// An epoch lasts from the start of a recording while no other runs to the stop of the last that runs. What
/// has to be recorded once for all recordings of an epoch is kept with the epoch in which it was: then one
/// comparison shows whether it is to be recorded again. Costs one relaxed load.
#[inline(always)]
#[must_use]
pub fn epoch() -> u32 {
    // Relaxed: as for `is_enabled`.
    EPOCH.load(Ordering::Relaxed)
}

static LISTENERS: Table<Vec<fn()>> = Table::new();

/// Has `listener` called whenever [`is_enabled`] has changed, on the thread that started or stopped a
/// recording, and
/// when the first [`Runtime`](crate::Runtime) is registered in between.
///
/// A listener is kept for the life of the process; the same function is kept once. This is how
/// `tracing` call sites learn that they are wanted. A listener must not start or stop recordings.
pub fn on_enabled_change(listener: fn()) {
    LISTENERS.change(|listeners| {
        let is_it = |&known: &fn()| std::ptr::fn_addr_eq(known, listener);
        if !listeners.iter().any(is_it) {
            listeners.push(listener);
        }
    });
}

/// Sets the flag; [`call_listeners`] calls the listeners. Only the flush thread does.
pub(crate) fn set_enabled(enabled: bool) {
    static LAST: AtomicU32 = AtomicU32::new(0);
    if !enabled {
        EPOCH.store(0, Ordering::SeqCst);
    } else if !is_enabled() {
        // 0 is skipped: it means off. Relaxed: one thread only.
        let next = LAST.load(Ordering::Relaxed).checked_add(1).unwrap_or(1);
        LAST.store(next, Ordering::Relaxed);
        EPOCH.store(next, Ordering::SeqCst);
    }
}

/// Clears the flag in a forked child, which has no flush thread.
#[cfg(unix)]
pub(crate) fn forget() {
    EPOCH.store(0, Ordering::SeqCst);
}

/// Calls the listeners.
pub(crate) fn call_listeners() {
    for listener in LISTENERS.read().iter() {
        listener();
    }
}

/// Locks, also after a panic of another holder: what these locks guard is whole at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
