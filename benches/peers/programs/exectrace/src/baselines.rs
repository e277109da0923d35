//! The baselines: `tracing` without us, and the least that a subscriber can do.

use std::path::Path;

use exectrace_benches::{DoNothing, RecordOnly};
use harness::{Outcome, Peer, TracingTasks};
use tracing::Subscriber;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;

/// The macros alone.
pub(crate) struct NoSubscriber;

impl Peer for NoSubscriber {
    type Tasks = TracingTasks;

    fn install(_: &Path) -> Outcome<Self> {
        Ok(Self)
    }
}

/// Defines a baseline that is a subscriber.
macro_rules! baseline {
    ($(#[$documentation:meta])* $name:ident, $subscriber:expr) => {
        $(#[$documentation])*
        pub(crate) struct $name;

        impl Peer for $name {
            type Tasks = TracingTasks;

            fn install(_: &Path) -> Outcome<Self> {
                install($subscriber)?;
                Ok(Self)
            }
        }
    };
}

fn install(subscriber: impl Subscriber + Send + Sync) -> Outcome<()> {
    Ok(set_global_default(subscriber)?)
}

baseline!(
    /// A subscriber that stores a record for each callback.
    Records,
    RecordOnly
);
baseline!(
    /// The Registry of `tracing-subscriber`, with nobody to free its spans.
    RegistryAlone,
    registry()
);
baseline!(
    /// The Registry with a layer that does nothing.
    IdleLayer,
    registry().with(DoNothing)
);
baseline!(
    /// The same behind a per-layer filter that does nothing.
    IdleFilteredLayer,
    registry().with(DoNothing.with_filter(DoNothing))
);
