//! Writes into each trace the filters that it is recorded with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use exectrace_recorder::{NothingCause, explain_nothing_by, set_capability};

use crate::control::Control;
use crate::used;

/// The settings of the Layers and Subscribers that exist, in the order of their making.
static CONTROLS: Mutex<Vec<Arc<Control>>> = Mutex::new(Vec::new());

/// Has traces name the filter of a Layer or Subscriber, for as long as this exists.
#[derive(Debug)]
pub(crate) struct NamedFilter(Arc<Control>);

impl NamedFilter {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        explain_nothing_by(why_nothing);
        let mut controls = lock();
        controls.push(Arc::clone(&control));
        write(&controls);
        Self(control)
    }
}

impl Drop for NamedFilter {
    fn drop(&mut self) {
        let mut controls = lock();
        controls.retain(|control| !Arc::ptr_eq(control, &self.0));
        write(&controls);
    }
}

/// Writes the filters again, after one has changed.
pub(crate) fn update() {
    write(&lock());
}

fn write(controls: &[Arc<Control>]) {
    let filters: Vec<_> = controls
        .iter()
        .map(|control| control.filter().to_string())
        .collect();
    set_capability("tracing.filter", filters.join("; "));
}

/// Why no span or event is recorded. Called on the recorder's flush thread.
fn why_nothing() -> Option<NothingCause> {
    match CONTROLS.try_lock() {
        Ok(controls) => Some(used::why_nothing(&controls)),
        Err(TryLockError::Poisoned(controls)) => Some(used::why_nothing(controls.get_ref())),
        // The filter is being changed, or was when the process was forked.
        Err(TryLockError::WouldBlock) => None,
    }
}

fn lock() -> MutexGuard<'static, Vec<Arc<Control>>> {
    // If a thread panicked while it held the lock, it did so while formatting a filter. The list is complete.
    CONTROLS.lock().unwrap_or_else(PoisonError::into_inner)
}
