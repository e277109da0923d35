//! What a trace cannot show is no number.

use exectrace_analysis::{Analysis, Aspect, FlowKind, Options, ProfileKind};

use crate::script::Script;

fn everything() -> Options {
    Options {
        profiles: vec![ProfileKind::Run, ProfileKind::Scheduler],
        critical_path: Some(1),
        ..Options::all()
    }
}

fn why(analysis: &Analysis, aspect: Aspect) -> &str {
    let why = analysis.overview.sight.why(aspect);
    why.unwrap_or_else(|| panic!("{aspect:?} in {:?}", analysis.overview.sight))
}

/// A thread that does all its work in its own code, as under `#[tokio::main]` without hooks.
fn own_code() -> Analysis {
    let mut script = Script::default();
    script
        .worker(1, "main")
        .runs(10, 1, 1, "main@thread")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "request")
        .region_end(930, 1, 1, "request")
        .task_end(940, 1, 1)
        .end(1_000, 1);
    script.analyse(&everything())
}

#[test]
fn of_a_threads_own_code_it_is_not_known_when_it_ran() {
    let analysis = own_code();
    let regions = analysis.regions.as_ref().expect("asked for");
    let breakdown = &regions.kinds[0].breakdown;
    assert_eq!((breakdown.total_ns, breakdown.unknown_ns), (900, 900));
    assert_eq!(
        (breakdown.running_ns, breakdown.runnable_ns),
        (None, None),
        "{breakdown:?}"
    );
    assert_eq!((breakdown.waiting_ns(), breakdown.syscall_ns), (None, None));
    let tasks = analysis.tasks.as_ref().expect("asked for");
    assert_eq!(tasks.groups[0].kind, FlowKind::Thread);
    assert!(tasks.longest_runs.is_empty(), "{:?}", tasks.longest_runs);
    let latencies = analysis.latencies.as_ref().expect("asked for");
    assert!(latencies.all.is_empty(), "{latencies:?}");
    let path = analysis.critical_path.as_ref().expect("asked for");
    let states: Vec<_> = path.totals.iter().map(|total| total.state).collect();
    assert!(!states.is_empty());
    assert!(states.iter().all(|&state| state == "unknown"), "{states:?}");
    assert!(analysis.profiles[0].samples.is_empty());
    let workers = analysis.workers.as_ref().expect("asked for");
    let main = &workers.workers[0];
    assert_eq!((main.busy_ns, main.runs, main.own_code_ns), (0, 0, 990));
    assert_eq!(analysis.overview.async_tasks, 0);
    assert!(why(&analysis, Aspect::States).starts_with("no async task was followed"));
}

/// A task that is woken by what the recorder does not see, `unseen` times, and once by what it sees.
fn woken(unseen: u64, seen: bool) -> Analysis {
    let mut script = Script::default();
    script
        .worker(1, "service worker 0")
        .runs(10, 1, 1, "serve")
        .region(20, 1, 2, "serve");
    for turn in 0..unseen {
        let at = 100 * (turn + 1);
        script
            .block(at, 1, "network", "read<serve")
            .unseen_wake(at + 49, 1, 1)
            .start(at + 50, 1, 1);
    }
    if seen {
        script
            .block(9_000, 1, "network", "read<serve")
            .wake(9_050, 1, 1)
            .start(9_080, 1, 1);
    }
    script.region_end(9_090, 1, 2, "serve");
    script.analyse(&everything())
}

#[test]
fn a_wake_that_was_not_seen_is_in_no_distribution_and_counted() {
    let analysis = woken(3, true);
    let latencies = analysis.latencies.as_ref().expect("asked for");
    let wakes = latencies.all.iter().find(|state| state.state == "wake");
    let wakes = wakes.expect("one was seen");
    assert_eq!(wakes.durations.buckets(), [(30, 30, 1)]);
    assert_eq!(wakes.unseen, 3);
    let tasks = analysis.tasks.as_ref().expect("asked for");
    assert_eq!(tasks.groups[0].wake_delays.buckets(), [(30, 30, 1)]);
    let sight = &analysis.overview.sight;
    assert_eq!((sight.wakes_seen, sight.wakes_concluded), (1, 3));
    assert!(why(&analysis, Aspect::Delays).starts_with("3 of 4 wakes were not seen"));
}

#[test]
fn a_delay_is_unknown_where_no_wake_was_seen() {
    let of_region = |analysis: &Analysis| {
        let regions = analysis.regions.as_ref().expect("asked for");
        regions.kinds[0].breakdown.runnable_ns
    };
    assert_eq!(of_region(&woken(3, false)), None);
    assert_eq!(of_region(&woken(0, true)), Some(30));
    let profile = &woken(3, false).profiles[1];
    assert!(profile.samples.is_empty(), "{:?}", profile.samples);
}

#[test]
fn a_trace_that_shows_all_is_not_excused() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .block(20, 1, "sync", "recv<main")
        .wake(30, 1, 1)
        .start(40, 1, 1);
    let analysis = script.analyse(&everything());
    assert_eq!(analysis.overview.sight.blind, []);
}

#[test]
fn a_task_that_is_dropped_while_it_waits_or_is_ready_has_no_run_and_no_wake_for_it() {
    let mut script = Script::default();
    script
        .worker(1, "service worker 0")
        .worker(2, "exectrace")
        .runs(10, 1, 1, "serve")
        .spawn(15, 1, 2, "never polled")
        .block(20, 1, "network", "read<serve")
        // The recorder shows their ends on its own lane.
        .wake(500, 2, 1)
        .start(501, 2, 1)
        .end(502, 2)
        .start(503, 2, 2)
        .end(504, 2);
    let analysis = script.analyse(&everything());
    let tasks = analysis.tasks.as_ref().expect("asked for");
    let group = |name| tasks.groups.iter().find(|group| group.name == name);
    let (serve, never) = (group("serve").unwrap(), group("never polled").unwrap());
    assert_eq!((serve.runs.count(), never.runs.count()), (1, 0));
    assert_eq!((serve.never_woken, never.never_ran), (0, 1));
    assert_eq!(serve.breakdown.running_ns, Some(20));
    assert_eq!(never.breakdown.running_ns, Some(0));
    assert_eq!(analysis.overview.sight.wakes_seen, 0);
    assert_eq!(analysis.overview.async_tasks_alive, 0);
    let latencies = analysis.latencies.as_ref().expect("asked for");
    let kinds = ["wake", "spawn"];
    let delays = latencies
        .all
        .iter()
        .filter(|one| kinds.contains(&one.state));
    assert_eq!(delays.map(|one| one.durations.count()).sum::<u64>(), 0);
}

#[test]
fn a_task_that_was_polled_when_the_recording_began_did_not_wait_until_the_polls_end() {
    let mut script = Script::default();
    script
        .worker(1, "service worker 0")
        .waits(10, 1, "stuck")
        .wake_at(500, 1, 1, "(polled since before the recording)")
        .start(501, 1, 1)
        .block(502, 1, "sleep", "stuck")
        .wake(700, 1, 1)
        .start(710, 1, 1)
        .end(720, 1);
    let analysis = script.analyse(&everything());
    let tasks = analysis.tasks.as_ref().expect("asked for");
    let stuck = tasks.groups.iter().find(|group| group.name == "stuck");
    let stuck = stuck.unwrap();
    assert_eq!(stuck.runs.count(), 1);
    // With what lies before the first event.
    assert_eq!(stuck.breakdown.waiting_ns(), Some(198 + 10));
    assert!(stuck.breakdown.unknown_ns >= 492, "{:?}", stuck.breakdown);
    assert_eq!(analysis.overview.sight.wakes_seen, 1);
}
