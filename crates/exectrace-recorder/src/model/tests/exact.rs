//! Known programs: what the file says is what the program did, to the nanosecond.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const T: u64 = START_NS;

fn region_of(name: &str, begin: u64, end: u64) -> (String, u64, u64) {
    (name.to_owned(), T + begin, T + end)
}

#[test]
fn a_root_span_is_a_user_task_and_each_stretch_in_it_a_region() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 1_000, 0, new(1, 0, Parent::Root));
    t.apply(T + 2_000, 0, Input::SpanEnter(span(1)));
    t.apply(T + 3_000, 0, new(2, 1, Parent::Current(1)));
    t.apply(T + 3_100, 0, Input::SpanEnter(span(2)));
    t.apply(T + 3_500, 0, Input::SpanExit(span(2)));
    t.apply(T + 3_600, 0, Input::SpanClose(span(2)));
    t.apply(T + 4_000, 0, Input::SpanExit(span(1)));
    t.apply(T + 5_000, 0, Input::SpanEnter(span(1)));
    t.apply(T + 6_000, 0, Input::SpanExit(span(1)));
    t.apply(T + 7_000, 0, Input::SpanClose(span(1)));
    let events = &trial.read()[0];
    assert_eq!(
        regions(events),
        [
            region_of("parse", 3_100, 3_500),
            region_of("serve", 2_000, 4_000),
            region_of("serve", 5_000, 6_000),
        ]
    );
    let task = ("serve".to_owned(), String::new());
    // The thread's own beginning (five events) stands before its first record.
    let [(name, parent, begin, end)] = &tasks(events)[..] else {
        panic!("{:?}", tasks(events));
    };
    assert_eq!((name.clone(), parent.clone()), task);
    assert!((T + 1_000..T + 1_010).contains(begin));
    assert_eq!(*end, T + 7_000);
}

#[test]
fn regions_that_interleave_are_closed_and_opened_again_without_losing_time() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 0, new(2, 1, Parent::Root));
    t.apply(T + 1_000, 0, Input::SpanEnter(span(1)));
    t.apply(T + 2_000, 0, Input::SpanEnter(span(2)));
    t.apply(T + 3_000, 0, Input::SpanExit(span(1)));
    t.apply(T + 4_000, 0, Input::SpanExit(span(2)));
    let events = &trial.read()[0];
    assert_eq!(
        regions(events),
        [
            region_of("parse", 2_000, 3_000),
            region_of("serve", 1_000, 3_001),
            region_of("parse", 3_002, 4_000),
        ]
    );
}

#[test]
fn a_span_entered_twice_is_one_stretch_on_each_flow() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 1_000, 0, Input::SpanEnter(span(1)));
    t.apply(T + 1_500, 0, Input::SpanEnter(span(1)));
    t.apply(T + 1_600, 1, Input::SpanEnter(span(1)));
    t.apply(T + 2_000, 0, Input::SpanExit(span(1)));
    t.apply(T + 2_500, 1, Input::SpanExit(span(1)));
    t.apply(T + 3_000, 0, Input::SpanExit(span(1)));
    let events = &trial.read()[0];
    let mut found = regions(events);
    found.sort_by_key(|region| region.2);
    assert_eq!(found[1], region_of("serve", 1_000, 3_000));
    assert_eq!((found[0].0.as_str(), found[0].2), ("serve", T + 2_500));
    assert_eq!(found.len(), 2);
}

#[test]
fn a_span_that_leaves_the_counting_to_us_ends_with_its_last_handle() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 0, Input::SpanClone(span(1)));
    t.apply(T + 300, 0, Input::SpanDrop(span(1)));
    t.apply(T + 900, 1, Input::SpanDrop(span(1)));
    let found = tasks(&trial.read()[0]);
    assert_eq!(found.len(), 1);
    assert!((T + 900..T + 910).contains(&found[0].3), "{found:?}");
}

#[test]
fn a_clone_that_is_read_after_the_drop_it_preceded_keeps_the_span_open() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    // Thread 1 cloned before thread 0 dropped, but its counter is ahead.
    t.model
        .look_ahead(|_| T + 301, ThreadIndex(2), &Upcoming::Clone(span(1)));
    t.apply(T + 300, 0, Input::SpanDrop(span(1)));
    t.apply(T + 301, 1, Input::SpanClone(span(1)));
    t.apply(T + 5_000, 1, Input::SpanDrop(span(1)));
    let found = tasks(&trial.read()[0]);
    assert_eq!(found.len(), 1);
    assert!((T + 5_000..T + 5_010).contains(&found[0].3), "{found:?}");
}

#[test]
fn a_reused_id_begins_another_span_and_ends_the_one_that_had_it() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 500, 0, new(1, 2, Parent::Root));
    t.apply(T + 900, 0, Input::SpanClose(span(1)));
    let found = tasks(&trial.read()[0]);
    let names: Vec<_> = found.iter().map(|task| (&*task.0, task.3)).collect();
    assert_eq!(names, [("serve", T + 500), ("query", T + 900)]);
    assert_eq!(trial.model.counts().inferred, 1);
}

#[test]
fn explicit_parents_hold_across_threads_and_unknown_ones_make_no_task() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 1, new(2, 1, Parent::Explicit(1)));
    t.apply(T + 300, 1, Input::SpanEnter(span(2)));
    t.apply(T + 400, 1, Input::SpanExit(span(2)));
    t.apply(T + 500, 1, new(3, 2, Parent::Explicit(77)));
    t.apply(T + 600, 1, Input::SpanEnter(span(3)));
    t.apply(T + 700, 1, Input::SpanExit(span(3)));
    let events = &trial.read()[0];
    let of = |wanted: &str| {
        events.iter().find_map(|event| match &event.kind {
            TraceEventKind::RegionBegin { task, name } if &**name == wanted => Some(*task),
            _ => None,
        })
    };
    assert_eq!(of("parse"), Some(TaskId(FIRST_TASK)));
    assert_eq!(of("query"), Some(BACKGROUND_TASK));
}

#[test]
fn a_file_begun_late_names_the_tasks_and_regions_that_were_open() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 0, Input::SpanEnter(span(1)));
    t.apply(T + 300, 0, new(2, 1, Parent::Current(1)));
    t.apply(T + 400, 0, Input::SpanEnter(span(2)));
    t.begin_file(T + 1_000_000);
    t.apply(T + 2_000_000, 0, Input::SpanExit(span(2)));
    t.apply(T + 2_100_000, 0, Input::SpanExit(span(1)));
    t.apply(T + 2_200_000, 0, Input::SpanClose(span(1)));
    let files = trial.read();
    for events in &files {
        let names: Vec<_> = regions(events).into_iter().map(|region| region.0).collect();
        assert_eq!(names, ["parse", "serve"]);
        assert_eq!(tasks(events).len(), 1);
    }
    let begins = files[1].iter().find(
        |event| matches!(&event.kind, TraceEventKind::TaskBegin { name, .. } if &**name == "serve"),
    );
    let begin = begins
        .expect("the task is begun again")
        .time
        .0
        .cast_unsigned();
    assert!((T + 999_900..=T + 1_000_000).contains(&begin), "{begin}");
}

#[test]
fn lanes_of_threads_that_ended_are_used_again() {
    let mut trial = Trial::new();
    let t = &mut trial;
    for round in 0..20 {
        let begin = T + round * 1_000;
        t.apply(begin + 100, 0, new(1, 0, Parent::Root));
        t.apply(begin + 200, 1, Input::SpanEnter(span(1)));
        t.apply(begin + 300, 1, Input::ThreadEnd);
        t.apply(begin + 400, 0, Input::SpanClose(span(1)));
        t.apply(begin + 500, 0, Input::ThreadEnd);
    }
    let events = &trial.read()[0];
    let lanes = events
        .iter()
        .filter_map(|event| event.proc)
        .map(|lane| lane.0);
    // The tracer's own, and two.
    assert_eq!(lanes.max(), Some(3));
}

#[test]
fn a_lane_that_is_used_again_goes_to_a_thread_of_the_same_name() {
    let mut trial = Trial::new();
    // Each round the other of two threads comes first.
    for round in 0..4 {
        for turn in [round, round + 1] {
            let (begin, thread) = (T + 1_000 * (2 * round + turn), turn as u32 % 2);
            run_once(&mut trial, begin, thread);
        }
    }
    let names = lane_names(&trial.read()[0]);
    let names: Vec<_> = names.values().flatten().collect();
    assert_eq!(names, ["exectrace", "worker 0", "worker 1"]);
}

#[test]
fn threads_of_ever_new_names_share_lanes_in_the_end() {
    let mut trial = Trial::new();
    for thread in 0..1_000 {
        run_once(&mut trial, T + 1_000 * u64::from(thread), thread);
    }
    let names = lane_names(&trial.read()[0]);
    let (&last, shared) = names.last_key_value().expect("a lane");
    assert!(last < 300, "{last} lanes");
    assert!(shared.contains("other threads"), "{shared:?}");
    assert!(names.values().all(|names| names.len() == 1));
}

/// A thread that makes a span, and ends.
fn run_once(trial: &mut Trial, begin: u64, thread: u32) {
    let id = begin;
    trial.apply(begin + 100, thread, new(id, 0, Parent::Root));
    trial.apply(begin + 200, thread, Input::SpanEnter(span(id)));
    trial.apply(begin + 300, thread, Input::SpanClose(span(id)));
    trial.apply(begin + 400, thread, Input::ThreadEnd);
}

/// What each lane is called, ever.
fn lane_names(events: &[TraceEvent]) -> BTreeMap<u64, BTreeSet<String>> {
    let mut names: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for event in events {
        if let TraceEventKind::SideData(SideRecord::ProcName { proc, name }) = &event.kind {
            names.entry(proc.0).or_default().insert(name.to_string());
        }
    }
    names
}

#[test]
fn what_losses_left_open_ends_when_nothing_names_it_for_some_generations() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 0, Input::SpanEnter(span(1)));
    t.apply(T + 300, 0, new(2, 1, Parent::Root));
    t.apply(T + 400, 0, Input::Lost { records: 3 });
    for round in 1..6 {
        t.generation(T + round * 1_000_000);
        // Span 2 is named all the time, span 1 no more.
        let fields = no_fields();
        t.apply(
            T + round * 1_000_000 + 10,
            0,
            Input::SpanRecord {
                span: span(2),
                fields,
            },
        );
    }
    let events = &trial.read()[0];
    let names: Vec<_> = tasks(events).into_iter().map(|task| task.0).collect();
    assert_eq!(names, ["serve"]);
    let lost = events.iter().any(|event| {
        matches!(&event.kind, TraceEventKind::Log { category, task, .. }
            if &**category == "lost" && *task == TRACER_TASK)
    });
    assert!(lost, "the loss is written");
}
