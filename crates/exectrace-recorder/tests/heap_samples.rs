//! Samples of allocations as estimates of all of them.
//!
//! A program of its own: it has a global allocator that counts, and settings.

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::alloc::System;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::panic::Location;
use std::sync::Once;
use std::thread;

use common::{capability, turn};
use exectrace_format::SideRecord;
use exectrace_format::conventions::HEAP_SAMPLES;
use exectrace_recorder::{Allocator, AsyncTaskId, AsyncTaskKind, Runtime, Settings, Source};
use heap::{Sample, record, samples};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System);

/// A sample for each so many bytes.
const INTERVAL: u64 = 4 << 10;

fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let settings = Settings::new().heap_sample_bytes(INTERVAL);
        settings.budget(Source::Heap, u64::MAX).apply().unwrap();
    });
}

/// Eight times the standard deviation of an estimate of so many allocations of a size, in allocations, which chance
/// exceeds once in 10¹⁴ runs. Where nearly each is sampled a few may not be: three, once in 10¹¹ runs.
fn bound(count: f64, size: f64) -> f64 {
    let p = -(-size / INTERVAL as f64).exp_m1();
    (8.0 * (count * (1.0 - p) / p).sqrt()).max(3.0)
}

fn estimate<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    samples.map(Sample::weight).sum()
}

#[test]
fn estimates_of_each_task_s_allocations_are_within_their_bounds_and_sums_are_exact() {
    let _turn = turn();
    configure();
    let runtime = Runtime::register("rt");
    // What each task allocates: so many times so many bytes.
    let plans = [(40_000, 64), (20_000, 512), (4_000, 4_096), (500, 65_536)];
    let (_, events) = record(|| {
        let tasks = plans.map(|_| AsyncTaskId::unique());
        for task in tasks {
            runtime.spawned(task, AsyncTaskKind::Future, Location::caller(), None);
        }
        thread::scope(|scope| {
            for (task, (times, bytes)) in tasks.into_iter().zip(plans) {
                scope.spawn(move || {
                    for _ in 0..10 {
                        runtime.poll_begins(task);
                        for _ in 0..times / 10 {
                            drop(black_box(Vec::<u8>::with_capacity(black_box(bytes))));
                        }
                        runtime.poll_ends(task);
                    }
                });
            }
        });
    });
    let mut sums = BTreeMap::<u64, [u64; 2]>::new();
    for record in common::side_data(&events) {
        if let SideRecord::Allocations {
            go,
            allocated_bytes,
            allocations,
            ..
        } = *record
        {
            let sum = sums.entry(go.0).or_default();
            *sum = [sum[0] + allocated_bytes, sum[1] + allocations];
        }
    }
    let samples = samples(&events);
    for (times, bytes) in plans {
        let exact = [(times * bytes) as u64, times as u64];
        let (&task, _) = sums
            .iter()
            .find(|&(&go, &sum)| go != 0 && sum == exact)
            .expect("a task with these sums, to the byte");
        let of_task: Vec<_> = samples
            .values()
            .filter(|sample| sample.go.0 == task)
            .collect();
        assert!(of_task.iter().all(|sample| sample.size == bytes as u64));
        let estimated = estimate(of_task.iter().copied());
        let bound = bound(times as f64, bytes as f64);
        assert!(
            (estimated - times as f64).abs() < bound,
            "{estimated} of {times} × {bytes} bytes, ± {bound}"
        );
        assert!(of_task.iter().all(|sample| sample.freed_ns.is_some()));
    }
}

#[test]
fn what_is_alive_is_estimated_by_the_samples_that_were_not_freed() {
    const COUNT: usize = 50_000;
    const BYTES: usize = 333;
    let _turn = turn();
    configure();
    let mut kept = Vec::with_capacity(2 * COUNT);
    let (_, events) = record(|| {
        kept.extend((0..2 * COUNT).map(|_| black_box(vec![0_u8; BYTES])));
        // Half of them, and on another thread.
        let freed = kept.split_off(COUNT);
        thread::spawn(move || drop(freed)).join().unwrap();
    });
    let samples = samples(&events);
    let of_size = samples
        .values()
        .filter(|sample| sample.size == BYTES as u64);
    let alive = estimate(of_size.filter(|sample| sample.freed_ns.is_none()));
    let bound = bound(COUNT as f64, BYTES as f64);
    assert!((alive - COUNT as f64).abs() < bound, "{alive} ± {bound}");
    drop(kept);
}

#[test]
fn a_trace_says_how_far_its_samples_are_apart() {
    let _turn = turn();
    configure();
    let (_, events) = record(|| drop(exectrace_recorder::region("once")));
    let said = capability(&events, HEAP_SAMPLES)
        .last()
        .expect("a capability");
    assert!(
        said.starts_with("yes, one for each 4096 bytes on average,"),
        "{said}"
    );
}
