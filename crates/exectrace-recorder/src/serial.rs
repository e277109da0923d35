//! Serial numbers, which are unique in the process.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static BLOCK: Block = const { Block::new() };
}

/// A thread's block of numbers: the next one, and the end.
struct Block {
    next: Cell<u64>,
    end: Cell<u64>,
}

impl Block {
    const fn new() -> Self {
        Self {
            next: Cell::new(0),
            end: Cell::new(0),
        }
    }

    #[cold]
    fn renew(&self) -> u64 {
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
        // Relaxed: only uniqueness matters.
        let first = NEXT_BLOCK.fetch_add(BLOCK_LENGTH, Ordering::Relaxed);
        self.next.set(first + 1);
        self.end.set(first + BLOCK_LENGTH);
        first
    }
}

/// Numbers that a thread takes at once: one shared write for so many tasks.
const BLOCK_LENGTH: u64 = 1 << 12;

/// A number that no other thread and no other call gets in this process, from 1 up, below 2^48.
#[inline]
pub(crate) fn serial() -> u64 {
    BLOCK.with(|block| {
        let serial = block.next.get();
        if serial == block.end.get() {
            return block.renew();
        }
        block.next.set(serial + 1);
        serial
    })
}
