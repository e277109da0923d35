//! From the ids of a trace to indices of arrays.

use rustc_hash::FxHashMap;

/// Maps ids to indices: an array for small ids, a map for the others.
///
/// Ids of goroutines, procs and user tasks count up from small numbers in all traces but made-up ones, so
/// that a look-up is mostly one access to an array.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The index plus one; 0 where there is none.
    dense: Vec<u32>,
    sparse: FxHashMap<u64, u32>,
}

/// Ids from here on go into the map: one huge id is to cost one entry.
const DENSE_IDS: u64 = 1 << 16;

impl Index {
    /// The index of an id.
    #[inline]
    pub fn get(&self, id: u64) -> Option<u32> {
        if id < DENSE_IDS {
            self.dense.get(id as usize)?.checked_sub(1)
        } else {
            self.sparse.get(&id).copied()
        }
    }

    /// Sets the index of an id.
    pub fn insert(&mut self, id: u64, index: u32) {
        if id < DENSE_IDS {
            let place = id as usize;
            if self.dense.len() <= place {
                self.dense.resize(place + 1, 0);
            }
            self.dense[place] = index.saturating_add(1);
        } else {
            self.sparse.insert(id, index);
        }
    }

    /// Forgets an id.
    pub fn remove(&mut self, id: u64) {
        if id >= DENSE_IDS {
            self.sparse.remove(&id);
        } else if let Some(place) = self.dense.get_mut(id as usize) {
            *place = 0;
        }
    }
}
