//! Tells `tracing` when our answer about its call sites has changed.
//!
//! `tracing` asks every subscriber once whether it is interested in a call site and remembers the
//! answer; that is what makes a call site of a switched-off tracer free. So after each switch, and
//! after each change of a filter, it must ask again.
//!
//! Two things about that are not plain. While only one subscriber was ever made, `tracing` asks only
//! the one that is the default *of the calling thread*, which for a scoped default on another thread
//! would be none, and all call sites would fall silent. And of two threads that rebuild at once, the
//! one that asked first may store its outdated answers last.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_core::dispatcher::{self, Dispatch, WeakDispatch};
use tracing_core::subscriber::NoSubscriber;

/// Subscribers that we are, or are a part of.
static DISPATCHES: Mutex<Vec<WeakDispatch>> = Mutex::new(Vec::new());

/// Held while call sites are asked, so that the last answers stored are the latest.
static REBUILDING: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a subscriber that we are, or are a part of, for as long as it lives.
pub(crate) fn remember(dispatch: &Dispatch) {
    let mut dispatches = lock(&DISPATCHES);
    dispatches.retain(|known| known.upgrade().is_some());
    dispatches.push(dispatch.downgrade());
}

/// Has all call sites ask again. Does nothing where there is no subscriber of ours.
pub(crate) fn rebuild() {
    let ours = lock(&DISPATCHES).iter().find_map(WeakDispatch::upgrade);
    let Some(ours) = ours else {
        return;
    };
    let _rebuilding = lock(&REBUILDING);
    let is_visible = dispatcher::get_default(|current| !current.is::<NoSubscriber>());
    if is_visible {
        tracing_core::callsite::rebuild_interest_cache();
        return;
    }
    // No default here, or this thread is inside a callback of it, which hides it and forbids to set
    // another. A thread of our own can.
    let helper = std::thread::Builder::new()
        .name("exectrace-rebuild".to_owned())
        .spawn(move || {
            dispatcher::with_default(&ours, tracing_core::callsite::rebuild_interest_cache);
        });
    match helper {
        // A panic in another subscriber's answers is not ours to pass on.
        Ok(helper) => drop(helper.join()),
        // Right if there are several subscribers, and the only thing left to try.
        Err(_) => tracing_core::callsite::rebuild_interest_cache(),
    }
}
