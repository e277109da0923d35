//! dial9: its runtime hooks with its wakers, its layer for `tracing`, its derived events.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dial9::core::clock_monotonic_ns;
use dial9::format::TraceEvent;
use dial9::{Dial9HandleTokioExt as _, DiskBuffer, Recorder, TokioAttachOptions};
use dial9_utils::tracing_layer::Dial9TracingLayer;
use harness::{Answer, Body, Outcome, Peer, PlainTasks, Tasks, TracingTasks, serve};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;

/// A recorder that writes segments, with the handle that threads of the harness find.
fn recorder(folder: &Path) -> Outcome<Recorder> {
    let writer = DiskBuffer::builder()
        .base_path(folder)
        .max_file_size(256 << 20)
        .max_total_size(4 << 30)
        .build()?;
    let recorder = dial9::recorder(writer).build();
    recorder.install_global_handle()?;
    recorder.enable();
    Ok(recorder)
}

fn attached(recorder: &Recorder, builder: Builder) -> io::Result<Runtime> {
    let options = TokioAttachOptions::builder().task_tracking_enabled(true);
    let handle = recorder.handle();
    handle.attach_tokio_runtime(builder, options.build())
}

fn finish(recorder: Recorder) {
    recorder.graceful_shutdown(Duration::from_secs(10));
}

/// The hooks, and tasks spawned by dial9 so that it sees their wakes.
struct Hooks(Recorder);

impl Peer for Hooks {
    type Tasks = DialTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        Ok(Self(recorder(folder)?))
    }

    fn finish(self) -> Outcome<()> {
        finish(self.0);
        Ok(())
    }

    fn body(_: Body) -> Option<fn(Range<u64>)> {
        None
    }

    fn runtime(&self, builder: Builder) -> io::Result<Runtime> {
        attached(&self.0, builder)
    }
}

/// The hooks and the layer.
struct Layer(Recorder);

impl Peer for Layer {
    type Tasks = SpanTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        let recorder = recorder(folder)?;
        set_global_default(tracing_subscriber::registry().with(Dial9TracingLayer::new()))?;
        Ok(Self(recorder))
    }

    fn finish(self) -> Outcome<()> {
        finish(self.0);
        Ok(())
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            // The layer ignores events.
            Body::Event => None,
            _ => harness::tracing_body(body),
        }
    }

    fn runtime(&self, builder: Builder) -> io::Result<Runtime> {
        attached(&self.0, builder)
    }
}

/// The hooks and the layer, paused.
struct Paused(Layer);

impl Peer for Paused {
    type Tasks = SpanTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        let layer = Layer::install(folder)?;
        layer.0.disable();
        Ok(Self(layer))
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        Layer::body(body)
    }

    fn runtime(&self, builder: Builder) -> io::Result<Runtime> {
        self.0.runtime(builder)
    }
}

/// Defines tasks that are spawned in some way; the rest is done as others do it.
macro_rules! tasks {
    ($(#[$documentation:meta])* $name:ident, $rest:ty, |$future:ident| $spawn:expr) => {
        $(#[$documentation])*
        struct $name;

        impl Tasks for $name {
            fn spawn<F>($future: F) -> JoinHandle<F::Output>
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                $spawn
            }

            fn call() -> impl Future<Output = u64> + Send {
                <$rest>::call()
            }

            fn read_std(path: &Path) -> io::Result<Vec<u8>> {
                <$rest>::read_std(path)
            }

            fn read_tokio(path: &Path) -> impl Future<Output = io::Result<Vec<u8>>> + Send {
                <$rest>::read_tokio(path)
            }

            fn request(work: fn()) -> impl Future<Output = Answer> + Send {
                <$rest>::request(work)
            }
        }
    };
}

tasks!(
    /// Spawned by dial9, so that it sees their wakes.
    DialTasks,
    PlainTasks,
    |future| dial9::spawn(future)
);
tasks!(
    /// The same in spans.
    SpanTasks,
    TracingTasks,
    |future| dial9::spawn(future.instrument(tracing::info_span!("task")))
);

#[derive(TraceEvent)]
struct Begun {
    #[traceevent(timestamp)]
    timestamp_ns: u64,
    span: u64,
}

#[derive(TraceEvent)]
struct BegunWithFields {
    #[traceevent(timestamp)]
    timestamp_ns: u64,
    number: u64,
    method: String,
}

#[derive(TraceEvent)]
struct Over {
    #[traceevent(timestamp)]
    timestamp_ns: u64,
    span: u64,
}

#[derive(TraceEvent)]
struct Told {
    #[traceevent(timestamp)]
    timestamp_ns: u64,
    number: u64,
}

/// Derived events of its own API: two for a span; an event's message is the name of its type.
struct Events(Recorder);

impl Peer for Events {
    type Tasks = TracingTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        Ok(Self(recorder(folder)?))
    }

    fn finish(self) -> Outcome<()> {
        finish(self.0);
        Ok(())
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            Body::Span => Some(spans),
            Body::SpanWithFields => Some(spans_with_fields),
            Body::Event => Some(events),
            Body::Region => None,
        }
    }
}

#[inline(never)]
fn spans(numbers: Range<u64>) {
    for number in numbers {
        dial9::record_event(Begun {
            timestamp_ns: clock_monotonic_ns(),
            span: number,
        });
        black_box(number);
        over(number);
    }
}

#[inline(never)]
fn spans_with_fields(numbers: Range<u64>) {
    for number in numbers {
        dial9::record_event(BegunWithFields {
            timestamp_ns: clock_monotonic_ns(),
            number,
            method: "GET".to_owned(),
        });
        black_box(number);
        over(number);
    }
}

fn over(span: u64) {
    dial9::record_event(Over {
        timestamp_ns: clock_monotonic_ns(),
        span,
    });
}

#[inline(never)]
fn events(numbers: Range<u64>) {
    for number in numbers {
        dial9::record_event(Told {
            timestamp_ns: clock_monotonic_ns(),
            number,
        });
        black_box(number);
    }
}

fn main() -> ExitCode {
    harness::main(&[
        ("dial9 hooks", serve::<Hooks>),
        ("dial9 hooks + layer", serve::<Layer>),
        ("dial9 hooks + layer, paused", serve::<Paused>),
        ("dial9 derived events", serve::<Events>),
    ])
}
