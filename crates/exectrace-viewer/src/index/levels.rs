//! Sums of a long row at each length of cells, so that a coarse picture costs what it shows.

use super::cells::{self, Cell};
use super::lanes::Lane;

/// Rows with fewer slices are summed up when asked.
const SHORT: usize = 4_096;
/// Slices to a cell of the finest level, on average: what a cell costs is less than they do.
const SLICES_A_CELL: u64 = 32;

/// The sums of a row.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    /// Cells of the finest level are `2^finest` ns long.
    finest: u32,
    /// Each has cells twice as long as the one before. Empty for a short row.
    levels: Vec<Vec<Cell>>,
}

impl Levels {
    /// Sums up a row of a trace so long.
    pub(crate) fn new(lane: &Lane<'_>, duration_ns: u64) -> Self {
        if lane.len() < SHORT {
            return Self::default();
        }
        let most = (lane.len() as u64 / SLICES_A_CELL).max(1);
        let finest = (duration_ns / most).max(1).ilog2() + 1;
        let mut cells = vec![Cell::default(); (duration_ns >> finest) as usize + 1];
        cells::sum(lane.within(0, u64::MAX), finest, 0, &mut cells);
        let mut levels = vec![cells];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let pairs = last.chunks(2);
            levels.push(
                pairs
                    .map(|pair| {
                        pair.iter()
                            .fold(Cell::default(), |sum, cell| sum.and(*cell))
                    })
                    .collect(),
            );
        }
        Self { finest, levels }
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let cells: usize = self.levels.iter().map(Vec::len).sum();
        cells * size_of::<Cell>()
    }

    /// Cells of `2^level` ns each from number `first` on.
    pub(crate) fn cells(&self, lane: &Lane<'_>, level: u32, first: u64, cells: &mut [Cell]) {
        if !self.levels.is_empty() && level >= self.finest {
            let known = (level - self.finest) as usize;
            // Above the last level there is one cell, which holds everything.
            let known = &self.levels[known.min(self.levels.len() - 1)];
            let begin = usize::try_from(first).unwrap_or(usize::MAX);
            let known = known.get(begin..).unwrap_or_default();
            for (cell, known) in cells.iter_mut().zip(known) {
                *cell = *known;
            }
            return;
        }
        let begin = first << level;
        let end = begin.saturating_add((cells.len() as u64) << level);
        cells::sum(lane.within(begin, end), level, first, cells);
    }
}
