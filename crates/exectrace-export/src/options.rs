//! What an export is asked for.

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

/// Where Parquet tables go, and what each of their rows is marked with.
#[cfg(feature = "parquet")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Distinguishes the traces of a data set: column `trace_id`, and the name of each file.
    pub trace_id: String,
    /// Folders between the table's and the file, outermost first: `("host", "web1")` makes
    /// `host=web1`, and query engines show it as a column.
    pub partitions: Vec<(String, String)>,
}
