//! exectrace's view of Tokio's schedule.

use std::io;
use std::ops::Range;
use std::path::Path;

use exectrace_tokio::BuilderExt as _;
use harness::{Answer, Body, Ended, Outcome, Peer, PlainTasks, Tasks, TracingTasks};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tracing::subscriber::set_global_default;

use crate::sources::Recorder;

/// Defines a way of using it: how tasks are spawned, and how spans and events are done.
macro_rules! way {
    ($(#[$documentation:meta])* $vis:vis $name:ident, $tasks:ty, $body:expr, $install:expr) => {
        $(#[$documentation])*
        #[derive(Debug)]
        $vis struct $name(Recorder);

        impl Peer for $name {
            type Tasks = $tasks;

            fn install(folder: &Path) -> Outcome<Self> {
                let install: fn() -> Outcome<()> = $install;
                install()?;
                Ok(Self(Recorder::new(folder)))
            }

            fn begin(&mut self) -> Outcome<()> {
                self.0.begin()
            }

            fn end(&mut self) -> Outcome<Ended> {
                self.0.end()
            }

            fn body(body: Body) -> Option<fn(Range<u64>)> {
                let known: fn(Body) -> Option<fn(Range<u64>)> = $body;
                known(body)
            }

            fn runtime(&self, mut builder: Builder) -> io::Result<Runtime> {
                builder.exectrace("peers").build()
            }
        }
    };
}

way!(
    /// Hooks on the runtime's builder; the program is as it was.
    pub(crate) Hooks,
    PlainTasks,
    |_| None,
    || Ok(())
);
way!(
    /// The hooks, and tasks spawned through exectrace, which tells who wakes them.
    pub(crate) Wrapper,
    WrappedTasks,
    |_| None,
    || Ok(())
);
way!(
    /// The hooks, and spans and events through the Subscriber.
    pub Whole,
    SpansInTasks,
    harness::tracing_body,
    || Ok(set_global_default(exectrace_tracing::subscriber().0)?)
);

/// Tasks spawned through exectrace; the rest is the program's own.
pub(crate) struct WrappedTasks;

impl Tasks for WrappedTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        exectrace_tokio::spawn(future)
    }

    fn call() -> impl Future<Output = u64> + Send {
        PlainTasks::call()
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        PlainTasks::read_std(path)
    }

    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
        PlainTasks::read_tokio(path)
    }

    fn request(work: fn()) -> impl Future<Output = Answer> + Send {
        PlainTasks::request(work)
    }
}

/// Tasks as Tokio spawns them, which the hooks see; spans where the program has them.
#[derive(Debug)]
pub struct SpansInTasks;

impl Tasks for SpansInTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        PlainTasks::spawn(future)
    }

    fn call() -> impl Future<Output = u64> + Send {
        TracingTasks::call()
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        TracingTasks::read_std(path)
    }

    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
        TracingTasks::read_tokio(path)
    }

    fn request(work: fn()) -> impl Future<Output = Answer> + Send {
        TracingTasks::request(work)
    }
}
