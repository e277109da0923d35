//! The tracer in a program that changes its layers through `tracing_subscriber::reload`.
//!
//! `cargo run --example with_reload [FOLDER]` writes `with_reload.trace` into the folder.
//!
//! The layer's handle changes its filter without cost to the threads that record, and is all that most programs
//! need. A program that uses `reload` wraps the *filter*, not the layer: the subscriber cannot see the per-layer
//! filter of a layer inside a `reload`, and `reload` panics when it is later given a layer that has one.

use std::error::Error;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use tracing::{debug, info_span};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("with_reload.trace");

    let builder = exectrace::Builder::new().filter(LevelFilter::TRACE);
    let (layer, filter, handle) = builder.layer_parts();
    // The program's own filter, in addition to the tracer's.
    let (limit, reloading) = reload::Layer::new(LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter.and(limit)))
        .try_init()?;

    handle.start(&path)?;
    work();
    let quiet = handle.stop()?.records;

    reloading.reload(LevelFilter::DEBUG)?;
    handle.start(&path)?;
    work();
    let report = handle.stop()?;
    assert_eq!(report.records, quiet + 1, "the event of level DEBUG is new");
    println!("{report}");
    println!("trace: {}", path.display());
    Ok(())
}

fn work() {
    let _span = info_span!("work").entered();
    debug!("only after the change");
}
