//! The schedule in a trace is the one that the program had, by the program's own counts and clock.

mod support;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use exectrace_format::GoState;
use exectrace_tokio::{JoinSetExt, TracedExt, spawn_named};
use support::{Polls, Trace, record, runtime, turn};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

/// Workers of the runtimes that most tests are run on; 0 is a current-thread runtime.
const RUNTIMES: [usize; 3] = [0, 1, 2];

/// Records a program under each kind of runtime.
fn record_on_each(program: impl Fn(&tokio::runtime::Runtime)) -> Vec<(usize, Trace)> {
    let record_one = |workers| {
        let trace = record(|| {
            let runtime = runtime("test", workers);
            program(&runtime);
        });
        assert_eq!(trace.report.records_dropped, 0);
        (workers, trace)
    };
    RUNTIMES.into_iter().map(record_one).collect()
}

#[test]
fn polls_wakes_and_spawns_are_as_many_as_the_program_counts() {
    let _turn = turn();
    const ROUNDS: usize = 200;
    let (ping_polls, pong_polls) = (Polls::default(), Polls::default());
    for workers in RUNTIMES {
        let (ping_polls, pong_polls) = (Polls::default(), Polls::default());
        let trace = record(|| {
            let runtime = runtime("test", workers);
            let (to_pong, mut from_ping) = mpsc::channel::<usize>(1);
            let (to_ping, mut from_pong) = mpsc::channel::<usize>(1);
            let ping = ping_polls.of(async move {
                for round in 0..ROUNDS {
                    to_pong.send(round).await.unwrap();
                    assert_eq!(from_pong.recv().await, Some(round));
                }
            });
            let pong = pong_polls.of(async move {
                while let Some(round) = from_ping.recv().await {
                    to_ping.send(round).await.unwrap();
                }
            });
            runtime.block_on(async {
                let ping = spawn_named("ping", ping);
                let pong = spawn_named("pong", pong);
                ping.await.unwrap();
                pong.await.unwrap();
            });
        });
        for (name, polls) in [("ping", &ping_polls), ("pong", &pong_polls)] {
            let flow = trace.one(name);
            assert_eq!(flow.creations(), 1, "{name}, {workers} workers");
            assert_eq!(flow.starts(), polls.count(), "{name}, {workers} workers");
            assert_eq!(flow.ends(), 1, "{name}, {workers} workers");
            // Each poll but the last ends in waiting or in having been woken meanwhile.
            assert_eq!(flow.unblocks(), flow.blocks(), "{name}, {workers} workers");
            let wait = flow
                .states
                .iter()
                .find(|state| state.to == GoState::Waiting);
            assert!(wait.is_some(), "{name} waits, {workers} workers");
        }
    }
    assert_eq!(ping_polls.count() + pong_polls.count(), 0);
}

#[test]
fn each_wake_is_by_the_flow_that_did_it() {
    let _turn = turn();
    const ROUNDS: usize = 50;
    for (workers, trace) in record_on_each(|runtime| {
        let (there, back) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (there_too, back_too) = (Arc::clone(&there), Arc::clone(&back));
        runtime.block_on(async move {
            let waiter = spawn_named("waiter", async move {
                for _ in 0..ROUNDS {
                    there.notified().await;
                    back.notify_one();
                }
            });
            let waker = spawn_named("waker", async move {
                for _ in 0..ROUNDS {
                    there_too.notify_one();
                    back_too.notified().await;
                }
            });
            waiter.await.unwrap();
            waker.await.unwrap();
        });
    }) {
        let id_of = |name| {
            let mut named = trace.flows.iter().filter(|(_, flow)| flow.name == name);
            *named.next().expect("a flow of this name").0
        };
        for (woken, by) in [("waiter", "waker"), ("waker", "waiter")] {
            let flow = trace.one(woken);
            let by = id_of(by);
            let wakes = flow
                .states
                .iter()
                .filter(|state| state.from == GoState::Waiting && state.to == GoState::Runnable);
            for wake in wakes {
                let waker = wake.by.map(|go| go.0);
                assert_eq!(waker, Some(by), "{woken}, {workers} workers: {wake:?}");
            }
            // Two workers may wake one another before they wait.
            let least = if workers < 2 { ROUNDS - 1 } else { 1 };
            assert!(flow.unblocks() >= least, "{woken}, {workers} workers");
        }
    }
}

/// Reads the clock around each poll of a future.
struct Timed<F> {
    future: Pin<Box<F>>,
    origin: Instant,
    readings: Readings,
}

type Readings = Arc<Mutex<Vec<(i64, i64)>>>;

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = self.origin.elapsed().as_nanos() as i64;
        let result = self.future.as_mut().poll(context);
        let after = self.origin.elapsed().as_nanos() as i64;
        self.readings.lock().unwrap().push((before, after));
        result
    }
}

#[test]
fn times_lie_within_the_programs_own_clock_readings() {
    let _turn = turn();
    const ROUNDS: usize = 100;
    const ALLOWED_NS: i64 = 1_000;
    for workers in RUNTIMES {
        let origin = Instant::now();
        let readings = Readings::default();
        let mut spawn = (0, 0);
        let timed = Timed {
            future: Box::pin(async {
                for round in 0..ROUNDS {
                    match round % 2 {
                        0 => tokio::task::yield_now().await,
                        _ => tokio::time::sleep(Duration::from_micros(1)).await,
                    }
                }
            }),
            origin,
            readings: Arc::clone(&readings),
        };
        let trace = record(|| {
            let runtime = runtime("test", workers);
            runtime.block_on(async {
                let now = || origin.elapsed().as_nanos() as i64;
                let before = now();
                let task = spawn_named("timed", timed);
                spawn = (before, now());
                task.await.unwrap();
            });
        });
        let flow = trace.one("timed");
        let runs = flow.runs();
        let readings = readings.lock().unwrap();
        assert_eq!(runs.len(), readings.len(), "{workers} workers");
        // The zero of the trace's clock is not known to the program: one offset must do for all. A
        // run begins before the first reading in it and ends after the last; the spawn lies between.
        let created = flow.states[0].time_ns;
        let (mut least, mut most) = (spawn.0 - created, spawn.1 - created);
        for (&(begin, end), &(first, last)) in runs.iter().zip(readings.iter()) {
            most = most.min(first - begin);
            least = least.max(last - end);
        }
        assert!(
            least <= most + ALLOWED_NS,
            "{workers} workers: {least} > {most}"
        );
    }
}

#[test]
fn a_task_that_is_woken_during_its_poll_does_not_wait() {
    let _turn = turn();
    for (workers, trace) in record_on_each(|runtime| {
        runtime.block_on(async {
            let yields = async {
                let mut is_first = true;
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    match std::mem::take(&mut is_first) {
                        true => Poll::Pending,
                        false => Poll::Ready(()),
                    }
                })
                .await;
            };
            spawn_named("eager", yields).await.unwrap();
        });
    }) {
        let flow = trace.one("eager");
        assert_eq!(flow.blocks(), 0, "{workers} workers: {flow:?}");
        assert_eq!(flow.starts(), 2, "{workers} workers");
    }
}

#[test]
fn the_future_of_block_on_is_a_task() {
    let _turn = turn();
    for (workers, trace) in record_on_each(|runtime| {
        let polls = Polls::default();
        exectrace_tokio::block_on(
            runtime,
            polls.of(async {
                tokio::task::yield_now().await;
                spawn_named("child", async {}).await.unwrap();
            }),
        );
    }) {
        let child = trace.one("child");
        let creation = &child.states[0];
        assert_eq!(
            (creation.from, creation.to),
            (GoState::NotExist, GoState::Runnable)
        );
        let parent = creation.by.expect("a flow that spawned it").0;
        let root = &trace.flows[&parent];
        assert!(
            root.name.contains("schedule.rs"),
            "{workers} workers: {}",
            root.name
        );
        assert!(root.starts() >= 2, "{workers} workers: {root:?}");
        assert_eq!(root.ends(), 1, "{workers} workers");
    }
}

#[test]
fn tasks_of_a_local_set_are_reported_by_their_wrapper() {
    let _turn = turn();
    for (workers, trace) in record_on_each(|runtime| {
        let set = LocalSet::new();
        let polls = Polls::default();
        for _ in 0..3 {
            exectrace_tokio::spawn_local_on(tokio::task::yield_now(), &set);
        }
        set.block_on(runtime, async {
            let task = exectrace_tokio::spawn_local(polls.of(async {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }));
            task.await.unwrap();
        });
        assert_eq!(polls.count(), 3);
    }) {
        let local = trace
            .flows
            .values()
            .filter(|flow| flow.name.contains("schedule.rs"));
        let mut starts: Vec<_> = local.map(support::Flow::starts).collect();
        starts.sort_unstable();
        assert_eq!(starts, [2, 2, 2, 3], "{workers} workers");
        let ends = trace
            .flows
            .values()
            .filter(|flow| flow.name.contains("schedule.rs"));
        assert!(
            ends.into_iter().all(|flow| flow.ends() == 1),
            "{workers} workers"
        );
    }
}

#[test]
fn a_blocking_closure_waits_for_a_thread_and_runs_once() {
    let _turn = turn();
    const CLOSURES: usize = 5;
    for (workers, trace) in record_on_each(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            for number in 0..CLOSURES {
                set.spawn_blocking_traced(move || number);
            }
            assert_eq!(set.join_all().await.len(), CLOSURES);
            let one = exectrace_tokio::spawn_blocking(|| 7).await;
            assert_eq!(one.unwrap(), 7);
        });
    }) {
        let ran = |flow: &&support::Flow| flow.name.contains("schedule.rs");
        let flows: Vec<_> = trace.flows.values().filter(ran).collect();
        assert_eq!(flows.len(), CLOSURES + 1, "{workers} workers");
        for flow in flows {
            let states: Vec<_> = flow.states.iter().map(|state| state.to).collect();
            let wanted = [GoState::Runnable, GoState::Running, GoState::NotExist];
            assert_eq!(states, wanted, "{workers} workers");
        }
    }
}

#[test]
fn tasks_end_however_they_end() {
    let _turn = turn();
    for (workers, trace) in record_on_each(|runtime| {
        runtime.block_on(async {
            let panics = spawn_named("panics", async { panic!("as the test wants") });
            assert!(panics.await.unwrap_err().is_panic());
            let aborted = spawn_named("aborted", std::future::pending::<()>());
            tokio::task::yield_now().await;
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
            let mut set = JoinSet::new();
            for _ in 0..3 {
                set.spawn_traced(std::future::pending::<()>());
            }
            set.shutdown().await;
            // Alive when the runtime is dropped, polled or not.
            drop(spawn_named("left", std::future::pending::<()>()));
            tokio::task::yield_now().await;
            drop(spawn_named("left", std::future::pending::<()>()));
        });
    }) {
        for name in ["panics", "aborted"] {
            assert_eq!(trace.one(name).ends(), 1, "{name}, {workers} workers");
        }
        assert_eq!(trace.one("panics").starts(), 1, "{workers} workers");
        let left = trace.all("left");
        assert_eq!(left.len(), 2, "{workers} workers");
        assert!(
            left.iter().all(|flow| flow.ends() == 1),
            "{workers} workers"
        );
        let set = trace
            .flows
            .values()
            .filter(|flow| flow.name.contains("schedule.rs"));
        assert_eq!(
            set.filter(|flow| flow.ends() == 1).count(),
            3,
            "{workers} workers"
        );
    }
}

#[test]
fn a_task_spawned_into_a_runtime_that_has_ended_leaves_nothing_alive() {
    let _turn = turn();
    for workers in RUNTIMES {
        let trace = record(|| {
            let runtime = runtime("test", workers);
            let handle = runtime.handle().clone();
            drop(runtime);
            let task = exectrace_tokio::spawn_on(std::future::pending::<()>(), &handle);
            assert!(task.is_finished());
        });
        let alive = trace
            .flows
            .values()
            .filter(|flow| flow.name.contains("schedule.rs") && flow.ends() == 0);
        assert_eq!(alive.count(), 0, "{workers} workers");
    }
}

/// Waits until at most so many tasks are alive: a task can be joined a little before its end is reported.
fn wait_for_alive(runtime: &tokio::runtime::Runtime, tasks: usize) {
    runtime.block_on(async {
        while runtime.metrics().num_alive_tasks() > tasks {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_recording_that_starts_late_shows_every_task_alive() {
    let _turn = turn();
    const TASKS: usize = 20;
    for workers in RUNTIMES {
        let runtime = runtime("test", workers);
        let (stop, _) = tokio::sync::broadcast::channel::<()>(1);
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let mut stopped = stop.subscribe();
                let _entered = runtime.enter();
                spawn_named("sleeper", async move { drop(stopped.recv().await) })
            })
            .collect();
        runtime.block_on(async {
            drop(spawn_named("gone", async {}).await);
        });
        wait_for_alive(&runtime, TASKS);
        let silent = record(|| {});
        let sleepers = silent.all("sleeper");
        assert_eq!(sleepers.len(), TASKS, "{workers} workers");
        let waits = |flow: &&support::Flow| {
            flow.states
                .iter()
                .map(|state| state.to)
                .eq([GoState::Waiting])
        };
        assert!(
            sleepers.iter().all(waits),
            "{workers} workers: {sleepers:?}"
        );
        assert_eq!(silent.all("gone").len(), 0, "{workers} workers");

        let lively = record(|| {
            stop.send(()).unwrap();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
            wait_for_alive(&runtime, 0);
        });
        let sleepers = lively.all("sleeper");
        assert_eq!(sleepers.len(), TASKS, "{workers} workers");
        for sleeper in sleepers {
            assert_eq!(
                (sleeper.unblocks(), sleeper.starts(), sleeper.ends()),
                (1, 1, 1)
            );
        }
    }
}

#[test]
fn a_poll_around_the_start_of_a_recording_is_seen() {
    let _turn = turn();
    for workers in [1, 2] {
        let runtime = runtime("test", workers);
        let (start, started) = std::sync::mpsc::channel::<()>();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let entered = runtime.enter();
        let task = spawn_named("stuck", async move {
            start.send(()).unwrap();
            // What should not be done: it blocks the worker.
            wait.recv().unwrap();
            tokio::task::yield_now().await;
        });
        drop(entered);
        started.recv().unwrap();
        let trace = record(|| {
            go_on.send(()).unwrap();
            runtime.block_on(task).unwrap();
            wait_for_alive(&runtime, 0);
        });
        let flow = trace.one("stuck");
        assert_eq!(flow.ends(), 1, "{workers} workers: {flow:?}");
        // Not a wait since the begin: its poll went on then.
        assert_eq!(flow.starts(), 2, "{workers} workers: {flow:?}");
        let wakes = flow
            .states
            .iter()
            .filter_map(|state| state.by_stack.first());
        let is_it = |leaf: &&String| *leaf == "(polled since before the recording)";
        assert_eq!(
            wakes.filter(is_it).count(),
            1,
            "{workers} workers: {flow:?}"
        );
    }
}

#[test]
fn many_runtimes_keep_to_themselves() {
    let _turn = turn();
    const RUNTIMES: usize = 6;
    let trace = record(|| {
        let threads: Vec<_> = (0..RUNTIMES)
            .map(|number| {
                std::thread::spawn(move || {
                    let runtime = runtime(&format!("runtime-{number}"), number % 3);
                    runtime.block_on(async {
                        for _ in 0..10 {
                            spawn_named("short", tokio::task::yield_now())
                                .await
                                .unwrap();
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let shorts = trace.all("short");
    assert_eq!(shorts.len(), RUNTIMES * 10);
    assert!(
        shorts
            .iter()
            .all(|flow| flow.starts() == 2 && flow.ends() == 1)
    );
}

#[test]
fn a_future_that_is_wrapped_twice_is_reported_once() {
    let _turn = turn();
    for (workers, trace) in record_on_each(|runtime| {
        runtime.block_on(async {
            let (send, receive) = oneshot::channel::<()>();
            let inner = async { receive.await.unwrap() }.traced();
            let task = spawn_named("outer", inner);
            tokio::task::yield_now().await;
            send.send(()).unwrap();
            task.await.unwrap();
        });
    }) {
        let flow = trace.one("outer");
        assert!(flow.starts() <= 2, "{workers} workers: {flow:?}");
        assert_eq!(flow.unblocks(), flow.blocks(), "{workers} workers");
        let started = trace.flows.values().filter(|flow| {
            flow.name.contains("schedule.rs") && flow.starts() > 0 && flow.ends() > 0
        });
        assert!(started.count() <= 1, "{workers} workers: {:?}", trace.flows);
    }
}

#[test]
fn block_in_place_is_a_region_of_its_task() {
    let _turn = turn();
    let trace = record(|| {
        let runtime = runtime("test", 2);
        runtime.block_on(async {
            let task = spawn_named("blocks", async {
                for _ in 0..3 {
                    exectrace_tokio::block_in_place(|| {});
                    tokio::task::yield_now().await;
                }
            });
            let others: Vec<_> = (0..20)
                .map(|_| spawn_named("other", tokio::task::yield_now()))
                .collect();
            task.await.unwrap();
            for other in others {
                other.await.unwrap();
            }
        });
    });
    let flow = trace.one("blocks");
    assert_eq!(flow.ends(), 1);
    let regions = trace
        .regions
        .iter()
        .filter(|(name, _)| name == "block_in_place");
    assert_eq!(regions.count(), 3);
    assert!(trace.all("other").iter().all(|flow| flow.starts() == 2));
}

#[test]
fn a_trace_says_what_is_hooked_and_claims_no_wakes_without_a_layer() {
    let _turn = turn();
    let trace = record(|| drop(runtime("hooked", 1)));
    let said = |key: &str| {
        let mut of_key = trace.logs.iter().filter(|(category, _)| category == key);
        of_key.next_back().expect("a word on it").1.clone()
    };
    let runtimes = said("tokio.runtimes");
    assert!(runtimes.starts_with("hooked: "), "{runtimes}");
    // No test of this binary sets a Layer or a Subscriber.
    assert!(said("tokio.wakes").starts_with("wrapped"));
    assert!(!exectrace_tokio::capabilities().all_wakes);
}
