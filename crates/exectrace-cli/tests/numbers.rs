//! The numbers of each command, for a trace made by hand: see `data/service.trace.txt`.

mod support;

use std::collections::BTreeMap;

use serde_json::Value;

use support::{Traces, answer, cases, json};

/// The JSON answer of a command on the small service.
fn ask(arguments: &[&str]) -> Value {
    let traces = Traces::new();
    let trace = traces.service();
    let mut all: Vec<&str> = arguments.to_vec();
    all.extend(["--format", "json", trace.to_str().expect("UTF-8")]);
    json(all)
}

/// The text answer of a command on the small service.
fn read(arguments: &[&str]) -> String {
    let traces = Traces::new();
    let trace = traces.service();
    let mut all: Vec<&str> = arguments.to_vec();
    all.push(trace.to_str().expect("UTF-8"));
    answer(all)
}

/// The entry of a list whose `name` is this.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let items = list.as_array().expect("a list");
    let found = items.iter().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

#[test]
fn tasks_shows_where_the_time_of_each_name_went() {
    let answer = ask(&["tasks"]);
    let serve = named(&answer["tasks"]["groups"], "app::serve");
    assert_eq!(serve["count"], 1);
    assert_eq!(serve["alive"], 0);
    assert_eq!(serve["breakdown"]["running_ns"], 400);
    assert_eq!(serve["breakdown"]["runnable_ns"], 70);
    assert_eq!(serve["breakdown"]["waiting"][0]["name"], "network");
    assert_eq!(serve["breakdown"]["waiting"][0]["duration_ns"], 1000);
    assert_eq!(serve["runs"]["max_ns"], 300);
    assert_eq!(serve["wake_delays"]["p99_ns"], 50);
    let text = read(&["tasks"]);
    let row = text
        .lines()
        .find(|line| line.contains("app::serve"))
        .expect("its row");
    for shown in ["400ns", "300ns", "70ns", "50ns", "1.00µs", "network"] {
        assert!(row.contains(shown), "{shown} in {row}");
    }
}

#[test]
fn a_group_and_a_window_narrow_the_answer() {
    let answer = ask(&["tasks", "--group", "main"]);
    assert_eq!(
        answer["tasks"]["groups"].as_array().expect("a list").len(),
        1
    );
    let answer = ask(&["tasks", "--from", "1200ns", "--to", "1300ns"]);
    let serve = named(&answer["tasks"]["groups"], "app::serve");
    assert_eq!(
        serve["breakdown"]["running_ns"], 100,
        "it runs from 1180 to 1480"
    );
}

#[test]
fn a_filter_narrows_the_answer_to_spans_of_time() {
    let answer = ask(&["latency", "--filter", "group~serve and state:waiting"]);
    let all = answer["latencies"]["all"].as_array().expect("a list");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0]["reason"], "network");
}

#[test]
fn findings_decide_over_the_status_where_that_is_asked() {
    let traces = Traces::new();
    // Half a second without a yield, while the worker could do nothing else.
    let text = include_str!("data/service.trace.txt");
    let text = text.replace("+200 UserRegionEnd", "+500000000 UserRegionEnd");
    let trace = traces.put("long", &support::bytes_of(&text));
    let trace = trace.to_str().expect("UTF-8");
    let found = answer(["findings", trace]);
    assert!(found.contains("app::serve"), "{found}");
    assert_eq!(support::run(["check", trace]).status, Some(0));
    let run = support::run(["check", "--fail-on", "warning", trace]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(
        run.stdout.contains(": good\n"),
        "the trace itself is: {run:?}"
    );
    let run = support::run(["findings", "--fail-on", "error", trace]);
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn latency_shows_each_state_with_its_reason() {
    let answer = ask(&["latency"]);
    let all = answer["latencies"]["all"]
        .as_array()
        .expect("a list")
        .clone();
    let state = |state: &str, reason: &str| {
        let found = all
            .iter()
            .find(|all| all["state"] == state && all["reason"] == reason);
        found.unwrap_or_else(|| panic!("no {state} {reason} in {all:#?}"))["durations"].clone()
    };
    assert_eq!(state("wait", "network")["total_ns"], 1000);
    assert_eq!(state("spawn", "")["max_ns"], 20);
    assert_eq!(state("run", "")["count"], 4);
    let text = read(&["latency", "--state", "wait"]);
    assert!(text.contains("wait (network)"), "{text}");
    assert!(!text.contains("spawn"), "only what is asked for: {text}");
}

#[test]
fn user_tasks_and_regions_show_how_long_they_took() {
    let answer = ask(&["usertasks"]);
    let request = named(&answer["user_tasks"]["kinds"], "request");
    assert_eq!(request["complete"], 1);
    assert_eq!(request["durations"]["p50_ns"], 1360);
    let answer = ask(&["regions"]);
    let query = named(&answer["regions"]["kinds"], "query");
    assert_eq!(query["durations"]["max_ns"], 1330);
    assert_eq!(query["breakdown"]["running_ns"], 280);
    assert_eq!(query["place"]["file"], "src/serve.rs");
}

#[test]
fn the_tree_of_a_user_task_has_its_regions_and_logs_in_time() {
    let text = read(&["usertasks", "--id", "1"]);
    let at = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("{part} in {text}"))
    };
    assert!(at("request 1.36µs") < at("query 1.33µs"));
    assert!(at("query 1.33µs") < at("[INFO app] done"));
    assert!(
        text.contains("+60ns"),
        "the log's time since the begin: {text}"
    );
}

#[test]
fn a_profile_is_by_stack_in_every_format() {
    let answer = ask(&["profile", "--kind", "network"]);
    let samples = answer["profile"]["samples"].as_array().expect("a list");
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0]["duration_ns"], 1000);
    assert_eq!(samples[0]["stack"][0]["function"], "app::read");
    let folded = read(&["profile", "--kind", "network", "--format", "folded"]);
    assert_eq!(folded, "app::serve;app::read 1000\n");
    let text = read(&["profile", "--kind", "network"]);
    assert!(text.contains("100.0%  1.00µs"), "{text}");
    assert!(text.contains("app::read (src/read.rs:3)"), "{text}");
}

/// The weight of each stack of folded lines, without the reason that waits have at their leaf.
fn weights(folded: &str) -> BTreeMap<String, u64> {
    let mut weights = BTreeMap::new();
    for line in folded.lines() {
        let (stack, weight) = line.rsplit_once(' ').expect("a weight");
        let weight: u64 = weight.parse().expect("a number");
        let (stack, _) = stack.split_once(";[").unwrap_or((stack, ""));
        let stack = if stack.starts_with('[') {
            "(no stack)"
        } else {
            stack
        };
        *weights.entry(stack.to_owned()).or_default() += weight;
    }
    weights.retain(|_, weight| *weight > 0);
    weights
}

#[test]
fn a_flame_graph_and_a_profile_give_each_stack_the_same_time() {
    let folder = Traces::new();
    let good = cases().into_iter().filter(|(.., is_good)| *is_good);
    let good = good.map(|(name, bytes, _)| folder.put(&name, &bytes));
    let traces: Vec<_> = good.chain([folder.service()]).collect();
    let mut seen = 0;
    for trace in &traces {
        let trace = trace.to_str().expect("UTF-8");
        for (kind, weight) in [
            ("wait", "wait"),
            ("scheduler", "sched"),
            ("syscall", "syscall"),
            ("cpu", "samples"),
            ("run", "run"),
        ] {
            let profile = answer(["profile", trace, "--format", "folded", "--kind", kind]);
            let graph = answer(["export", "folded", trace, "-o", "-", "--weight", weight]);
            let (mut profile, mut graph) = (weights(&profile), weights(&graph));
            if kind == "run" {
                // The one by the place where a run ended, the other by that of the spawn.
                let sum = |weights: BTreeMap<_, u64>| weights.into_values().sum();
                profile = BTreeMap::from([(String::new(), sum(profile))]);
                graph = BTreeMap::from([(String::new(), sum(graph))]);
            }
            assert_eq!(profile, graph, "{kind} of {trace}");
            seen += profile.len();
        }
    }
    assert!(seen > traces.len(), "only {seen} stacks");
}

#[test]
fn workers_shows_how_busy_they_were() {
    let answer = ask(&["workers"]);
    let worker = &answer["workers"]["workers"][0];
    assert_eq!(worker["id"], 1);
    // main from 2 to 20 and from 1500 to 1600, app::serve for 400. The sync, the lane and main are
    // reported at 0, 1 and 2, as no two events have one time.
    assert_eq!(worker["busy_ns"], 18 + 400 + 100);
    assert_eq!(worker["runs"], 4);
}

#[test]
fn summary_says_it_all_on_a_page() {
    let text = read(&["summary"]);
    for part in [
        "go 1.25 trace, begun 2023-11-14 22:13:20 UTC",
        "2 async tasks",
        "Workers",
        "Async tasks",
        "app::serve",
        "Longest polls",
        "User tasks",
        "request",
        "Spans and regions",
        "query",
        "workers at most (GOMAXPROCS)",
        "1 worker, 1 thread",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}

#[test]
fn check_counts_what_it_read() {
    let answer = ask(&["check"]);
    let verdict = &answer["traces"][0];
    assert_eq!(verdict["good"], true);
    assert_eq!(verdict["events"], 19);
    assert_eq!(verdict["generations"], 1);
    assert_eq!(verdict["version"], "go 1.25");
    assert_eq!(verdict["damage"], Value::Null);
}

#[test]
fn stat_accounts_for_every_byte() {
    let traces = Traces::new();
    let trace = traces.service();
    let size = std::fs::metadata(&trace).expect("it is there").len();
    let answer = json(["stat", "--format", "json", trace.to_str().expect("UTF-8")]);
    assert_eq!(answer["bytes"], size);
    let kinds = answer["kinds"].as_array().expect("a list");
    let count = |kind: &str| {
        let row = kinds.iter().find(|row| row["kind"] == kind);
        row.unwrap_or_else(|| panic!("no {kind}"))["count"].as_u64()
    };
    assert_eq!(count("GoStart"), Some(3));
    assert_eq!(count("strings"), Some(12));
    assert_eq!(count("stacks"), Some(3));
    let sum: u64 = kinds.iter().filter_map(|row| row["bytes"].as_u64()).sum();
    assert_eq!(sum, size);
}

#[test]
fn events_can_be_narrowed() {
    let lines = |arguments: &[&str]| read(&[&["events"], arguments].concat());
    assert_eq!(lines(&[]).lines().count(), 19 + 2, "and a sync at each end");
    let logs = lines(&["--kind", "log"]);
    assert_eq!(
        logs,
        "   0.000000100  m7       p1   g2      log in t1 [INFO app] done  at app::serve (src/serve.rs:7)\n"
    );
    assert_eq!(lines(&["--user-task", "1"]).lines().count(), 5);
    assert_eq!(lines(&["--flow", "2", "--kind", "flow"]).lines().count(), 6);
    assert_eq!(
        lines(&["--from", "1us", "--to", "1.2us"]).lines().count(),
        2
    );
    assert_eq!(lines(&["--grep", "network"]).lines().count(), 1);
    assert_eq!(lines(&["--limit", "3"]).lines().count(), 3);
    let started = lines(&["--flow", "2", "--grep", "runnable > running"]);
    assert!(
        started.contains("app::serve"),
        "names are remembered: {started}"
    );
}

#[test]
fn a_filter_narrows_events_to_flows_and_spans_of_time() {
    let lines = |filter: &str| read(&["events", "--filter", filter]);
    let waits = lines("state:waiting dur>500ns");
    let (network, sync) = waits.split_once('\n').expect("what ended either wait");
    assert!(
        network.contains("g2 waiting > runnable app::serve"),
        "{waits}"
    );
    assert!(sync.contains("g1 waiting > runnable main"), "{waits}");
    assert_eq!(lines("reason:network").lines().count(), 1);
    let late = lines("group~serve state:running dur>100ns");
    let ends = ["region end query", "user-task end t1", "g2 running > none"];
    assert_eq!(late.lines().count(), ends.len(), "{late}");
    for (line, end) in late.lines().zip(ends) {
        assert!(line.contains(end), "{line} is not {end}");
    }
    assert_eq!(lines("worker:1 and task:3"), "");
}

#[test]
fn a_state_reported_again_by_a_new_generation_is_no_end_of_a_span_of_time() {
    let generation = |number: u64, time: u64, after: &str| {
        format!(
            "generation {number}\nbatch m=0 time={time} sync\n  frequency 1000000000\n  \
             clock +0 mono=1 sec=1 nsec=0\nbatch m=7 time={time} events\n  \
             +0 ProcStatus proc=1 status=Running\n  \
             +1 GoStatus go=1 thread=7 status=Running\n  \
             +1 GoStatus go=2 thread=0 status=Waiting\n{after}"
        )
    };
    let woken = "  +50 GoUnblock go=2 seq=1 stack=0\n";
    let trace = [
        "go 1.25\n".to_owned(),
        generation(1, 1_000, ""),
        generation(2, 9_000, woken),
    ];
    let traces = Traces::new();
    let path = traces.put("two", &support::bytes_of(&trace.concat()));
    let path = path.to_string_lossy();
    let waits = answer(["events", &path, "--filter", "state:waiting dur>1us"]);
    assert_eq!(waits.lines().count(), 1, "{waits}");
    assert!(waits.contains("g2 waiting > runnable"), "{waits}");
}

#[test]
fn a_filter_narrows_what_diff_compares() {
    let traces = Traces::new();
    let (before, after) = (traces.put("a", &many(1_000)), traces.put("b", &many(1_500)));
    let (before, after) = (before.to_string_lossy(), after.to_string_lossy());
    let diff = |filter: &str| answer(["diff", &before, &after, "--filter", filter]);
    let (running, waiting) = (diff("state:running"), diff("state:waiting"));
    assert!(running.starts_with("Slower  1"), "{running}");
    assert!(waiting.starts_with("Slower  nothing"), "{waiting}");
}

#[test]
fn diff_of_a_trace_with_itself_finds_nothing() {
    let traces = Traces::new();
    let trace = traces.service();
    let trace = trace.to_str().expect("UTF-8");
    let text = answer(["diff", trace, trace, "--fail-on-slower"]);
    assert!(text.starts_with("Slower  nothing"), "{text}");
}

#[test]
fn diff_finds_what_got_slower() {
    let traces = Traces::new();
    let (before, after) = (traces.put("a", &many(1_000)), traces.put("b", &many(1_500)));
    let paths = [
        before.to_str().expect("UTF-8"),
        after.to_str().expect("UTF-8"),
    ];
    let run = support::run([
        "diff",
        paths[0],
        paths[1],
        "--fail-on-slower",
        "--format",
        "json",
    ]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let changes = answer["changes"].as_array().expect("a list");
    let run = changes
        .iter()
        .find(|change| change["sort"] == "run")
        .expect("runs");
    assert_eq!(run["verdict"], "slower");
    assert!(
        (run["p50_change"].as_f64().expect("a number") - 0.5).abs() < 0.05,
        "{run}"
    );
    let text = answer_of_diff(paths);
    assert!(text.starts_with("Slower  1"), "{text}");
}

fn answer_of_diff(paths: [&str; 2]) -> String {
    answer(["diff", paths[0], paths[1]])
}

/// A trace of a flow that runs a hundred times for about so long.
fn many(run_ns: u64) -> Vec<u8> {
    let mut text = "go 1.25\ngeneration 1\nbatch m=0 time=1 sync\n  frequency 1000000000\n  \
                    clock +0 mono=1 sec=1 nsec=0\nbatch m=7 time=1 events\n  \
                    +0 ProcStatus proc=1 status=Running\n  \
                    +1 GoStatus go=1 thread=7 status=Running\n"
        .to_owned();
    for index in 0..100 {
        let run_ns = run_ns + index % 7;
        text.push_str(&format!("  +{run_ns} GoStop reason=0 stack=0\n"));
        text.push_str(&format!("  +10 GoStart go=1 seq={}\n", index + 1));
    }
    support::bytes_of(&text)
}

#[test]
fn every_command_counts_the_same_events() {
    let folder = Traces::new();
    let every = cases()
        .into_iter()
        .filter(|(name, ..)| name.starts_with("every_event") || name.starts_with("side_data."));
    let every = every.map(|(name, bytes, _)| folder.put(&name, &bytes));
    let traces: Vec<_> = every.chain([folder.service()]).collect();
    for trace in traces {
        let trace = trace.to_str().expect("UTF-8");
        let checked = json(["check", trace, "--format", "json"]);
        let expected = checked["traces"][0]["events"].as_u64().expect("a count");
        assert!(expected > 0, "{trace}");
        let summary = json(["summary", trace, "--format", "json"]);
        let counted = &summary["overview"]["events"]["total"];
        assert_eq!(counted.as_u64(), Some(expected), "{summary:#}");
        let output = folder.path("output");
        let output = output.to_str().expect("UTF-8");
        let written = [
            answer(["cut", trace, "-o", output]),
            answer(["export", "chrome", trace, "-o", output]),
            answer(["export", "folded", trace, "-o", output]),
        ];
        for shown in written {
            assert!(shown.starts_with(&format!("{expected} events")), "{shown}");
        }
    }
}

/// The small service as a program of Rust recorded it, with these records of side data besides.
fn recorded_with(records: &str) -> Vec<u8> {
    let text = include_str!("data/service.trace.txt");
    let events = "batch m=7 time=1000 events";
    let generated_by = r"\x0a\x0c\x09exectrace\x011";
    let data = format!(r#"  data "exectrace\x01{generated_by}{records}""#);
    let side = format!("experimental 1 m=0 time=1000\n{data}\n{events}");
    support::bytes_of(&text.replace(events, &side))
}

#[test]
fn a_source_that_is_missing_leaves_a_dash_and_a_line_that_says_what_to_do() {
    let traces = Traces::new();
    let read = |command: &str, records: &str| {
        let trace = traces.put("recorded", &recorded_with(records));
        answer([command, trace.to_str().expect("UTF-8")])
    };
    let row = |text: &str| {
        let mut rows = text.lines().filter(|line| line.contains("app::serve"));
        rows.next().expect("its row").to_owned()
    };
    // Neither samples nor reports nor calls.
    let text = read("tasks", "");
    assert_eq!(row(&text).matches(" - ").count(), 1, "{text}");
    for why in [
        "-: system calls are not recorded: ",
        "-: how long 1 thread had a processor or waited for one is not known: ",
    ] {
        assert!(text.contains(why), "{why} in {text}");
    }
    // Two samples around the polls, between which the thread waited for 90 ns.
    let samples = r"\x0d\x05\x07\xe8\x07\x00\x00\x0d\x05\x07\xb8\x17\x64\x5a";
    let text = read("tasks", samples);
    assert!(row(&text).contains("≤ 90ns"), "{text}");
    assert!(text.contains("kernel: ") && text.contains("`Settings::kernel_switches`"));
    let text = read("latency", samples);
    assert!(text.contains("kernel: "), "{text}");
    // The kernel's reports: asleep before the task, preempted for 33 ns in its second poll.
    let reports = r"\x13\x05\xe8\x07\x07\x02\x00\x13\x05\xa8\x11\x07\x21\x01";
    let text = read("tasks", reports);
    assert!(
        row(&text).contains(" 33.0ns") || row(&text).contains(" 33ns"),
        "{text}"
    );
    assert!(!row(&text).contains('≤'), "{text}");
}
