//! What is in a trace, by the reader's own word: what exports must show.

use std::collections::{BTreeMap, HashMap, HashSet};

use exectrace_format::conventions::{UNKNOWN_FILE, WAITING_CALLS};
use exectrace_format::{
    GoId, GoState, RangeScope, Reader, SideRecord, StateChange, TaskId, TraceEvent, TraceEventKind,
};

/// Its events.
pub fn events(trace: &[u8]) -> Vec<TraceEvent> {
    let reader = Reader::new(trace).expect("a trace");
    reader
        .collect::<Result<_, _>>()
        .expect("an undamaged trace")
}

/// The time of the first event.
pub fn begin(trace: &[u8]) -> i64 {
    events(trace).first().expect("events").time.0
}

/// Something that lasted, by its kind and name, in nanoseconds.
pub type Span = (&'static str, String, i64, i64);

/// The runs of tasks, without the system calls in them: of whom, from when, to when, and whether the
/// end is shown. What is older begins with its generation. Threads' own code is none of them.
fn runs(trace: &[u8]) -> Vec<(GoId, i64, i64, bool)> {
    let mut runs = Vec::new();
    let mut running: HashMap<GoId, i64> = HashMap::new();
    let mut threads: HashSet<GoId> = HashSet::new();
    let (mut generation_begin, mut now) = (0, 0);
    for event in events(trace) {
        now = event.time.0;
        match event.kind {
            TraceEventKind::Sync { .. } => generation_begin = now,
            TraceEventKind::StateTransition {
                change: StateChange::Go { go, from, to },
                stack,
                ..
            } if from != to => {
                let root = stack.as_ref().and_then(|stack| stack.last());
                if root.is_some_and(|root| &*root.file == "thread") {
                    threads.insert(go);
                }
                if let Some(begin) = running.remove(&go) {
                    runs.push((go, begin, now, true));
                }
                let is_older = from == GoState::Undetermined;
                if to == GoState::Running {
                    running.insert(go, if is_older { generation_begin } else { now });
                }
            }
            _ => {}
        }
    }
    runs.extend(
        running
            .into_iter()
            .map(|(go, begin)| (go, begin, now, false)),
    );
    runs.retain(|(go, ..)| !threads.contains(go));
    runs
}

/// What lasted and ended in a trace: runs, regions and user tasks. What is older begins with the
/// trace. In alphabetical order.
pub fn spans(trace: &[u8]) -> Vec<Span> {
    let (mut spans, left) = ends(trace);
    spans.extend(left);
    spans.sort();
    spans
}

/// The same without what ended only as its goroutine never runs again.
pub fn spans_with_ends(trace: &[u8]) -> Vec<Span> {
    let (mut spans, _) = ends(trace);
    spans.sort();
    spans
}

/// What has an end in the trace, and what a goroutine left open that never runs again.
fn ends(trace: &[u8]) -> (Vec<Span>, Vec<Span>) {
    let mut left = Vec::new();
    let ended = runs(trace).into_iter().filter(|run| run.3);
    let mut spans: Vec<Span> = ended
        .map(|(go, begin, end, _)| ("running", go.0.to_string(), begin, end))
        .collect();
    let mut regions: HashMap<Option<GoId>, Vec<(i64, String)>> = HashMap::new();
    let mut older: HashMap<Option<GoId>, i64> = HashMap::new();
    let mut user_tasks: HashMap<TaskId, i64> = HashMap::new();
    let begin = begin(trace);
    for event in events(trace) {
        let time = event.time.0;
        match event.kind {
            TraceEventKind::RegionBegin { name, .. } => {
                let open = regions.entry(event.go).or_default();
                open.push((time, name.to_string()));
            }
            // Go's word for a goroutine that never runs again.
            TraceEventKind::StateTransition {
                change: StateChange::Go { go, to, .. },
                reason,
                ..
            } if to == GoState::Waiting && &*reason == "forever" => {
                let open = regions.remove(&Some(go)).unwrap_or_default();
                left.extend(
                    open.into_iter()
                        .map(|(begin, name)| ("region", name, begin, time)),
                );
            }
            TraceEventKind::RegionEnd { name, .. } => {
                let begun = regions.entry(event.go).or_default().pop();
                let begun = begun.map(|(begin, _)| begin).unwrap_or_else(|| {
                    // Each that ends later is the older one.
                    let ended = older.entry(event.go).or_default();
                    *ended += 1;
                    begin - (*ended - 1)
                });
                spans.push(("region", name.to_string(), begun, time));
            }
            TraceEventKind::TaskBegin { task, .. } => {
                user_tasks.insert(task, time);
            }
            TraceEventKind::TaskEnd { task, name, .. } => {
                let begun = user_tasks.remove(&task).unwrap_or(begin);
                spans.push(("user task", name.to_string(), begun, time));
            }
            _ => {}
        }
    }
    (spans, left)
}

/// The same for formats in which nothing is older than the trace.
pub fn spans_within(trace: &[u8]) -> Vec<Span> {
    let first = begin(trace);
    let within = |(kind, name, begin, end): Span| (kind, name, begin.max(first), end);
    let mut spans: Vec<_> = spans(trace).into_iter().map(within).collect();
    spans.sort();
    spans
}

/// The same for formats that know no time before zero: those of traces that begin before 1 µs, as
/// those of the old format do, are moved to begin there.
pub fn spans_from_zero(trace: &[u8]) -> Vec<Span> {
    let shift = (1_000 - begin(trace)).max(0);
    let moved = |(kind, name, begin, end): Span| (kind, name, begin + shift, end + shift);
    spans(trace).into_iter().map(moved).collect()
}

/// Asserts that both are the same, and shows where they are not: there may be thousands.
pub fn assert_same(found: &[Span], expected: &[Span]) {
    let difference = found.iter().zip(expected).find(|(one, other)| one != other);
    assert_eq!(difference, None, "the first that is not as expected");
    assert_eq!(found.len(), expected.len());
}

/// How many of each thing a trace has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub tasks: usize,
    pub user_tasks: usize,
    pub regions: usize,
    pub logs: usize,
    /// Spawns among them.
    pub wakes: usize,
    pub ranges: usize,
    pub samples: usize,
    /// Values of counters.
    pub values: usize,
}

pub fn counts(trace: &[u8]) -> Counts {
    let mut counts = Counts::default();
    let mut tasks = HashSet::new();
    let mut waits_in_call = HashSet::new();
    let mut user_tasks = HashSet::new();
    let mut regions: HashMap<Option<GoId>, usize> = HashMap::new();
    let mut ranges: HashSet<(RangeScope, String)> = HashSet::new();
    for event in events(trace) {
        match event.kind {
            TraceEventKind::StateTransition {
                change: StateChange::Go { go, from, to },
                ref stack,
                ..
            } => {
                tasks.insert(go);
                let was_asleep = matches!(from, GoState::Waiting | GoState::NotExist);
                // The end of a call is no wake.
                let was_in_call = waits_in_call.remove(&go);
                let is_wake = was_asleep && to == GoState::Runnable && !was_in_call;
                counts.wakes += usize::from(is_wake);
                let leaf = stack.as_ref().and_then(|stack| stack.first());
                let is_call = leaf.is_some_and(|leaf| {
                    &*leaf.file == UNKNOWN_FILE && WAITING_CALLS.contains(&&*leaf.function)
                });
                if to == GoState::Waiting && (is_call || was_in_call && from == to) {
                    waits_in_call.insert(go);
                }
            }
            TraceEventKind::TaskBegin { task, .. } | TraceEventKind::TaskEnd { task, .. } => {
                user_tasks.insert(task);
            }
            TraceEventKind::RegionBegin { .. } => {
                counts.regions += 1;
                *regions.entry(event.go).or_default() += 1;
            }
            TraceEventKind::RegionEnd { .. } => match regions.entry(event.go).or_default() {
                0 => counts.regions += 1,
                open => *open -= 1,
            },
            TraceEventKind::RangeBegin { range, scope }
            | TraceEventKind::RangeActive { range, scope } => {
                counts.ranges += usize::from(ranges.insert((scope, range.to_string())));
            }
            TraceEventKind::RangeEnd { range, scope, .. } => {
                counts.ranges += usize::from(!ranges.remove(&(scope, range.to_string())));
            }
            TraceEventKind::Log { .. } => counts.logs += 1,
            TraceEventKind::StackSample => counts.samples += 1,
            TraceEventKind::Metric { .. }
            | TraceEventKind::SideData(SideRecord::Counter { .. }) => {
                counts.values += 1;
            }
            _ => {}
        }
    }
    counts.tasks = tasks.len();
    counts.user_tasks = user_tasks.len();
    counts
}

/// What each async task is called, as Go finds it: by the root of the first stack of its own.
/// The number alone where none has a name.
pub fn titles(trace: &[u8]) -> BTreeMap<u64, String> {
    let mut titles = BTreeMap::new();
    for event in events(trace) {
        if let TraceEventKind::StateTransition {
            change: StateChange::Go { go, .. },
            stack,
            ..
        } = event.kind
        {
            let title: &mut String = titles.entry(go.0).or_insert_with(|| format!("G{}", go.0));
            let root = stack.as_ref().and_then(|stack| stack.last());
            let name = root.map_or("", |root| &root.function);
            if !name.is_empty() && !title.contains(' ') {
                title.push_str(&format!(" {name}"));
            }
        }
    }
    titles
}

/// Asserts that there is a row for each async task, called what `titles` says.
pub fn assert_titles<'a>(rows: impl Iterator<Item = &'a str>, trace: &[u8]) {
    let titles = titles(trace);
    let mut seen = HashSet::new();
    for row in rows {
        assert!(seen.insert(assert_title(row, &titles)), "two rows {row:?}");
    }
    assert_eq!(seen.len(), titles.len(), "a row for each");
}

/// Asserts that a row is called what `titles` says, but for a label behind it; gives the number.
pub fn assert_title(row: &str, titles: &BTreeMap<u64, String>) -> u64 {
    let number = row[1..].split(' ').next().expect("a first word");
    let number = number.parse().expect("a number");
    let rest = row.strip_prefix(titles[&number].as_str());
    let rest = rest.unwrap_or_else(|| panic!("{row:?} instead of {:?}", titles[&number]));
    assert!(rest.is_empty() || rest.starts_with(" ("), "{row:?}");
    number
}

/// Asserts that runs are called as their tasks are: runs as task, name and end. One that is over
/// before its task has a name is called by the number.
pub fn assert_runs<'a>(runs: impl Iterator<Item = (u64, &'a str, Option<i64>)>, trace: &[u8]) {
    let titles = titles(trace);
    let mut named_at = BTreeMap::new();
    for event in events(trace) {
        if let TraceEventKind::StateTransition {
            change: StateChange::Go { go, .. },
            stack: Some(stack),
            ..
        } = event.kind
            && stack.last().is_some_and(|root| !root.function.is_empty())
        {
            named_at.entry(go.0).or_insert(event.time.0);
        }
    }
    for (task, name, end) in runs {
        let is_nameless = match (named_at.get(&task), end) {
            (Some(&named), Some(end)) => end < named,
            (named, _) => named.is_none(),
        };
        let number = format!("G{task}");
        let expected = match titles[&task].split_once(' ') {
            Some((_, name)) if !is_nameless => name,
            _ => &number,
        };
        assert_eq!(name, expected, "a run of {} to {end:?}", titles[&task]);
    }
}

/// How long the tasks of each name ran, all together, ended or not; the nameless under "".
pub fn time_run(trace: &[u8]) -> BTreeMap<String, i64> {
    let titles = titles(trace);
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for (go, begin, end, _) in runs(trace) {
        let name = titles[&go.0].split_once(' ').map_or("", |(_, name)| name);
        *sums.entry(name.to_owned()).or_default() += end - begin;
    }
    sums
}
