//! Futures that enter their spans in `poll` by a guard, in whatever order.

use std::future::poll_fn;
use std::task::Poll;

use exectrace::runtime::{block_on, spawn};
use exectrace_middleware::{Tasks, WAYS, record, runtime};
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, info_span, instrument};

use crate::load::{Guarded, sleep, turn};

#[instrument(skip_all)]
async fn save(turns: u64) {
    for _ in 0..turns {
        turn().await;
    }
}

#[instrument(skip_all)]
async fn order(number: u64) {
    turn().await;
    save(number % 3 + 1).await;
    turn().await;
}

/// Orders, each in a task of its own that polls it in the guard of a request.
fn requests(orders: u64, spawned: impl Fn(u64) -> JoinHandle<()>) {
    block_on(&runtime(2), async {
        let requests: Vec<_> = (0..orders).map(spawned).collect();
        for request in requests {
            request.await.unwrap();
        }
    });
}

#[test]
fn a_span_around_a_future_that_is_polled_in_a_guard_holds_the_spans_of_the_future() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            requests(40, |number| {
                spawn(async move { Guarded::new(info_span!("request"), || order(number)).await })
            });
        });
        for name in ["request", "order", "save"] {
            assert_eq!(trace.count(name), 40, "{way:?} {name}");
        }
        assert_eq!(trace.tasks("request"), 40, "{way:?}");
        trace.agrees_with(&account, Tasks::Followed);
    }
}

#[test]
fn a_span_that_one_task_enters_first_and_another_task_polls_in_is_one_span() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            requests(40, |number| {
                spawn(Guarded::new(info_span!("request"), || order(number)))
            });
        });
        assert_eq!(trace.count("request"), 40, "{way:?}");
        trace.agrees_with(&account, Tasks::Several);
    }
}

/// Enters all spans one inside the other, in an order that is another in each poll.
async fn entered_in_turn(spans: &[Span], polls: usize) {
    let mut poll = 0;
    let polled = poll_fn(|context| {
        let mut inside = Vec::new();
        for number in 0..spans.len() {
            let step = if poll % 2 == 0 {
                number
            } else {
                spans.len() - 1 - number
            };
            inside.push(spans[(step + poll) % spans.len()].enter());
        }
        // Dropped from the outermost, so that none is left where it was entered.
        drop(inside);
        poll += 1;
        if poll == polls {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    polled.await;
}

#[test]
fn spans_that_are_entered_in_another_order_in_each_poll_are_whole() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            let runtime = runtime(2);
            block_on(&runtime, async {
                let tasks: Vec<_> = (0..10)
                    .map(|_| {
                        spawn(async {
                            let outer = info_span!("outer");
                            let middle = info_span!(parent: &outer, "middle");
                            let inner = info_span!(parent: &middle, "inner");
                            outer.in_scope(|| ());
                            entered_in_turn(&[outer, middle, inner], 5).await;
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
        for name in ["outer", "middle", "inner"] {
            assert_eq!(trace.count(name), 10, "{way:?} {name}");
        }
        trace.agrees_with(&account, Tasks::Followed);
    }
}

#[test]
fn spans_without_a_parent_that_are_left_together_are_whole() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            let runtime = runtime(0);
            block_on(&runtime, async {
                let spans: Vec<_> = (0..5).map(|_| info_span!(parent: None, "lone")).collect();
                entered_in_turn(&spans, 6).await;
                drop(spans);
                async { turn().await }.instrument(info_span!("after")).await;
            });
        });
        assert_eq!(trace.count("lone"), 5, "{way:?}");
        assert_eq!(trace.count("after"), 1, "{way:?}");
        trace.agrees_with(&account, Tasks::Followed);
    }
}

#[test]
fn fifty_sleepers_that_are_spawned_in_a_span_each_are_fifty_spans() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            let runtime = runtime(2);
            block_on(&runtime, async {
                let sleepers: Vec<_> = (0..50)
                    .map(|number| spawn(sleep(number % 5).instrument(info_span!("sleeper"))))
                    .collect();
                for sleeper in sleepers {
                    sleeper.await.unwrap();
                }
            });
        });
        assert_eq!(trace.count("sleeper"), 50, "{way:?}");
        assert_eq!(trace.tasks("sleeper"), 50, "{way:?}");
        trace.agrees_with(&account, Tasks::Followed);
    }
}

#[test]
fn spans_end_where_their_tasks_are_aborted_or_are_left_at_the_end_of_the_runtime() {
    for way in WAYS {
        let (account, trace) = record(way, || {
            let runtime = runtime(2);
            block_on(&runtime, async {
                let (polled, mut all_polled) = tokio::sync::mpsc::channel(30);
                let tasks: Vec<_> = (0..30)
                    .map(|_| {
                        let polled = polled.clone();
                        let endless = async move {
                            polled.send(()).await.unwrap();
                            std::future::pending::<()>()
                                .instrument(info_span!("pending"))
                                .await;
                        };
                        spawn(endless.instrument(info_span!("endless")))
                    })
                    .collect();
                for _ in &tasks {
                    all_polled.recv().await.unwrap();
                }
                // The others are dropped with the runtime.
                for task in tasks.into_iter().take(20) {
                    task.abort();
                    assert!(task.await.unwrap_err().is_cancelled());
                }
            });
        });
        assert_eq!(trace.count("endless"), 30, "{way:?}");
        // The worker that drops a future enters its spans once more, on its own.
        trace.agrees_with(&account, Tasks::Several);
    }
}
