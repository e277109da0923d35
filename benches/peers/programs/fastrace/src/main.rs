//! fastrace by its own API, and through its bridge for `tracing`. Its reporters are clients of
//! services; here one counts and drops.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::future::FutureExt as _;
use fastrace::prelude::{Event, LocalSpan, Span, SpanContext};
use fastrace_tracing::FastraceCompatLayer;
use harness::{Answer, Body, Ended, Outcome, Peer, Tasks, TracingTasks, serve, tracing_body};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;

/// Takes spans, and drops them.
struct Drops;

impl Reporter for Drops {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        black_box(spans.len());
    }
}

/// Spans under one root: it keeps at most 10,240 for a local parent.
const SPANS_OF_A_ROOT: usize = 1_000;

fn root(name: &'static str) -> Span {
    Span::root(name, SpanContext::random())
}

fn under_roots(numbers: Range<u64>, body: fn(Range<u64>)) {
    let end = numbers.end;
    for first in numbers.step_by(SPANS_OF_A_ROOT) {
        let root = root("root");
        let _parent = root.set_local_parent();
        body(first..end.min(first + SPANS_OF_A_ROOT as u64));
    }
}

/// Its own API.
struct Own;

impl Peer for Own {
    type Tasks = OwnTasks;

    fn install(_: &Path) -> Outcome<Self> {
        fastrace::set_reporter(Drops, Config::default());
        Ok(Self)
    }

    fn end(&mut self) -> Outcome<Ended> {
        fastrace::flush();
        Ok(Ended {
            bytes: None,
            dropped: 0,
        })
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            Body::Span => Some(|numbers| under_roots(numbers, spans)),
            Body::SpanWithFields => Some(|numbers| under_roots(numbers, spans_with_fields)),
            Body::Event => Some(|numbers| under_roots(numbers, events)),
            Body::Region => None,
        }
    }
}

/// Tasks, each a root of its own.
struct OwnTasks;

impl Tasks for OwnTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future.in_span(root("task")))
    }

    fn call() -> impl Future<Output = u64> + Send {
        let call = async {
            tokio::task::yield_now().await;
            black_box(1)
        };
        call.in_span(root("call"))
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        let _span = LocalSpan::enter_with_local_parent("read");
        std::fs::read(path)
    }

    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
        tokio::fs::read(path).in_span(root("read"))
    }

    fn request(work: fn()) -> impl Future<Output = Answer> + Send {
        let handle = async move {
            work();
            LocalSpan::add_event(Event::new("answered").with_property(|| ("status", "200")));
            Answer
        };
        let root = root("request").with_properties(|| [("method", "GET"), ("path", "/")]);
        handle.in_span(root)
    }
}

#[inline(never)]
fn spans(numbers: Range<u64>) {
    for number in numbers {
        let _span = LocalSpan::enter_with_local_parent("span");
        black_box(number);
    }
}

#[inline(never)]
fn spans_with_fields(numbers: Range<u64>) {
    for number in numbers {
        let _span = LocalSpan::enter_with_local_parent("span")
            .with_property(|| ("number", number.to_string()))
            .with_property(|| ("method", "GET"));
        black_box(number);
    }
}

#[inline(never)]
fn events(numbers: Range<u64>) {
    for number in numbers {
        let event = Event::new("a block was read");
        LocalSpan::add_event(event.with_property(|| ("number", number.to_string())));
        black_box(number);
    }
}

/// The macros of `tracing`, through its layer.
struct Bridge;

impl Peer for Bridge {
    type Tasks = BridgedTasks;

    fn install(_: &Path) -> Outcome<Self> {
        fastrace::set_reporter(Drops, Config::default());
        let layer = FastraceCompatLayer::new();
        set_global_default(tracing_subscriber::registry().with(layer))?;
        Ok(Self)
    }

    fn end(&mut self) -> Outcome<Ended> {
        fastrace::flush();
        Ok(Ended {
            bytes: None,
            dropped: 0,
        })
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            Body::Span => Some(|numbers| traced(numbers, Body::Span)),
            Body::SpanWithFields => Some(|numbers| traced(numbers, Body::SpanWithFields)),
            Body::Event => Some(|numbers| traced(numbers, Body::Event)),
            Body::Region => None,
        }
    }
}

/// Spans of `tracing` in a root of fastrace, without which the bridge drops them.
struct BridgedTasks;

impl Tasks for BridgedTasks {
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = future.instrument(tracing::info_span!("task"));
        tokio::spawn(future.in_span(root("root")))
    }

    fn call() -> impl Future<Output = u64> + Send {
        TracingTasks::call().in_span(root("root"))
    }

    fn read_std(path: &Path) -> io::Result<Vec<u8>> {
        let root = root("root");
        let _parent = root.set_local_parent();
        TracingTasks::read_std(path)
    }

    fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
        TracingTasks::read_tokio(path).in_span(root("root"))
    }

    fn request(work: fn()) -> impl Future<Output = Answer> + Send {
        TracingTasks::request(work).in_span(root("root"))
    }
}

fn traced(numbers: Range<u64>, body: Body) {
    let Some(run) = tracing_body(body) else {
        return;
    };
    // The bridge drops events that are in no span of `tracing`.
    let span = (body == Body::Event).then(|| tracing::info_span!("outer").entered());
    under_roots(numbers, run);
    drop(span);
}

fn main() -> ExitCode {
    harness::main(&[
        ("fastrace", serve::<Own>),
        ("fastrace-tracing", serve::<Bridge>),
    ])
}
