//! What has become of the Layers and Subscribers, to say why none of them records anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exectrace_recorder::NothingCause;
use tracing_core::LevelFilter;

use crate::control::Control;

/// What has become of a Layer or Subscriber.
///
/// All accesses are relaxed: the flags guard nothing.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// There was a dispatcher with it.
    is_installed: AtomicBool,
    /// `tracing` has asked about a call site while something recorded …
    has_callsites: AtomicBool,
    /// … and the filter let one through.
    has_wanted_callsites: AtomicBool,
}

impl Used {
    /// A dispatcher was made with it.
    pub(crate) fn install(&self) {
        self.is_installed.store(true, Ordering::Relaxed);
    }

    /// `tracing` asked about a call site.
    pub(crate) fn callsite(&self, is_wanted: bool) {
        self.has_callsites.store(true, Ordering::Relaxed);
        if is_wanted {
            self.has_wanted_callsites.store(true, Ordering::Relaxed);
        }
    }

    /// The filter has changed, so `tracing` asks about all call sites again.
    pub(crate) fn forget_callsites(&self) {
        self.has_callsites.store(false, Ordering::Relaxed);
        self.has_wanted_callsites.store(false, Ordering::Relaxed);
    }
}

/// Why no span or event is recorded, where these are all that there are.
pub(crate) fn why_nothing(controls: &[Arc<Control>]) -> NothingCause {
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    let installed = || {
        controls
            .iter()
            .filter(|control| is(&control.used.is_installed))
    };
    // One that is as it should be is enough: the others may be what is left of tests, or of another library.
    let mut filters = installed().map(|control| control.filter().max_level());
    let rejects_all = |control: &Arc<Control>| {
        is(&control.used.has_callsites) && !is(&control.used.has_wanted_callsites)
    };
    if controls.is_empty() {
        NothingCause::Dropped
    } else if installed().next().is_none() {
        NothingCause::NotInstalled
    } else if filters.all(|level| level == LevelFilter::OFF) {
        NothingCause::FilterOff
    } else if installed().all(rejects_all) {
        NothingCause::FilterRejectsAll
    } else {
        NothingCause::Idle
    }
}
