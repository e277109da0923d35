//! console-subscriber with no client: what `tokio-console` looks at.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use console_subscriber::ConsoleLayer;
use harness::{Body, Outcome, Peer, TracingTasks, serve};
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;

struct Console;

impl Peer for Console {
    // Each task of the process is one of its own.
    const HAS_PLAIN_TASKS: bool = false;

    type Tasks = TracingTasks;

    fn install(_: &Path) -> Outcome<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let layer = ConsoleLayer::builder().server_addr(any_port).spawn();
        set_global_default(tracing_subscriber::registry().with(layer))?;
        Ok(Self)
    }

    /// Spans of the program it filters out.
    fn body(_: Body) -> Option<fn(Range<u64>)> {
        None
    }
}

fn main() -> ExitCode {
    harness::main(&[("console-subscriber", serve::<Console>)])
}
