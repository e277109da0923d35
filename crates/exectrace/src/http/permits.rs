//! How much of something may be done at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many may do it, and how many do.
#[derive(Debug)]
pub(super) struct Permits {
    limit: usize,
    taken: Arc<AtomicUsize>,
}

/// A place among those who do it, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permits {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: Arc::default(),
        }
    }

    /// How many there are at most.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes one, if one is left.
    pub(super) fn take(&self) -> Option<Permit> {
        // Relaxed: the count guards nothing.
        let one_more = |taken: usize| (taken < self.limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()
            .map(|_| Permit(Arc::clone(&self.taken)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
