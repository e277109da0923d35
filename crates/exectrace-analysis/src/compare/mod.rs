//! What differs between two traces, and whether that is more than noise.
//!
//! `difference` compares two distributions; `comparable` says of what two traces can be compared.

mod comparable;
mod difference;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Analysis, Histogram, Options, Overview};
use comparable::refusal;
use difference::compare;

pub use difference::{Difference, Verdict};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Sort {
    /// User tasks: operations.
    UserTask,
    /// Spans and other regions.
    Region,
    /// Polls of async tasks.
    Run,
    /// Delays from a wake to the run.
    Wake,
    /// Waits, by reason.
    Wait,
    /// System calls of async tasks.
    Syscall,
}

impl Sort {
    /// The state of [`Latencies`](crate::Latencies) that it is.
    fn of_state(state: &str) -> Option<Self> {
        match state {
            "run" => Some(Self::Run),
            "wake" => Some(Self::Wake),
            "wait" => Some(Self::Wait),
            "syscall" => Some(Self::Syscall),
            _ => None,
        }
    }
}

/// What to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// Only what is of these sorts; all if there is none.
    pub only: Vec<Sort>,
    /// Changes of the median and of p99 below this share of what they were do not matter.
    pub least: f64,
}

impl Default for CompareOptions {
    /// All sorts, and changes of a twentieth.
    fn default() -> Self {
        Self {
            only: Vec::new(),
            least: 0.05,
        }
    }
}

/// What differs between two traces.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// What both traces have, the greatest change first.
    pub changes: Vec<Change>,
    /// What only the first has.
    pub only_before: Vec<Only>,
    /// What only the second has.
    pub only_after: Vec<Only>,
    /// What cannot be compared, as the two traces do not show the same of it.
    pub not_compared: Vec<NotCompared>,
}

/// How one distribution differs between two traces.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What it is of.
    pub sort: Sort,
    /// The name of the user task, region or group of async tasks.
    pub name: String,
    /// Of waits: what for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How the two differ.
    #[serde(flatten)]
    pub difference: Difference,
    /// Before.
    pub before: Histogram,
    /// After.
    pub after: Histogram,
}

/// What only one of two traces has.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Only {
    /// What it is of.
    pub sort: Sort,
    /// The name, as in [`Change`].
    pub name: String,
    /// Of waits: what for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How long.
    pub durations: Histogram,
}

/// Distributions that are neither compared nor listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotCompared {
    /// What they are of.
    pub sort: Sort,
    /// What differs between the traces.
    pub why: String,
    /// How many distributions there would be.
    pub distributions: u64,
}

/// A distribution of a trace: its sort, name and reason.
type Key = (Sort, String, String);

impl Options {
    /// What [`Comparison::of`] needs of each trace.
    pub fn for_comparison() -> Self {
        Self {
            user_tasks: true,
            regions: true,
            latencies: true,
            ..Self::default()
        }
    }
}

impl Comparison {
    /// Compares two traces that were analysed with [`Options::for_comparison`].
    ///
    /// A change is one if chance would rarely make it (a rank test, corrected for the number of comparisons)
    /// and it is large enough. It says that the traces differ, not why.
    ///
    /// ```
    /// use exectrace_analysis::{Analysis, CompareOptions, Comparison, Options};
    /// use exectrace_format::{Reader, text};
    ///
    /// let trace = text::parse("go 1.25\n")?;
    /// let mut reader = Reader::new(trace.as_slice())?;
    /// let analysis = Analysis::read(&mut reader, &Options::for_comparison());
    /// let comparison = Comparison::of(&analysis, &analysis, &CompareOptions::default());
    /// assert!(comparison.changes.is_empty() && !comparison.is_slower());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(before: &Analysis, after: &Analysis, options: &CompareOptions) -> Self {
        let mut old = distributions(before, &options.only);
        let mut new = distributions(after, &options.only);
        let not_compared = refuse((&before.overview, &after.overview), &mut old, &mut new);
        let keys: Vec<Key> = old
            .keys()
            .filter(|key| new.contains_key(key))
            .cloned()
            .collect();
        let mut changes: Vec<Change> = Vec::new();
        for key in &keys {
            if let (Some(before), Some(after)) = (old.remove(key), new.remove(key)) {
                let (sort, name, reason) = key.clone();
                changes.push(Change {
                    sort,
                    name,
                    reason,
                    difference: compare(&before, &after, keys.len(), options.least),
                    before,
                    after,
                });
            }
        }
        changes.sort_by(|a, b| b.difference.weight().total_cmp(&a.difference.weight()));
        Self {
            changes,
            only_before: only(old),
            only_after: only(new),
            not_compared,
        }
    }

    /// Whether anything got slower.
    pub fn is_slower(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|change| change.difference.verdict == Verdict::Slower)
    }
}

/// What of a trace is to be compared; of all sorts, if `wanted` is empty.
fn distributions(analysis: &Analysis, wanted: &[Sort]) -> BTreeMap<Key, Histogram> {
    let mut found = BTreeMap::new();
    let mut add = |sort, name: &str, reason: &str, durations: &Histogram| {
        let is_wanted = wanted.is_empty() || wanted.contains(&sort);
        if is_wanted && durations.count() > 0 {
            let key: Key = (sort, name.to_owned(), reason.to_owned());
            let all: &mut Histogram = found.entry(key).or_default();
            all.merge(durations);
        }
    };
    for kind in analysis.user_tasks.iter().flat_map(|tasks| &tasks.kinds) {
        add(Sort::UserTask, &kind.name, "", &kind.durations);
    }
    for kind in analysis.regions.iter().flat_map(|regions| &regions.kinds) {
        add(Sort::Region, &kind.name, "", &kind.durations);
    }
    for group in analysis.latencies.iter().flat_map(|all| &all.groups) {
        for state in &group.states {
            if let Some(sort) = Sort::of_state(state.state) {
                add(sort, &group.name, &state.reason, &state.durations);
            }
        }
    }
    found
}

/// Takes out what cannot be compared.
fn refuse(
    (before, after): (&Overview, &Overview),
    old: &mut BTreeMap<Key, Histogram>,
    new: &mut BTreeMap<Key, Histogram>,
) -> Vec<NotCompared> {
    let mut not_compared = Vec::new();
    for sort in [Sort::Run, Sort::Wake, Sort::Wait] {
        let Some(why) = refusal(sort, before, after) else {
            continue;
        };
        let mut keys: BTreeSet<Key> = old.keys().chain(new.keys()).cloned().collect();
        keys.retain(|key| key.0 == sort);
        old.retain(|key, _| key.0 != sort);
        new.retain(|key, _| key.0 != sort);
        if !keys.is_empty() {
            not_compared.push(NotCompared {
                sort,
                why,
                distributions: keys.len() as u64,
            });
        }
    }
    not_compared
}

fn only(distributions: BTreeMap<Key, Histogram>) -> Vec<Only> {
    let only = distributions
        .into_iter()
        .map(|((sort, name, reason), durations)| Only {
            sort,
            name,
            reason,
            durations,
        });
    only.collect()
}
