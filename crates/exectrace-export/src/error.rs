//! What an export gives back: counts, and the damage of the trace; or why nothing could be written.

use std::io;

use exectrace_format::ReadError;
use thiserror::Error;

/// What was written.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Exported {
    /// Events of the program that were read from the trace: all but syncs and side data.
    pub events: u64,
    /// Items written: slices, instants, counter values, samples, lines, rows
    /// or events, as the format has it.
    pub items: u64,
    /// From the first event that was read to the last, in nanoseconds.
    pub read_ns: u64,
    /// Items that were left out because a limit of the options was reached.
    pub left_out: u64,
    /// Why the trace could not be read to its end. What comes before the damage has been exported.
    pub damage: Option<ReadError>,
}

/// Why an export came to nothing.
///
/// A damaged trace is not among the reasons: see [`Exported::damage`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output failed.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// The JSON of a Firefox profile could not be written.
    #[error("cannot write: {0}")]
    Json(#[from] serde_json::Error),
    /// A name that is to be part of a path is empty, or has a character that no path can have.
    #[error("{what} cannot be {value:?}: use letters, digits, and any of - _ . + @")]
    BadName {
        /// What the name is for.
        what: &'static str,
        /// The name.
        value: String,
    },
    /// A Parquet file could not be written.
    #[cfg(feature = "parquet")]
    #[error("cannot write {}: {source}", path.display())]
    Parquet {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: parquet::errors::ParquetError,
    },
}
