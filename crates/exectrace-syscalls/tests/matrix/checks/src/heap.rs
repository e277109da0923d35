//! Allocations, in programs whose allocator is the tracer's, around another.

use std::hint::black_box;
use std::thread;

use crate::counted::made;

/// What is allocated, and freed on another thread. `matrix.rs` looks for it in the trace.
const COUNT: usize = 40_000;
const BYTES: usize = 1_003;

pub(crate) fn check() {
    let kept: Vec<Vec<u8>> = (0..COUNT).map(|_| black_box(vec![1; BYTES])).collect();
    let is_whole = |bytes: &Vec<u8>| bytes.len() == BYTES && bytes.iter().all(|&byte| byte == 1);
    let freer = thread::spawn(move || {
        assert!(kept.iter().all(is_whole));
        drop(kept);
    });
    freer.join().expect("what was allocated is whole");
    made("pthread_join", 0);
}
