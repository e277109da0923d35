//! The live bytes of a program that counts them always.
//!
//! A program of its own: it has a global allocator that counts.

mod common;

use std::alloc::System;
use std::hint::black_box;

use common::{Shared, read};
use exectrace_format::{Metric, TraceEventKind};
use exectrace_recorder::{Allocator, RecordingOptions, region};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::always_counting(System);

#[test]
fn the_heap_row_begins_with_what_was_alive_before_the_recording() {
    let before = black_box(vec![1_u8; 8 << 20]);
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    drop(region("a record"));
    recording.stop().unwrap();
    let events = read(&bytes.bytes());
    let first = events.iter().find_map(|event| match event.kind {
        TraceEventKind::Metric {
            metric: Metric::HeapAlloc,
            value,
        } => Some(value),
        _ => None,
    });
    // And what the test's own program has.
    let alive = (8 << 20)..(9 << 20);
    assert!(
        first.is_some_and(|bytes| alive.contains(&bytes)),
        "{first:?}"
    );
    drop(before);
}
