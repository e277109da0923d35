//! Small traces whose numbers can be worked out by hand.

use exectrace_analysis::{
    Analysis, Options, PathStep, Profile, ProfileKind, ProfileSample, ProfileScope, TaskGroup,
    Window,
};
use exectrace_format::Reader;
use exectrace_format::conventions::{UNKNOWN_WAIT, WOKEN_BY_TASK};

use crate::script::Script;

/// A request: `main` spawns `child`, waits for it, and goes on.
fn request() -> Script {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "serve")
        .spawn(40, 1, 2, "child")
        .block(50, 1, "sync", "recv<main")
        .start(100, 2, 2)
        .region(110, 2, 1, "work")
        .task(120, 2, 2, 1, "query")
        .log(130, 2, 2, "rows: 3")
        .task_end(140, 2, 2)
        .wake(200, 2, 1)
        .region_end(210, 2, 1, "work")
        .end(220, 2)
        .start(250, 1, 1)
        .region_end(300, 1, 1, "serve")
        .task_end(320, 1, 1)
        .block(400, 1, "network", "poll<main");
    script
}

fn groups(options: Options) -> Vec<TaskGroup> {
    request().analyse(&options).tasks.expect("asked for").groups
}

fn tasks() -> Options {
    Options {
        tasks: true,
        ..Options::default()
    }
}

#[test]
fn the_time_of_a_task_is_broken_down_by_state() {
    let groups = groups(tasks());
    let [main, child] = groups.as_slice() else {
        panic!("two groups: {groups:?}");
    };
    assert_eq!((main.name.as_str(), child.name.as_str()), ("main", "child"));
    // It is older than the trace, so it has run since 0.
    assert_eq!(main.breakdown.running_ns, Some(50 + 150));
    assert_eq!(main.breakdown.runnable_ns, Some(50));
    let waits: Vec<_> = main
        .breakdown
        .waiting
        .iter()
        .flatten()
        .map(|wait| (wait.name.as_str(), wait.duration_ns))
        .collect();
    assert_eq!(
        waits,
        [("sync", 150), ("network", 1)],
        "the trace ends at 401"
    );
    assert_eq!(
        (main.breakdown.total_ns, main.breakdown.unknown_ns),
        (401, 0)
    );
    assert_eq!(
        (child.breakdown.total_ns, child.breakdown.running_ns),
        (180, Some(120))
    );
    assert_eq!((main.alive, child.alive, child.ended), (1, 0, 1));
}

#[test]
fn a_delay_counts_from_the_wake_and_not_from_the_spawn() {
    let groups = groups(tasks());
    assert_eq!(groups[0].wake_delays.buckets(), [(50, 50, 1)]);
    assert_eq!(groups[1].wake_delays.count(), 0);
    assert_eq!(groups[1].breakdown.runnable_ns, Some(60));
}

#[test]
fn a_window_cuts_states_at_its_edges() {
    let window = Some(Window {
        begin_ns: 90,
        end_ns: 190,
    });
    let groups = groups(Options { window, ..tasks() });
    let times = |group: &TaskGroup| {
        let breakdown = &group.breakdown;
        (
            breakdown.total_ns,
            breakdown.running_ns,
            breakdown.runnable_ns,
            breakdown.waiting_ns(),
        )
    };
    assert_eq!(
        groups.iter().map(times).collect::<Vec<_>>(),
        [
            (100, Some(90), Some(10), Some(0)),
            (100, Some(0), Some(0), Some(100))
        ]
    );
}

#[test]
fn a_filter_leaves_out_other_tasks() {
    for (filter, name) in [("group~hil", "child"), ("not task:2 state:running", "main")] {
        let filter = filter.parse().expect("a filter");
        let groups = groups(Options { filter, ..tasks() });
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, [name]);
    }
}

#[test]
fn a_filter_of_time_in_a_state_narrows_every_time_of_a_group() {
    let filter = "state:waiting dur>=100ns or state:running dur>60ns";
    let filter = filter.parse().expect("a filter");
    let groups = groups(Options { filter, ..tasks() });
    let times: Vec<_> = groups
        .iter()
        .map(|group| {
            let times = &group.breakdown;
            let parts = (times.running_ns, times.runnable_ns, times.waiting_ns());
            (group.name.as_str(), group.count, parts, times.total_ns)
        })
        .collect();
    assert_eq!(
        times,
        [
            ("main", 1, (Some(150), Some(0), Some(150)), 300),
            ("child", 1, (Some(120), Some(0), Some(0)), 120),
        ]
    );
}

/// What each stack of a profile weighs, outermost frame first.
fn weights(profile: &Profile) -> Vec<(String, u64)> {
    let weight = |sample: &ProfileSample| {
        let functions = sample.stack.iter().rev().map(|place| &*place.function);
        let functions: Vec<&str> = functions.collect();
        (functions.join(";"), profile.weight(sample))
    };
    profile.samples.iter().map(weight).collect()
}

#[test]
fn profiles_that_go_has_are_of_what_ends_and_the_others_of_all_time() {
    let mut script = Script::default();
    script
        .waits(5, 3, "old")
        .runs(10, 1, 1, "main")
        .spawn(20, 1, 2, "child")
        .block(60, 1, "sync", "recv<main")
        .start(70, 2, 2)
        .wake(160, 2, 1)
        .start(170, 1, 1)
        .wake(180, 2, 3)
        .block(190, 1, "sync", "recv<main")
        .end(250, 2);
    let kinds = [
        ProfileKind::Sync,
        ProfileKind::Scheduler,
        ProfileKind::Wait,
        ProfileKind::WaitByReason,
        ProfileKind::Run,
        ProfileKind::RunBySpawn,
    ];
    let options = Options {
        profiles: kinds.to_vec(),
        ..tasks()
    };
    let analysis = script.analyse(&options);
    let profiles: Vec<_> = analysis.profiles.iter().map(weights).collect();
    let of = |stacks: &[(&str, u64)]| -> Vec<(String, u64)> {
        let stacks = stacks.iter();
        stacks.map(|&(stack, ns)| (stack.to_owned(), ns)).collect()
    };
    // The trace ends at 251. The wait that is open then, that of `old`, and the delay before the first run are not Go's.
    assert_eq!(profiles[0], of(&[("main;recv", 100)]));
    assert_eq!(profiles[1], of(&[("", 10)]));
    assert_eq!(profiles[2], of(&[("old", 180), ("main;recv", 161)]));
    assert_eq!(profiles[3], of(&[("old", 180), ("main;recv;[sync]", 161)]));
    assert_eq!(profiles[5], of(&[("child", 180), ("main", 80)]));
    let sum = |weights: &[(String, u64)]| -> u64 { weights.iter().map(|(_, ns)| ns).sum() };
    let tasks = analysis.tasks.expect("asked for");
    let times = tasks.groups.iter().map(|group| &group.breakdown);
    let running: u64 = times.clone().filter_map(|times| times.running_ns).sum();
    let waiting: u64 = times.filter_map(|times| times.waiting_ns()).sum();
    assert_eq!((sum(&profiles[4]), sum(&profiles[2])), (running, waiting));
}

#[test]
fn a_run_that_is_open_at_the_end_counts_for_the_region_that_is_open_with_it() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .spawn(20, 1, 2, "child")
        .start(50, 2, 2)
        .region(60, 2, 0, "serve")
        .log(100, 2, 0, "still there");
    let options = Options {
        profiles: vec![ProfileKind::Run],
        profile_scope: ProfileScope {
            region: Some("serve".to_owned()),
            ..ProfileScope::default()
        },
        ..Options::default()
    };
    let profile = script.analyse(&options).profiles.remove(0);
    // The trace ends at 101.
    assert_eq!(
        profile.samples.iter().map(|of| of.duration_ns).sum::<u64>(),
        51
    );
}

fn sync_profile(script: &Script, profile_scope: ProfileScope) -> Profile {
    let options = Options {
        profiles: vec![ProfileKind::Sync],
        profile_scope,
        ..Options::default()
    };
    script.analyse(&options).profiles.remove(0)
}

#[test]
fn a_profile_can_be_limited_to_a_group_a_region_or_a_user_task() {
    let of = |name: &str| Some(name.to_owned());
    let scope = ProfileScope::default;
    for (profile_scope, total) in [
        (scope(), 150),
        (
            ProfileScope {
                group: of("main"),
                ..scope()
            },
            150,
        ),
        (
            ProfileScope {
                group: of("child"),
                ..scope()
            },
            0,
        ),
        (
            ProfileScope {
                region: of("serve"),
                ..scope()
            },
            150,
        ),
        (
            ProfileScope {
                region: of("work"),
                ..scope()
            },
            0,
        ),
        (
            ProfileScope {
                user_task: of("request"),
                ..scope()
            },
            150,
        ),
        (
            ProfileScope {
                user_task: of("query"),
                ..scope()
            },
            0,
        ),
    ] {
        let profile = sync_profile(&request(), profile_scope.clone());
        let sum: u64 = profile
            .samples
            .iter()
            .map(|sample| sample.duration_ns)
            .sum();
        assert_eq!(sum, total, "{profile_scope:?}");
        for sample in profile.samples {
            let stack: Vec<_> = sample
                .stack
                .iter()
                .map(|place| place.function.as_str())
                .collect();
            assert_eq!(stack, ["recv", "main"]);
        }
    }
}

#[test]
fn a_region_that_is_older_than_the_trace_holds_all_that_came_before_its_end() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .spawn(15, 1, 2, "other")
        .block(20, 1, "sync", "recv<main")
        .start(30, 2, 2)
        .wake(50, 2, 1)
        .start(60, 1, 1)
        .region_end(70, 1, 0, "old")
        .block(80, 1, "sync", "later<main")
        .wake(90, 2, 1);
    let region = Some("old".to_owned());
    let profile = sync_profile(
        &script,
        ProfileScope {
            region,
            ..ProfileScope::default()
        },
    );
    assert_eq!(profile.samples.len(), 1);
    assert_eq!(profile.samples[0].duration_ns, 30);
}

#[test]
fn a_user_task_has_its_children_regions_logs_and_tasks() {
    let options = Options {
        user_tasks: true,
        user_task_trees: vec![1],
        ..Options::default()
    };
    let user_tasks = request().analyse(&options).user_tasks.expect("asked for");
    let kinds: Vec<_> = user_tasks
        .kinds
        .iter()
        .map(|kind| (kind.name.as_str(), kind.complete, kind.durations.max_ns()))
        .collect();
    assert_eq!(kinds, [("request", 1, 300), ("query", 1, 20)]);
    let [tree] = user_tasks.trees.as_slice() else {
        panic!("one tree: {:?}", user_tasks.trees);
    };
    assert_eq!(tree.async_tasks, [1, 2]);
    let regions: Vec<_> = tree
        .regions
        .iter()
        .map(|region| (region.name.as_str(), region.duration_ns))
        .collect();
    assert_eq!(regions, [("serve", 270), ("work", 100)]);
    let [child] = tree.children.as_slice() else {
        panic!("one child: {:?}", tree.children);
    };
    assert_eq!(
        (child.task.id, child.task.parent, child.logs.len()),
        (2, Some(1), 1)
    );
    assert_eq!(child.logs[0].message, "rows: 3");
}

#[test]
fn the_critical_path_follows_wakes_and_spawns_back_to_the_begin() {
    let options = Options {
        critical_path: Some(1),
        ..Options::default()
    };
    let path = request()
        .analyse(&options)
        .critical_path
        .expect("the task is there");
    let step = |step: &PathStep| (step.async_task, step.state, step.begin_ns, step.duration_ns);
    assert_eq!(
        path.steps.iter().map(step).collect::<Vec<_>>(),
        [
            // The regions `serve` and `work` begin and end meanwhile.
            (1, "running", 20, 10),
            (1, "running", 30, 10),
            (2, "runnable", 40, 60),
            (2, "running", 100, 10),
            (2, "running", 110, 90),
            (1, "runnable", 200, 50),
            (1, "running", 250, 50),
            (1, "running", 300, 20),
        ]
    );
    assert_eq!(
        (path.begin_ns, path.duration_ns, path.is_complete),
        (20, 300, true)
    );
}

#[test]
fn a_wait_that_nobody_of_the_operation_ended_is_charged_to_its_reason() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .spawn(12, 1, 2, "stranger")
        .task(20, 1, 1, 0, "request")
        .block(30, 1, "network", "poll<main")
        .start(40, 2, 2)
        .wake(70, 2, 1)
        .start(75, 1, 1)
        .task_end(100, 1, 1);
    let options = Options {
        critical_path: Some(1),
        ..Options::default()
    };
    let path = script
        .analyse(&options)
        .critical_path
        .expect("the task is there");
    let totals: Vec<_> = path
        .totals
        .iter()
        .map(|total| (total.state, total.reason.as_str(), total.duration_ns))
        .collect();
    assert_eq!(
        totals,
        [
            ("waiting", "network", 40),
            ("running", "", 35),
            ("runnable", "", 5)
        ]
    );
    assert_eq!(path.steps[1].woken_by, Some(2));
}

#[test]
fn the_critical_path_is_split_by_the_regions_of_what_runs() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .spawn(12, 1, 2, "stranger")
        .region(15, 1, 0, "outside")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "parse")
        .region_end(50, 1, 1, "parse")
        .block(60, 1, "network", "poll<main")
        .start(65, 2, 2)
        .wake(70, 2, 1)
        .start(80, 1, 1)
        .region(90, 1, 1, "reply")
        .task_end(100, 1, 1);
    let options = Options {
        critical_path: Some(1),
        ..Options::default()
    };
    let path = script
        .analyse(&options)
        .critical_path
        .expect("the task is there");
    let step = |step: &PathStep| (step.state, step.region.clone(), step.duration_ns);
    let expected = [
        ("running", "outside", 10),
        ("running", "parse", 20),
        ("running", "outside", 10),
        ("waiting", "outside", 10),
        ("runnable", "outside", 10),
        ("running", "outside", 10),
        ("running", "reply", 10),
    ];
    assert_eq!(
        path.steps.iter().map(step).collect::<Vec<_>>(),
        expected.map(|(state, region, ns)| (state, region.to_owned(), ns))
    );
    let outside = path.totals.iter().find(|total| total.region == "outside");
    assert_eq!(
        outside.map(|total| (total.state, total.duration_ns)),
        Some(("running", 30))
    );
}

#[test]
fn a_reason_to_wait_says_how_it_is_known_and_waits_of_threads_are_none_of_tasks() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main@thread")
        .spawn(15, 1, 2, "serve")
        .block(20, 1, "polling tasks", "main@thread");
    let reasons = ["chan receive", WOKEN_BY_TASK, UNKNOWN_WAIT];
    for (reason, begin) in reasons.into_iter().zip([100, 200, 300]) {
        script.start(begin, 1, 2);
        script.block(begin + 10, 1, reason, "recv<serve");
        script.wake(begin + 50, 1, 2);
    }
    let options = Options {
        latencies: true,
        ..Options::default()
    };
    let latencies = script.analyse(&options).latencies.expect("asked for");
    let waits = latencies.all.iter().filter(|state| state.state == "wait");
    let known: Vec<_> = waits
        .map(|wait| (wait.reason.as_str(), wait.source.expect("of a wait")))
        .collect();
    assert_eq!(
        known,
        [
            ("chan receive", "seen"),
            (WOKEN_BY_TASK, "concluded"),
            (UNKNOWN_WAIT, "unknown"),
        ]
    );
}

#[test]
fn logs_are_counted_by_category_and_place() {
    let mut script = Script::default();
    script
        .worker(1, "main")
        .runs(10, 1, 1, "main")
        .log(20, 1, 1, "of the recorder itself")
        .log(30, 1, 0, "first")
        .log(50, 1, 0, "last");
    let options = Options {
        logs: true,
        ..Options::default()
    };
    let logs = script.analyse(&options).logs.expect("asked for");
    let [kind] = logs.kinds.as_slice() else {
        panic!("{:?}", logs.kinds);
    };
    assert_eq!((kind.count, kind.bytes, kind.last.as_str()), (2, 9, "last"));
    assert_eq!(kind.last_ns - kind.first_ns, 20);
}

#[test]
fn the_critical_path_of_a_task_that_is_older_than_the_trace_has_its_regions() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .region(20, 1, 1, "parse")
        .region_end(40, 1, 1, "parse")
        .region(50, 1, 1, "save")
        .task_end(100, 1, 1);
    let options = Options {
        critical_path: Some(1),
        ..Options::default()
    };
    let path = script.analyse(&options).critical_path.expect("its end");
    assert!(!path.is_complete);
    let regions = path.steps.iter().map(|step| step.region.as_str());
    let regions: Vec<_> = regions.filter(|region| !region.is_empty()).collect();
    assert_eq!(regions, ["parse", "save"]);
}

#[test]
fn a_filter_of_time_in_a_state_counts_no_wait_for_ever_and_no_time_past_the_greatest() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .block(100, 1, "forever", "select<main");
    let most = i64::MAX.cast_unsigned() - 10_000;
    for task in 2..5 {
        script.runs(1_000 + task, task, task, "long");
    }
    for task in 2..5 {
        script.end(most + task, task);
    }
    let filter = "state:waiting or state:running".parse().expect("a filter");
    let options = Options { filter, ..tasks() };
    let groups = script.analyse(&options).tasks.expect("asked for").groups;
    let main = groups.iter().find(|group| group.name == "main");
    let waited = main.expect("it ran").breakdown.waiting_ns();
    assert_eq!(waited, Some(0));
    let long = groups.iter().find(|group| group.name == "long");
    let ran = long.expect("three of them").breakdown.running_ns;
    assert_eq!(ran, Some(u64::MAX));
}

#[test]
fn what_stands_before_the_damage_is_analysed() {
    let whole = request().bytes();
    let cut = &whole[..whole.len() - 20];
    let mut reader = Reader::new(cut).expect("the header is there");
    let analysis = Analysis::read(&mut reader, &Options::all());
    let damage = analysis.damage.as_ref().expect("the cut is noticed");
    assert!(damage.offset < whole.len() as u64);
    let json = serde_json::to_value(&analysis).expect("it can be written");
    assert_eq!(json["damage"]["offset"], damage.offset);
    assert_eq!(
        json["overview"]["events"]["region_begins"],
        analysis.overview.events.region_begins
    );
}

#[test]
fn workers_are_busy_searching_or_in_calls() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main")
        .call(100, 130, 1, "read<main")
        .block(200, 1, "sync", "recv<main")
        .park(300, 1);
    let options = Options {
        workers: true,
        syscalls: true,
        ..Options::default()
    };
    let analysis = script.analyse(&options);
    let workers = analysis.workers.expect("asked for").workers;
    let [worker] = workers.as_slice() else {
        panic!("one worker: {workers:?}");
    };
    let times = (
        worker.busy_ns,
        worker.syscall_ns,
        worker.scheduling_ns,
        worker.idle_ns,
    );
    assert_eq!(
        times,
        (160, Some(30), 110, 1),
        "until 10 it did nothing, and the trace ends at 301"
    );
    let calls = analysis.syscalls.expect("asked for").by_name;
    assert_eq!(
        (
            calls[0].name.as_str(),
            calls[0].calls.count,
            calls[0].calls.total_ns
        ),
        ("read", 1, 30)
    );
}
