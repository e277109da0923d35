//! Futures that one task polls at once.

use exectrace::runtime::{block_on, spawn};
use exectrace_middleware::{Account, Tasks, Trace, WAYS, Way, record, runtime};
use futures::StreamExt;
use futures::stream::{FuturesUnordered, iter};
use tracing::{Instrument, info_span, instrument};

use crate::load::{sleep, turn};

#[instrument(skip_all)]
async fn part(number: u64) {
    turn().await;
    query(number).await;
    turn().await;
}

#[instrument(skip_all)]
async fn query(number: u64) {
    sleep(number % 4).await;
    drop(info_span!("parse").entered());
}

/// Records, each way, a future that is a task of its own in a span `all`, and compares its spans.
fn compared<F>(future: impl Fn() -> F) -> Vec<(Way, Account, Trace)>
where
    F: Future<Output = ()> + Send + 'static,
{
    let compared = WAYS.into_iter().map(|way| {
        let (account, trace) = record(way, || {
            let runtime = runtime(2);
            block_on(&runtime, async {
                spawn(future().instrument(info_span!("all"))).await.unwrap();
            });
        });
        trace.agrees_with(&account, Tasks::Followed);
        assert_eq!(trace.count("all"), 1, "{way:?}");
        (way, account, trace)
    });
    compared.collect()
}

fn parts(number: usize, future: impl Fn() -> futures::future::BoxFuture<'static, ()>) {
    for (way, _, trace) in compared(future) {
        for name in ["part", "query", "parse"] {
            assert_eq!(trace.count(name), number, "{way:?} {name}");
        }
    }
}

#[test]
fn a_hundred_members_of_a_futures_unordered_are_a_hundred_spans() {
    parts(100, || {
        Box::pin(async {
            let members: FuturesUnordered<_> = (0..100).map(part).collect();
            assert_eq!(members.count().await, 100);
        })
    });
}

#[test]
fn what_join_all_waits_for_is_forty_spans() {
    parts(40, || {
        Box::pin(async {
            futures::future::join_all((0..40).map(part)).await;
        })
    });
}

#[test]
fn what_is_buffered_unordered_keeps_its_length() {
    parts(60, || {
        Box::pin(async {
            let buffered = iter(0..60).map(part).buffer_unordered(8);
            assert_eq!(buffered.count().await, 60);
        })
    });
}

#[test]
fn branches_of_both_joins_are_whole() {
    parts(6, || {
        Box::pin(async {
            futures::join!(part(1), part(2), part(0));
            tokio::join!(part(3), part(1), part(2));
        })
    });
}

#[test]
fn branches_that_lose_a_select_end_where_they_are_dropped() {
    let compared = compared(|| async {
        for _ in 0..10 {
            let (winner, loser) = (sleep(1), std::future::pending::<()>());
            tokio::select! {
                () = winner.instrument(info_span!("winner")) => {}
                () = loser.instrument(info_span!("loser")) => {}
            }
            let winner = Box::pin(sleep(1).instrument(info_span!("winner")));
            let loser = std::future::pending::<()>().instrument(info_span!("loser"));
            futures::future::select(winner, Box::pin(loser)).await;
            futures::select! {
                () = futures::FutureExt::fuse(Box::pin(part(1))) => {}
                () = futures::FutureExt::fuse(Box::pin(std::future::pending())) => {}
            }
        }
    });
    for (way, _, trace) in compared {
        for name in ["winner", "loser"] {
            assert_eq!(trace.count(name), 20, "{way:?} {name}");
        }
        assert_eq!(trace.count("part"), 10, "{way:?}");
    }
}
