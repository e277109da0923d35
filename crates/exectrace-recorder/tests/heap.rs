//! What the program allocates, in its trace.
//!
//! A program of its own: it has a global allocator that counts.

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::alloc::System;
use std::hint::black_box;
use std::panic::Location;
use std::sync::mpsc;
use std::thread;

use common::{side_data, turn};
use exectrace_format::{Metric, SideRecord, TraceEvent, TraceEventKind};
use exectrace_recorder::{Allocator, AsyncTaskId, AsyncTaskKind, Runtime, Task, region};
use heap::{Sums, record, sums_by};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System);

/// Allocates and frees so many times so many bytes.
fn churn(times: usize, bytes: usize) {
    for _ in 0..times {
        drop(black_box(Vec::<u8>::with_capacity(black_box(bytes))));
    }
}

/// Values of the heap row.
fn live_bytes(events: &[TraceEvent]) -> Vec<u64> {
    let values = events.iter().filter_map(|event| match event.kind {
        TraceEventKind::Metric {
            metric: Metric::HeapAlloc,
            value,
        } => Some(value),
        _ => None,
    });
    values.collect()
}

#[test]
fn each_async_task_has_what_was_allocated_in_its_polls_to_the_byte() {
    let _turn = turn();
    let runtime = Runtime::register("rt");
    let tasks: Vec<AsyncTaskId> = (0..4).map(|_| AsyncTaskId::unique()).collect();
    let (_, events) = record(|| {
        for &task in &tasks {
            runtime.spawned(task, AsyncTaskKind::Future, Location::caller(), None);
        }
        thread::scope(|scope| {
            for half in tasks.chunks(2) {
                scope.spawn(move || {
                    for poll in 0..50 {
                        for (index, &task) in half.iter().enumerate() {
                            runtime.poll_begins(task);
                            churn(1 + index, 1_000 * (1 + index));
                            if poll == 49 {
                                // More than a thread keeps, and freed elsewhere.
                                churn(1, 300_000);
                                runtime.ended(task);
                            }
                            runtime.poll_ends(task);
                            churn(3, 17);
                        }
                    }
                });
            }
        });
    });
    let sums = sums_by(&events, |go, _| (go != 0).then_some(go));
    let mut of_tasks: Vec<Sums> = sums
        .into_values()
        .filter(|sums| sums[0] >= 300_000)
        .collect();
    of_tasks.sort_unstable();
    let of_task = |times: u64, bytes: u64| {
        let allocations = 50 * times + 1;
        let bytes = 50 * times * bytes + 300_000;
        [bytes, allocations, bytes, allocations]
    };
    assert_eq!(
        of_tasks,
        [
            of_task(1, 1_000),
            of_task(1, 1_000),
            of_task(2, 2_000),
            of_task(2, 2_000)
        ]
    );
}

#[test]
fn each_user_task_has_what_was_allocated_in_its_regions() {
    let _turn = turn();
    let mut ids = Vec::new();
    let (_, events) = record(|| {
        let (first, second) = (Task::new("first"), Task::new("second"));
        for _ in 0..10 {
            let _region = first.region("work");
            churn(1, 100);
            {
                let _inner = second.region("inner");
                churn(2, 1_000);
            }
            churn(1, 10);
        }
    });
    for event in &events {
        if let TraceEventKind::TaskBegin { task, ref name, .. } = event.kind {
            ids.push((name.to_string(), task.0));
        }
    }
    let sums = sums_by(&events, |_, task| Some(task));
    let of = |name: &str| {
        let id = ids.iter().find(|id| id.0 == name).unwrap().1;
        sums[&id]
    };
    assert_eq!(of("first"), [1_100, 20, 1_100, 20]);
    assert_eq!(of("second"), [20_000, 20, 20_000, 20]);
}

#[test]
fn the_heap_row_is_what_came_to_the_live_bytes_also_by_threads_that_record_nothing_else() {
    let _turn = turn();
    let mut held = Vec::new();
    let (_, events) = record(|| {
        drop(region("first record"));
        held.push(black_box(vec![1_u8; 10 << 20]));
        let (done, is_done) = mpsc::channel();
        let thread = thread::Builder::new().name("silent".into());
        let thread = thread.spawn(move || done.send(black_box(vec![1_u8; 5 << 20])).unwrap());
        held.push(is_done.recv().unwrap());
        thread.unwrap().join().unwrap();
    });
    let values = live_bytes(&events);
    let last = *values.last().expect("a heap row");
    // What the channel and the thread left may be alive or not.
    assert!(last.abs_diff(15 << 20) < 16 << 10, "{values:?}");
    let silent = side_data(&events).find_map(|record| match record {
        SideRecord::ThreadName { thread, name } if name == "silent" => Some(*thread),
        _ => None,
    });
    let of_silent = side_data(&events).filter_map(|record| match *record {
        SideRecord::Allocations {
            thread,
            allocated_bytes,
            ..
        } if Some(thread) == silent => Some(allocated_bytes),
        _ => None,
    });
    assert!(of_silent.sum::<u64>() >= 5 << 20);
}

#[test]
fn what_is_resized_counts_with_its_difference_and_not_as_an_allocation() {
    let _turn = turn();
    let (_, events) = record(|| {
        let task = Task::new("resizes");
        let mut bytes = Vec::<u8>::with_capacity(100);
        {
            let _region = task.region("grows");
            bytes.reserve_exact(1_000);
            bytes.shrink_to(400);
        }
        drop(bytes);
    });
    let task = events.iter().find_map(|event| match &event.kind {
        TraceEventKind::TaskBegin { task, name, .. } if &**name == "resizes" => Some(task.0),
        _ => None,
    });
    let sums = sums_by(&events, |_, id| (Some(id) == task).then_some(()));
    assert_eq!(sums[&()], [900, 0, 600, 0]);
}

#[test]
fn a_trace_says_that_its_program_counts() {
    let _turn = turn();
    // Also the first one, in whichever order tests run.
    for _ in 0..2 {
        let (_, events) = record(|| drop(region("once")));
        let mut pairs = side_data(&events).filter_map(|record| match record {
            SideRecord::Capabilities { pairs } => Some(pairs),
            _ => None,
        });
        assert!(pairs.any(|pairs| pairs.iter().any(|(key, _)| key == "heap")));
    }
}
