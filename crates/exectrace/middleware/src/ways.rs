//! Runs a program under the witness and the tracer, with the Layer and with the Subscriber.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use exectrace::runtime::{BuilderExt, Options};
use exectrace::{Builder, RecordingOptions};
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing_subscriber::prelude::*;

use crate::{Account, Trace, Witness};

/// What the program's spans and events go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A layer on the registry of `tracing-subscriber`.
    Layer,
    /// The tracer's own subscriber.
    Subscriber,
}

/// Both.
pub const WAYS: [Way; 2] = [Way::Layer, Way::Subscriber];

/// A sink whose bytes can be looked at.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no writer panics")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records what `program` does; gives its own account, and the trace once Go's reader has accepted it.
///
/// # Panics
///
/// If the trace is not accepted, or records were lost.
pub fn record(way: Way, program: impl FnOnce()) -> (Account, Trace) {
    // A process has one tracer, which records the whole process.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);

    let (dispatch, account): (Dispatch, _) = match way {
        Way::Layer => {
            let (layer, _) = Builder::new().layer();
            let (witness, account) = Witness::new(tracing_subscriber::registry().with(layer));
            (witness.into(), account)
        }
        Way::Subscriber => {
            let (witness, account) = Witness::new(Builder::new().subscriber().0);
            (witness.into(), account)
        }
    };
    tracing::dispatcher::with_default(&dispatch, || {
        let sink = Sink::default();
        let recording = RecordingOptions::new()
            .start_writer(sink.clone())
            .expect("a recording in memory starts");
        program();
        let report = recording.stop().expect("a recording in memory stops");
        assert_eq!(report.records_dropped, 0);
        let trace = Trace::read(&sink.0.lock().expect("no writer panics"));
        let account = account.lock().expect("no call panics").clone();
        (account, trace)
    })
}

/// A traced runtime of so many workers, or of its caller's thread if there are none, whose threads
/// have the caller's subscriber.
///
/// # Panics
///
/// If there is no memory or thread for it.
pub fn runtime(workers: usize) -> Runtime {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let options = Options::new().on_thread_start(move || {
        // For the life of the thread.
        std::mem::forget(tracing::dispatcher::set_default(&dispatch));
    });
    let built = builder
        .enable_all()
        .exectrace_with("program", options)
        .build();
    built.expect("a runtime")
}
