//! Samplers: what the program has the flush thread ask for, such as the counters of an async runtime.

use std::sync::{Arc, Mutex};

use crate::table::Table;

/// A set of numbers that the flush thread asks for ten times a second while something records.
pub type Sampler = Box<dyn FnMut(&mut dyn FnMut(&str, i64)) + Send>;

static SAMPLERS: Table<Vec<Arc<Mutex<Sampler>>>> = Table::new();

/// Adds counters: `sampler` gives name and value of each to its argument when it is called, on the flush
/// thread.
///
/// It must be quick and must not record. It is kept for the life of the process.
pub fn add_sampler(sampler: Sampler) {
    let sampler = Arc::new(Mutex::new(sampler));
    SAMPLERS.change(|samplers| samplers.push(Arc::clone(&sampler)));
}

/// Asks all samplers.
pub(crate) fn sample(f: &mut dyn FnMut(&str, i64)) {
    for sampler in SAMPLERS.read().iter() {
        // Only the flush thread locks. One that is locked, or that a panic has left, is one that the
        // process from which this one was forked was in the middle of, or that has failed.
        if let Ok(mut sampler) = sampler.try_lock() {
            sampler(f);
        }
    }
}
