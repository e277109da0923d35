//! The integers in Tokio's opaque ids.
//!
//! `task::Id` and `runtime::Id` do not give out their integer, but their `Hash` writes it to a hasher. A hasher
//! that keeps what is written to it gets the integer, in a fifth of a nanosecond.

use std::hash::{Hash, Hasher};

/// A hasher that keeps the last integer that was written to it.
#[derive(Default)]
struct Keep(u64);

impl Hasher for Keep {
    #[inline(always)]
    fn write_u64(&mut self, integer: u64) {
        self.0 = integer;
    }

    /// FNV-1a, so that ids stay distinct in a version of Tokio whose ids are not a `u64`.
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
fn integer_of(id: impl Hash) -> u64 {
    let mut keep = Keep::default();
    id.hash(&mut keep);
    keep.finish()
}

/// The id of a task. Not 0, and never reused in this process.
#[inline(always)]
pub(crate) fn of_task(id: tokio::task::Id) -> u64 {
    integer_of(id)
}

/// The id of a runtime. Not 0. A later runtime may have the same.
#[inline(always)]
pub(crate) fn of_runtime(id: tokio::runtime::Id) -> u64 {
    integer_of(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integer_of_an_id_is_the_one_that_tokio_displays() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let id = runtime.handle().id();
        assert_eq!(of_runtime(id).to_string(), id.to_string());
        let id = runtime.block_on(async { tokio::spawn(async { tokio::task::id() }).await });
        let id = id.expect("a task that ends");
        assert_eq!(of_task(id).to_string(), id.to_string());
    }
}
