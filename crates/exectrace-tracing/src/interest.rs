//! Has `tracing` ask again which call sites are enabled.
//!
//! `tracing` asks every subscriber once whether it is interested in a call site and caches the
//! answer. That is why a call site of a tracer that is off costs nothing. After the tracer is switched on or
//! off, and after a filter has changed, `tracing` must ask again.
//!
//! Two details matter. As long as only one subscriber was ever made, `tracing` asks only the default
//! subscriber *of the calling thread*. If that thread has none, as outside of a scoped default and inside
//! callbacks, all call sites would be disabled. And if two threads have `tracing` ask at the same time, the
//! thread that got its answers first may store them last.

use std::sync::{Mutex, PoisonError};

use tracing_core::callsite::rebuild_interest_cache;
use tracing_core::dispatcher::{self, Dispatch};
use tracing_core::subscriber::NoSubscriber;

/// Held while `tracing` asks, so that the answers stored last are the newest.
static REBUILDING: Mutex<()> = Mutex::new(());

/// Has `tracing` ask all subscribers about all call sites again.
pub(crate) fn rebuild() {
    let _rebuilding = REBUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let has_default = dispatcher::get_default(|current| !current.is::<NoSubscriber>());
    if !has_default {
        // Once a second subscriber has existed, if only for a moment, `tracing` asks all in its list.
        drop(Dispatch::new(NoSubscriber::new()));
    }
    rebuild_interest_cache();
}
