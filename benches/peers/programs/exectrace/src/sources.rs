//! exectrace's own sources of records: the annotation API, the Subscriber, the Layer.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use exectrace_benches::Subject;
use exectrace_recorder::Recording;
use harness::{Body, Ended, Outcome, Peer, TracingTasks, tracing_body};
use tokio::runtime::{Builder, Runtime};
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

/// A recording for each turn, into a file.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    recording: Option<Recording>,
}

impl Recorder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("trace.out"),
            recording: None,
        }
    }

    pub(crate) fn begin(&mut self) -> Outcome<()> {
        self.recording = Some(exectrace_recorder::start(&self.path)?);
        Ok(())
    }

    pub(crate) fn end(&mut self) -> Outcome<Ended> {
        let recording = self.recording.take().ok_or("nothing records")?;
        let report = recording.stop()?;
        fs::remove_file(&self.path)?;
        Ok(Ended {
            bytes: Some(report.bytes),
            dropped: report.records_dropped,
        })
    }
}

/// The annotation API, which knows no spans: a region takes the place of one.
pub(crate) struct Annotations(Recorder);

impl Peer for Annotations {
    type Tasks = TracingTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        Ok(Self(Recorder::new(folder)))
    }

    fn begin(&mut self) -> Outcome<()> {
        self.0.begin()
    }

    fn end(&mut self) -> Outcome<Ended> {
        self.0.end()
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            Body::Region => Some(|numbers| Body::Region.run(Subject::Annotations, numbers)),
            _ => None,
        }
    }
}

/// Defines a source that is a subscriber.
macro_rules! source {
    ($(#[$documentation:meta])* $vis:vis $name:ident, $subscriber:expr) => {
        $(#[$documentation])*
        #[derive(Debug)]
        $vis struct $name(Recorder);

        impl Peer for $name {
            type Tasks = TracingTasks;

            fn install(folder: &Path) -> Outcome<Self> {
                set_global_default($subscriber)?;
                Ok(Self(Recorder::new(folder)))
            }

            fn begin(&mut self) -> Outcome<()> {
                self.0.begin()
            }

            fn end(&mut self) -> Outcome<Ended> {
                self.0.end()
            }

            fn body(body: Body) -> Option<fn(Range<u64>)> {
                tracing_body(body)
            }
        }
    };
}

source!(
    /// `subscriber()`.
    pub Subscriber,
    exectrace_tracing::subscriber().0
);
source!(
    /// `layer()` on a Registry.
    pub(crate) Layer,
    registry().with(exectrace_tracing::layer().0)
);

/// A source while nothing is recorded: after a recording that has ended.
pub(crate) struct Off<P>(P);

impl<P: Peer> Peer for Off<P> {
    type Tasks = P::Tasks;

    fn install(folder: &Path) -> Outcome<Self> {
        let mut source = P::install(folder)?;
        source.begin()?;
        for body in Body::ALL {
            if let Some(run) = P::body(body) {
                run(0..100);
            }
        }
        source.end()?;
        Ok(Self(source))
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        P::body(body)
    }

    fn runtime(&self, builder: Builder) -> std::io::Result<Runtime> {
        self.0.runtime(builder)
    }
}
