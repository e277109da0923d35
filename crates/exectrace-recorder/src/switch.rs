//! The switch that every record looks at first.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

static ENABLED: AtomicBool = AtomicBool::new(false);

/// Whether anything records now.
///
/// One relaxed load. A thread may see a switch late by as long as its processor takes to see
/// another's store; a record written in that time is left out.
#[inline(always)]
#[must_use]
pub fn is_enabled() -> bool {
    // Relaxed: the flag guards no memory. A thread that acts on an old value writes a record that
    // the flush thread ignores by its time, or omits one that raced with the switch anyway.
    ENABLED.load(Ordering::Relaxed)
}

static LISTENERS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Has `listener` called after each switch from off to on and back, on the thread that switched.
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
    ENABLED.store(enabled, Ordering::SeqCst);
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
