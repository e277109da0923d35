//! Calls of the C library, as whoever stands in for its functions reports them.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use common::{Shared, ns, read, side_data, turn};
use exectrace_format::{GoId, GoState, SideRecord, StateChange, TraceEvent, TraceEventKind};
use exectrace_recorder::calls::{self, Call, CallResult};
use exectrace_recorder::{Recording, RecordingOptions, Settings, Task, region};

/// Begins a recording that has each call.
fn record() -> (Recording, Shared) {
    // Not possible any more, and not needed, once a recording was started.
    let _ = Settings::new().call_threshold(Duration::ZERO).apply();
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    (recording, bytes)
}

/// Makes a call.
fn call<R>(call: Call, result: CallResult, f: impl FnOnce() -> R) -> R {
    let open = calls::begin(call);
    let returned = f();
    if let Some(open) = open {
        open.end(result);
    }
    returned
}

/// What a goroutine was in, from when to when, with the leaf of the stack with which that began, and the reason.
#[derive(Debug)]
struct Stay {
    state: GoState,
    leaf: String,
    reason: String,
    from_ns: u64,
    until_ns: u64,
}

/// The stays of the goroutine whose region has this name.
fn stays(events: &[TraceEvent], region: &str) -> Vec<Stay> {
    let is_it = |event: &&TraceEvent| matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == region);
    let wanted = events
        .iter()
        .find(is_it)
        .expect("the region")
        .go
        .expect("a goroutine");
    let mut stays: Vec<Stay> = Vec::new();
    for event in events {
        let TraceEventKind::StateTransition {
            change: StateChange::Go { go, to, .. },
            reason,
            ..
        } = &event.kind
        else {
            continue;
        };
        // A generation says again in which state it found the goroutine.
        if *go != wanted || stays.last().is_some_and(|last| last.state == *to) {
            continue;
        }
        if let Some(last) = stays.last_mut() {
            last.until_ns = ns(event);
        }
        let leaf = event.stack.as_ref().and_then(|stack| stack.first());
        stays.push(Stay {
            state: *to,
            leaf: leaf.map_or(String::new(), |frame| frame.function.to_string()),
            reason: reason.to_string(),
            from_ns: ns(event),
            until_ns: u64::MAX,
        });
    }
    stays
}

const SLEEP: Duration = Duration::from_millis(30);

#[test]
fn who_sleeps_waits_and_who_reads_is_in_a_system_call() {
    let _turn = turn();
    let (recording, bytes) = record();
    thread::spawn(|| {
        let _region = region("caller");
        call(Call::Nanosleep, CallResult::Done(0), || {
            thread::sleep(SLEEP);
        });
        call(Call::FutexWait, CallResult::Done(0), || {
            thread::sleep(SLEEP);
        });
        call(Call::Read, CallResult::Failed(4), || thread::sleep(SLEEP));
        call(Call::Write, CallResult::Done(5), || ());
    })
    .join()
    .unwrap();
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let events = read(&bytes.bytes());
    let stays = stays(&events, "caller");
    let found = |leaf: &str| {
        let mut of_leaf = stays.iter().filter(|stay| stay.leaf == leaf);
        let stay = of_leaf
            .next()
            .unwrap_or_else(|| panic!("{leaf}: {stays:#?}"));
        assert!(of_leaf.next().is_none(), "{leaf}: {stays:#?}");
        stay
    };
    for (leaf, state, reason) in [
        ("nanosleep", GoState::Waiting, "sleep"),
        ("futex", GoState::Waiting, "sync"),
        ("read", GoState::Syscall, ""),
    ] {
        let stay = found(leaf);
        assert_eq!((stay.state, &*stay.reason), (state, reason), "{leaf}");
        let lasted = Duration::from_nanos(stay.until_ns - stay.from_ns);
        assert!(lasted >= SLEEP, "{leaf}: {lasted:?}");
    }
    assert_eq!(found("write").state, GoState::Syscall);
    let failed: Vec<_> = side_data(&events)
        .filter_map(|record| match record {
            SideRecord::CallFailed { time_ns, errno, .. } => Some((*time_ns, *errno)),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(found("read").from_ns, 4)]);
}

#[test]
fn a_call_is_seen_while_it_lasts_by_each_recording_that_begins_or_ends_in_it() {
    let _turn = turn();
    let (first, first_bytes) = record();
    let (begun, is_begun) = mpsc::channel();
    let (go, may_end) = mpsc::channel::<()>();
    let caller = thread::spawn(move || {
        let _region = region("caller");
        call(Call::Read, CallResult::Done(1), || {
            begun.send(()).unwrap();
            may_end.recv().unwrap();
        });
        drop(region("after"));
    });
    is_begun.recv().unwrap();
    let (second, second_bytes) = record();
    first.stop().unwrap();
    let (third, third_bytes) = record();
    go.send(()).unwrap();
    caller.join().unwrap();
    second.stop().unwrap();
    third.stop().unwrap();
    for (bytes, ends) in [
        (first_bytes, false),
        (second_bytes, true),
        (third_bytes, true),
    ] {
        exectrace_referee::assert_bytes_accepted(&bytes.bytes());
        let events = read(&bytes.bytes());
        let stays = stays(&events, "caller");
        let calls: Vec<_> = stays.iter().filter(|stay| stay.leaf == "read").collect();
        assert_eq!(calls.len(), 1, "{stays:#?}");
        assert_eq!(calls[0].state, GoState::Syscall);
        assert_eq!(calls[0].until_ns != u64::MAX, ends, "{stays:#?}");
    }
}

/// Calls that were counted, by call, goroutine and user task.
fn counts(events: &[TraceEvent]) -> Vec<(String, GoId, u64, u64)> {
    let mut counts: Vec<(String, GoId, u64, u64)> = Vec::new();
    for record in side_data(events) {
        if let SideRecord::CallCounts {
            go,
            task,
            call,
            calls,
            ..
        } = record
        {
            let known = counts
                .iter_mut()
                .find(|known| (&*known.0, known.1, known.2) == (&**call, *go, task.0));
            match known {
                Some(known) => known.3 += calls,
                None => counts.push((call.to_string(), *go, task.0, *calls)),
            }
        }
    }
    counts
}

#[test]
fn calls_that_are_only_counted_belong_to_the_user_task_in_which_they_were_made() {
    let _turn = turn();
    let (recording, bytes) = record();
    let send = |times| {
        for _ in 0..times {
            call(Call::Send, CallResult::Done(1), || ());
        }
    };
    let (one, two) = (Task::new("one"), Task::new("two"));
    {
        let _one = one.region("first");
        send(3);
        {
            let _two = two.region("second");
            send(5);
        }
        send(7);
    }
    send(11);
    drop((one, two));
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let events = read(&bytes.bytes());
    let task = |wanted: &str| {
        let mut begins = events.iter().filter_map(|event| match &event.kind {
            TraceEventKind::TaskBegin { task, name, .. } if &**name == wanted => Some(task.0),
            _ => None,
        });
        begins.next().expect("the task")
    };
    let mut of_sends: Vec<_> = counts(&events)
        .into_iter()
        .filter(|(call, ..)| call == "send")
        .map(|(_, _, task, calls)| (task, calls))
        .collect();
    of_sends.sort_unstable();
    assert_eq!(of_sends, [(0, 11), (task("one"), 10), (task("two"), 5)]);
}

#[test]
fn a_thread_that_makes_calls_and_nothing_else_is_recorded_with_its_name_until_it_ends() {
    const THREADS: usize = 300;
    let _turn = turn();
    calls::announce(Vec::new);
    let (recording, bytes) = record();
    // The descriptions that such threads need come with the first flush after that.
    let is_ready = || {
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        thread::spawn(move || {
            let open = calls::begin(Call::Read);
            done.store(open.is_some(), Ordering::Release);
            if let Some(open) = open {
                open.end(CallResult::Done(0));
            }
        })
        .join()
        .unwrap();
        is_done.load(Ordering::Acquire)
    };
    while !is_ready() {
        thread::yield_now();
    }
    for _ in 0..THREADS {
        let both = Arc::new(Barrier::new(2));
        let meet = Arc::clone(&both);
        let thread = thread::Builder::new()
            .name("only calls".to_owned())
            .spawn(move || {
                call(Call::Write, CallResult::Done(1), || ());
                meet.wait();
            });
        both.wait();
        thread.unwrap().join().unwrap();
    }
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let events = read(&bytes.bytes());
    let is_write = |event: &&TraceEvent| {
        let leaf = event.stack.as_ref().and_then(|stack| stack.first());
        matches!(
            &event.kind,
            TraceEventKind::StateTransition {
                change: StateChange::Go {
                    to: GoState::Syscall,
                    ..
                },
                ..
            }
        ) && leaf.is_some_and(|leaf| &*leaf.function == "write")
    };
    let recorded = events.iter().filter(is_write).count() as u64;
    let counted: u64 = counts(&events)
        .iter()
        .filter(|(call, ..)| call == "write")
        .map(|(.., calls)| *calls)
        .sum();
    assert_eq!(
        recorded + counted,
        THREADS as u64,
        "{recorded} of them recorded"
    );
    assert!(recorded > 0);
    let names = side_data(&events).filter_map(|record| match record {
        SideRecord::ThreadName { name, .. } => Some(name.to_string()),
        _ => None,
    });
    assert!(names.into_iter().any(|name| name == "only calls"));
}

#[test]
fn a_call_inside_another_is_counted_and_does_not_end_it() {
    let _turn = turn();
    let (recording, bytes) = record();
    thread::spawn(|| {
        let _region = region("caller");
        call(Call::Poll, CallResult::Done(0), || {
            for _ in 0..4 {
                call(Call::Write, CallResult::Done(1), || ());
            }
            // As a signal handler may.
            exectrace_recorder::log("handler", "was here");
            thread::sleep(SLEEP);
        });
        call(Call::Read, CallResult::Done(0), || ());
    })
    .join()
    .unwrap();
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let events = read(&bytes.bytes());
    let writes = counts(&events)
        .into_iter()
        .find(|(call, ..)| call == "write");
    assert_eq!(
        writes.map(|(_, go, _, calls)| (go, calls)),
        Some((GoId(0), 4))
    );
    let stays = stays(&events, "caller");
    let calls: Vec<_> = stays
        .iter()
        .filter(|stay| stay.state == GoState::Syscall)
        .collect();
    let leaves: Vec<_> = calls.iter().map(|stay| &*stay.leaf).collect();
    assert_eq!(leaves, ["poll", "read"], "{stays:#?}");
}

#[test]
fn a_thread_whose_first_record_is_a_call_has_its_whole_name_if_it_records_more() {
    const NAME: &str = "a name that the system would cut";
    let _turn = turn();
    calls::announce(Vec::new);
    let (recording, bytes) = record();
    let thread = thread::Builder::new().name(NAME.to_owned()).spawn(|| {
        call(Call::Read, CallResult::Done(0), || ());
        let _region = region("more");
    });
    thread.unwrap().join().unwrap();
    recording.stop().unwrap();
    let events = read(&bytes.bytes());
    let is_name =
        |record: &SideRecord| matches!(record, SideRecord::ThreadName { name, .. } if name == NAME);
    assert!(side_data(&events).any(is_name));
}
