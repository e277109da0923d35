//! Turns execution traces into the files of other tools.
//!
//! | function | for |
//! |---|---|
//! | [`perfetto`] | ui.perfetto.dev, its trace processor and SQL |
//! | [`chrome`] | older viewers of Chrome's JSON |
//! | [`firefox`] | profiler.firefox.com |
//! | [`folded`], [`speedscope`] | flame graphs, of a profile |
//! | [`go_trace`] | a part of a trace as a trace, or the whole with other names of places |
//! | `parquet`, with the feature of that name | many traces as one data set: DuckDB, Spark |
//!
//! Flame graphs are written of a [`Profile`](exectrace_analysis::Profile), which
//! [`Analysis::read`](exectrace_analysis::Analysis::read) makes. All others read a trace once, from any
//! [`Read`](std::io::Read), and write as they go.

#![forbid(unsafe_code)]

mod chrome;
mod error;
mod firefox;
mod flame;
mod go_trace;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod perfetto;
mod timeline;
mod tracks;

pub use chrome::chrome;
pub use error::{ExportError, Exported};
pub use exectrace_replay::Window;
pub use firefox::firefox;
pub use flame::{folded, speedscope};
pub use go_trace::{KeepFrames, Symbolizer, go_trace};
pub use options::Options;
#[cfg(feature = "parquet")]
pub use options::ParquetOptions;
#[cfg(feature = "parquet")]
pub use parquet::parquet;
pub use perfetto::perfetto;
