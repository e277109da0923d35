//! Async tasks: what the file says of their states is what their scheduler did.

use std::panic::Location;

use exectrace_format::{GoState, Inferred, ProcState, SideRecord, StateChange};

use super::schedule::{T, begin, end, play, spawn, states, unpark};
use super::*;
use crate::input::WakerKey;
use crate::live_tasks::LiveTask;
use crate::runtime::{AsyncTaskId, AsyncTaskKind, Runtime};

/// The states without their times.
fn what(states: &[(u64, GoState, String)]) -> Vec<(GoState, &str)> {
    states.iter().map(|(_, to, why)| (*to, &**why)).collect()
}

use GoState::{NotExist, Runnable, Running, Waiting};

#[test]
fn a_task_waits_between_its_polls_and_runs_on_the_lane_of_the_worker() {
    let mut trial = Trial::new();
    let park = Input::Park;
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "request")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (4_000, 1, end(1)),
            (5_000, 1, park),
            (6_000, 0, Input::Wake(task(1))),
            (7_000, 1, unpark(0)),
            (8_000, 1, begin(1)),
            (9_000, 1, Input::AsyncEnd(task(1))),
            (9_100, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    let found = states(&events, "request");
    assert_eq!(
        what(&found),
        [
            (Runnable, ""),
            (Running, ""),
            (Waiting, "sync (woken by thread)"),
            (Runnable, ""),
            (Running, ""),
            (NotExist, ""),
        ]
    );
    let times: Vec<_> = found[1..].iter().map(|state| state.0 - T).collect();
    assert_eq!(times, [3_000, 4_000, 6_000, 8_000, 9_000]);
}

#[test]
fn a_task_that_is_woken_while_it_is_polled_could_run_on() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "busy")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (3_500, 0, Input::Wake(task(1))),
            (4_000, 1, end(1)),
            (5_000, 1, begin(1)),
        ],
    );
    let events = trial.read().remove(0);
    assert_eq!(
        what(&states(&events, "busy"))[1..],
        [
            (Running, ""),
            (Runnable, "woken during poll"),
            (Running, ""),
        ]
    );
}

#[test]
fn a_wake_that_was_not_seen_is_put_right_before_the_poll_and_says_so() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "quiet")),
            (1_900, 1, unpark(0)),
            (2_000, 1, begin(1)),
            (3_000, 1, end(1)),
            (9_000, 1, begin(1)),
        ],
    );
    let events = trial.read().remove(0);
    let found = states(&events, "quiet");
    assert_eq!(found[3].0, T + 9_000);
    assert_eq!(found[3].1, Runnable);
    let wake = events.iter().find(|event| ns(event) == T + 9_000).unwrap();
    let leaf = wake.stack.as_ref().unwrap()[0].function.to_string();
    assert_eq!(leaf, "(wake not seen)");
}

#[test]
fn who_will_wake_a_task_tells_why_it_waits() {
    let mut trial = Trial::new();
    let park = Input::Park;
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "reader")),
            (1_100, 0, spawn(2, "writer")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (4_000, 1, end(1)),
            (4_500, 1, begin(2)),
            (4_600, 1, end(2)),
            (5_000, 1, park),
            // The driver, on the parked worker.
            (6_000, 1, Input::Wake(task(1))),
            (7_000, 1, unpark(0)),
            (8_000, 1, begin(1)),
            (8_500, 1, Input::Wake(task(2))),
            (8_600, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    assert_eq!(
        what(&states(&events, "reader"))[2],
        (Waiting, "network, timer or signal")
    );
    assert_eq!(
        what(&states(&events, "writer"))[2],
        (Waiting, "sync (woken by task)")
    );
}

#[test]
fn a_wait_is_unknown_if_nobody_ends_it_or_a_worker_does_between_its_polls() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "mixed")),
            (1_100, 0, spawn(2, "joins")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (3_100, 1, end(1)),
            (3_200, 1, begin(2)),
            (3_300, 1, end(2)),
            (3_400, 1, Input::Park),
            (3_500, 1, Input::Wake(task(1))),
            (3_600, 1, unpark(0)),
            (3_700, 1, begin(1)),
            // It has slept; now it waits for a message that nobody sends.
            (3_800, 1, end(1)),
            (3_900, 1, Input::Wake(task(2))),
            (4_000, 1, begin(2)),
        ],
    );
    let events = trial.read().remove(0);
    let waits = |name| {
        let states = states(&events, name);
        let waits = states.into_iter().filter(|state| state.1 == Waiting);
        waits.map(|state| state.2).collect::<Vec<_>>()
    };
    assert_eq!(waits("mixed"), ["network, timer or signal", "unknown"]);
    assert_eq!(waits("joins"), ["unknown"]);
}

/// A trial whose file begins with a task alive, which waits.
fn with_alive(number: u64, name: &'static str) -> Trial {
    let mut trial = Trial::new();
    trial.model.adopt(&LiveTask {
        runtime: Runtime::of_number(1),
        task: AsyncTaskId::of_runtime(number),
        kind: AsyncTaskKind::Future,
        place: Location::caller(),
        name: Some(name),
    });
    trial.begin_file(T);
    // The one that does not know of it.
    trial.files.remove(0);
    trial
}

#[test]
fn the_first_wake_of_a_task_that_was_polled_before_the_recording_is_by_who_did_it() {
    let mut trial = with_alive(1, "old");
    let address = 77;
    play(
        &mut trial,
        &[
            (1_000, 0, Input::WakeBy(WakerKey::of_address(address))),
            (2_000, 1, begin(1)),
            (
                2_100,
                1,
                Input::WakerOf {
                    task: task(1),
                    address,
                },
            ),
            (3_000, 1, end(1)),
            (4_000, 0, Input::WakeBy(WakerKey::of_address(address))),
        ],
    );
    let events = trial.read().remove(0);
    let found = states(&events, "old");
    let wakes: Vec<_> = found.iter().filter(|state| state.1 == Runnable).collect();
    let times: Vec<_> = wakes.iter().map(|wake| (wake.0 - T) / 100).collect();
    assert_eq!(times, [10, 40]);
    assert_eq!(trial.model.counts().inferred, 0);
}

#[test]
fn a_poll_that_was_under_way_when_the_recording_began_is_no_wait() {
    let mut trial = with_alive(1, "stuck");
    play(
        &mut trial,
        &[
            (5_000, 1, end(1)),
            (7_000, 0, Input::Wake(task(1))),
            (8_000, 1, begin(1)),
            // Of a task whose polls are known an end alone says nothing.
            (8_100, 1, end(1)),
            (8_200, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    let found = states(&events, "stuck");
    let found = what(&found);
    assert_eq!(
        found,
        [
            // In the preamble, and in the generation.
            (Waiting, ""),
            (Waiting, ""),
            (Runnable, ""),
            (Running, ""),
            (Waiting, "sync (woken by thread)"),
            (Runnable, ""),
            (Running, ""),
            (Waiting, "unknown"),
        ]
    );
    let leaves = events
        .iter()
        .filter_map(|event| event.stack.as_ref()?.first());
    let is_it = |leaf: &&str| *leaf == "(polled since before the recording)";
    assert_eq!(leaves.map(|leaf| &*leaf.function).filter(is_it).count(), 1);
    assert_eq!(concluded(&events), [Inferred::State]);
}

#[test]
fn a_task_that_is_dropped_unpolled_ends_on_the_tracers_lane() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "aborted")),
            (2_000, 0, Input::AsyncEnd(task(1))),
        ],
    );
    let events = trial.read().remove(0);
    assert_eq!(
        what(&states(&events, "aborted")),
        [(Runnable, ""), (Running, ""), (NotExist, "")]
    );
    assert_eq!(concluded(&events), [Inferred::Run]);
}

/// What the file says was concluded.
fn concluded(events: &[TraceEvent]) -> Vec<Inferred> {
    let record = |event: &TraceEvent| match &event.kind {
        TraceEventKind::SideData(SideRecord::Inferred { what, .. }) => Some(*what),
        _ => None,
    };
    events.iter().filter_map(record).collect()
}

#[test]
fn a_run_that_a_task_never_had_is_marked_and_so_is_each_wake_that_was_not_seen() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "dropped")),
            (2_000, 1, begin(1)),
            (3_000, 1, end(1)),
            (4_000, 1, begin(1)),
            (5_000, 1, end(1)),
            (6_000, 0, Input::AsyncEnd(task(1))),
        ],
    );
    let events = trial.read().remove(0);
    let states = states(&events, "dropped");
    let ended: Vec<_> = what(&states)[6..].iter().map(|state| state.0).collect();
    assert_eq!(ended, [Runnable, Running, NotExist]);
    let wakes = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::StateTransition {
            change:
                StateChange::Go {
                    from: Waiting,
                    to: Runnable,
                    ..
                },
            ..
        } => Some(event.stack.as_ref()?[0].function.to_string()),
        _ => None,
    });
    let wakes: Vec<_> = wakes.collect();
    assert_eq!(wakes, ["(wake not seen)", "(ended without running)"]);
    assert_eq!(concluded(&events), [Inferred::Run]);
    assert_eq!(trial.model.counts().inferred, 2);
}

#[test]
fn a_worker_that_goes_on_elsewhere_leaves_its_task_running_on_a_lane_of_its_own() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "blocks in place")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (4_000, 2, unpark(0)),
            (5_000, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    let lanes: Vec<_> = events
        .iter()
        .filter(|event| [T + 3_000, T + 5_000].contains(&ns(event)))
        .map(|event| event.proc.map(|lane| lane.0))
        .collect();
    let [before, after] = lanes[..] else {
        panic!("{lanes:?}");
    };
    assert!(before.is_some() && after.is_some() && before != after);
}

#[test]
fn only_a_task_that_is_seen_to_block_in_place_is_said_to() {
    let mut trial = Trial::new();
    let region = Input::RegionBegin {
        began: 1,
        name: "block_in_place",
        task: 0,
        place: Location::caller(),
        with_spawned: false,
    };
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "blocks")),
            (1_100, 0, spawn(2, "later")),
            (2_000, 1, unpark(0)),
            (3_000, 1, begin(1)),
            (3_100, 1, region),
            (4_000, 2, unpark(0)),
            (5_000, 1, end(1)),
            // The second thread has lost its worker as well, and polls for another one.
            (6_000, 2, begin(2)),
            (7_000, 3, unpark(0)),
            (8_000, 2, end(2)),
        ],
    );
    let events = trial.read().remove(0);
    let stop = |name| what(&states(&events, name))[2].1.to_owned();
    assert_eq!(stop("blocks"), "block_in_place");
    assert_eq!(stop("later"), "worker moved");
}

#[test]
fn a_thread_that_is_no_worker_has_no_lane_between_its_polls() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "root")),
            (2_000, 1, begin(1)),
            (3_000, 1, end(1)),
            (9_000, 0, Input::Wake(task(1))),
            (9_100, 1, begin(1)),
            (9_200, 1, Input::AsyncEnd(task(1))),
            (9_300, 1, end(1)),
        ],
    );
    let events = trial.read().remove(0);
    let lanes = events.iter().filter_map(|event| match event.kind {
        TraceEventKind::StateTransition {
            change: StateChange::Proc { to, .. },
            ..
        } if ns(event) > T + 1_500 => Some((to, (ns(event) - T) / 100)),
        _ => None,
    });
    let lanes: Vec<_> = lanes.collect();
    let (runs, idle) = (ProcState::Running, ProcState::Idle);
    assert_eq!(lanes[1..], [(runs, 20), (idle, 30), (runs, 91), (idle, 93)]);
}

#[test]
fn an_instrumented_future_is_one_region_and_a_scope_in_a_poll_is_its_own() {
    let mut trial = Trial::new();
    let enter = |id| Input::SpanEnter(span(id));
    let exit = |id| Input::SpanExit(span(id));
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "request")),
            (1_500, 0, new(1, 0, Parent::Root)),
            (2_000, 1, begin(1)),
            (2_100, 1, enter(1)),
            // A scope within the poll.
            (2_200, 1, new(2, 1, Parent::Current(1))),
            (2_300, 1, enter(2)),
            (2_400, 1, exit(2)),
            (2_410, 1, Input::SpanClose(span(2))),
            (2_500, 1, exit(1)),
            (2_600, 1, end(1)),
            (5_000, 2, begin(1)),
            (5_100, 2, enter(1)),
            (5_500, 2, exit(1)),
            // The future is dropped inside its span.
            (5_510, 2, enter(1)),
            (5_520, 2, exit(1)),
            (5_530, 2, Input::SpanClose(span(1))),
            (5_600, 2, Input::AsyncEnd(task(1))),
        ],
    );
    let events = trial.read().remove(0);
    assert_eq!(
        regions(&events),
        [
            ("parse".to_owned(), T + 2_300, T + 2_410),
            ("serve".to_owned(), T + 2_100, T + 5_530),
        ]
    );
}

#[test]
fn a_region_follows_its_task_and_one_of_a_task_that_is_not_followed_ends_on_the_thread_that_began_it()
 {
    let location = Location::caller();
    let open = |began, name| Input::RegionBegin {
        began,
        name,
        task: 0,
        place: location,
        with_spawned: false,
    };
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (1_000, 0, spawn(1, "request")),
            (2_000, 1, begin(1)),
            (2_100, 1, open(21, "followed")),
            (2_600, 1, end(1)),
            (5_000, 2, begin(1)),
            (5_300, 2, Input::RegionEnd { began: 21 }),
            (5_600, 2, Input::AsyncEnd(task(1))),
            // Of the code of threads 3 and 4, of which the second polls a task meanwhile.
            (6_000, 3, open(60, "moved")),
            (6_100, 4, open(61, "moved while its thread polls")),
            (6_200, 0, spawn(2, "another")),
            (6_300, 4, begin(2)),
            (6_400, 0, Input::RegionEnd { began: 60 }),
            (6_500, 0, Input::RegionEnd { began: 61 }),
            (6_600, 4, Input::AsyncEnd(task(2))),
            (6_700, 4, open(67, "next")),
            (6_800, 4, Input::RegionEnd { began: 67 }),
        ],
    );
    let ended = regions(&trial.read().remove(0));
    let ended: Vec<_> = ended
        .iter()
        .map(|(name, begin, end)| (name.as_str(), begin - T, end - T))
        .collect();
    let [followed, moved, (late, begin, end), next] = ended[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(followed, ("followed", 2_100, 5_300));
    // The thread's own beginning (five events) stands before its first record.
    assert_eq!((moved.0, moved.2), ("moved", 6_400));
    // It ends when its thread's code goes on.
    assert_eq!(late, "moved while its thread polls");
    assert!((6_100..6_110).contains(&begin), "{ended:?}");
    assert!((6_700..6_800).contains(&end), "{ended:?}");
    assert_eq!((next.0, next.2), ("next", 6_800));
}

#[test]
fn a_task_without_a_name_is_named_by_its_place_whatever_span_it_enters() {
    let mut trial = Trial::new();
    let location = Location::caller();
    let unnamed = Input::AsyncSpawn {
        task: task(1),
        kind: AsyncTaskKind::Future,
        place: location,
        name: None,
    };
    play(
        &mut trial,
        &[
            (1_000, 0, unnamed),
            (2_000, 1, begin(1)),
            (2_100, 1, new(1, 2, Parent::Root)),
            (2_200, 1, Input::SpanEnter(span(1))),
        ],
    );
    let events = trial.read().remove(0);
    let place = format!("{}:{}", location.file(), location.line());
    assert_eq!(states(&events, &place)[0].1, Runnable);
    assert_eq!(states(&events, "query"), []);
}

#[test]
fn a_file_begun_late_tells_each_task_with_its_state_and_regions() {
    let mut trial = Trial::new();
    play(
        &mut trial,
        &[
            (900, 0, new(1, 0, Parent::Root)),
            (1_000, 0, spawn(1, "waits")),
            (1_100, 0, spawn(2, "runs")),
            (2_000, 1, begin(1)),
            (2_100, 1, Input::SpanEnter(span(1))),
            (2_200, 1, Input::SpanExit(span(1))),
            (2_300, 1, end(1)),
            (2_400, 1, begin(2)),
        ],
    );
    trial.begin_file(T + 100_000);
    play(
        &mut trial,
        &[
            (200_000, 1, end(2)),
            (200_100, 0, Input::Wake(task(1))),
            (201_000, 1, begin(1)),
            (201_100, 1, Input::SpanEnter(span(1))),
        ],
    );
    let events = trial.read().remove(1);
    let waits = states(&events, "waits");
    // The shared generation has the state once more.
    assert_eq!(
        what(&waits),
        [
            (Running, ""),
            (Waiting, "unknown"),
            (Waiting, ""),
            (Runnable, ""),
            (Running, ""),
        ]
    );
    assert_eq!(
        what(&states(&events, "runs")),
        [(Running, ""), (Running, ""), (Waiting, "unknown")]
    );
    let begun = events.iter().filter(|event| {
        matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == "serve")
    });
    assert_eq!(begun.count(), 1);
}
