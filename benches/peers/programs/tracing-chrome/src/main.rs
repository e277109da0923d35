//! tracing-chrome: a layer that writes Chrome's JSON from a thread of its own.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use harness::{Ended, Outcome, Peer, TracingTasks, serve};
use tracing::subscriber::set_global_default;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::layer::SubscriberExt as _;

/// The layer, with fields switched on.
struct Chrome(FlushGuard);

impl Peer for Chrome {
    type Tasks = TracingTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        let builder = ChromeLayerBuilder::new()
            .file(folder.join("trace.json"))
            .include_args(true);
        let (layer, guard) = builder.build();
        set_global_default(tracing_subscriber::registry().with(layer))?;
        Ok(Self(guard))
    }

    fn end(&mut self) -> Outcome<Ended> {
        self.0.flush();
        Ok(Ended::default())
    }
}

fn main() -> ExitCode {
    harness::main(&[("tracing-chrome", serve::<Chrome>)])
}
