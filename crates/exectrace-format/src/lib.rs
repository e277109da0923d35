//! Go's execution trace format: what a trace file is made of, writing it, reading it.
//!
//! - [`Writer`] makes the bytes of generations from events; it knows no file and no clock.
//! - [`Reader`] yields the events of a file in their true order, or says where it is damaged. It
//!   takes the traces of Go 1.11 to 1.27; all else here is of the format since Go 1.22.
//! - [`Validator`] holds the events against the rules that Go's own tests have for them.
//! - [`Batches`] yields them as they stand in the file.
//! - [`Event`] and [`EventKind`] are the table of events, from which all else is derived.
//! - [`text`] shows the bytes of a trace as lines, and makes bytes of lines again.
//! - [`SideRecord`] is what the format has no event for, kept in a corner that other tools skip.
//! - [`conventions`] has the texts in which the recorder writes what the format cannot say.
//!
//! # How to read a trace fast
//!
//! Events that name their texts and stacks by number need no allocation. The numbers are those of
//! [`Reader::tables`]; they count from 1 without gaps, and begin anew at each
//! [`CompactKind::Sync`]. So who keeps names beyond a generation has an array from these numbers
//! to its own. Here is the time that async tasks ran, by the reason for which they stopped:
//!
//! ```
//! use std::collections::HashMap;
//! use exectrace_format::{CompactEvent, CompactKind, GoId, GoState, Reader, StateChange};
//!
//! fn run_time_by_end(path: &str) -> Result<HashMap<String, i64>, exectrace_format::ReadError> {
//!     // Of a file, a batch of each thread is held at a time; of another input, a generation.
//!     let mut reader = Reader::open(path)?;
//!     let mut event = CompactEvent::default();
//!     let mut began: HashMap<GoId, i64> = HashMap::new();
//!     let (mut totals, mut by_string) = (HashMap::new(), Vec::new());
//!     while reader.next_into(&mut event)? {
//!         let time_ns = event.time.0;
//!         match event.kind {
//!             CompactKind::Sync { .. } => {
//!                 flush(&mut totals, &mut by_string);
//!             }
//!             CompactKind::StateTransition { change: StateChange::Go { go, from, to }, reason, .. } => {
//!                 if from == GoState::Running && let Some(began) = began.remove(&go) {
//!                     let index = reason.0 as usize;
//!                     if index >= by_string.len() {
//!                         by_string.resize(index + 1, (String::new(), 0));
//!                     }
//!                     if by_string[index].1 == 0 {
//!                         by_string[index].0 = reader.tables().text(reason).to_string();
//!                     }
//!                     by_string[index].1 += time_ns - began;
//!                 }
//!                 if to == GoState::Running {
//!                     began.insert(go, time_ns);
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     Ok(totals)
//! }
//!
//! /// At the end of a generation, which the last sync is too: adds the sums by id to those by name.
//! fn flush(totals: &mut HashMap<String, i64>, by_string: &mut Vec<(String, i64)>) {
//!     for (name, time_ns) in by_string.drain(..).filter(|(_, time_ns)| *time_ns > 0) {
//!         *totals.entry(name).or_default() += time_ns;
//!     }
//! }
//! # use exectrace_format::{ClockSnapshot, Event, ProcId, ProcStatus, GoStatus, ThreadId, Version, Writer};
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
//! # let totals = run_time_by_end(path.to_str().unwrap());
//! # std::fs::remove_file(&path).unwrap();
//! # assert_eq!(totals?, HashMap::from([("sync".to_string(), 500)]));
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
//! So says `cargo run --release -p exectrace-format --example against_go` of a trace of 313 MB and
//! 56 million events of a Go program, with Go 1.27.3, on a busy virtual machine of two cores of an
//! AMD EPYC at 2.6 GHz, in November 2026.
//!
//! This crate knows nothing of Rust programs or threads.

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

pub use conventions::{
    CONCURRENT_SPAN, PART_OF_SPAN, UNKNOWN_WAIT, WOKEN_BY_BLOCKING, WOKEN_BY_DRIVER, WOKEN_BY_TASK,
    WOKEN_BY_THREAD, WaitSource,
};
pub use event::{
    Argument, ArgumentType, Event, EventKind, GoStatus, MAX_ARGUMENTS, MAX_EVENT_BYTES, ProcStatus,
};
pub use ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
pub use read::{
    Batch, BatchKind, Batches, ById, CompactEvent, CompactKind, EventError, EventForm, FrameRef,
    FramingError, Frontier, GoState, MAX_GENERATION_BYTES, MAX_STATE_BYTES, MAX_V1_BYTES, Metric,
    OrderError, Owned, ProcState, RangeName, RangeScope, ReadCause, ReadError, Reader, StackFrame,
    StateChange, SyncClock, TableError, Tables, TraceEvent, TraceEventKind, TraceTime, V1Error,
    WireEvent, WireEvents,
};
pub use side::{
    Inferred, LeftOut, MAX_SIDE_RECORD_BYTES, MAX_SIDE_TEXT_BYTES, SIDE_DATA_MAGIC,
    SIDE_DATA_VERSION, SideDataError, SideRecord, SideRecords, SideText, SpanRecord,
};
pub use validate::{Validator, Violation};
pub use wire::{ClockSnapshot, END_OF_GENERATION, Version};
pub use write::{GroupCounts, StreamId, WireFrame, Writer};

/// The old name of [`StreamId`].
#[doc(hidden)]
pub type Stream = StreamId;
/// The old name of [`WireFrame`].
#[doc(hidden)]
pub type Frame = WireFrame;
