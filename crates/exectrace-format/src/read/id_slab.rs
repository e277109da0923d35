//! What is alive, by id.
//!
//! Ids are any numbers, but those in use together are mostly close to each other. So their lowest
//! bits say where a value was seen last, and only when that is wrong is a map asked.

use super::id_map::IdMap;

/// Values by id, of which many come and go.
#[derive(Clone, Debug)]
pub(super) struct IdSlab<T> {
    slots: Vec<SlabEntry<T>>,
    free: Vec<u32>,
    index: IdMap<u32>,
    /// By the lowest bits of an id: the slot to be tried first. A power of two long.
    likely: Vec<u32>,
}

#[derive(Clone, Debug)]
struct SlabEntry<T> {
    id: u64,
    value: Option<T>,
}

const FEWEST_LIKELY: usize = 64;

impl<T> Default for IdSlab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: IdMap::default(),
            likely: vec![0; FEWEST_LIKELY],
        }
    }
}

impl<T> IdSlab<T> {
    /// Puts a value in; the id must have none.
    pub(super) fn insert(&mut self, id: u64, value: T) {
        let value = Some(value);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = SlabEntry { id, value };
                slot
            }
            None => {
                self.slots.push(SlabEntry { id, value });
                self.slots.len() as u32 - 1
            }
        };
        if self.slots.len() * 2 > self.likely.len() {
            self.likely = vec![0; self.likely.len() * 4];
        }
        let replaced = self.index.insert(id, slot);
        debug_assert!(replaced.is_none());
        let place = self.place(id);
        self.likely[place] = slot;
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let place = self.place(id);
        let mut slot = self.likely[place] as usize;
        let found = self.slots.get(slot);
        if !found.is_some_and(|slot| slot.id == id && slot.value.is_some()) {
            slot = self.find(id, place)?;
        }
        self.slots[slot].value.as_mut()
    }

    #[inline]
    pub(super) fn contains(&mut self, id: u64) -> bool {
        self.get_mut(id).is_some()
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let slot = self.index.remove(&id)?;
        self.free.push(slot);
        self.slots[slot as usize].value.take()
    }

    #[inline]
    fn place(&self, id: u64) -> usize {
        id as usize & (self.likely.len() - 1)
    }

    #[cold]
    fn find(&mut self, id: u64, place: usize) -> Option<usize> {
        let slot = *self.index.get(&id)?;
        self.likely[place] = slot;
        Some(slot as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_share_a_place_stay_apart() {
        let mut slab = IdSlab::default();
        // They have their lowest bits in common.
        let ids: Vec<u64> = (0..100).map(|n| n << 40 | 7).chain([u64::MAX, 0]).collect();
        for &id in &ids {
            assert!(!slab.contains(id));
            slab.insert(id, id);
            assert_eq!(slab.get_mut(id), Some(&mut id.clone()));
        }
        for &id in ids.iter().step_by(2) {
            assert_eq!(slab.remove(id), Some(id));
            assert_eq!(slab.remove(id), None);
        }
        slab.insert(1, 1);
        for (index, &id) in ids.iter().enumerate() {
            assert_eq!(slab.get_mut(id).copied(), (index % 2 == 1).then_some(id));
        }
    }
}
