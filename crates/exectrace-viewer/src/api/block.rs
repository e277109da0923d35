//! Blocks: a row, or some, over 1,024 cells of one length. A block never changes, so that browsers may keep it.
//!
//! The answer holds for each row in turn, all little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | 0: cells follow; 1: slices follow |
//! | 4 | how many |
//! | 4 each | a cell: the share that is covered, of 255; class of the longest slice; its length; how many begin, both as `floor(4 log2) + 1` |
//! | 16 each | a slice: its begin and its length in steps of the block, its number in the row, its class |
//!
//! A block is divided into `2^32` steps at most: a step is `2^max(0, level - 22)` ns.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::index::{CELLS, Cell, Class, Index, Lane, LaneKey, Slice};
use crate::trace::Opened;

use super::{Refusal, blocking};

/// Rows in one request.
const MAX_ROWS: usize = 64;
/// A row with more slices in a block is summed up.
const MAX_SLICES: usize = 512;
/// Cells of `2^43` ns: a block of them is a century.
const MAX_LEVEL: u32 = 43;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// Rows, with commas between them.
    rows: String,
    /// Cells are `2^level` ns long.
    level: u32,
    /// The block begins at cell `index * 1024`.
    index: u64,
}

pub(super) async fn block(
    State(opened): State<Arc<Opened>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let keys: Vec<LaneKey> = wanted
        .rows
        .split(',')
        .take(MAX_ROWS)
        .map(|row| {
            row.parse()
                .map_err(|message: String| Refusal::bad(message, "rows of /rows"))
        })
        .collect::<Result<_, _>>()?;
    // The end of the block, in nanoseconds, must be a number.
    let is_in_time =
        wanted.level <= MAX_LEVEL && wanted.index < u64::MAX >> (wanted.level + CELLS.ilog2());
    if !is_in_time {
        return Err(Refusal::bad("no trace is so long", "a level of at most 43"));
    }
    let bytes = blocking(move || {
        let index = opened.index().map_err(Refusal::unreadable)?;
        let mut bytes = Vec::new();
        for key in keys {
            add_row(&opened, index, key, &wanted, &mut bytes);
        }
        Ok(bytes)
    })
    .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "private, max-age=3600, immutable"),
    ];
    Ok((headers, bytes).into_response())
}

fn add_row(opened: &Opened, index: &Index, key: LaneKey, wanted: &Wanted, out: &mut Vec<u8>) {
    let lane = index.lane(key);
    let first = wanted.index * CELLS as u64;
    let (begin, end) = (
        first << wanted.level,
        (first + CELLS as u64) << wanted.level,
    );
    let mut slices: Vec<Slice> = lane.within(begin, end).take(MAX_SLICES + 1).collect();
    if slices.len() <= MAX_SLICES {
        add_slices(&mut slices, (begin, end), wanted.level, out);
        return;
    }
    let mut cells = [Cell::default(); CELLS];
    let levels = opened.levels(index, key);
    levels.cells(&lane, wanted.level, first, &mut cells);
    put(out, &[0, CELLS as u32]);
    for cell in &cells {
        out.extend(cell.encoded(wanted.level, class(&lane, cell)));
    }
}

fn class(lane: &Lane<'_>, cell: &Cell) -> Class {
    match cell.longest_ns {
        0 => Class(0),
        _ => lane.slice(cell.longest as usize).class,
    }
}

fn add_slices(slices: &mut [Slice], (begin, end): (u64, u64), level: u32, out: &mut Vec<u8>) {
    let shift = level.saturating_sub(32 - CELLS.ilog2());
    put(out, &[1, slices.len() as u32]);
    for slice in slices {
        let from = slice.begin_ns.max(begin) - begin;
        let to = slice.end_ns.min(end).max(from + begin) - begin;
        // A block is 2^32 steps long at most, so a begin fits; a length can be all of it.
        let step = |ns: u64| u32::try_from(ns >> shift).unwrap_or(u32::MAX);
        put(
            out,
            &[step(from), step(to - from), slice.id, slice.class.0.into()],
        );
    }
}

fn put(out: &mut Vec<u8>, words: &[u32]) {
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}
