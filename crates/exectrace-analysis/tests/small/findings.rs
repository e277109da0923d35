//! Each finding: a trace that has it, and one that nearly has it.

use exectrace_analysis::{Analysis, Finding, Options, Severity};
use exectrace_format::{ClockSnapshot, LeftOut, Reader, SideRecord, Version, Writer};

use crate::script::Script;

pub(crate) const US: u64 = 1_000;
pub(crate) const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

pub(crate) fn find(script: &Script, id: &str) -> Option<Finding> {
    let findings = script.analyse(&Options::for_findings()).findings();
    findings.into_iter().find(|finding| finding.id == id)
}

/// Asserts that the first script has the finding and the second has not; returns the finding.
pub(crate) fn assert_finds(id: &str, has: &Script, nearly: &Script) -> Finding {
    let near = find(nearly, id);
    assert!(near.is_none(), "{near:?}");
    find(has, id).unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn a_damaged_trace_is_reported_first() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .block(20, 1, "sync", "recv<main");
    let whole = script.bytes();
    let of = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes).expect("the header is there");
        Analysis::read(&mut reader, &Options::for_findings()).findings()
    };
    assert_eq!(of(&whole), []);
    let cut = of(&whole[..whole.len() - 1]);
    assert_eq!(
        (cut[0].id, cut[0].severity),
        ("incomplete", Severity::Error)
    );
}

#[test]
fn what_the_recorder_left_out_is_a_finding_with_its_cause() {
    let findings_of = |record: SideRecord| {
        let mut bytes = Writer::header(Version::Go125).to_vec();
        let clock = ClockSnapshot {
            monotonic_ns: 1_000,
            unix_seconds: 1,
            unix_nanoseconds: 0,
        };
        Writer::sync_batch(Version::Go125, 1, 1_000, clock, &mut bytes);
        let mut writer = Writer::new();
        writer.begin_generation(1, 1_000);
        writer.side_record(&record);
        writer.finish_group(&mut bytes);
        let mut reader = Reader::new(&bytes[..]).expect("the header is there");
        let findings = Analysis::read(&mut reader, &Options::for_findings()).findings();
        let found = findings
            .into_iter()
            .map(|found| (found.id, found.count, found.message));
        found.collect::<Vec<_>>()
    };
    let left_out = |cause, lacks: &str| {
        let record = SideRecord::LeftOut {
            time_ns: 1_001,
            cause,
            count: 3,
        };
        let message = format!("The trace is incomplete: it lacks 3 {lacks}");
        assert_eq!(findings_of(record), [("incomplete", 3, message)]);
    };
    left_out(
        LeftOut::TableFull,
        "spans, tasks and regions for which a table of the recorder had no room",
    );
    left_out(
        LeftOut::Unformatted,
        "records with a value whose formatting panicked",
    );
    left_out(
        LeftOut::Nested,
        "records made inside another record or at a thread's end",
    );
    let recorded = |said: &'static str, id, message: &str| {
        let pairs = vec![("recorded".into(), said.into())];
        assert_eq!(
            findings_of(SideRecord::Capabilities { pairs }),
            [(id, 1, message.to_owned())]
        );
    };
    let message = "Nothing was recorded: no Layer is set";
    recorded("nothing: no Layer is set", "nothing_recorded", message);
    let message = "Nothing was recorded: nothing has happened";
    recorded("idle: nothing has happened", "nothing_recorded", message);
    let message = "The trace is incomplete: it was recorded until its reader was too slow";
    recorded("until its reader was too slow", "incomplete", message);
    let without_a_word = |filter: &'static str| {
        let pairs = vec![
            ("version".into(), "exectrace 0.1.0".into()),
            ("tracing.filter".into(), filter.into()),
        ];
        findings_of(SideRecord::Capabilities { pairs })
    };
    let nothing = |cause: &str| {
        let message = format!("Nothing was recorded: {cause}");
        [("nothing_recorded", 1, message)]
    };
    assert_eq!(without_a_word("off"), nothing("the filter is off"));
    let idle = "what records was set up, and nothing happened before the trace ended";
    assert_eq!(without_a_word("info"), nothing(idle));
}

#[test]
fn a_poll_that_records_nothing_for_twenty_milliseconds_is_long() {
    let run = |length: u64, worker: &str, root: &str| {
        let mut script = Script::default();
        script
            .worker(1, worker)
            .runs(10, 1, 1, root)
            .block(10 + length, 1, "sync", "recv<main");
        script
    };
    let finding = assert_finds(
        "long_run",
        &run(20 * MS, "rt worker 0", "main"),
        &run(19 * MS, "rt worker 0", "main"),
    );
    assert_eq!(
        (finding.count, finding.exemplars[0].async_task),
        (1, Some(1))
    );
    // Where it stood still is not where it waited next.
    assert_eq!(place(&finding), None);
    let spawned_at = finding.exemplars[0].spawned_at.as_ref();
    assert_eq!(
        spawned_at.map(|place| place.function.as_str()),
        Some("main")
    );
    for (worker, root) in [
        // A closure of the blocking pool, and a plain thread, whatever they are called.
        ("main", "main"),
        ("broker-0", "main"),
        ("tokio-rt-worker", "main"),
        // A worker between its polls, of a build that does not follow tasks.
        ("rt worker 0", "rt worker 0@thread"),
    ] {
        let other = run(2_000 * MS, worker, root);
        assert_eq!(find(&other, "long_run"), None, "{root} on {worker}");
    }
}

#[test]
fn a_long_poll_on_a_machine_without_a_cpu_to_spare_is_no_warning() {
    let late = |times: u64| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .worker(2, "rt worker 1")
            .runs(10, 1, 1, "main")
            .runs(20, 2, 2, "other")
            .block(30, 2, "network", "")
            .park(40, 2);
        let mut now = 25 * MS;
        for _ in 0..times {
            // The other worker was woken, and comes 6 ms later.
            script.wake(now, 1, 2).block(now + 6 * MS, 1, "network", "");
            script.start(now + 6 * MS + 10, 1, 2);
            script
                .wake(now + 6 * MS + 20, 1, 1)
                .block(now + 6 * MS + 30, 1, "network", "")
                .start(now + 6 * MS + 40, 1, 1);
            now += 10 * MS;
        }
        script.block(now, 1, "network", "");
        find(&script, "long_run").expect("a run of 25 ms").severity
    };
    assert_eq!([2, 3].map(late), [Severity::Warning, Severity::Info]);
}

/// The function of the place of the worst case.
fn place(finding: &Finding) -> Option<&str> {
    let place = finding.exemplars[0].place.as_ref();
    place.map(|place| place.function.as_str())
}

#[test]
fn a_poll_stands_still_between_two_of_its_records() {
    let polls = |pause: u64| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .runs(10, 1, 1, "main")
            .spawn(20, 1, 2, "task");
        // Much is recorded, for long.
        for n in 1..=60 {
            script.log(n * MS, 1, 0, "goes on");
        }
        script
            .region(61 * MS, 1, 0, "render")
            .region_end(61 * MS + pause, 1, 0, "render")
            .block(100 * MS, 1, "sync", "recv<main");
        script
    };
    let finding = assert_finds("long_run", &polls(25 * MS), &polls(19 * MS + 100));
    assert_eq!((finding.count, finding.total_ns), (1, 25 * MS));
    let worst = &finding.exemplars[0];
    assert_eq!(
        (worst.begin_ns, worst.duration_ns),
        (Some(61 * MS), Some(25 * MS))
    );
    assert!(
        worst
            .what
            .ends_with("from the begin of render to the end of render"),
        "{}",
        worst.what
    );
    assert_eq!(place(&finding), Some("here"));
}

#[test]
fn all_long_polls_are_counted_and_the_worst_shown() {
    let mut script = Script::default();
    script
        .worker(1, "rt worker 0")
        .runs(10, 1, 1, "runtime.spawn");
    let mut now = 0;
    for _ in 0..58 {
        now += 40 * MS;
        script.block(now, 1, "network", "").wake(now + MS, 1, 1);
        script.start(now + 2 * MS, 1, 1);
    }
    // A task that is called as one of Go's own is the program's where the program is not Go's.
    let finding = find(&script, "long_run").expect("each was long");
    assert_eq!((finding.count, finding.exemplars.len()), (58, 10));
    assert_eq!(finding.total_ns, 40 * MS - 10 + 57 * 38 * MS);
}

/// A task that is woken a hundred times and runs `delay` later.
fn delayed(delay: u64) -> Script {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .spawn(20, 1, 2, "task")
        .start(30, 2, 2);
    let mut now = 100;
    for _ in 0..100 {
        script
            .block(now, 2, "sync", "recv<task")
            .wake(now + 50, 1, 2)
            .start(now + 100 + delay, 2, 2);
        now += delay + 1_000;
    }
    script
}

#[test]
fn late_runs_after_wakes_are_reported_from_ten_milliseconds_on() {
    let finding = assert_finds("ready_delay", &delayed(10 * MS), &delayed(9 * MS));
    assert!(finding.message.contains("task"), "{}", finding.message);
}

#[test]
fn a_ready_task_beside_a_sleeping_worker_is_told() {
    let wait = |length: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .runs(20, 2, 3, "other")
            .block(30, 2, "sync", "recv<other")
            .park(40, 2);
        script
            .spawn(50, 1, 2, "task")
            .block(50 + length, 1, "sync", "recv<main")
            .start(60 + length, 1, 2);
        script
    };
    let finding = assert_finds("idle_while_runnable", &wait(200 * US), &wait(90 * US));
    assert_eq!(finding.exemplars[0].duration_ns, Some(200 * US + 10));
    // Of a runtime that has a pool of blocking threads it may be for those.
    let mut of_runtime = wait(200 * US);
    of_runtime.worker(1, "rt worker 0").worker(2, "rt worker 1");
    assert_eq!(find(&of_runtime, "idle_while_runnable"), None);
    of_runtime
        .wake(400 * US, 1, 1)
        .block(600 * US, 1, "sync", "recv<task")
        .start(601 * US, 1, 1);
    let shown = find(&of_runtime, "idle_while_runnable").expect("it has run before");
    assert_eq!(shown.exemplars[0].duration_ns, Some(201 * US));
    // Of one that was ready before the trace nobody knows whether it has run.
    let queued = || {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .is_ready(20, 1, 2)
            .runs(30, 2, 3, "other")
            .block(40, 2, "sync", "recv<other")
            .park(50, 2)
            .block(200 * US, 1, "sync", "recv<main")
            .start(201 * US, 1, 2);
        script
    };
    assert!(find(&queued(), "idle_while_runnable").is_some());
    let mut of_runtime = queued();
    of_runtime.worker(1, "rt worker 0").worker(2, "rt worker 1");
    assert_eq!(find(&of_runtime, "idle_while_runnable"), None);
}

#[test]
fn a_worker_that_does_all_the_work_is_told() {
    let share = |second: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .block(MS, 1, "sync", "recv<main")
            .park(MS + 10, 1);
        script
            .runs(20, 2, 2, "other")
            .block(20 + second, 2, "sync", "recv<other")
            .park(30 + second, 2);
        script
    };
    assert_finds("imbalance", &share(100 * US), &share(500 * US));
}

#[test]
fn a_task_that_is_ready_after_each_run_polls_in_a_loop() {
    let runs = |name: &str, count: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .spawn(20, 1, 2, name)
            .block(30, 1, "sync", "recv<main");
        for n in 1..=count {
            script.start(n * 100, 1, 2).stop(n * 100 + 50, 1, "yield");
        }
        script
    };
    assert_finds("self_wake", &runs("task", 1_000), &runs("task", 999));
    // Go's sweeper yields after each span.
    let sweeper = runs("runtime.bgsweep", 1_000);
    assert_eq!(find(&sweeper, "self_wake"), None);
    // Its finalizers and cleanups are the program's.
    let finalizers = runs("runtime.runFinalizers", 1_000);
    assert!(find(&finalizers, "self_wake").is_some());
}

#[test]
fn tasks_that_do_not_end_grow_in_number_unless_all_came_at_once() {
    let spawned = |ended: u64, apart: u64| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        for go in 0..100 {
            script.spawn(20 + go * apart, 1, 2 + go, "task");
        }
        script.block(1_100 * MS, 1, "sync", "recv<main");
        for go in 0..100 {
            let now = 1_100 * MS + 1_000 + go * 10;
            script.start(now, 1, 2 + go);
            if go % 2 == 0 && go < ended * 2 {
                script.end(now + 5, 1);
            } else {
                script.block(now + 5, 1, "sync", "recv<task");
            }
        }
        script
    };
    let finding = assert_finds("growing", &spawned(49, 11 * MS), &spawned(50, 11 * MS));
    assert_eq!(finding.count, 51);
    // Clients that connect at the begin and stay.
    assert_eq!(find(&spawned(0, MS), "growing"), None);
}

#[test]
fn a_task_that_waits_for_most_of_the_trace_is_reported_unless_that_is_its_work() {
    let wait = |begin: u64, reason: &str| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .runs(20, 2, 2, "other")
            .block(begin, 1, reason, "recv<main");
        script.block(3 * S, 2, "network", "poll<other");
        script
    };
    let finding = assert_finds("never_woken", &wait(S, "sync"), &wait(2 * S, "sync"));
    assert_eq!(finding.exemplars[0].async_task, Some(1));
    assert_eq!(find(&wait(S, "network"), "never_woken"), None);
}

#[test]
fn outside_go_only_a_wait_for_a_lock_may_be_one_that_is_never_woken() {
    let wait = |reason: &str, at: &str, root: &str| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .runs(10, 1, 1, root)
            .runs(20, 2, 2, "other")
            .block(MS, 1, reason, &format!("{at}<{root}"));
        script.block(3 * S, 2, "network", "poll<other");
        find(&script, "never_woken")
    };
    let lock =
        "tokio::sync::batch_semaphore::Acquire::poll<tokio::sync::mutex::Mutex::lock<app::save";
    let finding = wait("sync", lock, "task").expect("a lock that nobody releases");
    assert_eq!(place(&finding), Some("app::save"));
    for (reason, at, root) in [
        ("tracer", "x", "exectrace@thread"),
        ("sync (await)", "x", "timer"),
        ("network, timer or signal", "x", "timer"),
        ("polling tasks", "x", "main@thread"),
        ("chan receive", "tokio::sync::mpsc::Receiver::recv", "task"),
        (
            "select",
            "tokio::task::join_set::JoinSet::join_next",
            "task",
        ),
        ("sync (join)", "tokio::runtime::task::JoinHandle", "task"),
        ("sync", "tokio::sync::notify::Notified::poll", "task"),
    ] {
        assert_eq!(wait(reason, at, root), None, "{reason} at {at} of {root}");
    }
}

#[test]
fn one_slow_user_task_and_one_slow_region_among_many_are_told() {
    let slowest = |length: u64| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        let mut now = 100;
        for task in 1..=30 {
            let length = if task == 7 { length } else { MS };
            script
                .task(now, 1, task, 0, "request")
                .region(now + 10, 1, task, "serve");
            script
                .region_end(now + length, 1, task, "serve")
                .task_end(now + length + 10, 1, task);
            now += length + 1_000;
        }
        script
    };
    let finding = assert_finds("outlier", &slowest(11 * MS), &slowest(9 * MS));
    assert_eq!(
        (finding.count, finding.exemplars[0].user_task),
        (2, Some(7))
    );
}

#[test]
fn a_region_that_stays_open_is_told() {
    let open = |usual: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .region(20, 1, 0, "guard")
            .region_end(20 + usual, 1, 0, "guard");
        script
            .region(S, 1, 0, "guard")
            .block(3 * S, 1, "sync", "recv<main");
        script
    };
    let finding = assert_finds("open_region", &open(199 * MS), &open(201 * MS));
    assert_eq!(finding.exemplars[0].async_task, Some(1));
}
