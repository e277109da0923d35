//! From the ids of a trace to places in arrays of ours.

use rustc_hash::FxHashMap;

/// Maps ids to indices: an array for small ids, a map for the others.
///
/// Ids of flows, lanes and user tasks count up from small numbers in all traces but made-up ones.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The index plus one; 0 where there is none.
    dense: Vec<u32>,
    sparse: FxHashMap<u64, u32>,
}

/// Ids from here on go into the map: one huge id is to cost one entry.
const DENSE_IDS: u64 = 1 << 16;

impl Index {
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        if id < DENSE_IDS {
            self.dense.get(id as usize)?.checked_sub(1)
        } else {
            self.sparse.get(&id).copied()
        }
    }

    pub(crate) fn insert(&mut self, id: u64, index: u32) {
        if id < DENSE_IDS {
            let place = id as usize;
            if self.dense.len() <= place {
                self.dense.resize(place + 1, 0);
            }
            self.dense[place] = index + 1;
        } else {
            self.sparse.insert(id, index);
        }
    }

    pub(crate) fn remove(&mut self, id: u64) {
        if id >= DENSE_IDS {
            self.sparse.remove(&id);
        } else if let Some(place) = self.dense.get_mut(id as usize) {
            *place = 0;
        }
    }
}
