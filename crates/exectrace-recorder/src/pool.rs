//! The pool of chunks: the tracer's whole buffer memory, taken once and never given back.
//!
//! Its size bounds what records can occupy. The memory is asked for zeroed, so the system provides a
//! page when it is first touched: chunks that were used before are handed out first, and a program
//! that records little never touches most of the pool.

use crossbeam_queue::ArrayQueue;

use crate::chunk::CHUNK_BYTES;
use crate::chunk::Chunk;

/// Chunks that wait to be filled, in two queues without locks.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Chunks that were used before: their pages are there.
    used: ArrayQueue<&'static Chunk>,
    /// Chunks that never were.
    fresh: ArrayQueue<&'static Chunk>,
    chunks: usize,
}

/// Fewest chunks of a pool: one for each of some threads, and some in flight.
pub(crate) const MIN_CHUNKS: usize = 64;

impl Pool {
    /// Makes a pool of `memory_bytes`, rounded down to whole chunks, at least [`MIN_CHUNKS`].
    ///
    /// Returns `None` if the system refuses the memory. What it gives is never freed: a pool lives
    /// as long as the process.
    pub(crate) fn with_memory(memory_bytes: usize) -> Option<Self> {
        let chunks = (memory_bytes / CHUNK_BYTES).max(MIN_CHUNKS);
        let layout = std::alloc::Layout::array::<Chunk>(chunks).ok()?;
        // SAFETY: the layout is not empty, as there are at least MIN_CHUNKS chunks.
        let memory = unsafe { std::alloc::alloc_zeroed(layout) };
        if memory.is_null() {
            return None;
        }
        // SAFETY: the memory has the layout of `chunks` chunks, is zeroed, which is a valid Chunk
        // (every field is an integer atomic or a null pointer), is owned by nobody else, and is
        // never freed.
        let chunks: &'static [Chunk] =
            unsafe { std::slice::from_raw_parts(memory.cast::<Chunk>(), chunks) };
        Some(Self::of(chunks.iter()))
    }

    /// Makes a pool of these chunks.
    pub(crate) fn of(chunks: impl ExactSizeIterator<Item = &'static Chunk>) -> Self {
        let count = chunks.len();
        let fresh = ArrayQueue::new(count);
        for chunk in chunks {
            // Cannot fail: the queue has a place for each.
            let _ = fresh.push(chunk);
        }
        Self {
            used: ArrayQueue::new(count),
            fresh,
            chunks: count,
        }
    }

    /// Takes an empty chunk, if there is one. Takes no lock and allocates nothing.
    pub(crate) fn take(&self) -> Option<&'static Chunk> {
        self.used.pop().or_else(|| self.fresh.pop())
    }

    /// Gives a chunk back that its producer has left and its consumer has read.
    pub(crate) fn give_back(&self, chunk: &'static Chunk) {
        chunk.reset();
        // Cannot fail: the queue has a place for each chunk there is.
        let _ = self.used.push(chunk);
    }

    /// Whether fewer than one in `part` chunks are free.
    pub(crate) fn is_below(&self, part: usize) -> bool {
        self.free() < self.chunks / part
    }

    /// How many there are.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Chunks that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.used.len() + self.fresh.len()
    }
}
