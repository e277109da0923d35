//! The result of one pass over a trace.

use std::io::Read;

use exectrace_format::{ReadError, Reader};
use exectrace_replay::replay;
use serde::Serialize;

use crate::time::Analyzer;
use crate::{
    Counter, CriticalPath, Finding, Gc, Latencies, Logs, Options, Overview, Profile, Regions,
    Syscalls, Tasks, UserTasks, Vocabulary, Workers,
};

/// What a trace says, as far as [`Options`] asked for it: the rest is `None` or empty.
///
/// Instants are nanoseconds since the begin of the trace. Fields that end in `_ns` and are no
/// instants are durations. Serialised, field names are as they stand here.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Analysis {
    /// What the trace is and holds.
    pub overview: Overview,
    /// Why the trace could not be read to its end. What stands before is analysed.
    #[serde(serialize_with = "crate::overview::serialize_damage")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::Damage>"))]
    pub damage: Option<ReadError>,
    /// Async tasks.
    pub tasks: Option<Tasks>,
    /// Distributions of states' lengths.
    pub latencies: Option<Latencies>,
    /// Workers and threads.
    pub workers: Option<Workers>,
    /// User tasks.
    pub user_tasks: Option<UserTasks>,
    /// The critical path of one user task.
    pub critical_path: Option<CriticalPath>,
    /// Regions.
    pub regions: Option<Regions>,
    /// Logs.
    pub logs: Option<Logs>,
    /// Profiles, in the order they were asked for.
    pub profiles: Vec<Profile>,
    /// System calls.
    pub syscalls: Option<Syscalls>,
    /// Garbage collection.
    pub gc: Option<Gc>,
    /// Counters, by name.
    pub counters: Vec<Counter>,
    /// The names in the trace, whatever the filter lets through.
    #[serde(skip)]
    pub names: Vocabulary,
    /// Whether the filter lets any span of an async task or thread through that lies in the window.
    #[serde(skip)]
    pub lets_time_through: bool,
    /// What the rules found that watch the trace as it is replayed; a part of [`Self::findings`].
    #[serde(skip)]
    pub(crate) watched: Vec<Finding>,
}

impl Analysis {
    /// Reads a trace to its end, or to where it is damaged, and computes what is asked for.
    ///
    /// One pass. Memory: what the reader takes, and what grows with the number of things that live
    /// at a time or have different names, not with the number of events; `each_task`,
    /// `user_task_trees` and their like say otherwise.
    ///
    /// ```
    /// use exectrace_analysis::{Analysis, Options};
    /// use exectrace_format::{Reader, text};
    ///
    /// let trace = text::parse("go 1.25\n")?;
    /// let mut reader = Reader::new(trace.as_slice())?;
    /// let analysis = Analysis::read(&mut reader, &Options::default());
    /// assert_eq!(analysis.overview.generations, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<R: Read>(reader: &mut Reader<R>, options: &Options) -> Self {
        let mut analyzer = Analyzer::new(options);
        let Ok(damage) = replay(reader, &mut analyzer);
        let mut analysis = analyzer.analysis;
        analysis.overview.header_version = reader.version().number();
        analysis.damage = damage;
        analysis
    }
}
