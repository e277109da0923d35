//! What threads leave behind in memory that come and go faster than the flush thread looks.
//!
//! A program of its own with one test: what the heap holds is counted for the whole process.

mod allocated;
mod common;

use allocated::allocated_bytes;
use common::{Shared, count_regions, read};
use exectrace_recorder::{RecordingOptions, region};

/// Threads that begin and end within one recording.
const THREADS: usize = 400;

#[test]
fn threads_that_come_and_go_in_each_of_many_recordings_keep_no_memory() {
    let wave = || {
        let bytes = Shared::default();
        let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
        let threads: Vec<_> = (0..THREADS)
            .map(|_| std::thread::spawn(|| drop(region("short life"))))
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let report = recording.stop().unwrap();
        let found = count_regions(&read(&bytes.bytes()), "short life") as u64;
        assert!(found + report.records_dropped >= THREADS as u64, "{report}");
    };
    (0..5).for_each(|_| wave());
    let after_first = allocated_bytes();
    (0..40).for_each(|_| wave());
    let grown_bytes = allocated_bytes().saturating_sub(after_first);
    // A kilobyte for each thread would be 16 MB.
    assert!(grown_bytes < 4_000_000, "{grown_bytes}");
}
