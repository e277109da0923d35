//! What an export is asked for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Which rows a timeline (Perfetto, Chrome, Firefox) has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the program is called in the picture.
    pub process_name: String,
    /// A row for each worker, with what it ran.
    pub workers: bool,
    /// A row for each thread, with what it ran.
    pub threads: bool,
    /// A row for each async task, with its states, regions and logs.
    pub tasks: bool,
    /// A row for each user task, with its logs.
    pub user_tasks: bool,
    /// Most async tasks with a row of their own in a Firefox profile, which cannot show many and is
    /// made in memory; the tasks seen first get them. Other formats take no notice.
    pub firefox_tasks_max: usize,
}

impl Default for Options {
    /// All rows, and 200 async tasks in a Firefox profile.
    fn default() -> Self {
        Self {
            process_name: "trace".to_owned(),
            workers: true,
            threads: true,
            tasks: true,
            user_tasks: true,
            firefox_tasks_max: 200,
        }
    }
}

/// What the stacks of a flame graph are weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Weight {
    /// Nanoseconds run, by the place at which the async task was created.
    Run,
    /// Nanoseconds waited, by the stack that waits; the reason stands above the leaf.
    Wait,
    /// Nanoseconds between being woken and running, by the stack of the waker.
    SchedulerDelay,
    /// Nanoseconds in system calls, by the stack that called.
    Syscall,
    /// CPU samples, by their stack.
    Samples,
}

impl Weight {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Run,
        Self::Wait,
        Self::SchedulerDelay,
        Self::Syscall,
        Self::Samples,
    ];

    /// The word for it on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Wait => "wait",
            Self::SchedulerDelay => "sched",
            Self::Syscall => "syscall",
            Self::Samples => "samples",
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no [`Weight`] of this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no such weight: {0:?}; there are run, wait, sched, syscall and samples")]
pub struct UnknownWeight(
    /// The name.
    pub String,
);

impl FromStr for Weight {
    type Err = UnknownWeight;

    /// ```
    /// use exectrace_export::Weight;
    ///
    /// assert_eq!("sched".parse(), Ok(Weight::SchedulerDelay));
    /// assert!("time".parse::<Weight>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|weight| weight.name() == name)
            .ok_or_else(|| UnknownWeight(name.to_owned()))
    }
}

/// Where Parquet tables go, and what each of their rows is marked with.
#[cfg(feature = "parquet")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Tells the traces of a data set apart: column `trace_id`, and the name of each file.
    pub trace_id: String,
    /// Folders between the table's and the file, outermost first: `("host", "web1")` makes
    /// `host=web1`, and query engines show it as a column.
    pub partitions: Vec<(String, String)>,
}
