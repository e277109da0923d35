//! Executors that give their tasks the same numbers.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, RecordingOptions, Runtime};

use crate::common::{Shared, read, turn};

/// Starts of recordings, each of which reads all live tasks.
const STARTS: usize = 20;

#[test]
fn tasks_of_executors_that_share_their_numbers_keep_whole_names() {
    let _turn = turn();
    let long: &'static str = "n".repeat(60_000).leak();
    let names = ["s", long];
    let is_over = AtomicBool::new(false);
    let mut bytes = Vec::new();
    thread::scope(|scope| {
        for name in names {
            let is_over = &is_over;
            scope.spawn(move || {
                let runtime = Runtime::register("executor");
                while !is_over.load(Ordering::Relaxed) {
                    for number in 1..8 {
                        let task = AsyncTaskId::of_runtime(number);
                        runtime.spawned(
                            task,
                            AsyncTaskKind::Future,
                            Location::caller(),
                            Some(name),
                        );
                        runtime.ended(task);
                    }
                }
            });
        }
        for _ in 0..STARTS {
            let sink = Shared::default();
            let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
            recording.stop().unwrap();
            bytes.push(sink.bytes());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for bytes in bytes {
        read(&bytes);
    }
}
