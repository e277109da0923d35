//! Wakes of tasks that are not wrapped, from the schedule latency that Tokio reports.
#![cfg(tokio_unstable)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use exectrace_format::GoState;
use exectrace_tokio::BuilderExt;
use support::{record, turn};
use tokio::runtime::Builder;
use tokio::sync::Notify;

const WAKE_NOT_SEEN: &str = "(wake not seen)";

#[test]
fn a_plain_task_is_runnable_from_the_time_that_tokio_says_it_was_woken_at() {
    const BUSY: Duration = Duration::from_millis(3);
    let _turn = turn();
    for workers in [0, 1] {
        let mut builder = match workers {
            0 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        builder.enable_all().worker_threads(1);
        builder.track_task_schedule_latency();
        let mut waited = (Duration::ZERO, Duration::MAX);
        let trace = record(|| {
            let runtime = builder.exectrace("test").build().expect("a runtime");
            runtime.block_on(async {
                let notify = Arc::new(Notify::new());
                let notified = Arc::clone(&notify);
                let waiter = tokio::spawn(async move {
                    notified.notified().await;
                    Instant::now()
                });
                tokio::task::yield_now().await;
                let busy = tokio::spawn(async move {
                    let before = Instant::now();
                    notify.notify_one();
                    let after = Instant::now();
                    while after.elapsed() < BUSY {}
                    (before, after, Instant::now())
                });
                let (before, after, idle) = busy.await.unwrap();
                let ran = waiter.await.unwrap();
                waited = (idle - after, ran - before);
            });
        });
        let mut waits = Vec::new();
        for flow in trace.flows.values() {
            for pair in flow.states.windows(2) {
                let is_seen = !pair[0].by_stack.iter().any(|frame| frame == WAKE_NOT_SEEN);
                if pair[0].from == GoState::Waiting && !is_seen {
                    waits.push(Duration::from_nanos(
                        (pair[1].time_ns - pair[0].time_ns) as u64,
                    ));
                }
            }
        }
        let longest = waits.into_iter().max().expect("a wake that was not seen");
        let (least, most) = waited;
        let allowed = Duration::from_micros(1);
        assert!(
            (least..most + allowed).contains(&longest),
            "{workers} workers: {longest:?} is not from {least:?} to {most:?}"
        );
    }
}
