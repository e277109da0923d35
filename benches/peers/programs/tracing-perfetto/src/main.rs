//! tracing-perfetto: a layer that writes Perfetto's protobuf, a write for each closed span.

#![forbid(unsafe_code)]

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use harness::{Outcome, Peer, TracingTasks, serve};
use tracing::subscriber::set_global_default;
use tracing_perfetto::PerfettoLayer;
use tracing_subscriber::layer::SubscriberExt as _;

/// The layer, with fields switched on.
struct Perfetto;

impl Peer for Perfetto {
    type Tasks = TracingTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        let file = File::create(folder.join("trace.pftrace"))?;
        let layer = PerfettoLayer::new(Mutex::new(file)).with_debug_annotations(true);
        set_global_default(tracing_subscriber::registry().with(layer))?;
        Ok(Self)
    }
}

fn main() -> ExitCode {
    harness::main(&[("tracing-perfetto", serve::<Perfetto>)])
}
