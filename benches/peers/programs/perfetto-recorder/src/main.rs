//! perfetto-recorder with the clock of fastant: scopes of its own, kept in memory until they are
//! taken from each thread and made into a file.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use harness::{Body, Outcome, Peer, TracingTasks, serve};
use perfetto_recorder::{ThreadTraceData, TraceBuilder, scope};

/// What was taken from threads.
static TAKEN: Mutex<Vec<ThreadTraceData>> = Mutex::new(Vec::new());

struct Recorder {
    path: PathBuf,
}

impl Peer for Recorder {
    type Tasks = TracingTasks;

    fn install(folder: &Path) -> Outcome<Self> {
        perfetto_recorder::start().map_err(|_| "it is disabled in this build")?;
        Ok(Self {
            path: folder.join("trace.pftrace"),
        })
    }

    fn finish(self) -> Outcome<()> {
        let mut builder = TraceBuilder::new().map_err(|_| "it is disabled in this build")?;
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in taken.iter() {
            builder.process_thread_data(thread);
        }
        Ok(builder.write_to_file(&self.path)?)
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        match body {
            Body::Span => Some(spans),
            Body::SpanWithFields => Some(spans_with_fields),
            Body::Event | Body::Region => None,
        }
    }

    fn after_body() {
        let taken = ThreadTraceData::take_current_thread();
        TAKEN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(taken);
    }
}

#[inline(never)]
fn spans(numbers: Range<u64>) {
    for number in numbers {
        scope!("span");
        black_box(number);
    }
}

#[inline(never)]
fn spans_with_fields(numbers: Range<u64>) {
    for number in numbers {
        scope!("span", number = number, method = "GET");
        black_box(number);
    }
}

fn main() -> ExitCode {
    harness::main(&[("perfetto-recorder + fastant", serve::<Recorder>)])
}
