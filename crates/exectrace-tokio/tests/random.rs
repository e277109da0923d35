//! Random programs under two runtimes, recorded on and off: their traces are always valid.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exectrace_tokio::{JoinSetExt, block_in_place, spawn, spawn_blocking, spawn_on};
use proptest::prelude::*;
use support::{Sink, runtime, turn};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// What a task does, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Yield,
    Sleep(u8),
    Send,
    Receive,
    Lock,
    Spawn(Vec<Step>),
    /// Onto the other runtime.
    SpawnOver(Vec<Step>),
    /// With Tokio's own function.
    SpawnUnwrapped(Vec<Step>),
    JoinOne,
    AbortOne,
    Set(Vec<Step>, u8),
    Blocking,
    InPlace,
    Panic,
    Annotate,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![
        4 => Just(Step::Yield),
        2 => (0..3_u8).prop_map(Step::Sleep),
        3 => Just(Step::Send),
        3 => Just(Step::Receive),
        2 => Just(Step::Lock),
        3 => Just(Step::JoinOne),
        1 => Just(Step::AbortOne),
        1 => Just(Step::Blocking),
        1 => Just(Step::InPlace),
        1 => Just(Step::Panic),
        2 => Just(Step::Annotate),
    ];
    let of = |leaf: BoxedStrategy<Step>| prop::collection::vec(leaf, 0..8);
    let step = leaf.prop_recursive(3, 60, 6, move |inner| {
        let many = || of(inner.clone());
        prop_oneof![
            many().prop_map(Step::Spawn),
            many().prop_map(Step::SpawnOver),
            many().prop_map(Step::SpawnUnwrapped),
            (many(), 1..4_u8).prop_map(|(steps, tasks)| Step::Set(steps, tasks)),
        ]
    });
    prop::collection::vec(step, 1..12)
}

/// What the tasks of a program share.
struct Shared {
    runtimes: [Handle; 2],
    send: mpsc::Sender<u32>,
    receive: Mutex<mpsc::Receiver<u32>>,
}

fn run(
    steps: Vec<Step>,
    shared: Arc<Shared>,
    home: usize,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut children: Vec<JoinHandle<()>> = Vec::new();
        for step in steps {
            let other = |steps, home| run(steps, Arc::clone(&shared), home);
            match step {
                Step::Yield => tokio::task::yield_now().await,
                Step::Sleep(ms) => tokio::time::sleep(Duration::from_millis(ms.into())).await,
                Step::Send => drop(shared.send.try_send(1)),
                Step::Receive => {
                    let wait = Duration::from_millis(1);
                    let receive = async { shared.receive.lock().await.recv().await };
                    drop(tokio::time::timeout(wait, receive).await);
                }
                Step::Lock => {
                    let _held = shared.receive.lock().await;
                    tokio::task::yield_now().await;
                }
                Step::Spawn(steps) => children.push(spawn(other(steps, home))),
                Step::SpawnOver(steps) => {
                    let runtime = &shared.runtimes[1 - home];
                    children.push(spawn_on(other(steps, 1 - home), runtime));
                }
                Step::SpawnUnwrapped(steps) => children.push(tokio::spawn(other(steps, home))),
                Step::JoinOne => {
                    if let Some(child) = children.pop() {
                        drop(child.await);
                    }
                }
                Step::AbortOne => {
                    if let Some(child) = children.first() {
                        child.abort();
                    }
                }
                Step::Set(steps, tasks) => {
                    let mut set = JoinSet::new();
                    for _ in 0..tasks {
                        set.spawn_traced(other(steps.clone(), home));
                    }
                    drop(set.join_next().await);
                }
                Step::Blocking => drop(spawn_blocking(std::thread::yield_now).await),
                // Only the first runtime is one of many threads.
                Step::InPlace if home == 0 => block_in_place(std::thread::yield_now),
                Step::InPlace => {}
                // Without the message of the default hook, which the harness would print.
                Step::Panic => std::panic::resume_unwind(Box::new("as the test wants")),
                Step::Annotate => {
                    let task = exectrace_recorder::Task::new("task");
                    let _region = task.region("region");
                    task.log("category", "text");
                }
            }
        }
    })
}

/// Runs the program's two halves under two runtimes, which both end before this returns.
fn run_program(halves: [Vec<Step>; 2], workers: usize) {
    let runtimes = [runtime("many", workers), runtime("one", 0)];
    let (send, receive) = mpsc::channel(4);
    let shared = Arc::new(Shared {
        runtimes: [0, 1].map(|home| runtimes[home].handle().clone()),
        send,
        receive: Mutex::new(receive),
    });
    let [first, second] = halves;
    let task = spawn_on(run(first, Arc::clone(&shared), 0), runtimes[0].handle());
    exectrace_tokio::block_on(&runtimes[1], async {
        let mine = spawn(run(second, shared, 1));
        drop(mine.await);
        drop(task.await);
    });
}

/// Records now and then, as `pauses_us` say, until the program is done; returns the traces judged.
fn record_now_and_then(pauses_us: &[u64], is_done: &AtomicBool) -> usize {
    let mut traces = 0;
    loop {
        for pair in pauses_us.chunks(2) {
            let sink = Sink::default();
            let recording = sink.start();
            std::thread::sleep(Duration::from_micros(pair[0]));
            let report = recording.stop().expect("a recording in memory stops");
            sink.trace(report);
            traces += 1;
            std::thread::sleep(Duration::from_micros(*pair.last().unwrap_or(&0)));
            if is_done.load(Ordering::Relaxed) {
                return traces;
            }
        }
    }
}

/// Forty programs, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 40;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_random_program_that_is_recorded_whole_gives_a_valid_trace_in_which_every_task_ends(
        first in steps(), second in steps(), workers in 1..4_usize,
    ) {
        let _turn = turn();
        let trace = support::record(|| run_program([first, second], workers));
        prop_assert_eq!(trace.report.records_dropped, 0);
        let is_task = |flow: &&support::Flow| flow.name.contains("random.rs");
        for flow in trace.flows.values().filter(is_task) {
            prop_assert_eq!(flow.ends(), 1, "{:?}", flow);
            prop_assert_eq!(flow.creations(), 1, "{:?}", flow);
        }
    }

    #[test]
    fn a_random_program_that_is_recorded_now_and_then_gives_valid_traces(
        first in steps(), second in steps(), workers in 1..4_usize,
        pauses_us in prop::collection::vec(0..2_000_u64, 2..8),
    ) {
        let _turn = turn();
        let is_done = AtomicBool::new(false);
        let traces = std::thread::scope(|scope| {
            let recorder = scope.spawn(|| record_now_and_then(&pauses_us, &is_done));
            run_program([first, second], workers);
            is_done.store(true, Ordering::Relaxed);
            recorder.join().expect("valid traces")
        });
        prop_assert!(traces > 0);
    }
}
