//! Maps from the ids of a file to what is known of them.
//!
//! Ids come from outside, so the hash is seeded anew in each process: nobody can choose ids that
//! collide. It is one wide multiplication, whose halves are folded together.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map keyed by ids.
pub(super) type IdMap<V> = HashMap<u64, V, Seed>;

/// Makes the hashers of one map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0u64))
    }
}

impl BuildHasher for Seed {
    type Hasher = IdHasher;

    #[inline]
    fn build_hasher(&self) -> IdHasher {
        IdHasher(self.0)
    }
}

/// Hashes a few numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn write_u64(&mut self, value: u64) {
        // The multiplier is the fraction of the golden ratio, odd and without a pattern.
        let wide = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    #[inline]
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u8(byte);
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// From ids to indices above 0: a plain array where ids are dense, as they nearly always are, else
/// a map.
#[derive(Debug, Default)]
pub(super) struct IdIndex {
    /// 0 is none.
    dense: Vec<u32>,
    sparse: IdMap<u32>,
    len: usize,
}

impl IdIndex {
    /// Puts an index in, which is not 0; false if the id has one already.
    pub(super) fn insert(&mut self, id: u64, index: u32) -> bool {
        debug_assert!(index != 0);
        if self.get(id).is_some() {
            return false;
        }
        // At most half of the array stays unused, apart from a small constant.
        let dense_limit = self.len as u64 * 2 + 256;
        if id < dense_limit.max(self.dense.len() as u64) {
            let place = id as usize;
            if place >= self.dense.len() {
                self.dense.resize(place + 1, 0);
            }
            self.dense[place] = index;
        } else {
            self.sparse.insert(id, index);
        }
        self.len += 1;
        true
    }

    #[inline]
    pub(super) fn get(&self, id: u64) -> Option<u32> {
        let dense = usize::try_from(id)
            .ok()
            .and_then(|place| self.dense.get(place));
        match dense {
            Some(&index) if index != 0 => Some(index),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&id).copied(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.dense.clear();
        self.sparse.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_and_dense_ids_live_in_one_table() {
        let mut table = IdIndex::default();
        let ids = [u64::MAX, 1_000, 0, 1 << 40].into_iter();
        for (index, id) in ids.chain(1..900).chain([2_000]).enumerate() {
            let index = index as u32 + 1;
            assert!(table.insert(id, index), "{id}");
            assert!(!table.insert(id, 7), "{id}");
            assert_eq!(table.get(id), Some(index));
        }
        assert_eq!(table.get(u64::MAX), Some(1));
        assert_eq!(table.get(900), None);
    }
}
