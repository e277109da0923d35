//! The numbers in Tokio's opaque ids.
//!
//! Tokio gives no integer out of `task::Id` and `runtime::Id`. Their `Hash` feeds that integer to a
//! hasher, and one that keeps what it is fed has it, for a fifth of a nanosecond.

use std::hash::{Hash, Hasher};

/// Keeps the last integer it was fed.
#[derive(Default)]
struct Keep(u64);

impl Hasher for Keep {
    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    /// Only for a Tokio whose ids are no longer a `u64`: FNV-1a, so that ids at least stay apart.
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[inline(always)]
fn number_of(id: impl Hash) -> u64 {
    let mut keep = Keep::default();
    id.hash(&mut keep);
    keep.finish()
}

/// The number of a task, which is never given to another in this process; not 0.
#[inline(always)]
pub(crate) fn of_task(id: tokio::task::Id) -> u64 {
    number_of(id)
}

/// The number of a runtime; another may have it later.
#[inline(always)]
pub(crate) fn of_runtime(id: tokio::runtime::Id) -> u64 {
    number_of(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_id_is_the_one_that_tokio_shows() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let id = runtime.handle().id();
        assert_eq!(of_runtime(id).to_string(), id.to_string());
        let id = runtime.block_on(async { tokio::spawn(async { tokio::task::id() }).await });
        let id = id.expect("a task that ends");
        assert_eq!(of_task(id).to_string(), id.to_string());
    }
}
