//! What the recorder's tests share.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exectrace_format::{Reader, SideRecord, TraceEvent, TraceEventKind};

/// The tracer is one for the process: tests that record take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A writer whose bytes can be read while it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a trace with the strict reader.
#[track_caller]
pub(crate) fn read(bytes: &[u8]) -> Vec<TraceEvent> {
    let reader = Reader::new(bytes).expect("a header");
    reader
        .map(|event| event.unwrap_or_else(|error| panic!("the trace is broken: {error}")))
        .collect()
}

/// How many regions of this name begin in the trace.
pub(crate) fn count_regions(events: &[TraceEvent], wanted: &str) -> usize {
    let is_wanted = |event: &&TraceEvent| matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == wanted);
    events.iter().filter(is_wanted).count()
}

/// How many user tasks of this name begin in the trace.
pub(crate) fn count_tasks(events: &[TraceEvent], wanted: &str) -> usize {
    let is_wanted = |event: &&TraceEvent| matches!(&event.kind, TraceEventKind::TaskBegin { name, .. } if &**name == wanted);
    events.iter().filter(is_wanted).count()
}

/// The messages of a category.
pub(crate) fn messages(events: &[TraceEvent], wanted: &str) -> Vec<String> {
    let logs = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::Log {
            category, message, ..
        } if &**category == wanted => Some(message.to_string()),
        _ => None,
    });
    logs.collect()
}

/// The time of an event, in nanoseconds.
pub(crate) fn ns(event: &TraceEvent) -> u64 {
    event.time.0.cast_unsigned()
}

/// The events of the trace that a report counts.
pub(crate) fn count_events(events: &[TraceEvent]) -> u64 {
    let is_event = |event: &&TraceEvent| {
        !matches!(
            event.kind,
            TraceEventKind::Sync { .. } | TraceEventKind::SideData(_)
        )
    };
    events.iter().filter(is_event).count() as u64
}

/// The side data of the trace.
pub(crate) fn side_data(events: &[TraceEvent]) -> impl Iterator<Item = &SideRecord> {
    events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(record) => Some(record),
        _ => None,
    })
}

/// How many records were dropped, by the side data.
pub(crate) fn count_lost(events: &[TraceEvent]) -> u64 {
    let lost = side_data(events).map(|record| match record {
        SideRecord::Lost { records, .. } => *records,
        _ => 0,
    });
    lost.sum()
}

/// What the trace says of a capability, each time that it says something.
pub(crate) fn capability<'a>(
    events: &'a [TraceEvent],
    wanted: &'a str,
) -> impl Iterator<Item = String> + 'a {
    let pairs = side_data(events).filter_map(|record| match record {
        SideRecord::Capabilities { pairs } => Some(pairs),
        _ => None,
    });
    let said = pairs.flatten().filter(move |(key, _)| key == wanted);
    said.map(|(_, value)| value.to_string())
}
