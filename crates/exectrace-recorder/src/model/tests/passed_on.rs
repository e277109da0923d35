//! Regions that async tasks have from those who spawned them.

use std::panic::Location;

use super::*;
use crate::runtime::AsyncTaskKind;

const T: u64 = START_NS + 1_000_000;

fn spawn(number: u64, name: &'static str) -> Input<'static> {
    Input::AsyncSpawn {
        task: task(number),
        kind: AsyncTaskKind::Future,
        place: Location::caller(),
        name: Some(name),
    }
}

fn begin(number: u64) -> Input<'static> {
    Input::PollBegin(task(number))
}

fn end(number: u64) -> Input<'static> {
    Input::PollEnd {
        task: task(number),
        stack: 0,
    }
}

/// Regions that were begun: their flow, name and user task, in the order of their begins.
fn begun(events: &[TraceEvent]) -> Vec<(u64, String, u64)> {
    let regions = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::RegionBegin { name, task } => Some((event.go?.0, name.to_string(), task.0)),
        _ => None,
    });
    regions.collect()
}

#[test]
fn what_is_spawned_in_a_region_belongs_to_its_user_task_and_what_that_spawns_too() {
    let place = Location::caller();
    let test = Input::TaskBegin {
        task: 7,
        parent: 0,
        name: "the test",
        place,
    };
    let region = Input::RegionBegin {
        began: 1,
        name: "test",
        task: 7,
        place,
        with_spawned: true,
    };
    let mut trial = Trial::new();
    let records = [
        (0, test),
        (0, region),
        (0, spawn(1, "child")),
        (0, Input::RegionEnd { began: 1 }),
        // After the region, so of nobody's.
        (0, spawn(3, "stranger")),
        (1, begin(1)),
        (1, spawn(2, "grandchild")),
        (1, end(1)),
        (1, begin(2)),
        (1, new(1, 0, Parent::Current(0))),
        (1, Input::SpanEnter(span(1))),
        (1, Input::SpanExit(span(1))),
        (1, Input::SpanClose(span(1))),
        (1, end(2)),
        (1, begin(3)),
        (1, end(3)),
        // Polled again: it has the region already.
        (1, begin(1)),
        (1, Input::AsyncEnd(task(1))),
        (1, end(1)),
        (0, Input::TaskEnd { task: 7 }),
    ];
    for (time_ns, (thread, input)) in (T..).step_by(1_000).zip(records) {
        trial.apply(time_ns, thread, input);
    }
    let events = trial.read().remove(0);
    let begun = begun(&events);
    let names: Vec<_> = begun.iter().map(|(_, name, _)| name.as_str()).collect();
    let span_name = names[3].to_owned();
    assert_eq!(names, ["test", "test", "test", &span_name]);
    assert_ne!(span_name, "test");
    let user_task = begun[0].2;
    assert!(begun.iter().all(|&(_, _, task)| task == user_task));
    let [thread, child, grandchild, span] = [0, 1, 2, 3].map(|index: usize| begun[index].0);
    assert!(thread != child && child != grandchild && grandchild == span);
    // Of the child that has ended, and of the thread; the grandchild lives on in its region.
    let ended = regions(&events);
    assert_eq!(
        ended.iter().filter(|(name, _, _)| name == "test").count(),
        2
    );
    assert_eq!(
        tasks(&events).len(),
        1,
        "the span is no user task of its own"
    );
}

#[test]
fn a_task_whose_first_poll_is_read_before_its_spawn_has_the_region_all_the_same() {
    let place = Location::caller();
    let region = Input::RegionBegin {
        began: 1,
        name: "test",
        task: 0,
        place,
        with_spawned: true,
    };
    let mut trial = Trial::new();
    let records = [
        (0, region),
        // The spawn of one is read while it is polled, that of the other between two polls.
        (1, begin(1)),
        (0, spawn(1, "child")),
        (1, end(1)),
        (1, begin(2)),
        (1, end(2)),
        (0, spawn(2, "other child")),
        (1, begin(2)),
        (1, Input::AsyncEnd(task(2))),
        (1, end(2)),
        (1, begin(1)),
        (1, Input::AsyncEnd(task(1))),
        (1, end(1)),
        (0, Input::RegionEnd { began: 1 }),
    ];
    for (time_ns, (thread, input)) in (T..).step_by(1_000).zip(records) {
        trial.apply(time_ns, thread, input);
    }
    let events = trial.read().remove(0);
    let flows: Vec<_> = begun(&events).iter().map(|(flow, _, _)| *flow).collect();
    let mut different = flows.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!((flows.len(), different.len()), (3, 3), "{flows:?}");
}
