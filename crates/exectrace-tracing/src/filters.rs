//! Writes into each trace the filters that it is recorded with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use exectrace_recorder::{NothingCause, explain_nothing_by, note, set_capability};

use crate::control::Control;
use crate::filter::Filter;
use crate::interest;
use crate::used;

/// The settings of the Layers and Subscribers that exist, in the order of their making.
static CONTROLS: Mutex<Vec<Arc<Control>>> = Mutex::new(Vec::new());

/// The filter of all Layers and Subscribers that are made from now on, if there is one.
static OVERRIDE: Mutex<Option<Filter>> = Mutex::new(None);

/// Has all Layers and Subscribers use this filter, those that exist and those that are made later, in place of the one
/// that each was given.
///
/// For a filter that does not come from the program's code but from who runs it. [`Handle::reload`](crate::Handle::reload)
/// still changes the filter of one Layer or Subscriber afterwards.
pub fn override_filters(filter: impl Into<Filter>) {
    let filter = filter.into();
    // Held until all have it: another override comes before or after this one for each of them.
    let mut overriding = lock_override();
    *overriding = Some(filter.clone());
    let controls = lock().clone();
    for control in &controls {
        control.change_filter(|current| *current = filter.clone());
    }
    drop(overriding);
    if !controls.is_empty() {
        note(&format!("all filters changed to {filter}"));
        update();
        interest::rebuild();
    }
}

fn lock_override() -> MutexGuard<'static, Option<Filter>> {
    // Whatever panics while it is held, it holds one filter or another.
    OVERRIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has traces name the filter of a Layer or Subscriber, for as long as this exists.
#[derive(Debug)]
pub(crate) struct NamedFilter(Arc<Control>);

impl NamedFilter {
    /// Of a Layer or Subscriber that is made; if all are to use one filter, it gets that.
    pub(crate) fn new(control: Arc<Control>) -> Self {
        explain_nothing_by(why_nothing);
        // Held until it is in the list: who overrides filters meanwhile finds it there.
        let overriding = lock_override();
        if let Some(filter) = &*overriding {
            control.change_filter(|given| *given = filter.clone());
        }
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
        // The filter is being changed, or was when the process was forked. There is a Layer or Subscriber, so that it
        // is no fault is the best guess.
        Err(TryLockError::WouldBlock) => Some(NothingCause::Idle),
    }
}

fn lock() -> MutexGuard<'static, Vec<Arc<Control>>> {
    // If a thread panicked while it held the lock, it did so while formatting a filter. The list is complete.
    CONTROLS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_being_changed_is_not_taken_for_a_missing_layer() {
        let _changing = lock();
        assert_eq!(why_nothing(), Some(NothingCause::Idle));
    }
}
