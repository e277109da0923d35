//! Tells `tracing` when our answer about its call sites has changed.
//!
//! `tracing` asks every subscriber once whether it is interested in a call site and remembers the
//! answer; that is what makes a call site of a switched-off tracer free. So after each switch, and
//! after each change of a filter, it must ask again.
//!
//! Two things about that are not plain. While only one subscriber was ever made, `tracing` asks only
//! the one that is the default *of the calling thread*; where that is none, as it is outside of a
//! scoped default and inside its callbacks, all call sites would fall silent. And of two threads
//! that have it ask at once, the one that got its answers first may store them last.

use std::sync::{Mutex, PoisonError};

use tracing_core::callsite::rebuild_interest_cache;
use tracing_core::dispatcher::{self, Dispatch};
use tracing_core::subscriber::NoSubscriber;

/// Held while call sites are asked, so that the last answers stored are the latest.
static REBUILDING: Mutex<()> = Mutex::new(());

/// Has all call sites asked again, of all subscribers.
pub(crate) fn rebuild() {
    let _rebuilding = REBUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let has_default = dispatcher::get_default(|current| !current.is::<NoSubscriber>());
    if !has_default {
        // A second subscriber, if for a moment only, has `tracing` go through the list of them.
        drop(Dispatch::new(NoSubscriber::new()));
    }
    rebuild_interest_cache();
}
