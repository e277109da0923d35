//! The switch that every record looks at first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The epoch of recording, or 0 while nothing records: the switch itself.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Whether anything records now.
///
/// One relaxed load. A thread may see a switch late by as long as its processor takes to see
/// another's store; a record written in that time is left out.
#[inline(always)]
#[must_use]
pub fn is_enabled() -> bool {
    // Relaxed: the flag guards no memory. A thread that acts on an old value writes a record that
    // the flush thread ignores by its time, or omits one that raced with the switch anyway.
    EPOCH.load(Ordering::Relaxed) != 0
}

/// The number of the present epoch of recording, from 1 up, or 0 while nothing records.
///
/// An epoch lasts from one switch from off to on to the next switch off. What has to be told once
/// for all recordings of an epoch is kept with the epoch it was told in: one comparison with this
/// then says whether it is known. Costs one relaxed load.
#[inline(always)]
#[must_use]
pub fn epoch() -> u32 {
    // Relaxed: as for `is_enabled`.
    EPOCH.load(Ordering::Relaxed)
}

static LISTENERS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Has `listener` called after each switch from off to on and back, on the thread that switched, and
/// when the first [`Runtime`](crate::Runtime) is registered in between.
///
/// A listener is kept for the life of the process; the same function is kept once. This is how
/// `tracing` call sites learn that they are wanted. A listener must not start or stop recordings.
pub fn on_switch(listener: fn()) {
    let mut listeners = lock(&LISTENERS);
    if !listeners
        .iter()
        .any(|&known| std::ptr::fn_addr_eq(known, listener))
    {
        listeners.push(listener);
    }
}

/// Sets the switch; the listeners are for [`tell_listeners`].
pub(crate) fn set_enabled(enabled: bool) {
    static LAST: Mutex<u32> = Mutex::new(0);
    let mut last = lock(&LAST);
    if !enabled {
        EPOCH.store(0, Ordering::SeqCst);
    } else if !is_enabled() {
        // 0 is skipped: it means off.
        *last = last.checked_add(1).unwrap_or(1);
        EPOCH.store(*last, Ordering::SeqCst);
    }
}

/// Calls the listeners. No lock is held while they run.
pub(crate) fn tell_listeners() {
    let listeners = lock(&LISTENERS).clone();
    for listener in listeners {
        listener();
    }
}

/// Locks, also after a panic of another holder: what these locks guard is whole at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
