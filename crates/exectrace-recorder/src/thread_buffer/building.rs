//! Records that take more than one call to write.

use std::sync::atomic::Ordering;

use super::{
    BUFFER, Busy, LOST_IN_FORMATTING, SOFT_END, State, begin_record, chunk_with_room,
    current_chunk, drop_record, end_record, next_chunk,
};
use crate::chunk::{Chunk, FULL};
use crate::clock;
use crate::thread::with_shared;
#[cfg(feature = "alloc")]
use crate::thread::with_shared_anywhere;

/// A thread is in the middle of a record that takes more than one call: its state is busy until this
/// is dropped.
#[derive(Debug)]
pub(crate) struct Building {
    /// The state afterwards.
    after: State,
}

impl Building {
    /// Begins a record of at least `length` words.
    #[inline]
    pub(crate) fn begin(length: usize) -> Option<Begun> {
        if begin_record() {
            let chunk = current_chunk();
            let start = chunk.position();
            if start <= SOFT_END - length {
                return Some(Begun {
                    building: Self { after: State::Open },
                    chunk,
                    start,
                    // The state was open, so this is the clock.
                    ticks: clock::counter(),
                });
            }
            end_record(State::Open);
        }
        Self::begin_slowly(length)
    }

    #[cold]
    #[inline(never)]
    fn begin_slowly(length: usize) -> Option<Begun> {
        BUFFER.with(|buffer| {
            let busy = Busy::begin(buffer)?;
            let chunk = with_shared(buffer, |shared| {
                let chunk = chunk_with_room(buffer, shared, length, SOFT_END);
                if chunk.is_none() {
                    drop_record(buffer, shared);
                }
                chunk
            });
            let chunk = chunk.flatten()?;
            std::mem::forget(busy);
            Some(Begun {
                building: Self {
                    after: buffer.idle(),
                },
                chunk,
                start: chunk.position(),
                ticks: clock::ticks(),
            })
        })
    }

    /// As [`begin`](Self::begin), on any thread that is registered or can be, and at any moment: allocates nothing, and
    /// counts no loss.
    #[cfg(feature = "alloc")]
    pub(crate) fn begin_anywhere(length: usize) -> Option<Begun> {
        BUFFER.with(|buffer| {
            if !buffer.begin_any() {
                return None;
            }
            let busy = Busy { buffer };
            let chunk = with_shared_anywhere(buffer, |shared| {
                chunk_with_room(buffer, shared, length, SOFT_END)
            });
            let chunk = chunk.flatten()?;
            std::mem::forget(busy);
            Some(Begun {
                building: Self {
                    after: buffer.idle(),
                },
                chunk,
                start: chunk.position(),
                ticks: clock::ticks(),
            })
        })
    }

    /// Goes on in a new chunk. `None` after a fork in the middle of the record: what there is of it is
    /// the parent's.
    pub(crate) fn next_chunk(&self) -> Option<&'static Chunk> {
        BUFFER.with(|buffer| {
            if !buffer.is_registered() || std::ptr::eq(buffer.chunk.get(), &FULL) {
                return None;
            }
            with_shared(buffer, |shared| next_chunk(buffer, shared)).flatten()
        })
    }

    /// Counts the record as lost: there was no room for it, or who gives its values has panicked.
    #[cold]
    pub(crate) fn lose(&self, out_of_room: bool) {
        if !out_of_room {
            LOST_IN_FORMATTING.fetch_add(1, Ordering::Relaxed);
            return;
        }
        BUFFER.with(|buffer| {
            if buffer.is_registered() {
                with_shared(buffer, |shared| drop_record(buffer, shared));
            }
        });
    }
}

impl Drop for Building {
    #[inline]
    fn drop(&mut self) {
        end_record(self.after);
    }
}

/// Where a record begins, and when.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) building: Building,
    pub(crate) chunk: &'static Chunk,
    pub(crate) start: usize,
    pub(crate) ticks: u64,
}
