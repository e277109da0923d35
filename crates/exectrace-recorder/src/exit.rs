//! What is to be done when the process exits and all recordings are finished.

use std::panic::catch_unwind;
use std::sync::Mutex;

use crate::enabled::lock;

static CALLBACKS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Has `callback` called when the process exits in an orderly way and its recordings are finished, their files closed.
///
/// It is called on the thread that exits, where thread-local state is gone, and only in a process that has recorded;
/// in a forked child too if that has. It should not take long. A panic in it is ignored. On Unix only.
pub fn on_exit(callback: fn()) {
    lock(&CALLBACKS).push(callback);
}

#[cfg_attr(not(unix), allow(dead_code, reason = "exits are not seen there"))]
pub(crate) fn call_all() {
    // Not `lock`: a forked child may have it held by a thread that is not there.
    let callbacks = CALLBACKS.try_lock().map(|callbacks| callbacks.clone());
    for callback in callbacks.unwrap_or_default() {
        // Unwinding must not leave the function that the system called.
        let _ = catch_unwind(callback);
    }
}
