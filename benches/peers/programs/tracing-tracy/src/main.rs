//! tracing-tracy with no viewer: what it records stays in memory.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use harness::{Outcome, Peer, TracingTasks, serve};
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_tracy::TracyLayer;

struct Tracy;

impl Peer for Tracy {
    type Tasks = TracingTasks;

    fn install(_: &Path) -> Outcome<Self> {
        let layer = TracyLayer::default();
        set_global_default(tracing_subscriber::registry().with(layer))?;
        Ok(Self)
    }
}

fn main() -> ExitCode {
    harness::main(&[("tracing-tracy", serve::<Tracy>)])
}
