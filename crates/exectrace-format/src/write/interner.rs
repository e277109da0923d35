//! Byte strings to small numbers, for the string and stack tables of one generation.
//!
//! An open-addressing table of indices into one arena: clearing it keeps all memory, and an entry
//! costs its bytes plus 16 to 24 bytes of table, without an allocation of its own.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// An empty slot of the table.
const FREE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct InternedBytes {
    /// Where its bytes end in the arena; they begin where the previous entry's end.
    end: usize,
    /// High bits of the hash, compared before the bytes and used to grow the table.
    hash: u32,
    /// The id that was given out for it.
    id: u32,
}

/// Remembers byte strings and the ids given to them.
#[derive(Debug, Default)]
pub(super) struct Interner {
    arena: Vec<u8>,
    entries: Vec<InternedBytes>,
    /// A power of two in length, at most half full.
    slots: Vec<u32>,
}

/// A place in the table where a missing byte string would go.
#[derive(Debug)]
pub(super) struct Vacant {
    hash: u32,
    slot: usize,
}

impl Interner {
    pub(super) fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
        self.slots.fill(FREE);
    }

    /// The id of `bytes`, or the place to [`insert`](Self::insert) them.
    pub(super) fn find(&self, bytes: &[u8]) -> Result<u32, Vacant> {
        let hash = hash(bytes);
        if self.slots.is_empty() {
            return Err(Vacant { hash, slot: 0 });
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let index = self.slots[slot];
            if index == FREE {
                return Err(Vacant { hash, slot });
            }
            let entry = self.entries[index as usize];
            if entry.hash == hash && self.bytes_of(index as usize) == bytes {
                return Ok(entry.id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Remembers `bytes` under `id`. `vacant` must come from a `find` of the same bytes just before.
    pub(super) fn insert(&mut self, vacant: Vacant, bytes: &[u8], id: u32) {
        let index = self.entries.len() as u32;
        self.arena.extend_from_slice(bytes);
        self.entries.push(InternedBytes {
            end: self.arena.len(),
            hash: vacant.hash,
            id,
        });
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        } else {
            self.slots[vacant.slot] = index;
        }
    }

    fn bytes_of(&self, index: usize) -> &[u8] {
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.entries[before].end);
        &self.arena[start..self.entries[index].end]
    }

    fn grow(&mut self) {
        let length = (self.entries.len() * 4).next_power_of_two().max(64);
        self.slots.clear();
        self.slots.resize(length, FREE);
        for (index, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & (length - 1);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (length - 1);
            }
            self.slots[slot] = index as u32;
        }
    }
}

fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    (hasher.finish() >> 32) as u32
}
