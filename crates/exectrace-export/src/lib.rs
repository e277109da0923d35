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
#[cfg(feature = "parquet")]
mod parquet;
mod perfetto;
mod story;
mod timeline;

pub use chrome::chrome;
pub use error::{ExportError, Exported};
pub use firefox::firefox;
pub use flame::{folded, speedscope};
#[cfg(feature = "parquet")]
pub use options::ParquetOptions;
pub use options::{Options, UnknownWeight, Weight};
#[cfg(feature = "parquet")]
pub use parquet::parquet;
pub use perfetto::perfetto;
