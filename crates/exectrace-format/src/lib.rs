//! Go's execution trace format: what a trace file is made of, writing it, reading it.
//!
//! - [`Writer`] makes the bytes of generations from events; it knows no file and no clock.
//! - [`Reader`] yields the events of a file in their true order, or says where it is damaged. It
//!   takes the traces of Go 1.11 to 1.27; all else here is of the format since Go 1.22.
//! - [`Event`] and [`EventKind`] are the table of events, from which all else is derived.
//! - [`text`] shows the bytes of a trace as lines, and makes bytes of lines again.
//! - [`SideRecord`] is what the format has no event for, kept in a corner that other tools skip.
//!
//! This crate knows nothing of Rust programs, threads or the whereabouts of files.

#![forbid(unsafe_code)]

mod event;
mod ids;
mod reader;
mod side;
pub mod text;
pub mod wire;
mod writer;

pub use event::{
    Argument, ArgumentType, Event, EventKind, GoStatus, MAX_ARGUMENTS, MAX_EVENT_BYTES, ProcStatus,
};
pub use ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
pub use reader::{
    Batch, BatchKind, Batches, CompactEvent, CompactKind, EventError, FrameRef, FramingError,
    Frontier, GoState, MAX_GENERATION_BYTES, MAX_STATE_BYTES, MAX_V1_BYTES, Metric, OrderError,
    ProcState, RangeName, RangeScope, ReadCause, ReadError, Reader, StackFrame, StateChange,
    SyncClock, TableError, Tables, TraceEvent, TraceEventKind, TraceTime, V1Error, WireEvent,
    WireEvents,
};
pub use side::{
    Inferred, MAX_SIDE_RECORD_BYTES, MAX_SIDE_TEXT_BYTES, SIDE_DATA_MAGIC, SIDE_DATA_VERSION,
    SideDataError, SideRecord, SideRecords, SideText,
};
pub use wire::{ClockSnapshot, END_OF_GENERATION, Version};
pub use writer::{Frame, GroupCounts, Stream, Writer};
