//! Calls: what is counted of them, and what they are a part of.

use exectrace_analysis::{Analysis, Calls, Options, PlaceCalls, Severity, Syscalls, Window};
use exectrace_format::{CompactEvent, CompactKind, GoState, Reader, StateChange};

use crate::findings::{MS, assert_finds, find};
use crate::script::Script;

/// Two tasks of one runtime that read, and a thread that sleeps.
fn program() -> Script {
    let mut script = Script::default();
    script
        .worker(1, "rt worker 0")
        .worker(2, "rt worker 1")
        .worker(3, "backup")
        .runs(10, 1, 1, "app::load")
        .call(100, 150, 1, "read<std::fs::read<app::config<app::load")
        .call(200, 900, 1, "read<std::fs::read<app::config<app::load")
        .waits_in_call(
            (1_000, 1_400),
            1,
            1,
            ("sleep", "nanosleep@unknown<app::load"),
        )
        .block(2_000, 1, "sync", "tokio::sync::mutex<app::load")
        .runs(20, 2, 2, "app::save")
        .call(300, 310, 2, "read<app::save")
        .call(400, 420, 2, "openat<app::save")
        .block(3_000, 2, "network", "tokio::net<app::save")
        .runs(30, 3, 3, "backup@thread")
        .waits_in_call((500, 1_500), 3, 3, ("sync", "futex@unknown<backup@thread"))
        .log(3_100, 3, 0, "end")
        .failed(200, 1, 4)
        .failed(400, 2, 2)
        .failed(1_000, 1, 4)
        .counted(950, 1, "read", (7, 70))
        .counted(950, 1, "sendto", (3, 0))
        .counted(2_500, 2, "read", (5, 55))
        .counted(960, 0, "epoll_wait", (2, 800));
    script
}

fn syscalls(options: Options) -> Syscalls {
    let options = Options {
        syscalls: true,
        ..options
    };
    program().analyse(&options).syscalls.expect("asked for")
}

/// How many have events, their time, how many were counted, and theirs.
fn sums(calls: &Calls) -> (u64, u64, u64, Option<u64>) {
    (calls.count, calls.total_ns, calls.counted, calls.counted_ns)
}

fn errors(calls: &Calls) -> Vec<(&str, u64)> {
    let failed = calls.failed.iter();
    failed.map(|one| (one.name.as_str(), one.count)).collect()
}

#[test]
fn calls_are_summed_by_name_by_who_made_them_and_by_place() {
    let syscalls = syscalls(Options::default());
    let by_name = |name: &str| {
        let mut all = syscalls.by_name.iter();
        &all.find(|call| call.name == name).expect(name).calls
    };
    assert_eq!(sums(by_name("read")), (3, 760, 12, Some(125)));
    assert_eq!(errors(by_name("read")), [("EINTR", 1)]);
    assert_eq!(by_name("read").durations.max_ns(), 700);
    assert_eq!(sums(by_name("nanosleep")), (1, 399, 0, None));
    assert_eq!(sums(by_name("futex")), (1, 999, 0, None));
    assert_eq!(sums(by_name("sendto")), (0, 0, 3, None), "not timed");
    assert_eq!(sums(by_name("epoll_wait")), (0, 0, 2, Some(800)));
    // A thread's own lane is nobody else's.
    assert_eq!(by_name("read").on_worker_ns, 760);
    assert_eq!(by_name("futex").on_worker_ns, 0);

    let tasks: Vec<_> = syscalls
        .by_task
        .iter()
        .map(|task| (task.name.as_str(), sums(&task.calls)))
        .collect();
    assert_eq!(
        tasks,
        [
            ("app::load", (3, 1_149, 10, Some(70))),
            ("backup", (1, 999, 0, None)),
            ("", (0, 0, 2, Some(800))),
            ("app::save", (2, 30, 5, Some(55))),
        ]
    );
    assert_eq!(errors(&syscalls.by_task[0].calls), [("EINTR", 2)]);

    let place = |at: &PlaceCalls| {
        let place = at.place.as_ref().expect("a stack");
        (at.name.clone(), place.function.clone(), at.calls.count)
    };
    let places: Vec<_> = syscalls.by_place.iter().map(place).collect();
    let expected = [
        ("futex", "backup", 1),
        ("read", "app::config", 2),
        ("nanosleep", "app::load", 1),
        ("openat", "app::save", 1),
        ("read", "app::save", 1),
    ];
    assert_eq!(
        places,
        expected.map(|(call, at, count)| (call.to_owned(), at.to_owned(), count))
    );
}

#[test]
fn a_call_whose_place_only_side_data_have_was_made_there() {
    let mut script = program();
    script
        .made_at(300, 2, "read<app::store<app::save")
        .made_at(500, 3, "futex@unknown<app::lock<backup@thread")
        // Nothing begins there.
        .made_at(401, 2, "openat<app::elsewhere<app::save");
    let options = Options {
        syscalls: true,
        ..Options::default()
    };
    let syscalls = script.analyse(&options).syscalls.expect("asked for");
    let places: Vec<_> = syscalls
        .by_place
        .iter()
        .map(|at| (&*at.name, &*at.place.as_ref().expect("a stack").function))
        .collect();
    let expected = [
        ("futex", "app::lock"),
        ("read", "app::config"),
        ("nanosleep", "app::load"),
        ("openat", "app::save"),
        ("read", "app::store"),
    ];
    assert_eq!(places, expected);
}

#[test]
fn a_filter_and_a_window_narrow_calls_and_counts_alike() {
    let window = syscalls(Options {
        window: Some(Window {
            begin_ns: 940,
            end_ns: 1_000,
        }),
        ..Options::default()
    });
    let names: Vec<_> = window
        .by_name
        .iter()
        .map(|call| (call.name.as_str(), call.calls.all()))
        .collect();
    assert!(names.contains(&("read", 7)), "{names:?}");
    assert!(names.contains(&("futex", 1)), "{names:?}");
    assert!(
        !names.iter().any(|&(name, _)| name == "openat"),
        "{names:?}"
    );
    let load = syscalls(Options {
        filter: "group:\"app::load\"".parse().expect("a filter"),
        ..Options::default()
    });
    let tasks: Vec<_> = load.by_task.iter().map(|task| &task.name).collect();
    assert_eq!(tasks, ["app::load"]);
    // Of what was only counted it is not known how long each took.
    let long = syscalls(Options {
        filter: "dur>600ns".parse().expect("a filter"),
        ..Options::default()
    });
    let total: u64 = long.by_name.iter().map(|call| call.calls.all()).sum();
    assert_eq!(total, 2);
}

#[test]
fn a_poll_is_one_whatever_calls_it_makes_and_the_end_of_a_call_is_no_wake() {
    let options = Options {
        tasks: true,
        latencies: true,
        workers: true,
        ..Options::default()
    };
    let analysis = program().analyse(&options);
    let tasks = analysis.tasks.expect("asked for");
    let load = tasks.groups.iter().find(|group| group.name == "app::load");
    let load = load.expect("it");
    assert_eq!(load.runs.count(), 1);
    assert_eq!(load.runs.max_ns(), 1_990);
    assert_eq!(load.wake_delays.count(), 0);
    let breakdown = &load.breakdown;
    assert_eq!(breakdown.syscall_ns, Some(750));
    let sleep = breakdown.waiting.iter().flatten();
    let sleep: Vec<_> = sleep.filter(|wait| wait.name == "sleep").collect();
    assert_eq!(sleep[0].duration_ns, 399);
    let latencies = analysis.latencies.expect("asked for").all;
    let count = |state: &str| {
        let mut all = latencies.iter().filter(|latency| latency.state == state);
        all.next().map_or(0, |latency| latency.durations.count())
    };
    assert_eq!((count("run"), count("wake")), (2, 0));
    let workers = analysis.workers.expect("asked for");
    let worker = &workers.workers[0];
    assert_eq!((worker.runs, worker.longest_run_ns), (1, 1_990));
    assert_eq!(worker.syscall_ns, Some(750 + 399));
    assert_eq!(analysis.overview.sight.wakes_seen, 0);
}

/// How many times goroutines were in system calls, and for how long, by the events alone.
fn walk(bytes: &[u8]) -> (u64, u64) {
    let mut reader = Reader::new(bytes).expect("a trace");
    let mut event = CompactEvent::default();
    let mut since = std::collections::BTreeMap::new();
    let (mut calls, mut total) = (0, 0);
    while reader.next_into(&mut event).expect("a whole trace") {
        let CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            ..
        } = event.kind
        else {
            continue;
        };
        if from == GoState::Syscall {
            calls += 1;
            total += event.time.0.abs_diff(since[&go]);
        }
        if to == GoState::Syscall {
            since.insert(go, event.time.0);
        }
    }
    (calls, total)
}

#[test]
fn the_sums_of_calls_are_those_of_the_events() {
    let bytes = program().bytes();
    let mut reader = Reader::new(bytes.as_slice()).expect("a trace");
    let options = Options {
        syscalls: true,
        ..Options::default()
    };
    let syscalls = Analysis::read(&mut reader, &options).syscalls;
    let syscalls = syscalls.expect("asked for");
    let is_wait = |name: &str| ["nanosleep", "futex"].contains(&name);
    let names = syscalls.by_name.iter().filter(|call| !is_wait(&call.name));
    let sums = names.fold((0, 0), |(count, total), call| {
        (count + call.calls.count, total + call.calls.total_ns)
    });
    assert_eq!(sums, walk(&bytes));
    let places = syscalls.by_place.iter().filter(|at| !is_wait(&at.name));
    let sums = places.fold((0, 0), |(count, total), at| {
        (count + at.calls.count, total + at.calls.total_ns)
    });
    assert_eq!(sums, walk(&bytes));
}

#[test]
fn calls_that_were_recorded_and_were_none_are_no_time_and_not_unknown() {
    let of = |says: &str| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .runs(10, 1, 1, "task")
            .block(100, 1, "sync", "recv<task")
            .capability("syscalls", says);
        let options = Options {
            tasks: true,
            ..Options::default()
        };
        let groups = script.analyse(&options).tasks.expect("asked for").groups;
        groups[0].breakdown.syscall_ns
    };
    assert_eq!(of("yes, from 1 µs on"), Some(0));
    assert_eq!(of("no: the feature is off"), None);
}

/// A task on a worker of its own name reads for a time, and another one of the runtime is ready for `waits` of it.
fn blocked(worker: &str, length: u64, waits: u64) -> Script {
    let mut script = Script::default();
    script
        .worker(1, worker)
        .worker(2, "rt worker 1")
        .runs(10, 1, 1, "app::load")
        .runs(20, 2, 2, "app::other")
        .call(
            100,
            100 + length,
            1,
            "read<std::fs::read<app::config<app::load",
        )
        .stop(100 + length - waits, 2, "yield")
        .start(100 + length + 10, 2, 2)
        .block(200 + 10 * length, 1, "sync", "recv<app::load");
    script
}

#[test]
fn a_long_call_on_a_runtime_s_worker_blocks_it_and_it_is_said_what_that_cost() {
    let finding = assert_finds(
        "blocking_call",
        &blocked("rt worker 0", 2 * MS, MS),
        &blocked("rt worker 0", MS - 1, 100),
    );
    assert_eq!((finding.severity, finding.count), (Severity::Warning, 1));
    let case = &finding.exemplars[0];
    assert_eq!(
        case.what,
        "app::load was in read for 2.0 ms; other tasks were ready meanwhile for 1.0 ms; in app::config"
    );
    let place = case.place.as_ref().map(|place| place.function.as_str());
    assert_eq!((place, case.worker), (Some("app::config"), Some(1)));
    // A thread's own code may take as long as it likes.
    assert_eq!(find(&blocked("main", 2 * MS, MS), "blocking_call"), None);
    let alone = find(&blocked("rt worker 0", 2 * MS, MS - 1), "blocking_call");
    assert_eq!(alone.expect("a call of 2 ms").severity, Severity::Info);
}

#[test]
fn a_call_in_which_its_thread_may_have_waited_for_a_processor_is_not_blamed() {
    let of = |wait: u64| {
        let mut script = blocked("rt worker 0", 20 * MS, MS);
        script.sample(0, 1, 0, 0).sample(30 * MS, 1, MS, wait);
        find(&script, "blocking_call").is_some()
    };
    assert!(of(9 * MS));
    assert!(!of(10 * MS));
}

#[test]
fn a_call_that_explains_a_long_run_is_one_finding() {
    let of = |length: u64, after: u64| {
        let mut script = Script::default();
        let end = 100 + length;
        script
            .worker(1, "rt worker 0")
            .runs(10, 1, 1, "app::load")
            .waits_in_call((100, end), 1, 1, ("sleep", "nanosleep@unknown<app::load"))
            .block(end + after, 1, "sync", "recv<app::load");
        let has = |id| find(&script, id).is_some();
        (has("blocking_call"), has("long_run"))
    };
    assert_eq!(of(30 * MS, MS), (true, false));
    // What comes after the call is another matter.
    assert_eq!(of(30 * MS, 30 * MS), (true, true));
    assert_eq!(of(100, 30 * MS), (false, true));
}

#[test]
fn a_worker_that_is_blocked_by_many_short_calls_is_reported_with_them_and_not_for_those_reported_before()
 {
    let of = |length: u64| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .runs(10, 1, 1, "app::load")
            .runs(20, 2, 2, "main@thread");
        let at = "read@unknown<std::fs::read<app::config<app::load";
        for n in 0..10 {
            script.call(n * 2 * MS + 100, n * 2 * MS + 100 + length, 1, at);
        }
        script
            .block(90 * MS, 1, "sync", "recv<app::load")
            .park(90 * MS + 10, 1)
            .log(100 * MS, 2, 0, "end");
        script.sample(0, 1, 0, 0).sample(100 * MS, 1, 81 * MS, 0);
        find(&script, "blocked_worker")
    };
    // Blocked for 19 ms, of which the worker was parked for 10.
    let finding = of(900_000).expect("a twentieth");
    assert!(
        finding.exemplars[0]
            .what
            .starts_with("app::load was in read 10 times, for 9.0 ms in all"),
        "{finding:?}"
    );
    let place = finding.exemplars[0].place.as_ref();
    assert_eq!(
        place.map(|place| place.function.as_str()),
        Some("app::config")
    );
    assert_eq!(of(MS), None, "each of them is reported");
}
