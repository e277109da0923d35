//! What a program must say of its tracer.

use std::io;
use std::ops::Range;
use std::path::Path;

use exectrace_benches::{Body, Subject};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::{Answer, Outcome, tracing_body};

/// What a turn left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Bytes written in it, where the tracer knows better than the size of its folder.
    pub bytes: Option<u64>,
    /// Records that were lost.
    pub dropped: u64,
}

/// A tracer in one way of using it, installed for the life of the process.
///
/// What is not said is said for `tracing`: its macros. A tracer with an API of its own replaces that.
pub trait Peer: Sized + 'static {
    /// Whether its process can still run tasks that it does not see. Where it cannot, the same
    /// workload without instrumentation in another process is the base.
    const HAS_PLAIN_TASKS: bool = true;

    /// How its tasks are spawned and its spans made around them.
    type Tasks: Tasks;

    /// Installs it, to write into `folder`.
    ///
    /// # Errors
    /// If it cannot be installed.
    fn install(folder: &Path) -> Outcome<Self>;

    /// Begins to record, where that can be switched.
    ///
    /// # Errors
    /// If it cannot.
    fn begin(&mut self) -> Outcome<()> {
        Ok(())
    }

    /// Ends what [`begin`](Self::begin) began. What threads of the tracer's still do afterwards is
    /// waited for by the harness.
    ///
    /// # Errors
    /// If something was not written.
    fn end(&mut self) -> Outcome<Ended> {
        Ok(Ended::default())
    }

    /// Writes all that is left, at the end of the process.
    ///
    /// # Errors
    /// If something was not written.
    fn finish(self) -> Outcome<()> {
        Ok(())
    }

    /// How it does spans and events; `None` for what it does not know.
    fn body(body: Body) -> Option<fn(Range<u64>)> {
        tracing_body(body)
    }

    /// Called on a thread that recorded, when the clock has stopped.
    fn after_body() {}

    /// Builds a runtime that it sees.
    ///
    /// # Errors
    /// If the system does not let it.
    fn runtime(&self, mut builder: Builder) -> io::Result<Runtime> {
        builder.build()
    }
}

/// How tasks, calls, reads and requests are done so that a tracer sees them.
///
/// Workloads are compiled once for each of these, and not for each tracer.
pub trait Tasks: 'static {
    /// Spawns a task.
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// An asynchronous function that yields once.
    fn call() -> impl Future<Output = u64> + Send;

    /// Reads a file in a span.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read_std(path: &Path) -> io::Result<Vec<u8>>;

    /// Reads a file in a span, by Tokio.
    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send;

    /// Handles a request in a span with an event.
    fn request(work: fn()) -> impl Future<Output = Answer> + Send;
}

/// By the macros of `tracing`: each task in a span.
#[derive(Debug)]
pub struct TracingTasks;

impl Tasks for TracingTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future.instrument(tracing::info_span!("task")))
    }

    fn call() -> impl Future<Output = u64> + Send {
        traced_call()
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        let _span = tracing::info_span!("read").entered();
        std::fs::read(path)
    }

    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
        tokio::fs::read(path).instrument(tracing::info_span!("read"))
    }

    fn request(work: fn()) -> impl Future<Output = Answer> + Send {
        let handle = async move {
            work();
            tracing::info!(status = 200, "answered");
            Answer
        };
        handle.instrument(tracing::info_span!("request", method = "GET", path = "/"))
    }
}

/// An asynchronous function with `#[instrument]` that yields once.
#[tracing::instrument(name = "call")]
async fn traced_call() -> u64 {
    tokio::task::yield_now().await;
    std::hint::black_box(1)
}

/// By Tokio alone: what everything is compared with, and what a tracer sees through hooks.
#[derive(Debug)]
pub struct PlainTasks;

impl Tasks for PlainTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    async fn call() -> u64 {
        tokio::task::yield_now().await;
        std::hint::black_box(1)
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    async fn read_tokio(path: &Path) -> io::Result<Vec<u8>> {
        tokio::fs::read(path).await
    }

    async fn request(work: fn()) -> Answer {
        work();
        Answer
    }
}

/// The clock of the floor's records alone.
#[inline(never)]
pub(crate) fn clock(numbers: Range<u64>) {
    let mut mixed = 0;
    for number in numbers {
        mixed ^= exectrace_recorder::ticks() ^ number;
    }
    std::hint::black_box(mixed);
}

/// The floor: bare records of 16 bytes with the clock, as many as the tracer would at least need.
pub(crate) fn floor(body: Body) -> fn(Range<u64>) {
    match body {
        Body::Span => |numbers| Body::Span.run(Subject::Floor, numbers),
        Body::SpanWithFields => |numbers| Body::SpanWithFields.run(Subject::Floor, numbers),
        Body::Event => |numbers| Body::Event.run(Subject::Floor, numbers),
        Body::Region => |numbers| Body::Region.run(Subject::Floor, numbers),
    }
}
