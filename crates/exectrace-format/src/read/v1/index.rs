//! The first pass over a file: where the batches are and which lane each belongs to, and the CPU
//! samples, which belong to none.

use crate::wire::Version;

use super::dense::Dense;
use super::error::V1Error;
use super::event::V1Event;
use super::kinds::V1Kind;
use super::wire::{Raw, take_event};

/// No batch follows.
pub(super) const NO_BATCH: u32 = u32::MAX;

/// A batch: the events between two marks, of one lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchRange {
    /// Where its mark begins.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The next batch of the same lane, or [`NO_BATCH`].
    pub(super) next: u32,
}

/// What the first pass finds.
#[derive(Debug)]
pub(super) struct V1Index {
    pub(super) batches: Vec<BatchRange>,
    /// Of each lane that has batches, the first and the last; in the order of first appearance.
    pub(super) lanes: Vec<LaneBatches>,
    pub(super) samples: Vec<V1Event>,
    /// How many events there are, apart from marks, tables and samples.
    pub(super) events: usize,
}

/// The batches of one lane, as a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneBatches {
    pub(super) lane: u32,
    pub(super) first: u32,
    last: u32,
}

/// Goes through all events of `bytes`, which begin behind the header.
pub(super) fn index(
    bytes: &[u8],
    version: Version,
    goroutines: &mut Dense,
    lanes: &mut Dense,
) -> Result<V1Index, (usize, V1Error)> {
    let mut index = V1Index {
        batches: Vec::new(),
        lanes: Vec::new(),
        samples: Vec::new(),
        events: 0,
    };
    // By lane, its place in `index.lanes`.
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let mut step = || {
            let raw = take_event(&mut rest, version)?;
            match raw.kind {
                // Those in front of the first batch are never looked at again.
                V1Kind::String => {}
                V1Kind::Batch => {
                    let lane = lanes.index(proc_of(raw.numbers()?.first())? as u64);
                    index.begin_batch(start, lane, &mut places);
                }
                _ if index.batches.is_empty() => {
                    return Err(V1Error::BeforeBatch(raw.kind as u8));
                }
                V1Kind::CpuSample => index.samples.push(sample(&raw, start, goroutines, lanes)?),
                V1Kind::Frequency | V1Kind::Stack | V1Kind::TimerGoroutine => {}
                _ => index.events += 1,
            }
            Ok(())
        };
        step().map_err(|error| (start, error))?;
    }
    if let Some(last) = index.batches.last_mut() {
        last.end = bytes.len() as u32;
    }
    Ok(index)
}

/// A lane's number as Go keeps it; -1 is none.
fn proc_of(number: u64) -> Result<i32, V1Error> {
    match number {
        u64::MAX => Ok(-1),
        _ => i32::try_from(number).map_err(|_| V1Error::ProcTooLarge(number)),
    }
}

impl V1Index {
    fn begin_batch(&mut self, start: usize, lane: u32, places: &mut Vec<Option<usize>>) {
        // Fits: the file is no larger than `MAX_V1_BYTES`.
        let start = start as u32;
        let batch = self.batches.len() as u32;
        if let Some(last) = self.batches.last_mut() {
            last.end = start;
        }
        self.batches.push(BatchRange {
            start,
            end: start,
            next: NO_BATCH,
        });
        if places.len() <= lane as usize {
            places.resize(lane as usize + 1, None);
        }
        match places[lane as usize] {
            Some(place) => {
                let chain = &mut self.lanes[place];
                self.batches[chain.last as usize].next = batch;
                chain.last = batch;
            }
            None => {
                places[lane as usize] = Some(self.lanes.len());
                self.lanes.push(LaneBatches {
                    lane,
                    first: batch,
                    last: batch,
                });
            }
        }
    }
}

/// A CPU sample, with its own time, lane and goroutine instead of those of its batch.
fn sample(
    raw: &Raw<'_>,
    start: usize,
    goroutines: &mut Dense,
    lanes: &mut Dense,
) -> Result<V1Event, V1Error> {
    let [time, proc, go] = raw.numbers()?.arguments();
    Ok(V1Event {
        time: time as i64,
        at: start as u32,
        lane: lanes.index(i64::from(proc as i32) as u64),
        go: goroutines.index(go),
        kind: V1Kind::CpuSample,
        blocks: false,
    })
}
