//! Small consecutive indices in place of the numbers of goroutines and lanes, so that what is known of
//! them can be kept in plain arrays.

use crate::read::id_map::IdIndex;

/// Numbers and their indices, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Dense {
    numbers: Vec<u64>,
    /// One more than the index.
    indices: IdIndex,
}

impl Dense {
    /// With these numbers as the first indices.
    pub(super) fn with(numbers: &[u64]) -> Self {
        let mut dense = Self::default();
        for &number in numbers {
            dense.index(number);
        }
        dense
    }

    /// The index of a number, a new one if it was not seen before.
    #[inline]
    pub(super) fn index(&mut self, number: u64) -> u32 {
        match self.get(number) {
            Some(index) => index,
            None => self.insert(number),
        }
    }

    #[cold]
    fn insert(&mut self, number: u64) -> u32 {
        // Fits: each number took at least one byte of a file whose offsets fit.
        let index = self.numbers.len() as u32;
        self.numbers.push(number);
        self.indices.insert(number, index + 1);
        index
    }

    /// The index of a number that was seen before.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<u32> {
        self.indices.get(number).map(|above| above - 1)
    }

    /// The number with this index.
    #[inline]
    pub(super) fn number(&self, index: u32) -> u64 {
        self.numbers.get(index as usize).copied().unwrap_or(0)
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}
