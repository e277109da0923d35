//! What we compute of a trace is what Go computes of it.

mod tokio_program;
mod toolchain;
mod utilization;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs::File;
use std::path::Path;

use exectrace_analysis::{Analysis, Breakdown, Options, Place, Profile, ProfileKind, UserTaskTree};
use exectrace_format::Reader;

use toolchain::Go;

fn read(trace: &Path, options: &Options) -> Analysis {
    let file = File::open(trace).expect("the trace is there");
    let mut reader = Reader::new(file).expect("it is a trace");
    let analysis = Analysis::read(&mut reader, options);
    assert!(analysis.damage.is_none(), "{:?}", analysis.damage);
    analysis
}

/// Stack (numbers of the frames) to count and time; empty stacks are kept apart from none.
fn samples(profile: &Profile) -> BTreeMap<Vec<u64>, (u64, u64)> {
    let mut samples = BTreeMap::new();
    for sample in &profile.samples {
        let stack: Vec<u64> = sample.stack.iter().map(|place| place.pc).collect();
        let sum: &mut (u64, u64) = samples.entry(stack).or_default();
        *sum = (sum.0 + sample.count, sum.1 + sample.duration_ns);
    }
    samples
}

/// Counts and times, by stack.
fn split(
    samples: &BTreeMap<Vec<u64>, (u64, u64)>,
) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let keyed = samples
        .iter()
        .map(|(stack, sum)| (format!("{stack:?}"), sum));
    let (counts, times): (Vec<_>, Vec<_>) = keyed
        .map(|(stack, &(count, time))| ((stack.clone(), count as i64), (stack, time as i64)))
        .unzip();
    (counts.into_iter().collect(), times.into_iter().collect())
}

/// Shows the entries that differ, and no others: profiles are long.
fn assert_equal<K: Ord + Debug, V: PartialEq + Debug>(
    ours: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
    name: &str,
) {
    let keys = ours.keys().chain(theirs.keys());
    let differ = keys.filter(|key| ours.get(key) != theirs.get(key));
    let differ: Vec<_> = differ
        .map(|key| (key, ours.get(key), theirs.get(key)))
        .collect();
    assert!(differ.is_empty(), "{name}: (key, ours, Go's) {differ:#?}");
}

const PROFILES: [(ProfileKind, &str); 4] = [
    (ProfileKind::Network, "net"),
    (ProfileKind::Sync, "sync"),
    (ProfileKind::Syscall, "syscall"),
    (ProfileKind::Scheduler, "sched"),
];

/// Our profiles of a trace and Go's, by the names that Go gives them.
fn both_profiles(go: &Go, trace: &Path) -> Vec<(&'static str, Profile, Profile)> {
    let options = Options {
        profiles: PROFILES.map(|(kind, _)| kind).to_vec(),
        ..Options::default()
    };
    let analysis = read(trace, &options);
    let pairs = PROFILES.into_iter().zip(&analysis.profiles);
    pairs
        .map(|((kind, name), ours)| {
            let ours = Profile::from_pprof(kind, &ours.to_pprof()).expect("we write pprof");
            let theirs = go.pprof(name, trace);
            (
                name,
                ours,
                Profile::from_pprof(kind, &theirs).expect("so does Go"),
            )
        })
        .collect()
}

fn assert_profile_is_go_s((name, ours, theirs): &(&str, Profile, Profile)) {
    let (counts, times) = split(&samples(ours));
    let (go_counts, go_times) = split(&samples(theirs));
    assert_equal(&counts, &go_counts, name);
    assert_close(&times, &go_times, name);
    let places = |profile: &Profile| -> BTreeMap<u64, Place> {
        let places = profile.samples.iter().flat_map(|sample| &sample.stack);
        places.map(|place| (place.pc, place.clone())).collect()
    };
    assert_equal(&places(ours), &places(theirs), name);
}

/// Each stack of `part` is in `whole`, at least as often.
fn assert_contains(whole: &Profile, part: &Profile, name: &str) {
    let whole = samples(whole);
    for (stack, (count, _)) in samples(part) {
        let all = whole.get(&stack).map_or(0, |&(count, _)| count);
        assert!(count <= all, "{name}: {count} of {all} at {stack:?}");
    }
}

#[test]
fn profiles_of_a_go_program_are_those_of_go_s_tool() {
    let Some(go) = Go::find() else { return };
    for profiles in both_profiles(&go, &go.trace(3)) {
        assert_profile_is_go_s(&profiles);
        assert!(!profiles.1.samples.is_empty(), "no {}", profiles.0);
    }
}

/// What we compute, in the words of `tests/go_sources/summary`.
fn summary(trace: &Path) -> Vec<String> {
    let options = Options {
        tasks: true,
        each_task: true,
        user_tasks: true,
        regions: true,
        top: usize::MAX,
        ..Options::default()
    };
    let analysis = read(trace, &options);
    let mut lines = Vec::new();
    for task in analysis.tasks.expect("asked for").each {
        lines.push(format!("task {} name {:?}", task.id, task.name));
        breakdown(&mut lines, &format!("task {}", task.id), &task.breakdown);
    }
    let kinds = analysis.regions.expect("asked for").kinds;
    for region in kinds.iter().flat_map(|kind| &kind.slowest) {
        let place = region.place.as_ref().map_or(0, |place| place.pc);
        let begin = region.begin_ns.map_or(-1, |begin| begin as i64);
        let key = format!(
            "region {:?} {place} of {} at {begin} ended {}",
            region.name,
            region.async_task,
            region.end_ns.is_some()
        );
        breakdown(&mut lines, &key, &region.breakdown);
    }
    let kinds = analysis.user_tasks.expect("asked for").kinds;
    let ids = kinds
        .iter()
        .flat_map(|kind| &kind.slowest)
        .map(|task| task.id)
        .collect();
    let options = Options {
        user_tasks: true,
        user_task_trees: ids,
        ..Options::default()
    };
    let mut trees = read(trace, &options).user_tasks.expect("asked for").trees;
    while let Some(UserTaskTree {
        task,
        async_tasks,
        regions,
        logs,
        children,
        ..
    }) = trees.pop()
    {
        let is_complete = task.begin_ns.is_some() && task.end_ns.is_some();
        lines.push(format!(
            "user task {} name {:?} parent {} logs {} regions {} served by {}",
            task.id,
            task.name,
            task.parent.unwrap_or(0),
            logs.len(),
            regions.len(),
            async_tasks.len(),
        ));
        let duration = if is_complete {
            task.duration_ns as i64
        } else {
            -1
        };
        lines.push(format!("user task {} duration {duration}", task.id));
        trees.extend(children);
    }
    lines.sort();
    lines
}

fn breakdown(lines: &mut Vec<String>, key: &str, breakdown: &Breakdown) {
    let mut line = |name: &str, duration: u64| {
        if duration > 0 {
            lines.push(format!("{key} {name}: {duration}"));
        }
    };
    for (name, duration) in [
        ("Execution time", breakdown.running_ns),
        ("Sched wait time", breakdown.runnable_ns),
        ("Syscall execution time", breakdown.syscall_ns),
        ("Block time (syscall)", breakdown.syscall_blocked_ns),
        ("Unknown time", Some(breakdown.unknown_ns)),
    ] {
        // What a trace cannot show is no line.
        duration
            .into_iter()
            .for_each(|duration| line(name, duration));
    }
    for wait in breakdown.waiting.iter().flatten() {
        line(&format!("Block time ({})", wait.name), wait.duration_ns);
    }
    for range in &breakdown.ranges {
        line(&format!("range {}", range.name), range.duration_ns);
    }
    lines.push(format!("{key} total {}", breakdown.total_ns));
}

/// The tasks that are in a system call at the end.
fn open_calls(trace: &Path) -> Vec<u64> {
    let options = Options {
        tasks: true,
        each_task: true,
        ..Options::default()
    };
    let each = read(trace, &options).tasks.expect("asked for").each;
    let open = each.iter().filter(|task| task.state == "syscall");
    open.map(|task| task.id).collect()
}

/// Asserts that we and Go's library have the same times, of all tasks, regions and user tasks.
fn assert_summary_is_go_s(go: &Go, trace: &Path) {
    let (ours, theirs) = summaries(go, trace);
    assert_close(&ours, &theirs, "summary");
}

/// Asserts that Go's library has each time of ours. It has more: what was only concluded, and is unknown
/// to us.
fn assert_summary_is_in_go_s(go: &Go, trace: &Path) {
    let (mut ours, mut theirs) = summaries(go, trace);
    ours.retain(|key, _| !key.contains(" Unknown time"));
    theirs.retain(|key, _| ours.contains_key(key));
    assert!(ours.keys().any(|key| key.contains("Execution time")));
    assert_close(&ours, &theirs, "summary");
}

/// Our times and Go's.
fn summaries(go: &Go, trace: &Path) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let (ours, theirs) = (summary(trace), go.summary(trace));
    // Go counts a system call that is open and blocked at the end twice.
    let in_call: Vec<String> = open_calls(trace)
        .iter()
        .map(|id| format!("task {id} "))
        .collect();
    let is_compared = |line: &&String| !in_call.iter().any(|task| line.starts_with(task));
    let compared = |lines: &[String]| -> BTreeMap<String, i64> {
        values(lines.iter().filter(is_compared).map(String::as_str))
    };
    (compared(&ours), compared(&theirs))
}

/// What each line says of what; regions are kept apart by their order rather than their begin.
fn values<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> BTreeMap<String, i64> {
    fn region(line: &str) -> Option<(&str, i64, &str)> {
        let (region, rest) = line.strip_prefix("region ")?.split_once(" at ")?;
        let (begin, rest) = rest.split_once(' ')?;
        Some((region, begin.parse().ok()?, rest))
    }
    let mut begins: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for (region, begin, _) in lines.clone().filter_map(region) {
        begins.entry(region).or_default().insert(begin);
    }
    let value = |line: &str| {
        let line = region(line).map_or_else(
            || line.to_owned(),
            |(region, begin, rest)| {
                format!("{region} #{} {rest}", begins[region].range(..begin).count())
            },
        );
        match line
            .rsplit_once(' ')
            .map(|(key, value)| (key, value.parse()))
        {
            Some((key, Ok(value))) => (key.to_owned(), value),
            _ => (line, 0),
        }
    };
    lines.map(value).collect()
}

/// Events of one instant are reported a nanosecond apart, and which of several threads comes first is
/// left to a heap of Go's. So times may differ by some nanoseconds.
const TIES_NS: u64 = 100;

/// Asserts that there are the same keys with nearly the same values; no value is as good as 0.
fn assert_close(ours: &BTreeMap<String, i64>, theirs: &BTreeMap<String, i64>, name: &str) {
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let value = |of: &BTreeMap<String, i64>, key: &String| of.get(key).copied().unwrap_or(0);
    let differ = |key: &&String| value(ours, key).abs_diff(value(theirs, key)) > TIES_NS;
    let differ: Vec<_> = keys
        .into_iter()
        .filter(differ)
        .map(|key| (key, ours.get(key), theirs.get(key)))
        .collect();
    assert!(differ.is_empty(), "{name}: (key, ours, Go's) {differ:#?}");
}

#[test]
fn tasks_regions_and_user_tasks_of_a_go_program_are_those_of_go_s_library() {
    let Some(go) = Go::find() else { return };
    assert_summary_is_go_s(&go, &go.trace(3));
}

/// Asserts that we have counted the events that Go has, by their kinds.
fn assert_counts_are_go_s(go: &Go, trace: &Path) {
    let events = read(trace, &Options::default()).overview.events;
    let ours: BTreeMap<String, u64> = [
        ("Sync", events.syncs),
        ("Metric", events.metrics),
        ("Label", events.labels),
        ("StackSample", events.stack_samples),
        ("RangeBegin", events.range_begins),
        ("RangeActive", events.range_actives),
        ("RangeEnd", events.range_ends),
        ("TaskBegin", events.task_begins),
        ("TaskEnd", events.task_ends),
        ("RegionBegin", events.region_begins),
        ("RegionEnd", events.region_ends),
        ("Log", events.logs),
        ("StateTransition Goroutine", events.task_transitions),
        ("StateTransition Proc", events.worker_transitions),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(kind, count)| (kind.to_owned(), count))
    .collect();
    assert_equal(&ours, &go.event_counts(trace), "events");
}

#[test]
fn as_many_events_of_each_kind_are_counted_as_go_prints() {
    let Some(go) = Go::find() else { return };
    assert_counts_are_go_s(&go, &go.trace(3));
}

#[test]
fn a_tokio_program_means_to_us_what_it_means_to_go() {
    let Some(go) = Go::find() else { return };
    let trace = go.folder.path().join("tokio.trace");
    tokio_program::record(&trace);
    let profiles = both_profiles(&go, &trace);
    let [net, sync, syscall, sched] = &profiles[..] else {
        panic!("{} profiles", profiles.len());
    };
    // Go's tool takes a wake that was only concluded for one that was seen.
    assert_contains(&sched.2, &sched.1, sched.0);
    for profiles in [net, sync, syscall] {
        assert_profile_is_go_s(profiles);
    }
    assert!(!sync.1.samples.is_empty(), "it waits");
    assert!(!sched.1.samples.is_empty(), "it is delayed");
    assert_summary_is_in_go_s(&go, &trace);
    assert_counts_are_go_s(&go, &trace);
}
