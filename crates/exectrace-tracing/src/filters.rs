//! Writes into each trace which filters it is recorded with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exectrace_recorder::set_capability;

use crate::control::Control;

/// The settings of the Layers and Subscribers that exist, in the order of their making.
static CONTROLS: Mutex<Vec<Arc<Control>>> = Mutex::new(Vec::new());

/// Keeps the filter of a Layer or Subscriber among those that traces name.
#[derive(Debug)]
pub(crate) struct Named(Arc<Control>);

impl Named {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        let mut controls = lock();
        controls.push(Arc::clone(&control));
        write(&controls);
        Self(control)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut controls = lock();
        controls.retain(|control| !Arc::ptr_eq(control, &self.0));
        write(&controls);
    }
}

/// Writes the filters again, after one was changed.
pub(crate) fn describe() {
    write(&lock());
}

fn write(controls: &[Arc<Control>]) {
    let filters: Vec<_> = controls
        .iter()
        .map(|control| control.filter().to_string())
        .collect();
    set_capability("tracing.filter", filters.join("; "));
}

fn lock() -> MutexGuard<'static, Vec<Arc<Control>>> {
    // A panic while it was locked came from formatting a filter; the list is whole.
    CONTROLS.lock().unwrap_or_else(PoisonError::into_inner)
}
