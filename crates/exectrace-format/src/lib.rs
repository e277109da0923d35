//! Go's execution trace format: writing it, reading it, checking it.
//!
//! - [`Writer`] makes the bytes of a trace from events. It has no file and no clock of its own.
//! - [`Reader`] yields the events of a trace in their true order, or says where the trace is damaged. It
//!   reads the traces of Go 1.11 to 1.27; all else here is for the format since Go 1.22.
//! - [`Validator`] checks that a trace keeps the rules of Go's own tests.
//! - [`Batches`] yields events as they stand in the file, without order.
//! - [`Event`] and [`EventKind`] are the table of events, from which encoding and decoding are made.
//! - [`SideRecord`] is what exectrace records and the format has no event for. Other tools skip it.
//! - [`conventions`] has the texts in which a recorder of Rust programs says what the format cannot.
//! - [`text`] shows the bytes of a trace as lines of text, and makes bytes of such lines.
//!
//! This crate knows nothing of Rust programs or threads.
//!
//! # Words
//!
//! The words are those of Go's format. A recorder of Rust programs uses them for these things:
//!
//! | word | what it is in a trace of exectrace |
//! |---|---|
//! | goroutine ([`GoId`]), G | an async task, or what a thread runs outside all async tasks |
//! | proc ([`ProcId`]), P | a worker of an async runtime, or a thread that records |
//! | thread ([`ThreadId`]), M | a thread of the operating system |
//! | user task ([`TaskId`]) | one logical operation, such as a request, possibly across many goroutines |
//! | region | an interval inside one goroutine, which may belong to a user task |
//! | log | a message at an instant |
//! | range | garbage collection and its parts; only in traces of Go |
//! | generation | a part of the file that can be read alone, about a second long |
//! | sync | the event that a reader yields where a generation begins, and at the end of the trace |
//! | status | an event that says in which state a goroutine or proc is found; nothing changes by it |
//!
//! # How to read a trace fast
//!
//! The iterator of [`Reader`] yields [`TraceEvent`]s, which own their texts and stacks.
//! [`Reader::next_into`] writes [`CompactEvent`]s instead, which name texts and stacks by their numbers in
//! [`Reader::tables`], and allocates nothing. The numbers count from 1 without gaps and start again at each
//! [`CompactKind::Sync`], so a program that keeps names longer than a generation maps these numbers to its
//! own. This is how long goroutines ran, by the reason for which they stopped:
//!
//! ```
//! use std::collections::HashMap;
//! use std::time::Duration;
//! use exectrace_format::{CompactEvent, CompactKind, GoState, ReadError, Reader, StateChange};
//!
//! fn run_time_by_reason(path: &str) -> Result<HashMap<String, Duration>, ReadError> {
//!     let mut reader = Reader::open(path)?;
//!     let mut event = CompactEvent::default();
//!     let (mut running, mut totals) = (HashMap::new(), HashMap::new());
//!     // The sums of one generation, by the number of the reason.
//!     let mut sums = HashMap::new();
//!     while reader.next_into(&mut event)? {
//!         match event.kind {
//!             // The numbers start again, or the trace ends.
//!             CompactKind::Sync { .. } => {
//!                 for (_, (reason, time)) in sums.drain() {
//!                     *totals.entry(reason).or_default() += time;
//!                 }
//!             }
//!             CompactKind::StateTransition { change: StateChange::Go { go, from, to }, reason, .. } => {
//!                 if to == GoState::Running {
//!                     // Not again by the status of one that runs already.
//!                     running.entry(go).or_insert(event.time);
//!                 } else if from == GoState::Running && let Some(began) = running.remove(&go) {
//!                     let name = || (reader.tables().text(reason).to_owned(), Duration::ZERO);
//!                     sums.entry(reason).or_insert_with(name).1 += event.time - began;
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     Ok(totals)
//! }
//! # use exectrace_format::{ClockSnapshot, Event, GoId, ProcId, ProcStatus, GoStatus, ThreadId, Version, Writer};
//! # let mut file = Writer::header(Version::Go125).to_vec();
//! # let mut writer = Writer::new();
//! # writer.begin_generation(1, 1);
//! # Writer::sync_batch(Version::Go125, 1, 1, ClockSnapshot::default(), &mut file);
//! # let (thread, proc, go) = (ThreadId(1), ProcId(1), GoId(1));
//! # let (reason, stream) = (writer.string("sync"), writer.stream(thread));
//! # let stack = exectrace_format::StackId::NONE;
//! # writer.event(stream, 10, Event::ProcStatus { proc, status: ProcStatus::Running });
//! # writer.event(stream, 20, Event::GoStatus { go, thread, status: GoStatus::Running });
//! # writer.event(stream, 520, Event::GoBlock { reason, stack });
//! # writer.finish_group(&mut file);
//! # let path = std::env::temp_dir().join(format!("exectrace-example-{}", std::process::id()));
//! # std::fs::write(&path, &file).unwrap();
//! # let totals = run_time_by_reason(path.to_str().unwrap());
//! # std::fs::remove_file(&path).unwrap();
//! # assert_eq!(totals?, HashMap::from([("sync".to_owned(), Duration::from_nanos(500))]));
//! # Ok::<(), exectrace_format::ReadError>(())
//! ```
//!
//! | way | what it yields | million events a CPU second | peak, in MB |
//! |---|---|---|---|
//! | [`Batches`] | events as they stand in the file | 87 | 3 |
//! | [`Reader::next_into`] | ordered, checked, plain numbers | 31 | 4 |
//! | the iterator of [`Reader`] | ordered, checked, with names | 14 | 4 |
//! | Go's `internal/trace/raw` | events as they stand in the file | 12 | 15 |
//! | Go's `internal/trace` | ordered, checked, with names | 7.1 | 700 |
//!
//! Measured by `cargo run --release -p exectrace-format --example against_go` of a trace of 313 MB and
//! 56 million events of a Go program, with Go 1.27.3, on a busy virtual machine of two cores of an
//! AMD EPYC at 2.6 GHz, in November 2026.

#![forbid(unsafe_code)]

pub mod conventions;
mod event;
mod ids;
mod read;
mod side;
pub mod text;
pub mod validate;
pub mod wire;
mod write;

pub use event::{
    Argument, ArgumentType, Event, EventKind, GoStatus, MAX_ARGUMENTS, MAX_EVENT_BYTES, ProcStatus,
};
pub use ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
pub use read::{
    Batch, BatchKind, Batches, ById, CompactEvent, CompactKind, EventError, EventForm, FrameRef,
    FramingError, Frontier, GoState, MAX_GENERATION_BYTES, MAX_STATE_BYTES, MAX_V1_BYTES, Metric,
    OrderError, Owned, ProcState, RangeName, RangeScope, ReadCause, ReadError, Reader,
    ReaderCheckpoint, ResumeError, StackFrame, StateChange, SyncClock, TableError, Tables,
    TraceEvent, TraceEventKind, TraceTime, V1Error, WireEvent, WireEvents,
};
pub use side::{
    Inferred, LeftOut, MAX_SIDE_RECORD_BYTES, MAX_SIDE_TEXT_BYTES, SIDE_DATA_MAGIC,
    SIDE_DATA_VERSION, SideDataError, SideRecord, SideRecords, SideText, SpanRecord,
};
pub use validate::{Validator, Violation};
pub use wire::{ClockSnapshot, END_OF_GENERATION, Version};
pub use write::{GroupCounts, StreamId, WireFrame, Writer};
