//! Wakes of tasks that nobody wrapped, as Tokio tells them through `tracing`.
#![cfg(tokio_unstable)]

mod support;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use exectrace_format::GoState;
use support::{Flow, Polls, State, Trace, record, runtime, turn};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tracing::Instrument;

const WAKE_NOT_SEEN: &str = "(wake not seen)";

/// The process's one Subscriber, from the first test on that wants it.
fn subscribe() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (subscriber, _) = exectrace_tracing::subscriber();
        tracing::subscriber::set_global_default(subscriber).expect("the first");
    });
}

fn spawn_called<F>(name: &str, future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let spawned = tokio::task::Builder::new().name(name).spawn(future);
    spawned.expect("a runtime that is not shut down")
}

fn wakes(flow: &Flow) -> impl Iterator<Item = &State> {
    let states = flow.states.iter();
    states.filter(|state| state.from == GoState::Waiting && state.to == GoState::Runnable)
}

fn id_of(trace: &Trace, name: &str) -> u64 {
    let mut named = trace.flows.iter().filter(|(_, flow)| flow.name == name);
    *named.next().expect("a flow of this name").0
}

/// Two tasks that wake each other, `rounds` times.
fn exchange(runtime: &Runtime, rounds: usize) {
    let (there, back) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (there_too, back_too) = (Arc::clone(&there), Arc::clone(&back));
    runtime.block_on(async move {
        let waiter = spawn_called("waiter", async move {
            for _ in 0..rounds {
                there.notified().await;
                back.notify_one();
            }
        });
        let waker = spawn_called("waker", async move {
            for round in 0..rounds {
                there_too.notify_one();
                let wait = back_too.notified();
                wait.instrument(tracing::info_span!("round", round)).await;
            }
        });
        waiter.await.unwrap();
        waker.await.unwrap();
    });
}

#[test]
fn each_wake_of_a_plain_task_is_by_the_flow_that_did_it() {
    const ROUNDS: usize = 50;
    let _turn = turn();
    subscribe();
    for workers in [0, 1, 2] {
        let trace = record(|| exchange(&runtime("test", workers), ROUNDS));
        for (woken, by) in [("waiter", "waker"), ("waker", "waiter")] {
            let (flow, by) = (trace.one(woken), id_of(&trace, by));
            for wake in wakes(flow) {
                let waker = wake.by.map(|go| go.0);
                assert_eq!(waker, Some(by), "{woken}, {workers} workers: {wake:?}");
                let is_seen = !wake.by_stack.iter().any(|frame| frame == WAKE_NOT_SEEN);
                assert!(is_seen, "{woken}, {workers} workers: {wake:?}");
            }
            let least = if workers < 2 { ROUNDS - 1 } else { 1 };
            assert!(flow.unblocks() >= least, "{woken}, {workers} workers");
        }
        let (rounds, others): (Vec<_>, Vec<_>) =
            trace.regions.iter().partition(|(name, _)| name == "round");
        assert_eq!(rounds.len(), ROUNDS, "{workers} workers");
        assert!(others.is_empty(), "{workers} workers: {others:?}");
        let of_tokio = |(category, _): &&(String, String)| category.contains("tokio::");
        assert_eq!(trace.logs.iter().find(of_tokio), None, "{workers} workers");
    }
}

#[test]
fn a_wake_that_is_reported_in_two_ways_counts_once() {
    const ROUNDS: usize = 50;
    let _turn = turn();
    subscribe();
    for workers in [0, 1, 2] {
        let polls = Polls::default();
        let trace = record(|| {
            let polled = polls.of(async {
                for _ in 0..ROUNDS {
                    tokio::time::sleep(Duration::from_micros(100)).await;
                }
            });
            let runtime = runtime("test", workers);
            let join = async { exectrace_tokio::spawn_named("sleeper", polled).await };
            runtime.block_on(join).unwrap();
        });
        let flow = trace.one("sleeper");
        assert_eq!(flow.starts(), polls.count(), "{workers} workers");
        assert_eq!(flow.unblocks(), flow.blocks(), "{workers} workers");
    }
}
