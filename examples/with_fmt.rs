//! The tracer in a program that also prints its events: `fmt` prints what `RUST_LOG` selects, and the trace has
//! what its own filter selects.
//!
//! `RUST_LOG=info cargo run --example with_fmt [FOLDER]` writes `with_fmt.trace` into the folder.

use std::error::Error;
use std::path::PathBuf;

use tracing::{debug, info, info_span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("with_fmt.trace");

    let (layer, handle) = exectrace::layer();
    let printing = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // A per-layer filter. As a layer of its own, it would filter the trace too.
        .with_filter(EnvFilter::from_default_env());
    tracing_subscriber::registry()
        .with(printing)
        .with(layer)
        .try_init()?;

    handle.reload(tracing::Level::DEBUG);
    handle.start(&path)?;
    for user in ["ada", "grace"] {
        let _request = info_span!("request", user, password = "never recorded").entered();
        debug!("looking the user up");
        info_span!("query").in_scope(|| info!(rows = 3, "found"));
    }
    let report = handle.stop()?;
    // Each user has two spans, with at least four records each, and two events.
    assert!(
        report.records >= 20,
        "all is recorded, whatever was printed"
    );
    println!("{report}");
    println!("trace: {}", path.display());
    Ok(())
}
