//! Any sequence of records gives a trace that the strict reader accepts.

use std::panic::Location;

use proptest::prelude::*;

use super::*;
use crate::calls::{Call, CallResult};
use crate::input::Called;
use crate::runtime::AsyncTaskKind;
use crate::values::ValueType;

/// One step of a random program.
#[derive(Clone, Debug)]
struct Step {
    thread: u32,
    /// Nanoseconds since the step before; negative where counters disagree.
    after_ns: i64,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    New(u64, u64, Parent),
    Enter(u64),
    Exit(u64),
    Close(u64),
    Clone(u64),
    Drop(u64),
    Record(u64),
    Follows(u64, u64),
    Event(Parent),
    RegionBegin(u64, u64),
    RegionEnd(u64),
    TaskBegin(u64, u64),
    TaskEnd(u64),
    Log(u64),
    SourceClosed,
    ThreadEnd,
    Lost(u64),
    Spawn(u64, bool),
    PollBegin(u64),
    PollEnd(u64),
    AsyncEnd(u64),
    Wake(u64),
    Park,
    Unpark(u64),
    /// A leaf span with some of [`FIELDS`].
    LeafSpan(u64, u64, Parent, usize),
    /// A clone was published.
    CloneAhead(u64),
    /// A call with this number, which took so long.
    Call(u8, u64),
    /// The thread is in a call with this number, since as long.
    CallIsOpen(u8, u64),
    /// The call that was said last to be open on the thread ends, having taken so long.
    CallEnds(u64),
    CallSum(u8),
    Group,
    Generation,
    File,
}

fn parent() -> impl Strategy<Value = Parent> {
    prop_oneof![
        3 => Just(Parent::Root),
        3 => (0..6u64).prop_map(Parent::Explicit),
        3 => (0..6u64).prop_map(Parent::Current),
        1 => LEAF_IDS.prop_map(Parent::Explicit),
        1 => LEAF_IDS.prop_map(Parent::Current),
    ]
}

/// The header of a field's value, as a word.
const fn header(kind: ValueType, index: u64, length_bytes: u64) -> [u8; 8] {
    (length_bytes << 32 | index << 8 | kind as u64).to_le_bytes()
}

const SIZE: [[u8; 8]; 2] = [header(ValueType::U64, 1, 8), 7_u64.to_le_bytes()];
const MESSAGE: [[u8; 8]; 2] = [header(ValueType::Text, 0, 2), *b"hi\0\0\0\0\0\0"];

/// Fields of spans: none, some, and those that say whether it is a user task.
const FIELDS: [&[[u8; 8]]; 4] = [
    &[],
    &[SIZE[0], SIZE[1], MESSAGE[0], MESSAGE[1]],
    &[header(ValueType::Bool, 2, 8), 1_u64.to_le_bytes()],
    &[
        header(ValueType::Bool, 2, 8),
        0_u64.to_le_bytes(),
        SIZE[0],
        SIZE[1],
    ],
];

/// Ids of spans that are mostly leaf spans.
const LEAF_IDS: std::ops::Range<u64> = 50..53;

fn action() -> impl Strategy<Value = Action> {
    let id = || prop_oneof![9 => 1..6u64, 1 => LEAF_IDS];
    prop_oneof![
        8 => (id(), 0..4u64, parent()).prop_map(|(id, site, parent)| Action::New(id, site, parent)),
        12 => id().prop_map(Action::Enter),
        12 => id().prop_map(Action::Exit),
        4 => id().prop_map(Action::Close),
        2 => id().prop_map(Action::Clone),
        3 => id().prop_map(Action::Drop),
        2 => id().prop_map(Action::Record),
        1 => (id(), id()).prop_map(|(a, b)| Action::Follows(a, b)),
        3 => parent().prop_map(Action::Event),
        6 => (0..4u64, 0..4u64).prop_map(|(key, task)| Action::RegionBegin(key, task)),
        6 => (0..4u64).prop_map(Action::RegionEnd),
        3 => (id(), 0..6u64).prop_map(|(task, parent)| Action::TaskBegin(task, parent)),
        3 => id().prop_map(Action::TaskEnd),
        2 => (0..6u64).prop_map(Action::Log),
        1 => Just(Action::SourceClosed),
        2 => Just(Action::ThreadEnd),
        2 => (1..1000u64).prop_map(Action::Lost),
        4 => (id(), any::<bool>()).prop_map(|(id, root)| Action::Spawn(id, root)),
        10 => id().prop_map(Action::PollBegin),
        10 => id().prop_map(Action::PollEnd),
        3 => id().prop_map(Action::AsyncEnd),
        6 => id().prop_map(Action::Wake),
        3 => Just(Action::Park),
        4 => (0..3u64).prop_map(Action::Unpark),
        6 => (LEAF_IDS, 0..4u64, parent(), 0..FIELDS.len())
            .prop_map(|(id, site, parent, fields)| Action::LeafSpan(id, site, parent, fields)),
        1 => id().prop_map(Action::CloneAhead),
        10 => (call(), 0..60_000u64).prop_map(|(call, took)| Action::Call(call, took)),
        4 => (call(), 0..20_000u64).prop_map(|(call, since)| Action::CallIsOpen(call, since)),
        4 => (0..60_000u64).prop_map(Action::CallEnds),
        2 => call().prop_map(Action::CallSum),
        3 => Just(Action::Group),
        3 => Just(Action::Generation),
        1 => Just(Action::File),
    ]
}

/// The number of a call, mostly of a known one.
fn call() -> impl Strategy<Value = u8> {
    let known = [
        Call::Read,
        Call::Nanosleep,
        Call::FutexWait,
        Call::EpollWait,
        Call::Send,
    ];
    prop_oneof![
        20 => proptest::sample::select(known.to_vec()).prop_map(|call| call as u8),
        1 => Just(63_u8),
    ]
}

/// A call that began at this time, which names it.
fn called(number: u8, began_ns: u64, took_ns: u64) -> Called {
    Called {
        call: Call::of_number(u64::from(number)),
        began: began_ns,
        took_ns,
        result: match took_ns % 3 {
            0 => CallResult::Failed(4),
            _ => CallResult::Done(took_ns),
        },
        stack: 0,
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..4u32, -2_000..20_000i64, action()).prop_map(|(thread, after_ns, action)| Step {
        thread,
        after_ns,
        action,
    });
    proptest::collection::vec(step, 0..250)
}

fn input(action: &Action) -> Option<Input<'static>> {
    let place = Location::caller();
    let fields = no_fields();
    Some(match *action {
        Action::New(id, name, parent) => new(id, name, parent),
        Action::Enter(id) => Input::SpanEnter(span(id)),
        Action::Exit(id) => Input::SpanExit(span(id)),
        Action::Close(id) => Input::SpanClose(span(id)),
        Action::Clone(id) => Input::SpanClone(span(id)),
        Action::Drop(id) => Input::SpanDrop(span(id)),
        Action::Record(id) => Input::SpanRecord {
            span: span(id),
            fields,
        },
        Action::Follows(id, other) => Input::SpanFollows {
            span: span(id),
            followed: span(other),
        },
        Action::Event(parent) => Input::Event {
            site: site(4),
            parent,
            fields,
        },
        Action::RegionBegin(began, task) => Input::RegionBegin {
            began,
            name: "region",
            task,
            place,
            with_spawned: began % 2 == 1,
        },
        Action::RegionEnd(began) => Input::RegionEnd { began },
        Action::TaskBegin(task, parent) => Input::TaskBegin {
            task,
            parent,
            name: "task",
            place,
        },
        Action::TaskEnd(task) => Input::TaskEnd { task },
        Action::Log(task) => Input::Log {
            task,
            category: "category",
            message: Value::Text("message"),
            place,
        },
        Action::SourceClosed => Input::SourceClosed { source: 1 },
        Action::ThreadEnd => Input::ThreadEnd,
        Action::Lost(records) => Input::Lost { records },
        Action::Spawn(id, is_root) => Input::AsyncSpawn {
            task: task(id),
            kind: if is_root {
                AsyncTaskKind::Root
            } else {
                AsyncTaskKind::Future
            },
            place,
            name: None,
        },
        Action::PollBegin(id) => Input::PollBegin(task(id)),
        Action::PollEnd(id) => Input::PollEnd {
            task: task(id),
            stack: 0,
        },
        Action::AsyncEnd(id) => Input::AsyncEnd(task(id)),
        Action::Wake(id) => Input::Wake(task(id)),
        Action::Park => Input::Park,
        Action::Unpark(worker) => Input::Unpark { runtime: 1, worker },
        Action::CallSum(call) => Input::CallSum {
            call: u16::from(call),
            calls: 3,
            total_ns: 500,
        },
        Action::LeafSpan(..)
        | Action::CloneAhead(_)
        | Action::Call(..)
        | Action::CallIsOpen(..)
        | Action::CallEnds(_)
        | Action::Group
        | Action::Generation
        | Action::File => return None,
    })
}

/// How the four records of a leaf span are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeafSpans {
    AtOnce,
    OneByOne,
}

fn run(steps: &[Step], leaf_spans: LeafSpans) -> Trial {
    let mut trial = Trial::new();
    let mut now_ns = START_NS;
    let mut open_calls = [(0, 0); 4];
    for step in steps {
        now_ns = now_ns.saturating_add_signed(step.after_ns).max(START_NS);
        match (&step.action, input(&step.action)) {
            (_, Some(input)) => trial.apply(now_ns, step.thread, input),
            (&Action::CloneAhead(id), _) => {
                let index = ThreadIndex(step.thread + 1);
                let ahead = Upcoming::Clone(span(id));
                trial.model.look_ahead(|_| now_ns, index, &ahead);
            }
            (&Action::LeafSpan(id, name, parent, fields), _) => {
                let mut new = new_span(id, name, parent);
                new.fields.values = Values::of(FIELDS[fields].as_flattened());
                let times = [now_ns, now_ns + 10, now_ns + 300, now_ns + 310];
                now_ns = times[3];
                live(&mut trial, times, step.thread, new, leaf_spans);
            }
            (&Action::Call(call, took_ns), _) => {
                let called = called(call, now_ns, took_ns);
                trial.apply(now_ns, step.thread, Input::Call(called));
            }
            (&Action::CallIsOpen(number, since), _) => {
                let began_ns = now_ns - since.min(now_ns - START_NS);
                let index = trial.register(now_ns, step.thread);
                if let Some(call) = Call::of_number(u64::from(number)) {
                    open_calls[step.thread as usize] = (number, began_ns);
                    trial.model.call_is_open(began_ns, index, call, began_ns);
                }
            }
            (&Action::CallEnds(took_ns), _) => {
                let (number, began_ns) = open_calls[step.thread as usize];
                let called = called(number, began_ns, took_ns);
                trial.apply(began_ns.max(START_NS), step.thread, Input::Call(called));
            }
            (Action::Group, _) => {
                trial.model.come_to(now_ns);
                trial.group();
            }
            (Action::Generation, _) => trial.generation(now_ns),
            _ => trial.begin_file(now_ns),
        }
    }
    trial
}

fn live(
    trial: &mut Trial,
    times: [u64; 4],
    thread: u32,
    new: NewSpan<'static>,
    leaf_spans: LeafSpans,
) {
    if leaf_spans == LeafSpans::AtOnce && trial.apply_leaf_span(times, thread, &new) {
        return;
    }
    let records = [
        Input::SpanNew(new),
        Input::SpanEnter(new.span),
        Input::SpanExitLast(new.span),
        Input::SpanDrop(new.span),
    ];
    for (time_ns, record) in times.into_iter().zip(records) {
        trial.apply(time_ns, thread, record);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_sequence_of_records_gives_valid_files(steps in steps()) {
        let mut trial = run(&steps, LeafSpans::OneByOne);
        let files = trial.read();
        prop_assert!(files.iter().all(|events| events.len() > 4));
    }

    #[test]
    fn a_spans_whole_life_tells_at_once_what_its_records_tell_one_by_one(steps in steps()) {
        let [mut at_once, mut one_by_one] = [LeafSpans::AtOnce, LeafSpans::OneByOne].map(|leaf_spans| run(&steps, leaf_spans));
        at_once.group();
        one_by_one.group();
        prop_assert_eq!(at_once.files(), one_by_one.files());
        prop_assert_eq!(at_once.model.counts(), one_by_one.model.counts());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn go_accepts_files_of_any_sequence_of_records(steps in steps()) {
        let mut trial = run(&steps, LeafSpans::AtOnce);
        trial.group();
        for file in trial.files() {
            exectrace_referee::assert_bytes_accepted(file);
        }
    }
}

/// How large the tables are that losses could make grow.
fn table_sizes(model: &Model) -> usize {
    let regions = model
        .machine
        .flows
        .iter()
        .map(|(_, flow)| flow.regions.len());
    model.spans.len() + regions.sum::<usize>() + model.clones_ahead.len()
}

#[test]
fn no_table_grows_when_a_tenth_of_ten_million_spans_records_is_lost() {
    const SPANS: u64 = 10_000_000;
    let mut trial = Trial::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut now_ns = START_NS;
    let mut lost = 0;
    let mut most = 0;
    for number in 1..=SPANS {
        let thread = (number % 3) as u32;
        let records = [
            new(number, number % 4, Parent::Root),
            Input::SpanEnter(span(number)),
            Input::SpanExit(span(number)),
            Input::SpanDrop(span(number)),
        ];
        for record in records {
            now_ns += 250;
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if random >> 33 < (1 << 31) / 10 {
                lost += 1;
            } else {
                if lost > 0 && random & (1 << 20) == 0 {
                    trial.apply(now_ns, thread, Input::Lost { records: lost });
                    lost = 0;
                }
                trial.apply(now_ns, thread, record);
            }
        }
        if number % 10_000 == 0 {
            trial.generation(now_ns);
            most = most.max(table_sizes(&trial.model));
            // Only the newest generation is kept: it is enough to see that the rest was written.
            trial.files[0].truncate(16);
        }
    }
    // A tenth of the spans of the last four generations, and what is open.
    assert!(most < 20_000, "{most} entries");
}
