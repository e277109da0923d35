//! What recordings leave behind in memory.
//!
//! A program of its own with one test: what the heap holds is counted for the whole process.

mod allocated;
mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use allocated::allocated_bytes;
use common::{Shared, count_regions, read};
use exectrace_recorder::{RecordingOptions, Task, region};

#[test]
fn thousands_of_recordings_while_eight_threads_record_lose_nothing_and_keep_no_memory() {
    let running = AtomicBool::new(true);
    let made = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while running.load(Ordering::Relaxed) {
                    let task = Task::new("request");
                    let _region = task.region("work");
                    task.log("note", "text");
                    made.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            });
        }
        let mut allocated_after_first = 0;
        for round in 0..3_000 {
            if round == 100 {
                allocated_after_first = allocated_bytes();
            }
            let bytes = Shared::default();
            let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
            // What this thread records between start and stop is all there.
            for _ in 0..10 {
                drop(region("between"));
            }
            let report = recording.stop().unwrap();
            assert_eq!(report.records_dropped, 0, "round {round}");
            assert_eq!(count_regions(&read(&bytes.bytes()), "between"), 10);
            if round % 100 == 0 {
                exectrace_referee::assert_bytes_accepted(&bytes.bytes());
            }
        }
        running.store(false, Ordering::Relaxed);
        let grown_bytes = allocated_bytes().saturating_sub(allocated_after_first);
        // What the flush thread keeps for later, as much as a busy machine had it fall behind; a leak of a kilobyte a recording would be more.
        assert!(grown_bytes < 2_000_000, "{grown_bytes}");
    });
    assert!(made.load(Ordering::Relaxed) > 0);
}
