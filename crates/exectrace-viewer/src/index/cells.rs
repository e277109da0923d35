//! Sums of what lies in equal spans of time: what is drawn where slices are thinner than pixels.

use super::lanes::Slice;

/// The cells of a block.
pub(crate) const CELLS: usize = 1_024;

/// What a slice is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(pub(crate) u8);

impl Class {
    /// So many colours stand for names.
    pub(crate) const NAMES: u8 = 12;
    pub(crate) const SYSCALL: Self = Self(12);
    pub(crate) const OWN_CODE: Self = Self(13);
    pub(crate) const RUNNABLE: Self = Self(14);
    pub(crate) const WAITING: Self = Self(15);
    pub(crate) const UNKNOWN: Self = Self(16);

    /// The colour of a name: the same in each trace.
    pub(crate) fn of_name(name: &str) -> Self {
        // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), for its few lines.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(((hash >> 32) % u64::from(Self::NAMES)) as u8)
    }
}

/// What lies in a span of time of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// How much of it is covered, exactly.
    pub(crate) covered_ns: u64,
    /// The longest slice that touches it, with its whole length; if `longest_ns` is 0 there is none.
    pub(crate) longest: u32,
    pub(crate) longest_ns: u64,
    /// How many slices begin in it.
    pub(crate) begins: u32,
}

impl Cell {
    /// The cell of both spans of time.
    pub(crate) fn and(self, other: Self) -> Self {
        let longer = match other.longest_ns > self.longest_ns {
            true => other,
            false => self,
        };
        Self {
            covered_ns: self.covered_ns + other.covered_ns,
            longest: longer.longest,
            longest_ns: longer.longest_ns,
            begins: self.begins.saturating_add(other.begins),
        }
    }

    /// Four bytes: the share that is covered, the class of the longest slice, its length, and how many begin.
    ///
    /// What covers anything at all has a share of at least 1, so that the longest slice is seen.
    pub(crate) fn encoded(&self, level: u32, class: Class) -> [u8; 4] {
        let share = (u128::from(self.covered_ns) * 255) >> level;
        let least = u8::from(self.longest_ns > 0);
        [
            u8::try_from(share).unwrap_or(255).max(least),
            class.0,
            quarter_log2(self.longest_ns),
            quarter_log2(u64::from(self.begins)),
        ]
    }
}

/// `floor(4 log2(value)) + 1`, and 0 of 0: what fits a byte and is exact to a fifth.
fn quarter_log2(value: u64) -> u8 {
    match value {
        0 => 0,
        value => ((value as f64).log2() * 4.0).floor().clamp(0.0, 254.0) as u8 + 1,
    }
}

/// Sums up slices by cells of `2^level` ns, of which the first is cell `first`. Slices come by their begins, and those
/// that do not touch these cells count for nothing.
pub(crate) fn sum(slices: impl Iterator<Item = Slice>, level: u32, first: u64, cells: &mut [Cell]) {
    let begin = first << level;
    let end = begin.saturating_add((cells.len() as u64) << level);
    for slice in slices {
        let (from, to) = (slice.begin_ns.max(begin), slice.end_ns.min(end));
        // One without length is in its cell all the same.
        if slice.begin_ns >= end || slice.end_ns < begin {
            continue;
        }
        let last = to.max(from + 1) - 1;
        for number in (from >> level)..=(last >> level) {
            let Some(cell) = cells.get_mut((number - first) as usize) else {
                break;
            };
            let (cell_begin, cell_end) = (number << level, (number + 1) << level);
            let covered_ns = to.min(cell_end).saturating_sub(from.max(cell_begin));
            *cell = cell.and(Cell {
                covered_ns,
                longest: slice.id,
                longest_ns: (slice.end_ns - slice.begin_ns).max(1),
                begins: u32::from((cell_begin..cell_end).contains(&slice.begin_ns)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(id: u32, begin_ns: u64, end_ns: u64) -> Slice {
        Slice {
            begin_ns,
            end_ns,
            id,
            class: Class(0),
        }
    }

    #[test]
    fn a_cell_has_what_is_covered_in_it_and_the_longest_slice_that_touches_it() {
        let mut cells = [Cell::default(); 4];
        let slices = [slice(0, 3, 5), slice(1, 5, 6), slice(2, 9, 31)];
        sum(slices.into_iter(), 3, 0, &mut cells);
        assert_eq!(cells.map(|cell| cell.covered_ns), [3, 7, 8, 7]);
        assert_eq!(cells.map(|cell| cell.longest), [0, 2, 2, 2]);
        assert_eq!(cells.map(|cell| cell.begins), [2, 1, 0, 0]);
    }

    #[test]
    fn one_long_slice_among_many_short_ones_is_the_one_that_is_seen() {
        let short = (0..1_000)
            .map(|number| slice(number, u64::from(number) * 10, u64::from(number) * 10 + 2));
        let needle = slice(7_777, 10_000, 10_100);
        let mut cells = [Cell::default(); 1];
        sum(short.chain([needle]), 20, 0, &mut cells);
        assert_eq!((cells[0].longest, cells[0].longest_ns), (7_777, 100));
        assert_eq!(cells[0].encoded(20, Class(5))[..2], [1, 5]);
    }
}
