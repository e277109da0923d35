//! Calls in async tasks: what the file says of the task, of its worker and of who waits.

use exectrace_format::GoState::{Runnable, Running, Syscall, Waiting};
use exectrace_format::{GoState, ProcState, SideRecord, StateChange};

use super::schedule::{T, begin, end, play, spawn, states, unpark};
use super::*;
use crate::calls::{Call, CallResult};
use crate::input::Called;

fn call_of(call: Call, at: u64, took_ns: u64, result: CallResult) -> Input<'static> {
    Input::Call(Called {
        call: Some(call),
        began: T + at,
        took_ns,
        result,
        stack: 0,
    })
}

/// A call that succeeds.
fn call(call: Call, at: u64, took_ns: u64) -> Input<'static> {
    call_of(call, at, took_ns, CallResult::Done(1))
}

/// The states of a task from its first run on: which, and since when.
fn runs(events: &[TraceEvent], name: &str) -> Vec<(GoState, u64)> {
    let states = states(events, name).into_iter();
    let states = states.map(|(at, state, _)| (state, at - T));
    states.skip_while(|(state, _)| *state != Running).collect()
}

/// The states of the proc of worker 0, from its first run on.
fn worker_states(events: &[TraceEvent]) -> Vec<ProcState> {
    let name = |event: &TraceEvent| match &event.kind {
        TraceEventKind::SideData(SideRecord::ProcName { proc, name }) if name.ends_with("0") => {
            Some(*proc)
        }
        _ => None,
    };
    let worker = events.iter().rev().find_map(name).expect("a worker");
    let states = events.iter().filter_map(|event| match event.kind {
        TraceEventKind::StateTransition {
            change: StateChange::Proc { proc, to, .. },
            is_status: false,
            ..
        } if proc == worker => Some(to),
        _ => None,
    });
    states.collect()
}

#[test]
fn a_task_in_a_call_keeps_its_worker_and_is_not_woken_out_of_it() {
    for (kind, state) in [
        (Call::Read, Syscall),
        (Call::FutexWait, Waiting),
        (Call::Nanosleep, Waiting),
    ] {
        let mut trial = Trial::new();
        play(
            &mut trial,
            &[
                (1_000, 0, spawn(1, "blocks")),
                (2_000, 1, unpark(0)),
                (3_000, 1, begin(1)),
                (4_000, 1, call(kind, 4_000, 50_000_000)),
                (5_000, 0, Input::Wake(task(1))),
                (60_000_000, 1, end(1)),
                (61_000_000, 1, begin(1)),
            ],
        );
        let events = trial.read().remove(0);
        let found = runs(&events, "blocks");
        let states: Vec<_> = found.iter().map(|(state, _)| *state).collect();
        let expected: &[GoState] = match state {
            Waiting => &[Running, Waiting, Runnable, Running, Runnable, Running],
            _ => &[Running, Syscall, Running, Runnable, Running],
        };
        assert_eq!(states, expected, "{kind:?}");
        let since = |wanted| {
            found
                .iter()
                .find(|(state, _)| *state == wanted)
                .map(|(_, at)| *at)
        };
        assert_eq!(since(state), Some(4_000));
        let back = found.iter().skip(2).find(|(state, _)| *state == Running);
        let back = back.map(|(_, at)| *at).expect("it runs again");
        assert!((50_004_000..50_004_010).contains(&back), "{back}");
        assert!(
            !worker_states(&events).contains(&ProcState::Idle),
            "the worker serves nobody else"
        );
    }
}

#[test]
fn a_thread_in_a_long_call_gives_its_lane_up_and_one_in_a_short_call_does_not() {
    let lanes = |took_ns| {
        let mut trial = Trial::new();
        let region = Input::RegionBegin {
            began: 1,
            name: "region",
            task: 0,
            place: std::panic::Location::caller(),
            with_spawned: false,
        };
        let records = [
            (1_000, 0, region),
            (2_000, 0, call(Call::Read, 2_000, took_ns)),
            (60_000_000, 0, Input::RegionEnd { began: 1 }),
        ];
        play(&mut trial, &records);
        let events = trial.read().remove(0);
        let is_idle = |event: &&TraceEvent| {
            matches!(
                event.kind,
                TraceEventKind::StateTransition {
                    change: StateChange::Proc {
                        to: ProcState::Idle,
                        ..
                    },
                    ..
                }
            ) && (T + 2_000..T + 60_000_000).contains(&ns(event))
        };
        events.iter().filter(is_idle).count()
    };
    assert_eq!(lanes(5_000), 0);
    assert_eq!(lanes(5_000_000), 1);
}

#[test]
fn a_task_whose_worker_goes_on_elsewhere_stays_in_its_call() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "blocks")),
            (1_100, 0, spawn(2, "other")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (4_000, 1, call(Call::Fsync, 4_000, 30_000_000)),
            // Another thread is the worker now.
            (5_000, 2, unpark(0)),
            (6_000, 2, begin(2)),
            (7_000, 2, end(2)),
            (40_000_000, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    let found: Vec<_> = runs(&events, "blocks")
        .iter()
        .map(|(state, _)| *state)
        .collect();
    assert_eq!(found[..4], [Running, Syscall, Runnable, Running]);
    let other: Vec<_> = runs(&events, "other")
        .iter()
        .map(|(state, _)| *state)
        .collect();
    assert_eq!(other, [Running, Waiting]);
}

#[test]
fn what_a_runtime_calls_between_polls_is_counted_and_is_nobodys() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "task")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (4_000, 1, end(1)),
            (5_000, 1, call(Call::Write, 5_000, 2_000)),
            (8_000, 1, Input::Park),
            (
                9_000,
                1,
                call_of(Call::EpollWait, 9_000, 7_000, CallResult::of_driver(3, -1)),
            ),
            (20_000, 1, unpark(0)),
            (21_000, 1, begin(1)),
        ],
    );
    let events = trial.read().remove(0);
    let side = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(record) => Some(record),
        _ => None,
    });
    let (mut counts, mut waits) = (Vec::new(), Vec::new());
    for record in side {
        match record {
            SideRecord::CallCounts {
                go,
                call,
                calls,
                total_ns,
                ..
            } => counts.push((go.0, &**call, *calls, *total_ns)),
            SideRecord::DriverWait {
                time_ns,
                duration_ns,
                ready,
                ..
            } => waits.push((*time_ns - T, *duration_ns, *ready)),
            _ => {}
        }
    }
    assert_eq!(
        counts,
        [(0, "write", 1, 2_000), (0, "epoll_wait", 1, 7_000)]
    );
    assert_eq!(waits, [(9_000, 7_000, 3)]);
    let is_in_call = |event: &TraceEvent| {
        matches!(
            event.kind,
            TraceEventKind::StateTransition {
                change: StateChange::Go { to: Syscall, .. },
                ..
            }
        )
    };
    assert!(!events.iter().any(is_in_call));
}

#[test]
fn who_waits_for_the_driver_waits_for_a_timer_or_a_source_if_the_driver_saw_which() {
    const MS: u64 = 1_000_000;
    let reason = |took_ns, result| {
        let mut trial = Trial::new();
        play(
            &mut trial,
            &[
                (1_000, 0, spawn(1, "waits")),
                (2_000, 1, unpark(0)),
                (3_000, 1, begin(1)),
                (4_000, 1, end(1)),
                (5_000, 1, Input::Park),
                (6_000, 1, call_of(Call::EpollWait, 6_000, took_ns, result)),
                (90 * MS, 1, Input::Wake(task(1))),
                (91 * MS, 1, unpark(0)),
            ],
        );
        let events = trial.read().remove(0);
        let states = states(&events, "waits");
        let wait = states
            .iter()
            .find(|(_, state, reason)| *state == Waiting && !reason.is_empty());
        wait.map(|(.., reason)| reason.clone()).expect("a wait")
    };
    let driver = CallResult::of_driver;
    let (timer, source, either) = (
        "sleep (woken by timer)",
        "network or signal",
        "network, timer or signal",
    );
    assert_eq!(reason(50 * MS, driver(0, 50)), timer);
    assert_eq!(reason(50 * MS, driver(2, -1)), source);
    assert_eq!(reason(20 * MS, driver(2, 50)), source);
    // The timer's time had come as well.
    assert_eq!(reason(50 * MS, driver(1, 50)), either);
    assert_eq!(reason(20 * MS, CallResult::Failed(4)), either);
    // It did not wait.
    assert_eq!(reason(1_000, driver(0, 0)), "unknown");
}

#[test]
fn a_call_that_was_seen_while_it_lasted_ends_once_with_or_without_a_record() {
    for has_record in [true, false] {
        let mut trial = Trial::new();
        let region = |began| Input::RegionBegin {
            began,
            name: "caller",
            task: 0,
            place: std::panic::Location::caller(),
            with_spawned: false,
        };
        trial.apply(T + 1_000, 0, region(1));
        let index = ThreadIndex(1);
        trial
            .model
            .call_is_open(T + 2_000, index, Call::Read, T + 2_000);
        trial.model.come_to(T + 200_000_000);
        if has_record {
            trial.apply(T + 2_000, 0, call(Call::Read, 2_000, 300_000_000));
        }
        trial.model.call_is_over(T + 400_000_000, index, T + 2_000);
        trial.model.come_to(T + 400_000_000);
        trial.apply(T + 500_000_000, 0, region(2));
        let events = trial.read().remove(0);
        let times: Vec<_> = events
            .iter()
            .filter_map(|event| match event.kind {
                TraceEventKind::StateTransition {
                    change: StateChange::Go { from, to, .. },
                    is_status: false,
                    ..
                } if from == Syscall || to == Syscall => Some((to, (ns(event) - T) / 1_000)),
                _ => None,
            })
            .collect();
        let end = if has_record { 300_002 } else { 400_000 };
        assert_eq!(times, [(Syscall, 2), (Runnable, end)], "{has_record}");
    }
}
