//! The tracer in a program that changes its layers through `tracing_subscriber::reload`.
//!
//! `cargo run --example with_reload [FOLDER]` writes `with_reload.trace` into the folder.
//!
//! The handle that comes with the layer changes its filter at no cost to the threads that record. A
//! program that has `reload` for other reasons wraps the *filter*, not the layer: the subscriber cannot
//! see a filter through a `reload` around the whole layer, and `reload` panics when it is given a layer
//! that has one.

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
    // What this program lets through, beside the tracer's own filter.
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
