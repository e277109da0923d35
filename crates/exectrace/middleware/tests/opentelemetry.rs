//! Each user task has the id of the distributed trace that OpenTelemetry exports its span with.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use exectrace::RecordingOptions;
use exectrace_format::{Reader, TraceEventKind};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::prelude::*;

/// A process has one tracer, so tests that record take turns.
static TURN: Mutex<()> = Mutex::new(());

#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panicked")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ids of distributed traces by the names of user tasks, or of exported spans.
type Ids = BTreeMap<String, Vec<String>>;

/// What the trace has.
fn recorded(trace: &[u8]) -> Ids {
    let (mut names, mut ids) = (BTreeMap::new(), Ids::new());
    for event in Reader::new(trace).expect("a trace") {
        match event.expect("a good trace").kind {
            TraceEventKind::TaskBegin { task, name, .. } => {
                names.insert(task, name.to_string());
            }
            TraceEventKind::Log {
                task,
                category,
                message,
            } if &*category == "trace_id" => {
                ids.entry(names[&task].clone())
                    .or_default()
                    .push(message.to_string());
            }
            _ => {}
        }
    }
    ids
}

/// What was exported of spans with these names.
fn exported(exporter: &InMemorySpanExporter, wanted: &[&str]) -> Ids {
    let mut ids = Ids::new();
    for span in exporter.get_finished_spans().expect("the exporter works") {
        if wanted.contains(&&*span.name) {
            let id = span.span_context.trace_id().to_string();
            ids.entry(span.name.into_owned()).or_default().push(id);
        }
    }
    ids
}

fn remote_parent(id: u128) -> Context {
    let sampled = TraceFlags::SAMPLED;
    let (id, span) = (TraceId::from(id), SpanId::from(7));
    let context = SpanContext::new(id, span, sampled, true, TraceState::NONE);
    Context::new().with_remote_span_context(context)
}

/// Root spans: two whose parents are in other services, one that begins a distributed trace, and one that is entered
/// inside another one. Each is entered more than once, or on more than one thread.
async fn program() {
    let mut tasks = Vec::new();
    for (id, name) in [(0x2a, "a"), (0x2b, "b")] {
        let request = match name {
            "a" => info_span!(parent: None, "a"),
            _ => info_span!(parent: None, "b"),
        };
        // As a middleware does: after the span is made, and before it is entered.
        request.set_parent(remote_parent(id)).expect("not started");
        let work = async {
            for _ in 0..3 {
                tokio::task::yield_now()
                    .instrument(info_span!("step"))
                    .await;
            }
        };
        tasks.push(tokio::spawn(work.instrument(request)));
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }
    info_span!("own").in_scope(|| {
        info_span!("child").in_scope(|| {});
        info_span!(parent: None, "inside").in_scope(|| {});
    });
}

const ROOTS: [&str; 4] = ["a", "b", "own", "inside"];

fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    runtime.block_on(async { tokio::spawn(program()).await.expect("it does not panic") });
}

fn provider(exporter: &InMemorySpanExporter) -> SdkTracerProvider {
    let builder = SdkTracerProvider::builder();
    builder.with_simple_exporter(exporter.clone()).build()
}

#[test]
fn user_tasks_have_the_ids_that_opentelemetry_exports() {
    let _turn = TURN.lock();
    let (exporter, sink) = (InMemorySpanExporter::default(), Sink::default());
    let provider = provider(&exporter);
    let (layer, handle) = exectrace::layer();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .with(layer);
    let dispatch = tracing::Dispatch::new(subscriber);
    // The runtime's threads have no default of their own.
    tracing::dispatcher::set_global_default(dispatch).expect("the only one");
    // The second recording knows nothing of what was reported to the first.
    for _ in 0..2 {
        exporter.reset();
        sink.0.lock().expect("nobody panicked").clear();
        handle
            .start_with(|| RecordingOptions::new().start_writer(sink.clone()))
            .expect("it starts");
        run();
        handle.stop().expect("it stops");
        let trace = sink.0.lock().expect("nobody panicked").clone();
        let (recorded, exported) = (recorded(&trace), exported(&exporter, &ROOTS));
        assert_eq!(exported.len(), ROOTS.len());
        assert_eq!(recorded, exported);
        assert_eq!(recorded["a"], [format!("{:032x}", 0x2a)]);
        exectrace_referee::assert_bytes_accepted(&trace);
    }
}

#[test]
fn below_the_layer_of_opentelemetry_a_span_has_no_id_where_it_is_entered_first() {
    let _turn = TURN.lock();
    let (exporter, sink) = (InMemorySpanExporter::default(), Sink::default());
    let provider = provider(&exporter);
    let (layer, handle) = exectrace::layer();
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    tracing::subscriber::with_default(subscriber, || {
        handle
            .start_with(|| RecordingOptions::new().start_writer(sink.clone()))
            .expect("it starts");
        info_span!("own").in_scope(|| {});
        handle.stop().expect("it stops");
    });
    assert_eq!(exported(&exporter, &ROOTS).len(), 1);
    assert_eq!(
        recorded(&sink.0.lock().expect("nobody panicked")),
        Ids::new()
    );
}
