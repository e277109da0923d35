//! Many tasks, many spawns, many polls: what they cost grows with them and no faster.

mod support;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use exectrace_format::{GoState, Reader, StateChange, TraceEventKind};
use exectrace_recorder::Settings;
use exectrace_tokio::{BuilderExt, block_on, spawn};

/// Takes a turn, with so much memory that nothing is dropped however late the flush thread is.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    let turn = support::turn();
    // In use already, if another test came first: then it is the same.
    let _ = Settings::new().memory_bytes(1 << 30).apply();
    turn
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("scale")
        .build()
        .unwrap()
}

/// Reads a trace to its end, and counts the changes of flows to this state.
fn count(trace: &Path, wanted: GoState) -> usize {
    let reader = Reader::new(BufReader::new(File::open(trace).unwrap())).unwrap();
    let events = reader.map(|event| event.unwrap_or_else(|error| panic!("{error}")));
    let to_wanted = events.filter(|event| {
        matches!(
            event.kind,
            TraceEventKind::StateTransition {
                change: StateChange::Go { to, .. },
                ..
            } if to == wanted
        )
    });
    to_wanted.count()
}

#[test]
fn a_recording_shows_a_hundred_thousand_tasks_that_never_run_in_few_bytes_each() {
    const TASKS: usize = 100_000;
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("alive.trace");
    let runtime = runtime();
    let report = block_on(&runtime, async {
        let (stop, _) = tokio::sync::watch::channel(());
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let mut stopped = stop.subscribe();
                spawn(async move { stopped.changed().await.is_ok() })
            })
            .collect();
        let recording = exectrace_recorder::start(&trace).unwrap();
        let report = recording.stop().unwrap();
        drop(stop);
        for task in tasks {
            task.await.unwrap();
        }
        report
    });
    assert!(count(&trace, GoState::Waiting) >= TASKS);
    let bytes_each = report.bytes / TASKS as u64;
    assert!(bytes_each <= 16, "{bytes_each}");
    exectrace_referee::assert_accepted(&trace);
}

#[test]
fn a_million_spawns_are_all_there_and_leave_nothing_behind() {
    const ROUNDS: usize = 10_000;
    const AT_ONCE: usize = 100;
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("spawned.trace");
    let recording = exectrace_recorder::start(&trace).unwrap();
    let runtime = runtime();
    block_on(&runtime, async {
        for _ in 0..ROUNDS {
            let tasks: Vec<_> = (0..AT_ONCE)
                .map(|number| spawn(async move { number }))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    drop(runtime);
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    assert_eq!(report.untracked, 0);
    let ended = count(&trace, GoState::NotExist);
    // With the thread's own flows and the root.
    assert!(
        (ROUNDS * AT_ONCE..ROUNDS * AT_ONCE + 10).contains(&ended),
        "{ended}"
    );
}

#[test]
fn a_task_of_a_million_polls_takes_the_same_for_each() {
    const POLLS: u64 = 1_000_000;
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("polls.trace");
    let recording = exectrace_recorder::start(&trace).unwrap();
    let runtime = runtime();
    block_on(&runtime, async {
        let task = spawn(async {
            for _ in 0..POLLS {
                tokio::task::yield_now().await;
            }
        });
        task.await.unwrap();
    });
    drop(runtime);
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    let bytes_each = report.bytes / POLLS;
    assert!((4..=24).contains(&bytes_each), "{bytes_each}");
    assert!(count(&trace, GoState::Running) as u64 >= POLLS);
}
