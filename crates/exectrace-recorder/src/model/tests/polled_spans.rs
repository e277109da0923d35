//! Spans of async tasks: each has its first entry, close, busy time and entries, and none is split.

use std::panic::Location;

use super::*;
use crate::runtime::AsyncTaskKind;

const T: u64 = START_NS;

/// What a task does: times are in steps of 100 ns.
struct Program {
    trial: Trial,
    step: u64,
}

/// A span's record in short: name, first entry, close, busy time and entries, in steps.
type Short = (String, u64, u64, u64, u64);

impl Program {
    /// A task that is being polled, which has taken steps 1 and 2.
    fn new() -> Self {
        let mut program = Self {
            trial: Trial::new(),
            step: 0,
        };
        program.does(Input::AsyncSpawn {
            task: task(1),
            kind: AsyncTaskKind::Future,
            place: Location::caller(),
            name: Some("task"),
        });
        program.does(Input::PollBegin(task(1)));
        program
    }

    fn does(&mut self, input: Input<'static>) -> &mut Self {
        self.step += 1;
        self.trial.apply(T + self.step * 100, 1, input);
        self
    }

    fn makes(&mut self, id: u64, parent: Parent) -> &mut Self {
        self.does(new(id, id % 4, parent))
    }

    fn enters(&mut self, id: u64) -> &mut Self {
        self.does(Input::SpanEnter(span(id)))
    }

    fn leaves(&mut self, id: u64) -> &mut Self {
        self.does(Input::SpanExit(span(id)))
    }

    fn drops(&mut self, id: u64) -> &mut Self {
        self.does(Input::SpanDrop(span(id)))
    }

    /// Two steps: the poll ends, and the next begins.
    fn waits(&mut self) -> &mut Self {
        let stack = 0;
        self.does(Input::PollEnd {
            task: task(1),
            stack,
        });
        self.does(Input::PollBegin(task(1)))
    }

    fn ends(&mut self) -> Vec<TraceEvent> {
        self.does(Input::AsyncEnd(task(1)));
        self.trial.group();
        exectrace_referee::assert_bytes_accepted(&self.trial.files()[0]);
        self.trial.read().remove(0)
    }
}

fn steps(time_ns: u64) -> u64 {
    (time_ns - T) / 100
}

fn short(events: &[TraceEvent]) -> Vec<Short> {
    let records = records(events).into_iter();
    let short = records.map(|span| {
        let (first, end) = (steps(span.first_ns), steps(span.end_ns));
        let busy = (span.busy_ns + 50) / 100;
        (span.name.to_string(), first, end, busy, span.entries)
    });
    short.collect()
}

fn span_of(name: &str, first: u64, end: u64, busy: u64, entries: u64) -> Short {
    (name.to_owned(), first, end, busy, entries)
}

fn region_steps(events: &[TraceEvent]) -> Vec<(String, u64, u64)> {
    let regions = regions(events).into_iter();
    let in_steps = regions.map(|(name, begin, end)| (name, steps(begin), steps(end)));
    in_steps.collect()
}

#[test]
fn a_span_entered_by_hand_around_an_instrumented_future_holds_it() {
    let mut program = Program::new();
    program.makes(1, Parent::Root); // 3
    program.enters(1).leaves(1); // 4, 5: `in_scope`
    program.enters(1).makes(2, Parent::Current(1)).enters(2); // 6, 7, 8: a guard in `poll`
    program.leaves(2).leaves(1).waits(); // 9, 10, 11, 12
    program.enters(1).enters(2).leaves(2); // 13, 14, 15
    program.enters(2).leaves(2).drops(2); // 16, 17, 18: the future is dropped
    program.leaves(1).drops(1); // 19, 20
    let events = program.ends();
    let regions = region_steps(&events);
    let expected = [("query".to_owned(), 8, 18), ("parse".to_owned(), 4, 20)];
    assert_eq!(regions, expected);
    let expected = [
        span_of("query", 8, 18, 3, 3),
        span_of("parse", 4, 20, 11, 3),
    ];
    assert_eq!(short(&events), expected);
    assert_eq!(whole_regions(&events), []);
    let records = records(&events);
    assert_eq!(records[0].parent_ns, records[1].first_ns);
    assert!(records[1].own_task && !records[1].carried);
}

#[test]
fn concurrent_spans_of_one_task_are_whole_and_their_children_with_them() {
    let mut program = Program::new();
    program.makes(4, Parent::Root).enters(4); // 3, 4
    program.makes(1, Parent::Current(4)).enters(1).leaves(1); // 5, 6, 7
    program.makes(2, Parent::Current(4)).enters(2); // 8, 9
    program.makes(3, Parent::Current(2)).enters(3).leaves(3); // 10, 11, 12
    program.leaves(2).leaves(4).waits(); // 13 to 16
    program.enters(4); // 17
    program.enters(1).leaves(1).drops(1); // 18, 19, 20
    program.enters(2).enters(3).leaves(3).drops(3); // 21 to 24
    program.leaves(2).drops(2); // 25, 26
    program.leaves(4).drops(4); // 27, 28
    let events = program.ends();
    let expected = [("parse".to_owned(), 6, 20), ("serve".to_owned(), 4, 28)];
    assert_eq!(region_steps(&events), expected);
    let expected = [
        span_of("parse", 6, 20, 2, 2),
        span_of("reply", 11, 24, 2, 2),
        span_of("query", 9, 26, 8, 2),
        span_of("serve", 4, 28, 20, 2),
    ];
    assert_eq!(short(&events), expected);
    let tasks: Vec<_> = tasks(&events)
        .into_iter()
        .map(|(name, parent, begin, end)| (name, parent, steps(begin), steps(end)))
        .collect();
    let expected = [
        ("reply", "query", 11, 24),
        ("query", "serve", 9, 26),
        ("serve", "", 3, 28),
    ];
    let expected =
        expected.map(|(name, parent, begin, end)| (name.to_owned(), parent.to_owned(), begin, end));
    assert_eq!(tasks, expected);
    let begun = events
        .iter()
        .filter(|event| matches!(event.kind, TraceEventKind::TaskBegin { .. }));
    let marked = begun.filter(|event| {
        let root = event.stack.as_ref().and_then(|stack| stack.last());
        root.is_some_and(|root| &*root.function == CONCURRENT_SPAN)
    });
    let records = records(&events);
    let carried = records.iter().filter(|span| span.carried);
    let carried: Vec<_> = carried.map(|span| TaskId(span.task.0)).collect();
    let marked: Vec<_> = marked
        .filter_map(|event| match event.kind {
            TraceEventKind::TaskBegin { task, .. } => Some(task),
            _ => None,
        })
        .collect();
    assert_eq!(marked.len(), 2);
    assert!(marked.iter().all(|task| carried.contains(task)));
}

#[test]
fn a_span_that_its_children_elsewhere_keep_alive_does_not_hold_its_future_s_region_open() {
    let mut program = Program::new();
    program.makes(1, Parent::Root).enters(1); // 3, 4
    program.makes(2, Parent::Current(1)); // 5: lives on
    program.leaves(1).enters(1).leaves(1).drops(1); // 6 to 9
    program.makes(3, Parent::Root).enters(3); // 10, 11
    program.does(Input::SpanExitLast(span(3))).drops(3); // 12, 13
    program.drops(2); // 14
    let events = program.ends();
    let expected = [("parse".to_owned(), 4, 11), ("reply".to_owned(), 11, 12)];
    assert_eq!(region_steps(&events), expected);
    assert_eq!(short(&events), [span_of("parse", 4, 14, 3, 2)]);
    assert_eq!(whole_regions(&events)[0].0, "reply");
}

#[test]
fn a_thread_leaves_the_span_that_it_polled_tasks_in() {
    let mut program = Program::new();
    let stack = 0;
    let end = Input::PollEnd {
        task: task(1),
        stack,
    };
    program.does(end).makes(1, Parent::Root).enters(1); // 3, 4, 5
    program.does(Input::PollBegin(task(1))).does(end); // 6, 7
    program.leaves(1).drops(1); // 8, 9
    let events = program.ends();
    assert_eq!(short(&events), [span_of("parse", 5, 9, 3, 1)]);
    assert_eq!(region_steps(&events), [("parse".to_owned(), 5, 8)]);
}

#[test]
fn what_is_open_in_a_task_that_ends_while_it_waits_or_in_a_thread_that_ends_is_ended() {
    let mut program = Program::new();
    program.makes(1, Parent::Root).enters(1).leaves(1); // 3, 4, 5
    let stack = 0;
    program.does(Input::PollEnd {
        task: task(1),
        stack,
    });
    program.drops(1).does(Input::AsyncEnd(task(1))); // 7, 8: the future is dropped by another
    program.makes(2, Parent::Root).enters(2); // 9, 10
    program.does(Input::ThreadEnd).drops(2); // 11, 12
    let events = program.ends();
    let expected = [("parse".to_owned(), 4, 8), ("query".to_owned(), 10, 11)];
    assert_eq!(region_steps(&events), expected);
    let expected = [span_of("parse", 4, 7, 1, 1), span_of("query", 10, 12, 1, 1)];
    assert_eq!(short(&events), expected);
}

#[test]
fn a_span_of_a_thread_that_is_closed_where_it_is_left_needs_no_record() {
    let mut trial = Trial::new();
    let t = &mut trial;
    t.apply(T + 100, 0, new(1, 0, Parent::Root));
    t.apply(T + 200, 0, Input::SpanEnter(span(1)));
    t.apply(T + 250, 0, new(2, 1, Parent::Current(1)));
    t.apply(T + 300, 0, Input::SpanEnter(span(2)));
    t.apply(T + 400, 0, Input::SpanExit(span(2)));
    t.apply(T + 500, 0, Input::SpanEnter(span(2)));
    t.apply(T + 600, 0, Input::SpanExitLast(span(2)));
    t.apply(T + 700, 0, Input::SpanDrop(span(2)));
    t.apply(T + 800, 0, Input::SpanExitLast(span(1)));
    t.apply(T + 810, 0, Input::SpanDrop(span(1)));
    let events = trial.read().remove(0);
    assert_eq!(
        whole_regions(&events),
        [("serve".to_owned(), T + 200, T + 800)]
    );
    assert_eq!(short(&events), [span_of("parse", 3, 7, 2, 2)]);
    let closed = events.iter().find_map(|event| match &event.kind {
        TraceEventKind::Log {
            category, message, ..
        } if &**category == "parse" => Some(message),
        _ => None,
    });
    let closed = closed.expect("a log at the close");
    assert_eq!(
        &**closed,
        "span closed: 400.00ns from first entry to close, 200.00ns busy, 2 entries"
    );
}

#[test]
fn a_span_of_an_earlier_recording_is_taken_in_with_its_ancestors_where_it_is_named() {
    let mut program = Program::new();
    program.makes(4, Parent::Root).makes(1, Parent::Explicit(4)); // 3, 4
    program
        .makes(2, Parent::Root)
        .makes(3, Parent::Root)
        .drops(3); // 5, 6, 7
    let earlier = std::mem::replace(&mut program, Program::new()).trial.model;
    let model = std::mem::replace(&mut program.trial, Trial::new()).model;
    program.trial.model = model.with_earlier(earlier.into_earlier());
    program.trial.begin_file(T);
    program.makes(5, Parent::Explicit(1)).enters(5); // 3, 4
    program.leaves(5).drops(5).drops(1).drops(4); // 5 to 8
    program.ends();
    let events = program.trial.read().remove(1);
    let tasks = tasks(&events).into_iter();
    let tasks: Vec<_> = tasks.map(|(name, _, _, end)| (name, steps(end))).collect();
    assert_eq!(
        tasks,
        [("serve".to_owned(), 8)],
        "nothing of what is not named"
    );
    let of_task = events.iter().find_map(|event| match &event.kind {
        TraceEventKind::RegionBegin { task, name } if &**name == "parse" => Some(*task),
        _ => None,
    });
    let begun = events.iter().find_map(|event| match event.kind {
        TraceEventKind::TaskBegin { task, ref name, .. } if &**name == "serve" => Some(task),
        _ => None,
    });
    assert!(begun.is_some() && begun == of_task);
    let concluded = |event: &TraceEvent| {
        let TraceEventKind::SideData(SideRecord::Inferred { what, id, .. }) = event.kind else {
            return false;
        };
        what == Inferred::TaskBegin && Some(TaskId(id)) == begun
    };
    assert!(events.iter().any(concluded));
}

#[test]
fn a_root_span_of_another_source_is_a_task_of_its_own() {
    let mut program = Program::new();
    program.makes(1, Parent::Root).enters(1);
    let mut other = new_span(7, 2, Parent::Current(0));
    other.span.source = 2;
    program.does(Input::SpanNew(other));
    program.does(Input::SpanDrop(other.span));
    let events = program.ends();
    assert_eq!(tasks(&events)[0].0, "query");
    assert_eq!(tasks(&events)[0].1, "");
}
