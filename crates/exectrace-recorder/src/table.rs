//! A small table of the process that is read often and changed rarely, without a lock.
//!
//! Readers see the table as it was at one moment. Who changes it makes a new one beside it and puts it
//! in its place; if somebody else was faster, that is done again. So nobody waits for anybody, also not
//! for a thread that is gone: in a forked child the threads that were about to change a table are not
//! there any more, and would hold a lock for ever.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// The table; empty, which is its default, until the first change.
pub(crate) struct Table<T>(ArcSwapOption<T>);

impl<T: Clone + Default> Table<T> {
    pub(crate) const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// What is in the table now.
    pub(crate) fn read(&self) -> Arc<T> {
        self.0.load_full().unwrap_or_default()
    }

    /// Changes the table. `change` is called with a copy, once more each time that another was faster,
    /// and its last answer returned.
    pub(crate) fn change<R>(&self, mut change: impl FnMut(&mut T) -> R) -> R {
        loop {
            let old = self.0.load_full();
            let mut new = old.as_deref().cloned().unwrap_or_default();
            let answer = change(&mut new);
            let found = self.0.compare_and_swap(&old, Some(Arc::new(new)));
            if std::ptr::eq(as_address(&found), as_address(&old)) {
                return answer;
            }
        }
    }
}

fn as_address<T>(table: &Option<Arc<T>>) -> *const T {
    table.as_ref().map_or(std::ptr::null(), Arc::as_ptr)
}
