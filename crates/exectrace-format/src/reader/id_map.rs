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

/// A table by id: a plain array where ids are dense, as they nearly always are, else a map.
#[derive(Debug)]
pub(super) struct IdTable<T> {
    dense: Vec<Option<T>>,
    sparse: IdMap<T>,
    len: usize,
}

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self {
            dense: Vec::new(),
            sparse: IdMap::default(),
            len: 0,
        }
    }
}

impl<T> IdTable<T> {
    /// Puts a value in; gives it back if the id has one already.
    pub(super) fn insert(&mut self, id: u64, value: T) -> Result<(), T> {
        if self.get(id).is_some() {
            return Err(value);
        }
        // At most half of the array stays unused, apart from a small constant.
        let dense_limit = self.len as u64 * 2 + 256;
        if id < dense_limit.max(self.dense.len() as u64) {
            let index = id as usize;
            if index >= self.dense.len() {
                self.dense.resize_with(index + 1, || None);
            }
            self.dense[index] = Some(value);
        } else {
            self.sparse.insert(id, value);
        }
        self.len += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn get(&self, id: u64) -> Option<&T> {
        match usize::try_from(id)
            .ok()
            .and_then(|index| self.dense.get(index))
        {
            Some(Some(value)) => Some(value),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&id),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        match usize::try_from(id)
            .ok()
            .and_then(|index| self.dense.get_mut(index))
        {
            Some(Some(value)) => Some(value),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get_mut(&id),
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
        let mut table = IdTable::default();
        for id in [u64::MAX, 1_000, 0, 1 << 40]
            .into_iter()
            .chain(1..900)
            .chain([2_000])
        {
            assert_eq!(table.insert(id, id), Ok(()), "{id}");
            assert_eq!(table.insert(id, 7), Err(7), "{id}");
        }
        for id in [u64::MAX, 0, 1, 899, 1_000, 2_000, 1 << 40] {
            assert_eq!(table.get(id).copied(), Some(id));
            assert_eq!(table.get_mut(id).copied(), Some(id));
        }
        assert_eq!(table.get(900), None);
    }
}
