//! Why a Layer or Subscriber records nothing is found, and an idle program is not called a mistake.

use std::sync::{Mutex, Once, PoisonError, mpsc};
use std::time::Duration;

use exectrace_recorder::{NothingCause, RecordingOptions, Settings};
use exectrace_tracing::{Builder, Filter, subscriber};
use tracing_core::LevelFilter;
use tracing_subscriber::prelude::*;

/// What a recording says that runs while `program` does, in which nothing is recorded.
fn cause(program: impl FnOnce(&dyn Fn() -> NothingCause) -> NothingCause) -> NothingCause {
    // The tracer is one for the process.
    static TURN: Mutex<()> = Mutex::new(());
    static SETTINGS: Once = Once::new();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    SETTINGS.call_once(|| {
        let settings = Settings::new().warn_if_nothing_for(Duration::from_millis(1));
        settings.apply().unwrap();
    });
    program(&|| {
        let (said, was_said) = mpsc::channel();
        let options = RecordingOptions::new()
            .on_nothing_recorded(move |nothing| said.send(nothing.cause).unwrap());
        let recording = options.start_writer(std::io::sink()).unwrap();
        let cause = was_said.recv().unwrap();
        recording.stop().unwrap();
        cause
    })
}

fn filtered(filter: impl Into<Filter>) -> exectrace_tracing::Subscriber {
    Builder::new().filter(filter).subscriber().0
}

#[test]
fn a_subscriber_that_was_dropped_records_nothing() {
    let cause = cause(|record| {
        drop(subscriber());
        record()
    });
    assert_eq!(cause, NothingCause::Dropped);
}

#[test]
fn a_layer_that_is_in_no_subscriber_records_nothing() {
    let cause = cause(|record| {
        let parts = exectrace_tracing::layer::<tracing_subscriber::Registry>();
        let cause = record();
        drop(parts);
        cause
    });
    assert_eq!(cause, NothingCause::NotInstalled);
}

#[test]
fn a_filter_that_is_off_lets_nothing_be_recorded() {
    let cause =
        cause(|record| tracing::subscriber::with_default(filtered(LevelFilter::OFF), record));
    assert_eq!(cause, NothingCause::FilterOff);
}

#[test]
fn a_filter_that_names_no_target_of_the_program_lets_nothing_be_recorded() {
    let filter: Filter = "nothing_recoreded=trace".parse().unwrap();
    let cause = cause(|record| {
        tracing::subscriber::with_default(filtered(filter), || {
            let other = RecordingOptions::new().start_writer(std::io::sink());
            tracing::info!("the program has come to this");
            other.unwrap().stop().unwrap();
            record()
        })
    });
    assert_eq!(cause, NothingCause::FilterRejectsAll);
}

#[test]
fn a_layer_in_use_whose_program_came_to_nothing_is_idle() {
    let cause = cause(|record| {
        let (layer, _handle) = exectrace_tracing::layer();
        let registry = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(registry, record)
    });
    assert_eq!(cause, NothingCause::Idle);
    assert!(!cause.is_fault());
}
