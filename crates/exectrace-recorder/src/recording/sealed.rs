//! What is known of a rotated file that is finished.

use std::path::PathBuf;
use std::time::SystemTime;

/// A file of a rotating recording that is finished: on the disk, under its final name, and no longer written.
///
/// It may be removed when the folder holds more than [`Rotation::budget_bytes`](crate::Rotation::budget_bytes)
/// allows, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// Where it is.
    pub path: PathBuf,
    /// The file's number in its recording, which begins with 1. A number can be missing: a name may have been
    /// another's, and a file that could not be finished keeps its number.
    pub number: u64,
    /// When it begins, by the wall clock. Of a file that was found: to the millisecond.
    pub begin: SystemTime,
    /// When its last event happened, by the wall clock. Of a file that was found: when it was last written.
    pub end: SystemTime,
    /// Its size, in bytes.
    pub bytes: u64,
    /// What is in it. `None` for a file that was found: the process that wrote it ended without finishing it, which this
    /// recording did in its place.
    pub contents: Option<Contents>,
}

/// What is in a finished file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// The trace's size in bytes, before compression.
    pub trace_bytes: u64,
    /// Events, those included that say what was open when the file begins.
    pub events: u64,
    /// Records of the program.
    pub records: u64,
    /// Records that were lost while the file was written, or before it since the file before.
    pub records_dropped: u64,
}
