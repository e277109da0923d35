//! What is wrong in a trace: rules over the results of an analysis, each in a file of its own.
//!
//! Most rules look at what other parts of the analysis found. Those on wakes, timers and single
//! tasks watch the trace while it is replayed (`watch`).
//!
//! On a machine that is full much looks like the program's mistake. What the system counted of threads' time
//! (`machine`) shows which it was, where the trace has it; each rule that depends on it says so in its basis.
//! CPU samples do not: ours have none, and a Go trace does not have their period.

mod blocked_worker;
mod blocking_call;
mod convoy;
mod growing;
mod herd;
mod idle_while_runnable;
mod imbalance;
mod incomplete;
mod late_timer;
mod long_run;
mod machine;
mod many_wakes;
mod never_woken;
mod nothing_recorded;
mod open_region;
mod outlier;
mod queue;
mod ready_delay;
mod self_wake;
mod starving;
mod throttled;
mod watch;

use serde::Serialize;

use crate::names::Place;
use crate::time::ThreadTime;
use crate::{Analysis, Options, Worker};

pub(crate) use watch::WatchPass;

/// Something that is wrong, or may be, with its evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule, such as `long_run`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub message: String,
    /// How many cases.
    pub count: u64,
    /// How long they took in all, where that means something; of those that were kept.
    pub total_ns: u64,
    /// The worst cases, at most ten.
    pub exemplars: Vec<Exemplar>,
    /// How it is computed.
    pub rule: &'static str,
    /// What usually helps.
    pub help: &'static str,
    /// What is known of the machine, where the conclusion depends on that; else empty.
    pub basis: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Likely to make the program slower.
    Warning,
    /// The program, or the trace, is broken there.
    Error,
}

/// A case of a finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exemplar {
    /// What it is, in a few words.
    pub what: String,
    /// When it began, since the begin of the trace.
    pub begin_ns: Option<u64>,
    /// How long it took.
    pub duration_ns: Option<u64>,
    /// The async task.
    pub async_task: Option<u64>,
    /// The user task.
    pub user_task: Option<u64>,
    /// The worker.
    pub worker: Option<u64>,
    /// Where, in the source: of a stack the first frame outside Go's runtime and locks.
    pub place: Option<Place>,
    /// Where the async task was spawned, where no place in it is known.
    pub spawned_at: Option<Place>,
    /// What the system counted of the thread around it: between the last sample before it and the first
    /// after it.
    pub thread_time: Option<ThreadTime>,
}

/// A finding has at most so many exemplars.
const MAX_EXEMPLARS: usize = 10;

impl Options {
    /// What [`Analysis::findings`] looks at.
    pub fn for_findings() -> Self {
        Self {
            tasks: true,
            workers: true,
            user_tasks: true,
            regions: true,
            findings: true,
            ..Self::default()
        }
    }
}

impl Analysis {
    /// What is wrong, the worst first. Parts that were not computed
    /// ([`Options::for_findings`] computes all) are not looked at.
    pub fn findings(&self) -> Vec<Finding> {
        let rules: [fn(&Self) -> Option<Finding>; 9] = [
            incomplete::find,
            nothing_recorded::find,
            ready_delay::find,
            idle_while_runnable::find,
            imbalance::find,
            self_wake::find,
            outlier::find,
            open_region::find,
            machine::find,
        ];
        let mut findings: Vec<Finding> = rules.iter().filter_map(|find| find(self)).collect();
        findings.extend_from_slice(&self.watched);
        for finding in &mut findings {
            finding.exemplars.truncate(MAX_EXEMPLARS);
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// The workers that share their work. What runs on another is a thread of its own, which may do so
    /// for as long as it likes.
    fn shared_workers(&self) -> impl Iterator<Item = &Worker> {
        let workers = self.workers.iter().flat_map(|workers| &workers.workers);
        workers.filter(|worker| worker.is_shared)
    }

    fn is_shared_worker(&self, id: Option<u64>) -> bool {
        self.shared_workers().any(|worker| Some(worker.id) == id)
    }
}

/// `n thing` or `n things`.
fn plural(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// `tasks of n kinds`.
fn tasks_of(kinds: usize) -> String {
    format!("tasks of {}", plural(kinds as u64, "kind"))
}

/// The sum of durations. Those of a made-up trace may be too long for it.
fn sum(durations: impl Iterator<Item = u64>) -> u64 {
    durations.fold(0, u64::saturating_add)
}

/// A length of time for people, such as `12.3 ms`.
fn shown(duration_ns: u64) -> String {
    let value = duration_ns as f64;
    match duration_ns {
        0..=999 => format!("{duration_ns} ns"),
        1_000..=999_999 => format!("{:.1} µs", value / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}
