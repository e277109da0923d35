//! All that stands on a replay counts the same: runs, regions and user tasks of every trace there is.

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;

use exectrace_analysis::{Analysis, Options};
use exectrace_export::KeepFrames;
use exectrace_format::Reader;
use exectrace_replay::{
    End, EndedRegion, GoroutineState, Observer, Slot, State, StateSpan, UserTask, replay,
};
use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Totals {
    /// Runs, whatever calls are made in them. Exports do not say.
    runs: u64,
    /// Parts of runs between calls. Analyses do not say.
    parts: u64,
    regions: u64,
    user_tasks: u64,
}

/// What the replay itself reports.
impl Observer for Totals {
    type Error = Infallible;

    fn leave(&mut self, state: &State, _: Slot, span: &StateSpan) -> Result<(), Infallible> {
        let is_run = span.seen_state() == GoroutineState::Running;
        self.parts += u64::from(is_run);
        // A goroutine of Go's may be moved in a call.
        let is_in_poll = span.enters_call && !state.is_of_go();
        self.runs += u64::from(is_run && !is_in_poll);
        Ok(())
    }

    fn region_end(&mut self, _: &State, _: Slot, _: &EndedRegion) -> Result<(), Infallible> {
        self.regions += 1;
        Ok(())
    }

    fn user_task_end(&mut self, _: &State, _: &UserTask, _: End) -> Result<(), Infallible> {
        self.user_tasks += 1;
        Ok(())
    }
}

impl Totals {
    fn of_replay(trace: &[u8]) -> Self {
        let mut totals = Self::default();
        let Ok(_damage) = replay(&mut Reader::new(trace).expect("a header"), &mut totals);
        totals
    }

    fn of_analysis(trace: &[u8]) -> Self {
        let options = Options {
            tasks: true,
            each_task: true,
            regions: true,
            user_tasks: true,
            ..Options::default()
        };
        let mut reader = Reader::new(trace).expect("a header");
        let analysis = Analysis::read(&mut reader, &options);
        let tasks = analysis.tasks.expect("asked for").each;
        let regions = analysis.regions.expect("asked for").kinds;
        let user_tasks = analysis.user_tasks.expect("asked for").kinds;
        // A kind of spans counts the concurrent ones, which user tasks carry.
        let carried: u64 = regions.iter().map(|kind| kind.concurrent).sum();
        Self {
            runs: tasks.iter().map(|task| task.runs).sum(),
            parts: 0,
            regions: regions.iter().map(|kind| kind.parts).sum(),
            user_tasks: user_tasks.iter().map(|kind| kind.count).sum::<u64>() + carried,
        }
    }

    /// What the replay reports of the same trace, written again.
    fn of_go_trace(trace: &[u8]) -> Self {
        let mut out = Vec::new();
        let reader = Reader::new(trace).expect("a header");
        let exported = exectrace_export::go_trace(reader, &mut out, None, &mut KeepFrames);
        match exported.expect("an export").items {
            // Nothing is written of a trace without events.
            0 => Self::default(),
            _ => Self::of_replay(&out),
        }
    }

    /// What is drawn: slices that begin, by category and name.
    fn of_chrome(trace: &[u8]) -> Self {
        let mut out = Vec::new();
        let reader = Reader::new(trace).expect("a header");
        exectrace_export::chrome(reader, &mut out, &Default::default()).expect("an export");
        let document: Value = serde_json::from_slice(&out).expect("JSON");
        let events = document["traceEvents"].as_array().expect("an array");
        let mut begun: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for event in events {
            let of = |key: &str| event[key].as_str().unwrap_or_default();
            let is_span = event["args"].get("busy, ns").is_some();
            if matches!(of("ph"), "B" | "b") && !is_span {
                let name = if of("cat") == "task" { of("name") } else { "" };
                *begun.entry((of("cat"), name)).or_default() += 1;
            }
        }
        let count = |key| begun.get(&key).copied().unwrap_or(0);
        Self {
            runs: 0,
            parts: count(("task", "running")),
            regions: count(("region", "")),
            user_tasks: count(("user task", "")),
        }
    }
}

#[test]
fn replay_analyses_and_exports_count_the_same_runs_regions_and_user_tasks() {
    let named = |(number, trace): (usize, Vec<u8>)| (format!("trace {number}"), trace);
    let mut traces = support::cases();
    traces.extend(support::traces().into_iter().enumerate().map(named));
    traces.push(("spans".to_owned(), support::spans()));
    let mut all = Totals::default();
    for (name, trace) in &traces {
        let totals = Totals::of_replay(trace);
        let of_runs = Totals {
            parts: 0,
            ..totals.clone()
        };
        let of_parts = Totals {
            runs: 0,
            ..totals.clone()
        };
        assert_eq!(Totals::of_analysis(trace), of_runs, "analyses of {name}");
        assert_eq!(Totals::of_chrome(trace), of_parts, "exports of {name}");
        assert_eq!(Totals::of_go_trace(trace), totals, "cuts of {name}");
        all.runs += totals.runs;
        all.regions += totals.regions;
        all.user_tasks += totals.user_tasks;
    }
    assert!(
        all.runs > 100 && all.regions > 10 && all.user_tasks > 10,
        "the traces have something to count: {all:?}"
    );
}
