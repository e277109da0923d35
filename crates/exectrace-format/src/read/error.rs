//! Why a trace cannot be read: one enum for each layer, wordings close to Go's.

use std::fmt;

use thiserror::Error;

use super::order_error::OrderError;
use super::v1::error::V1Error;
use crate::event::EventKind;
use crate::ids::{StackId, StringId};

/// A trace is damaged or breaks a rule: where, and which.
#[derive(Debug, Error)]
#[non_exhaustive]
pub struct ReadError {
    /// The byte of the file at which the damaged batch or event begins.
    pub offset: u64,
    /// The generation concerned; 0 where none had begun.
    pub generation: u64,
    /// What is wrong.
    #[source]
    pub cause: ReadCause,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if self.generation != 0 {
            write!(f, ", generation {}", self.generation)?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// What is wrong with a trace, by the layer that noticed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadCause {
    /// The input does not begin with the header of a trace.
    #[error("bad file format: not a Go execution trace?")]
    NotATrace,
    /// The header names a version that this reader does not know.
    #[error("unknown or unsupported trace version go 1.{0}")]
    UnsupportedVersion(u64),
    /// The input failed.
    #[error("cannot read: {0}")]
    Io(#[from] std::io::Error),
    /// The sequence of batches is damaged.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A generation lacks something, or one of its tables is damaged.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The bytes of an event are damaged, or name what does not exist.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The events contradict each other.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A trace of Go 1.11 to 1.21 is damaged.
    #[error(transparent)]
    V1(#[from] V1Error),
    /// A reader cannot go on from a checkpoint.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

/// A reader cannot go on from a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// It is no regular file, so nothing but its beginning can be read.
    #[error("cannot go on from a checkpoint: not a regular file")]
    NotAFile,
    /// The file has become shorter than what was read of it for the checkpoint.
    #[error("cannot go on from a checkpoint: the file has {bytes} bytes, and {wanted} were read")]
    TooShort {
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that were read.
        wanted: u64,
    },
    /// The file has another version, or another batch where the generation begins.
    #[error("cannot go on from a checkpoint: it is of another file, or the file has changed")]
    OtherFile,
}

/// The sequence of batches is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FramingError {
    /// A byte stands where a batch must begin, and is none of its first bytes.
    #[error("expected batch event, got event {0}")]
    UnexpectedKind(u8),
    /// The head of a batch is cut off.
    #[error("error reading batch {field}: unexpected EOF")]
    HeadCut {
        /// The field that is missing.
        field: &'static str,
    },
    /// A number in the head of a batch exceeds 64 bits.
    #[error("error reading batch {field}: varint overflows a 64-bit integer")]
    HeadOverflow {
        /// The field with the number.
        field: &'static str,
    },
    /// The payload of a batch is cut off.
    #[error("failed to read full batch: read {read} but wanted {wanted}")]
    PayloadCut {
        /// Bytes that are there.
        read: u64,
        /// Bytes that the head promised.
        wanted: u64,
    },
    /// A batch is larger than the format allows.
    #[error("invalid batch size {0}, maximum is 65536")]
    TooLarge(u64),
    /// Generations are numbered from 1.
    #[error("invalid generation number 0")]
    GenerationZero,
    /// Up to header 25: a batch belongs neither to this generation nor to the next.
    #[error("generations out of order: {found} after {current}")]
    OutOfOrder {
        /// The generation being read.
        current: u64,
        /// The generation that the batch names.
        found: u64,
    },
    /// Header 26: a batch of another generation, and this one's end was not marked.
    #[error("broken trace: missing end-of-generation event, or generations are interleaved")]
    Interleaved,
    /// Header 26: the file ends before the end of the generation is marked.
    #[error("incomplete generation found; trace likely truncated")]
    Incomplete,
    /// A generation exceeds [`MAX_GENERATION_BYTES`](crate::MAX_GENERATION_BYTES).
    #[error("generation larger than {0} bytes")]
    GenerationTooLarge(u64),
}

/// A generation lacks something, or one of its tables is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// The generation has no frequency.
    #[error("no frequency event found")]
    NoFrequency,
    /// The generation has a second frequency.
    #[error("found multiple frequency events")]
    MultipleFrequencies,
    /// The generation has no snapshot of the clocks.
    #[error("no clock snapshot event found")]
    NoClock,
    /// The generation has a second snapshot of the clocks.
    #[error("found multiple clock snapshot events")]
    MultipleClocks,
    /// A sync batch holds something else.
    #[error("expected frequency or clock snapshot event, got {0}")]
    UnexpectedInSync(u8),
    /// A table holds something else than its entries.
    #[error("expected {table} event, got {found}")]
    UnexpectedEntry {
        /// What the table holds.
        table: &'static str,
        /// The byte found instead.
        found: u8,
    },
    /// An entry of a table is cut off, or one of its numbers exceeds 64 bits.
    #[error("failed to read {table}: unexpected EOF")]
    EntryCut {
        /// What the table holds.
        table: &'static str,
    },
    /// A string is longer than the format allows.
    #[error("invalid string size {0}, maximum is 1024")]
    StringTooLong(u64),
    /// A stack has more frames than the format allows.
    #[error("invalid stack size {0}, maximum is 128")]
    StackTooDeep(u64),
    /// A string id is defined twice, or is the 0 that stands for the empty text.
    #[error("multiple strings with the same ID: {0}")]
    DuplicateString(StringId),
    /// A stack id is defined twice, or is the 0 that stands for no stack.
    #[error("multiple stacks with the same ID: {0}")]
    DuplicateStack(StackId),
    /// A frame names a string that the generation does not define.
    #[error("found invalid {what} string ID {string} for stack {stack}")]
    FrameString {
        /// `func` or `file`.
        what: &'static str,
        /// The string.
        string: StringId,
        /// The stack.
        stack: StackId,
    },
    /// A CPU sample names a stack that the generation does not define.
    ///
    /// Go's own reader does not notice; its tools crash.
    #[error("found invalid stack ID {0} for CPU sample")]
    SampleStack(StackId),
}

/// The bytes of an event are damaged, or name what does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// An id beyond the table of events.
    #[error("found invalid event type: {0}")]
    UnknownType(u8),
    /// The id of something that is no timed event.
    #[error("found event without a timestamp: type={0}")]
    Untimed(u8),
    /// A number of the event is cut off or exceeds 64 bits.
    #[error("found invalid uvarint")]
    Uvarint,
    /// The time of the event is cut off or exceeds 64 bits.
    #[error("found invalid uvarint for timestamp")]
    TimeUvarint,
    /// An event that has no place among a thread's events.
    #[error("bad event type found while ordering: {0}")]
    Misplaced(u8),
    /// The event names a string that the generation does not define.
    #[error("found invalid string ID {id} for event {kind:?}")]
    UnknownString {
        /// The string.
        id: StringId,
        /// The event.
        kind: EventKind,
    },
    /// The event names a stack that the generation does not define.
    #[error("found invalid stack ID {id} for event {kind:?}")]
    UnknownStack {
        /// The stack.
        id: StackId,
        /// The event.
        kind: EventKind,
    },
}
