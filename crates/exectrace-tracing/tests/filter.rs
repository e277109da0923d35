//! Filters, how they change at run time, and which call sites `tracing` then enables.

mod support;

use std::sync::{Arc, Mutex};
use std::thread;

use exectrace_recorder::{RecordingOptions, is_enabled};
use exectrace_tracing::{Builder, Filter, HandleError};
use support::{Sink, WAYS, Way, record, record_each_way, turn};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Level, Subscriber, debug, enabled, info, info_span, trace, warn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, reload};

/// A layer that keeps the messages of the events it sees.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Witness {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 = format!("{value:?}");
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
}

impl Witness {
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn call_sites_are_off_while_nothing_records_and_on_while_something_does() {
    fn is_on() -> bool {
        enabled!(Level::INFO)
    }
    for way in WAYS {
        let _turn = turn();
        let (dispatch, _handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            for _ in 0..3 {
                assert!(!is_on(), "{way:?}");
                assert_eq!(LevelFilter::current(), LevelFilter::OFF, "{way:?}");
                assert!(info_span!("span").is_disabled(), "{way:?}");
                record(|| {
                    assert!(is_on(), "{way:?}");
                    assert_eq!(LevelFilter::current(), LevelFilter::INFO, "{way:?}");
                    assert!(!info_span!("span").is_disabled(), "{way:?}");
                });
            }
            assert!(!is_on(), "{way:?}");
        });
    }
}

#[test]
fn a_switch_on_another_thread_than_the_scoped_defaults_reaches_its_call_sites() {
    for way in WAYS {
        let _turn = turn();
        let (dispatch, handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            let here = || info!("seen");
            here();
            let sink = Sink::default();
            let started = sink.clone();
            let elsewhere = handle.clone();
            // This thread has no subscriber.
            thread::spawn(move || {
                elsewhere.start_with(|| RecordingOptions::new().start_writer(started))
            })
            .join()
            .unwrap()
            .unwrap();
            here();
            let stopped = thread::spawn(move || handle.stop()).join().unwrap();
            assert!(!enabled!(Level::ERROR), "{way:?}");
            sink.trace(stopped.unwrap()).log("seen");
        });
    }
}

#[test]
fn a_switch_elsewhere_reaches_a_layer_that_is_wrapped_and_boxed() {
    let _turn = turn();
    let (layer, handle) = exectrace_tracing::layer();
    let subscriber: Box<dyn Subscriber + Send + Sync> =
        Box::new(tracing_subscriber::registry().with(Some(vec![layer])));
    tracing::subscriber::with_default(subscriber, || {
        let here = || info!("seen");
        here();
        let sink = Sink::default();
        thread::scope(|scope| {
            let start = || handle.start_with(|| RecordingOptions::new().start_writer(sink.clone()));
            scope.spawn(start).join().unwrap().unwrap();
        });
        here();
        sink.trace(handle.stop().unwrap()).log("seen");
    });
}

#[test]
fn a_recording_that_is_started_in_a_callback_records() {
    /// Starts recording at the first warning.
    struct Trigger(exectrace_tracing::Handle, Sink);
    impl<S: Subscriber> Layer<S> for Trigger {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() == Level::WARN {
                let start = || RecordingOptions::new().start_writer(self.1.clone());
                self.0.start_with(start).unwrap();
            }
        }
    }
    let _turn = turn();
    let (layer, handle) = exectrace_tracing::layer();
    let sink = Sink::default();
    let trigger = Trigger(handle.clone(), sink.clone());
    let subscriber = tracing_subscriber::registry().with(layer).with(trigger);
    tracing::subscriber::with_default(subscriber, || {
        info!("too early");
        warn!("now");
        info!("in time");
        let trace = sink.trace(handle.stop().unwrap());
        trace.log("in time");
        assert!(trace.logs("too early").is_empty());
    });
}

#[test]
fn other_layers_see_the_same_events_whether_we_record_or_not() {
    let _turn = turn();
    let (layer, handle) = exectrace_tracing::layer();
    let (inner, outer) = (Witness::default(), Witness::default());
    let subscriber = tracing_subscriber::registry()
        .with(inner.clone())
        .with(layer)
        .with(outer.clone().with_filter(LevelFilter::INFO));
    handle.reload(LevelFilter::WARN);
    tracing::subscriber::with_default(subscriber, || {
        let program = || {
            debug!("debug");
            info!("an info");
            warn!("a warning");
        };
        program();
        assert_eq!(inner.seen(), ["debug", "an info", "a warning"]);
        assert_eq!(outer.seen(), ["an info", "a warning"]);
        let trace = record(program);
        assert_eq!(inner.seen(), ["debug", "an info", "a warning"]);
        assert_eq!(outer.seen(), ["an info", "a warning"]);
        trace.log("a warning");
        assert!(trace.logs("an info").is_empty());
    });
}

#[test]
fn a_trace_holds_info_and_above_by_default_and_names_its_filter() {
    for (way, trace) in record_each_way(|| {
        info!("kept");
        debug!("left out");
    }) {
        trace.log("kept");
        assert!(trace.logs("left out").is_empty(), "{way:?}");
        let filters = trace
            .logs
            .iter()
            .filter(|log| log.category == "tracing.filter");
        let texts: Vec<_> = filters.map(|log| log.text.as_str()).collect();
        assert_eq!(texts, ["info"], "{way:?}");
    }
}

#[test]
fn a_change_of_the_filter_takes_effect_at_once_and_is_in_the_trace() {
    for way in WAYS {
        let _turn = turn();
        let filter: Filter = "info,filter::noisy=off".parse().unwrap();
        let (dispatch, handle) = way.dispatch(Builder::new().filter(filter));
        tracing::dispatcher::with_default(&dispatch, || {
            let program = |stage: &'static str| {
                trace!("trace {stage}");
                info!("info {stage}");
                info!(target: "filter::noisy::deep", "noise {stage}");
            };
            let trace = record(|| {
                program("one");
                handle.modify(|filter| filter.set_target("filter::noisy", Level::INFO));
                program("two");
                handle.reload("trace".parse::<Filter>().unwrap());
                program("three");
                handle.reload(LevelFilter::OFF);
                program("four");
            });
            for kept in ["info one", "info two", "noise two"] {
                trace.log(kept);
            }
            for kept in ["info three", "noise three", "trace three"] {
                trace.log(kept);
            }
            for gone in ["trace one", "noise one", "trace two", "four"] {
                assert!(trace.logs(gone).is_empty(), "{way:?} {gone}");
            }
            let notes = trace.logs("filter changed to");
            assert_eq!(notes.len(), 3, "{way:?}");
            assert!(notes[2].text.ends_with("filter changed to off"), "{way:?}");
            assert_eq!(trace.task_name(notes[0].task), "exectrace", "{way:?}");
        });
    }
}

#[test]
fn a_handle_has_one_recording_at_a_time_and_stops_it_with_its_last_clone() {
    let _turn = turn();
    let (subscriber, handle) = exectrace_tracing::subscriber();
    let start = || handle.start_with(|| RecordingOptions::new().start_writer(std::io::sink()));
    assert!(matches!(handle.stop(), Err(HandleError::NotRecording)));
    start().unwrap();
    let clone = handle.clone();
    assert!(clone.is_recording());
    assert!(matches!(start(), Err(HandleError::AlreadyRecording)));
    clone.stop().unwrap();
    assert!(!handle.is_recording());
    start().unwrap();
    drop(clone);
    assert!(is_enabled());
    drop(handle);
    assert!(!is_enabled());
    drop(subscriber);
}

#[test]
fn a_recording_that_cannot_start_says_so_and_leaves_the_handle_usable() {
    let _turn = turn();
    let (_subscriber, handle) = exectrace_tracing::subscriber();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no such folder").join("trace.out");
    assert!(matches!(handle.start(missing), Err(HandleError::Start(_))));
    assert!(!handle.is_recording());
    let path = folder.path().join("trace.out");
    handle.start(&path).unwrap();
    let report = handle.stop().unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().len(), report.bytes);
}

#[test]
fn an_env_filter_can_stand_above_the_subscriber() {
    let _turn = turn();
    let (subscriber, _handle) = Builder::new().filter(Level::TRACE).subscriber();
    let filter = EnvFilter::new("filter=info,filter[wanted]=trace");
    tracing::subscriber::with_default(subscriber.with(filter), || {
        let trace = record(|| {
            debug!("outside");
            info_span!("wanted").in_scope(|| debug!("inside"));
            info_span!(target: "elsewhere", "unwanted").in_scope(|| info!("kept"));
        });
        assert!(trace.logs("outside").is_empty());
        assert_eq!(trace.log("inside").task, trace.task("wanted").id);
        assert!(trace.tasks("unwanted").is_empty());
        trace.log("kept");
    });
}

/// Counts the spans that a layer sees created and closed.
#[derive(Clone, Default)]
struct SpanCounts(Arc<Mutex<(usize, usize)>>);

impl<S: Subscriber> Layer<S> for SpanCounts {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().0 += 1;
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.0.lock().unwrap().1 += 1;
    }
}

/// As the documentation of `Subscriber` says: an `EnvFilter` with directives for spans grows above it, and
/// does not on a `Registry` with `layer()`.
#[test]
fn a_layer_above_the_subscriber_sees_no_span_close_and_one_on_a_registry_sees_all() {
    fn spans_and_closes(make: impl FnOnce(SpanCounts) -> Dispatch) -> (usize, usize) {
        let counts = SpanCounts::default();
        tracing::dispatcher::with_default(&make(counts.clone()), || {
            record(|| {
                for _ in 0..100 {
                    let span = info_span!("span");
                    drop(span.clone());
                    span.in_scope(|| ());
                }
            });
        });
        *counts.0.lock().unwrap()
    }
    let _turn = turn();
    let (subscriber, _handle) = exectrace_tracing::subscriber();
    let above_subscriber = spans_and_closes(|counts| subscriber.with(counts).into());
    assert_eq!(above_subscriber, (100, 0));
    let (layer, _handle) = exectrace_tracing::layer();
    let registry = tracing_subscriber::registry().with(layer);
    let on_registry = spans_and_closes(|counts| registry.with(counts).into());
    assert_eq!(on_registry, (100, 100));
}

#[test]
fn the_filter_in_a_reload_layer_works() {
    let _turn = turn();
    let (layer, filter, _handle) = Builder::new().layer_parts();
    let (filter, reloading) = reload::Layer::new(filter);
    let witness = Witness::default();
    let subscriber = tracing_subscriber::registry()
        .with(witness.clone())
        .with(layer.with_filter(filter));
    tracing::subscriber::with_default(subscriber, || {
        let program = |stage: &'static str| info!("{stage}");
        program("off");
        let trace = record(|| {
            program("before");
            let (_, other, _handle) = Builder::new().filter(Level::ERROR).layer_parts();
            reloading.reload(other).unwrap();
            program("after");
        });
        trace.log("before");
        assert!(trace.logs("after").is_empty());
        assert_eq!(witness.seen(), ["off", "before", "after"]);
    });
}

#[test]
fn the_whole_layer_in_a_reload_layer_works_on_a_registry() {
    let _turn = turn();
    let (layer, handle) = exectrace_tracing::layer();
    let (layer, reloading) = reload::Layer::new(layer);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let trace = record(|| {
            let _request = info_span!("request").entered();
            info!("inside");
            handle.reload(Level::ERROR);
            info!("left out");
            // The layer inside can be accessed, like anything in a reload layer.
            reloading
                .modify(|layer| drop(format!("{layer:?}")))
                .unwrap();
        });
        assert_eq!(trace.log("inside").task, trace.task("request").id);
        assert!(trace.logs("left out").is_empty());
    });
}

#[test]
fn scopes_of_several_subscribers_on_parallel_threads_keep_to_their_own_filters() {
    let _turn = turn();
    let trace = record(|| {
        thread::scope(|scope| {
            for (name, level) in [("quiet", Level::WARN), ("loud", Level::TRACE)] {
                scope.spawn(move || {
                    let (dispatch, _handle) =
                        Way::Subscriber.dispatch(Builder::new().filter(level));
                    tracing::dispatcher::with_default(&dispatch, || {
                        for _ in 0..100 {
                            debug!("{name} debug");
                            warn!("{name} warn");
                        }
                    });
                });
            }
        });
    });
    assert_eq!(trace.logs("quiet debug").len(), 0);
    assert_eq!(trace.logs("quiet warn").len(), 100);
    assert_eq!(trace.logs("loud debug").len(), 100);
    assert_eq!(trace.logs("loud warn").len(), 100);
}
