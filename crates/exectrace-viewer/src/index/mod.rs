//! What the time line is drawn from: everything that has a begin and an end, in arrays, built in one replay.
//!
//! `builder` fills the arrays, `runs` and `spans` are what is in them, `lanes` says which of them lie in a row,
//! `cells` sums a row up for a picture that is coarser than its slices, and `levels` keeps such sums of long rows.

mod builder;
mod cells;
mod lanes;
mod levels;
mod loads;
mod runs;
mod spans;

use std::io::Read;

use exectrace_analysis::display::units;
use exectrace_format::Reader;
use exectrace_replay::{Names, replay};
use rustc_hash::FxHashMap;

pub(crate) use cells::{CELLS, Cell, Class};
pub(crate) use lanes::{Lane, LaneKey, Slice};
pub(crate) use levels::Levels;
pub(crate) use loads::{Load, Loads};
pub(crate) use runs::{NextState, Run, RunKind, Runs, TaskEntry};
pub(crate) use spans::{Spans, UserTaskEntry};

/// A trace, laid out for drawing. Instants are nanoseconds since its begin.
#[derive(Debug)]
pub(crate) struct Index {
    /// From the first event to the last.
    pub(crate) duration_ns: u64,
    /// Why the trace could not be read to its end.
    pub(crate) damage: Option<String>,
    /// Records that were dropped while recording.
    pub(crate) lost_records: u64,
    pub(crate) names: Names,
    pub(crate) runs: Runs,
    pub(crate) spans: Spans,
    pub(crate) loads: Loads,
    /// Names of workers and threads, by their ids.
    pub(crate) workers: Vec<(u64, String)>,
    pub(crate) threads: Vec<(u64, String)>,
    /// By the id of a task: its number.
    task_numbers: FxHashMap<u64, u32>,
    /// By task: its colour.
    classes: Vec<Class>,
}

impl Index {
    /// Reads a trace to its end, or to where it is damaged.
    ///
    /// Memory: about 50 bytes for each run of an async task, 40 for each region.
    pub(crate) fn read<R: Read>(reader: &mut Reader<R>) -> Self {
        let mut builder = builder::Builder::default();
        let Ok(damage) = replay(reader, &mut builder);
        Self {
            damage: damage.map(|damage| damage.to_string()),
            ..builder.finish()
        }
    }

    /// What of the trace is missing, in sentences.
    pub(crate) fn missing(&self) -> Vec<String> {
        let damage = self.damage.as_ref().map(|damage| {
            format!("The trace is damaged, and this covers what comes before: {damage}.")
        });
        let lost = (self.lost_records > 0).then(|| {
            let records = units::count(self.lost_records);
            format!(
                "{records} records were dropped while recording: counts and times are too small, and some states are inferred."
            )
        });
        damage.into_iter().chain(lost).collect()
    }

    /// The colour of a task.
    fn class_of_task(&self, task: u32) -> Class {
        let class = self.classes.get(task as usize);
        class.copied().unwrap_or(Class::OWN_CODE)
    }

    /// The name of a task; empty where there is none.
    pub(crate) fn task_name(&self, task: u32) -> &str {
        let entry = self.runs.tasks.get(task as usize);
        entry.map_or("", |entry| self.names.get(entry.name))
    }
}
