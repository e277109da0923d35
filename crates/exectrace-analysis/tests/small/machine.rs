//! What findings make of the time that threads waited for a processor.

use exectrace_analysis::{Finding, Options, Severity};

use crate::findings::{MS, US, find};
use crate::script::Script;

/// Two polls on one worker, each of which records nothing for 24 ms.
fn two_long_polls() -> Script {
    let mut script = Script::default();
    script
        .worker(1, "rt worker 0")
        .runs(20, 2, 2, "other")
        .runs(10, 1, 1, "task")
        .block(24 * MS + 10, 1, "sync", "recv<task")
        .wake(30 * MS, 2, 1)
        .start(31 * MS, 1, 1)
        .block(55 * MS, 1, "sync", "recv<task")
        .log(90 * MS, 2, 0, "end");
    script
}

#[test]
fn a_long_run_is_a_stall_unless_its_thread_may_have_waited_for_a_processor_for_half_of_it() {
    let of = |wait: u64| {
        let mut script = two_long_polls();
        script
            .sample(0, 1, 7, 7)
            .sample(60 * MS, 1, 7 + 3 * MS, 7 + wait);
        let finding = find(&script, "long_run").expect("two polls of 24 ms");
        (finding.severity, finding.count)
    };
    assert_eq!(of(11 * MS), (Severity::Warning, 2));
    // What was waited accounts for one of the two.
    assert_eq!(of(13 * MS), (Severity::Warning, 1));
    assert_eq!(of(25 * MS), (Severity::Info, 2));
}

#[test]
fn of_a_long_run_it_is_said_how_long_its_thread_had_a_processor_waited_for_one_and_was_blocked() {
    let said = |cpu: u64, wait: u64| {
        let mut script = two_long_polls();
        script.sample(0, 1, 0, 0).sample(25 * MS, 1, cpu, wait);
        let finding = find(&script, "long_run").expect("two polls of 24 ms");
        let first = finding
            .exemplars
            .into_iter()
            .find(|case| case.begin_ns == Some(10));
        first.expect("the first of them").what
    };
    let blocked = said(2 * MS, MS);
    assert!(
        blocked.ends_with(
            "was on a processor for 1.0 ms to 2.0 ms, waited for one for 1.0 ms at most and was \
             blocked for about 22.0 ms"
        ),
        "{blocked}"
    );
    let unsampled = two_long_polls();
    let finding = find(&unsampled, "long_run").expect("two polls of 24 ms");
    assert!(
        finding.basis.contains("is not in the trace"),
        "{}",
        finding.basis
    );
    assert_eq!(finding.exemplars[0].thread_time, None);
    // Of another thread, on a machine that had processors enough, and on one that had not.
    let beside = |wait: u64| {
        let mut script = two_long_polls();
        script.sample(0, 2, 0, 0).sample(60 * MS, 2, 40 * MS, wait);
        find(&script, "long_run").expect("two polls of 24 ms")
    };
    assert_eq!(beside(9 * MS).severity, Severity::Warning);
    assert!(
        beside(9 * MS)
            .basis
            .ends_with("of 2 runs it is not known what their threads waited for")
    );
    assert_eq!(beside(11 * MS).severity, Severity::Info);
}

#[test]
fn a_machine_is_full_where_threads_wait_for_a_fifth_of_the_time_in_which_they_could_run() {
    let of = |cpu: u64, wait: u64| {
        let mut script = two_long_polls();
        script.sample(0, 1, 0, 0).sample(60 * MS, 1, cpu, wait);
        find(&script, "machine_full").map(|finding| (finding.severity, finding.total_ns))
    };
    assert_eq!(of(40 * MS, 10 * MS), Some((Severity::Info, 10 * MS)));
    assert_eq!(of(41 * MS, 10 * MS), None);
    // Too short to matter.
    assert_eq!(of(10 * MS, 9 * MS), None);
    assert_eq!(find(&two_long_polls(), "machine_full"), None);
}

#[test]
fn late_runs_on_a_full_machine_are_no_warning() {
    let of = |wait: u64| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .worker(2, "rt worker 1")
            .runs(10, 1, 1, "main")
            .runs(20, 2, 2, "task");
        let mut now = 100;
        for _ in 0..100 {
            script
                .block(now, 2, "sync", "recv<task")
                .wake(now + 50, 1, 2)
                .start(now + 11 * MS, 2, 2);
            now += 12 * MS;
        }
        script.sample(0, 2, 0, 0).sample(now, 2, 100 * MS, wait);
        let finding = find(&script, "ready_delay").expect("a hundred of 11 ms");
        (finding.severity, finding.message.contains("full"))
    };
    assert_eq!(of(24 * MS), (Severity::Warning, false));
    assert_eq!(of(25 * MS), (Severity::Info, true));
}

/// A worker of 100 ms whose thread was blocked in a poll.
fn blocked_for_a_poll() -> Script {
    let mut script = Script::default();
    script
        .worker(1, "rt worker 0")
        .runs(10, 1, 1, "task")
        .stop(8 * MS, 1, "yield")
        .start(8 * MS + 100, 1, 1)
        .block(99 * MS, 1, "sync", "recv<task")
        .park(100 * MS, 1);
    script
}

#[test]
fn what_was_counted_since_before_the_trace_is_in_no_sum() {
    let of = |since: u64| {
        let mut script = blocked_for_a_poll();
        // As a cut keeps it: of a time before.
        script.sample_before(since, 1, 0, 0);
        script.sample(10 * MS, 1, 0, 0).sample(20 * MS, 1, MS, 0);
        let analysis = script.analyse(&Options::all());
        let threads = analysis.workers.expect("asked for").threads;
        threads
            .iter()
            .find(|thread| thread.id == 1)
            .expect("it")
            .time
            .expect("two samples")
    };
    assert_eq!(of(0).sampled_ns, 20 * MS);
    assert_eq!(of(1).sampled_ns, 10 * MS);
    assert_eq!(of(1).blocked_ns, 9 * MS);
}

#[test]
fn a_thread_that_has_lost_its_worker_is_not_blamed() {
    let of = |other: bool| {
        let mut script = blocked_for_a_poll();
        if other {
            // It goes on as the worker, in polls too short to have a place.
            script
                .is_ready(20, 2, 3)
                .takes_worker(100 * MS + 10, 2, 1)
                .start(100 * MS + 20, 2, 3);
            script
                .block(100 * MS + 30, 2, "sync", "recv<task")
                .park(100 * MS + 40, 2);
        }
        script.sample(0, 1, 0, 0).sample(99 * MS, 1, MS, 0);
        find(&script, "blocked_worker").is_some()
    };
    assert!(of(false));
    assert!(!of(true));
}

#[test]
fn a_worker_that_sleeps_runs_no_task_of_another_runtime() {
    let of = |other: &str| {
        let mut script = Script::default();
        script
            .worker(1, "a worker 0")
            .worker(2, other)
            .runs(10, 1, 1, "task")
            .runs(20, 2, 2, "other")
            .block(30, 2, "sync", "recv<other")
            .park(40, 2);
        // It has run, so it is no closure for a blocking thread.
        script
            .stop(50, 1, "yield")
            .start(50 + 200 * US, 1, 1)
            .block(60 + 200 * US, 1, "sync", "recv<task");
        find(&script, "idle_while_runnable").is_some()
    };
    assert!(of("a worker 1"));
    assert!(!of("b worker 0"));
}

#[test]
fn a_worker_whose_thread_was_blocked_for_longer_than_it_was_parked_is_reported_with_the_places() {
    let of = |blocked: u64, parks: bool| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .worker(2, "rt worker 1")
            .runs(10, 1, 1, "task")
            .runs(20, 2, 2, "task");
        for n in 0..10 {
            // The second is let through by the first.
            let begin = MS + n * 8 * MS;
            script
                .region(begin, 1, 0, "save")
                .region_end(begin + 3 * MS, 1, 0, "save")
                .region(begin + 10, 2, 0, "save")
                .region_end(begin + 6 * MS, 2, 0, "save")
                .stop(begin + 7 * MS, 2, "yield")
                .start(begin + 7 * MS + 100, 2, 2);
        }
        script.block(90 * MS, 2, "sync", "recv<task");
        if parks {
            script.park(90 * MS + 100, 2);
        }
        script.stop(100 * MS, 1, "yield").start(100 * MS + 10, 1, 1);
        // Parked for 10 ms of the 100.
        script
            .sample(0, 2, 0, 0)
            .sample(100 * MS, 2, 90 * MS - blocked, 0);
        find(&script, "blocked_worker")
    };
    assert_eq!(of(4 * MS, true), None);
    let finding = of(6 * MS, true).expect("a twentieth");
    assert_eq!((finding.severity, finding.count), (Severity::Warning, 1));
    assert!(
        finding.message.contains("as at a lock"),
        "{}",
        finding.message
    );
    let place = finding.exemplars[0].place.as_ref();
    assert_eq!(place.map(|place| place.function.as_str()), Some("here"));
    // Where it sleeps is not seen.
    assert_eq!(of(90 * MS, false), None);
}

#[test]
fn a_cgroup_that_was_stopped_while_a_poll_was_late_is_found_and_one_that_was_stopped_at_other_times_is_not()
 {
    use exectrace_format::conventions::{
        CGROUP_CPU_LIMIT, CGROUP_PERIODS, CGROUP_THROTTLED, CGROUP_THROTTLED_NS,
    };
    let of = |stopped_by: [u64; 3]| {
        let mut script = Script::default();
        script
            .worker(1, "rt worker 0")
            .runs(20, 2, 2, "other")
            .runs(10, 1, 1, "task")
            .block(MS, 1, "sync", "recv<task")
            .wake(2 * MS, 2, 1)
            // Ready for 60 ms.
            .start(62 * MS, 1, 1)
            .block(63 * MS, 1, "sync", "recv<task")
            .log(900 * MS, 2, 0, "end")
            .counter(0, CGROUP_CPU_LIMIT, 1_500);
        for (time, stopped) in [0, 100, 200].into_iter().zip(stopped_by) {
            script
                .counter(time * MS, CGROUP_PERIODS, time / 100)
                .counter(time * MS, CGROUP_THROTTLED, u64::from(stopped > 0))
                .counter(time * MS, CGROUP_THROTTLED_NS, stopped);
        }
        find(&script, "throttled")
    };
    let finding = of([0, 45 * MS, 45 * MS]).expect("a late poll");
    assert_eq!((finding.count, finding.total_ns), (1, 60 * MS));
    assert_eq!(
        finding.message,
        "the limit of 1.500 processors of the cgroup stopped processors of it while 1 poll was late or \
         stood still, for 60.0 ms in all"
    );
    assert_eq!(
        finding.basis,
        "the processors of the cgroup, all together, were stopped for 45.0 ms, in 1 of 2 periods"
    );
    let what = |finding: &Finding| finding.exemplars[0].what.clone();
    assert_eq!(
        what(&finding),
        "task was ready for 60.0 ms; processors were stopped for up to 45.0 ms of it"
    );
    // A sum over three processors, which is more than the time between the samples.
    let finding = of([0, 250 * MS, 250 * MS]).expect("a late poll");
    assert_eq!(
        what(&finding),
        "task was ready for 60.0 ms; processors were stopped for up to 60.0 ms of it"
    );
    assert_eq!(of([0, 0, 45 * MS]), None);
    assert_eq!(of([7, 7, 7]), None);
}

#[test]
fn how_long_a_worker_was_ready_and_not_run_is_known_by_the_second() {
    let mut script = two_long_polls();
    script
        .log(2_500 * MS, 2, 0, "later")
        .sample(0, 1, 0, 0)
        .sample(900 * MS, 1, 100 * MS, 30 * MS)
        .sample(1_900 * MS, 1, 150 * MS, 130 * MS)
        // A thread that runs no worker.
        .sample(0, 2, 0, 0)
        .sample(900 * MS, 2, 1, 1);
    let options = Options {
        workers: true,
        ..Options::default()
    };
    let workers = script.analyse(&options).workers.expect("workers");
    let seconds = workers.seconds.expect("samples");
    let rows = seconds.slices.iter();
    let rows: Vec<_> = rows
        .map(|row| (row.begin_ns / MS, row.worker, row.thread, row.time.wait_ns))
        .collect();
    assert_eq!(rows, [(0, 1, 1, 30 * MS), (1_000, 1, 1, 100 * MS)]);
    let unsampled = two_long_polls().analyse(&options).workers;
    assert_eq!(unsampled.expect("workers").seconds, None);
}

#[test]
fn what_the_kernel_took_from_a_thread_is_told_apart_from_what_it_gave_up_itself() {
    let mut script = two_long_polls();
    script
        .off(MS, 1, 4 * MS, true)
        .off(6 * MS, 1, 2 * MS, true)
        .off(10 * MS, 1, 9 * MS, false);
    let options = Options {
        workers: true,
        ..Options::default()
    };
    let workers = script.analyse(&options).workers.expect("workers");
    let off = workers.threads[0].off_processor.expect("reports");
    assert_eq!((off.preemptions, off.preempted_ns), (2, 6 * MS));
    assert_eq!(
        (off.longest_preempted_ns, off.sleeps, off.asleep_ns),
        (4 * MS, 1, 9 * MS)
    );
    assert_eq!(workers.threads[1].off_processor, None);
}
