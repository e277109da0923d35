//! Nothing of the program changes: what it can see of itself is the same, traced or not.

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use exectrace_tokio::{
    BuilderExt, JoinSetExt, Options, Traced, TracedExt, block_in_place, spawn, spawn_blocking,
    spawn_named,
};
use support::{record, runtime, turn};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};

/// Runs a program under a plain runtime, a traced one, and one whose every poll is recorded.
fn run_each_way<R: PartialEq + std::fmt::Debug>(
    workers: usize,
    program: impl Fn(&Runtime, bool) -> R,
) -> R {
    let plain = {
        let mut builder = match workers {
            0 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        builder.worker_threads(workers.max(1));
        program(&builder.enable_all().build().unwrap(), false)
    };
    let off = program(&runtime("test", workers), true);
    let mut on = None;
    record(|| on = Some(program(&runtime("test", workers), true)));
    assert_eq!(plain, off, "while nothing records");
    assert_eq!(Some(&plain), on.as_ref(), "while something records");
    plain
}

fn spawn_maybe<T: Send + 'static>(
    is_traced: bool,
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    match is_traced {
        true => spawn(future),
        false => tokio::spawn(future),
    }
}

#[test]
fn polls_come_in_the_same_order() {
    let _turn = turn();
    let order = run_each_way(0, |runtime, is_traced| {
        let order = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let tasks: Vec<_> = (0..5)
                .map(|task| {
                    let order = Arc::clone(&order);
                    spawn_maybe(is_traced, async move {
                        for round in 0..20 {
                            order.lock().unwrap().push((task, round));
                            if (task + round) % 3 > 0 {
                                tokio::task::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        std::mem::take(&mut *order.lock().unwrap())
    });
    assert_eq!(order.len(), 100);
}

#[test]
fn the_budget_of_a_poll_is_the_same() {
    let _turn = turn();
    // How many messages a task gets in one poll before it is made to yield.
    let got = run_each_way(0, |runtime, is_traced| {
        runtime.block_on(async {
            let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..1_000 {
                send.send(number).unwrap();
            }
            spawn_maybe(is_traced, async move {
                let mut got = 0;
                std::future::poll_fn(|context| {
                    while receive.poll_recv(context).is_ready() {
                        got += 1;
                    }
                    Poll::Ready(())
                })
                .await;
                got
            })
            .await
            .unwrap()
        })
    });
    assert_eq!(got, 128);
}

#[test]
fn join_handles_tell_the_same() {
    let _turn = turn();
    for workers in [0, 2] {
        let outcome = run_each_way(workers, |runtime, is_traced| {
            runtime.block_on(async {
                let value = spawn_maybe(is_traced, async { 5 });
                let panics = spawn_maybe(is_traced, async { panic!("on purpose") });
                let aborted = spawn_maybe(is_traced, std::future::pending::<()>());
                aborted.abort();
                let value = value.await.unwrap();
                let panicked: tokio::task::JoinError = panics.await.map(|(): ()| ()).unwrap_err();
                let payload = panicked.into_panic();
                let payload = payload.downcast_ref::<&str>().map(ToString::to_string);
                (value, payload, aborted.await.unwrap_err().is_cancelled())
            })
        });
        assert_eq!(outcome, (5, Some("on purpose".to_owned()), true));
    }
}

tokio::task_local! {
    static NUMBER: Cell<u32>;
}

#[test]
fn task_locals_and_ids_are_those_of_the_task() {
    let _turn = turn();
    let seen = run_each_way(0, |runtime, is_traced| {
        runtime.block_on(async {
            let inside = NUMBER.scope(Cell::new(7), async {
                NUMBER.with(|number| number.set(number.get() + 1));
                tokio::task::yield_now().await;
                (NUMBER.with(Cell::get), tokio::task::try_id())
            });
            let task = spawn_maybe(is_traced, inside);
            let id = task.id();
            let (number, own_id) = task.await.unwrap();
            (number, own_id == Some(id))
        })
    });
    assert_eq!(seen, (8, true));
}

#[test]
fn what_a_task_holds_is_dropped_when_it_ends_and_before_its_join() {
    let _turn = turn();
    for workers in [0, 2] {
        run_each_way(workers, |runtime, is_traced| {
            runtime.block_on(async {
                let held = Arc::new(());
                let (ready, aborted) = (Arc::clone(&held), Arc::clone(&held));
                spawn_maybe(is_traced, async move { drop(ready) })
                    .await
                    .unwrap();
                let task = spawn_maybe(is_traced, async move {
                    std::future::pending::<()>().await;
                    drop(aborted);
                });
                tokio::task::yield_now().await;
                task.abort();
                task.await.unwrap_err();
                Arc::strong_count(&held)
            })
        });
    }
}

#[test]
fn the_programs_hooks_run_as_if_they_were_alone() {
    let _turn = turn();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push(what)
    };
    let options = Options::new()
        .on_thread_start(note("start"))
        .on_thread_stop(note("stop"))
        .on_thread_park(note("park"))
        .on_thread_unpark(note("unpark"));
    #[cfg(tokio_unstable)]
    let options = {
        let of_task = |what: &'static str| {
            let note = note(what);
            move |_: &tokio::runtime::TaskMeta<'_>| note()
        };
        options
            .on_task_spawn(of_task("spawn"))
            .on_before_task_poll(of_task("before"))
            .on_after_task_poll(of_task("after"))
            .on_task_terminate(of_task("terminate"))
    };
    record(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all();
        let runtime = builder.exectrace_with("test", options).build().unwrap();
        runtime.block_on(async {
            spawn(tokio::task::yield_now()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        });
    });
    let calls = calls.lock().unwrap();
    let count = |what| calls.iter().filter(|&&call| call == what).count();
    assert_eq!((count("start"), count("stop")), (1, 1));
    assert!(count("park") > 0 && count("park").abs_diff(count("unpark")) <= 1);
    if cfg!(tokio_unstable) {
        assert_eq!((count("spawn"), count("before"), count("after")), (1, 2, 2));
        // The loop of the worker is a task as well.
        assert_eq!(count("terminate"), 2);
    }
}

#[test]
fn wrapping_keeps_what_the_compiler_knows_of_a_future() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    fn is_unpin<T: Unpin>(_: &T) {}
    is_send(&async { tokio::task::yield_now().await }.traced());
    is_sync(&std::future::ready(1).traced());
    is_unpin(&std::future::ready(1).traced());
    // This one is not `Send`. A test cannot assert that.
    let local: Traced<_> = (async {
        let held = Rc::new(1);
        tokio::task::yield_now().await;
        *held
    })
    .traced();
    drop(local);
}

#[test]
fn futures_can_be_polled_by_any_executor() {
    let _turn = turn();
    record(|| {
        let mut future = pin!(std::future::ready(3).traced());
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(3));
        // Dropped without a poll, and in the middle.
        drop(std::future::pending::<()>().traced());
        let mut pending = Box::pin(std::future::pending::<()>().traced_as("pending"));
        let polled = pending
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    });
}

#[test]
fn panics_come_out_of_block_on_block_in_place_and_spawn_blocking_as_they_went_in() {
    let _turn = turn();
    record(|| {
        let runtime = runtime("test", 1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            exectrace_tokio::block_on(&runtime, async { panic!("in block_on") });
        }));
        assert_eq!(
            panicked.map(|(): ()| ()).unwrap_err().downcast_ref(),
            Some(&"in block_on")
        );
        runtime.block_on(async {
            let blocking: JoinHandle<()> = spawn_blocking(|| panic!("in spawn_blocking"));
            assert!(blocking.await.unwrap_err().is_panic());
            let in_place = spawn_named("in place", async {
                block_in_place(|| panic!("in block_in_place"));
            });
            assert!(in_place.await.unwrap_err().is_panic());
            let mut set = JoinSet::new();
            set.spawn_traced(async { 1 });
            assert_eq!(set.join_all().await, [1]);
        });
    });
}

#[test]
fn a_runtime_that_is_dropped_is_gone() {
    let _turn = turn();
    // What hooks hold lives as long as any part of their runtime.
    let held = Arc::new(());
    let in_hook = Arc::clone(&held);
    let options = Options::new().on_thread_park(move || drop(Arc::clone(&in_hook)));
    record(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all();
        let runtime = builder.exectrace_with("test", options).build().unwrap();
        runtime.block_on(async {
            let left = spawn(std::future::pending::<()>());
            support::wait_for_samples().await;
            drop(left);
        });
        drop(runtime);
        drop(builder);
    });
    assert_eq!(Arc::strong_count(&held), 1);
}
