//! The work of a request: a digest over so much data that it takes the time wanted.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// What is hashed at a time.
static BLOCK: [u8; 256] = [0x5a; 256];

/// The SHA-256 of so many blocks, as text.
pub(crate) fn digest(blocks: u32) -> String {
    let mut hasher = Sha256::new();
    for _ in 0..blocks {
        hasher.update(black_box(&BLOCK));
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    text
}

/// How many blocks take `time`, as found in the best of many tries: what else the machine does only
/// ever makes it slower.
pub(crate) fn blocks_for(time: Duration) -> u32 {
    const TRIES: u32 = 200;
    const BLOCKS: u32 = 1_000;
    let best = (0..TRIES)
        .map(|_| {
            let begin = Instant::now();
            black_box(digest(BLOCKS));
            begin.elapsed()
        })
        .min()
        .unwrap_or(time);
    let blocks = time.as_secs_f64() / best.as_secs_f64() * f64::from(BLOCKS);
    // At least one, and far from the type's end, whatever the clock said.
    blocks.clamp(1.0, 1e6) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_blocks() {
        // printf '%0.sZ' $(seq 512) | sha256sum
        let expected = "a863e21577e54cd763729803a621804da4b5030afa35bcf879ea3b3413488a66";
        assert_eq!(digest(2), expected);
    }
}
