//! What each async task and each user task allocates, as analyses have it.
//!
//! A program of its own: it has a global allocator that counts.

mod support;

use std::alloc::System;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use exectrace_analysis::{Allocated, Analysis, Options};
use exectrace_format::Reader;
use exectrace_recorder::{Allocator, RecordingOptions, Task};
use exectrace_tokio::spawn_named;
use support::{Sink, runtime, turn};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System);

const NAMES: [&str; 4] = ["first", "second", "third", "fourth"];
const POLLS: u64 = 50;

/// Waits once, and allocates nothing for it.
#[derive(Default)]
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Allocates and frees so many times so many bytes.
fn churn(times: u64, bytes: u64) {
    for _ in 0..times {
        drop(black_box(Vec::<u8>::with_capacity(
            black_box(bytes) as usize
        )));
    }
}

/// One of four tasks: the `times`-th allocates so often in each poll, and in a region of a user task.
async fn work(times: u64, name: &'static str) {
    let task = Task::new(name);
    for _ in 0..POLLS {
        churn(times, 1_000 * times);
        Yield::default().await;
        let _region = task.region("in it");
        churn(1, 10 * times);
    }
}

fn expected(times: u64) -> (Allocated, Allocated) {
    let of = |allocations: u64, bytes: u64| Allocated {
        allocated_bytes: bytes,
        allocations,
        freed_bytes: bytes,
        frees: allocations,
    };
    let in_task = of(POLLS, POLLS * 10 * times);
    let bytes = POLLS * times * 1_000 * times;
    let all = of(POLLS * times + POLLS, bytes + in_task.allocated_bytes);
    (all, in_task)
}

#[test]
fn four_tasks_have_what_they_allocated_to_the_byte_and_so_have_their_user_tasks() {
    let _turn = turn();
    for workers in [0, 3] {
        let sink = Sink::default();
        let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
        let runtime = runtime("allocating", workers);
        runtime.block_on(async {
            let spawned = (1..)
                .zip(NAMES)
                .map(|(times, name)| spawn_named(name, work(times, name)));
            let spawned: Vec<_> = spawned.collect();
            for task in spawned {
                task.await.unwrap();
            }
        });
        drop(runtime);
        let report = recording.stop().unwrap();
        assert_eq!(report.records_dropped, 0);
        let bytes = sink.bytes();
        exectrace_referee::assert_bytes_accepted(&bytes);
        let options = Options {
            tasks: true,
            user_tasks: true,
            ..Options::default()
        };
        let analysis = Analysis::read(&mut Reader::new(bytes.as_slice()).unwrap(), &options);
        let (tasks, user_tasks) = (analysis.tasks.unwrap(), analysis.user_tasks.unwrap());
        for (times, name) in (1..).zip(NAMES) {
            let group = tasks.groups.iter().find(|group| group.name == name);
            let kind = user_tasks.kinds.iter().find(|kind| kind.name == name);
            let found = (group.unwrap().allocated, kind.unwrap().allocated);
            let (all, in_task) = expected(times);
            assert_eq!(
                found,
                (Some(all), Some(in_task)),
                "{name}, {workers} workers"
            );
        }
    }
}
