//! Why a trace in the old format cannot be read, in wordings close to Go's.

use thiserror::Error;

use crate::ids::{GoId, StringId, TaskId};

/// A trace of Go 1.11 to 1.21 is damaged or contradicts itself.
///
/// The numbers of lanes are signed, as Go prints them: -1 is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum V1Error {
    /// The file exceeds [`MAX_V1_BYTES`](crate::MAX_V1_BYTES).
    #[error("trace of Go 1.11 to 1.21 larger than {0} bytes")]
    FileTooLarge(u64),
    /// An id beyond the table of events, or of an event that the version does not have.
    #[error("unknown event type {0}")]
    UnknownType(u8),
    /// A number of the event is cut off or exceeds 64 bits.
    #[error("failed to read {0}: malformatted base-128 varint")]
    Uvarint(&'static str),
    /// The file ends within the event.
    #[error("failed to read trace: unexpected EOF in {0}")]
    Cut(&'static str),
    /// The arguments of an event are too many bytes.
    #[error(
        "failed to read {event}: length-prefixed argument too big: {bytes} bytes, limit is {}",
        super::wire::MAX_ARGUMENT_BYTES
    )]
    TooManyBytes {
        /// The event.
        event: &'static str,
        /// The bytes it says that its arguments have.
        bytes: u64,
    },
    /// An event has more or fewer arguments than its kind.
    #[error("{event} has wrong number of arguments: want {wanted}, got {found}")]
    Arguments {
        /// The event.
        event: &'static str,
        /// As many as the kind has, with time and stack.
        wanted: u64,
        /// As many as there are.
        found: u64,
    },
    /// A lane's number exceeds 31 bits.
    #[error("processor ID {0} is larger than maximum of {max}", max = i32::MAX)]
    ProcTooLarge(u64),
    /// An event stands before the first batch.
    #[error("read event {0} with current P of 0, but P has no batches yet")]
    BeforeBatch(u8),
    /// A string has the id of the empty text.
    #[error("string has invalid id 0")]
    StringZero,
    /// A string id is defined twice.
    #[error("string has duplicate id {0}")]
    DuplicateString(u64),
    /// A string has no text.
    #[error("string has invalid length 0")]
    EmptyString,
    /// A string or message is longer than the format allows.
    #[error("string has too large length {0}")]
    StringTooLong(u64),
    /// A stack has more frames than the format allows.
    #[error("EvStack has bad number of frames: {0}")]
    StackTooDeep(u64),
    /// The trace does not say how fast its clock is.
    #[error("no EvFrequency event")]
    NoFrequency,
    /// The clock goes back: the clocks of the machine's processors differed.
    #[error("time stamps out of order")]
    TimeOrder,
    /// Every lane waits for something that never happens.
    #[error("no consistent ordering of events possible")]
    NoOrdering,
    /// Two lanes claim the same change of a goroutine.
    #[error("encountered impossible goroutine state transition")]
    ImpossibleTransition,
    /// A system call ends that did not begin.
    #[error("stray syscall exit")]
    StraySyscallExit,
    /// A lane starts that runs, or stops that does not.
    #[error("p {proc} is {problem}")]
    Proc {
        /// The lane.
        proc: i32,
        /// The contradiction.
        problem: &'static str,
    },
    /// A lane stops while it has a goroutine.
    #[error("p {proc} is running a goroutine {} during stop", .go.0)]
    StopWithGo {
        /// The lane.
        proc: i32,
        /// Its goroutine.
        go: GoId,
    },
    /// A goroutine starts on a lane that has one.
    #[error("p {proc} is already running g {} while start g {}", .running.0, .go.0)]
    ProcTaken {
        /// The lane.
        proc: i32,
        /// Its goroutine.
        running: GoId,
        /// The goroutine that starts.
        go: GoId,
    },
    /// An event of a goroutine happens on a lane that does not run it.
    #[error("p {proc} is not running g {} while {event}", .go.0)]
    NotOnProc {
        /// The lane.
        proc: i32,
        /// The goroutine.
        go: GoId,
        /// The event.
        event: &'static str,
    },
    /// A goroutine is in the wrong state for an event.
    #[error("g {} is not {expected} {event}", .go.0)]
    GoState {
        /// The goroutine.
        go: GoId,
        /// The state it needs.
        expected: &'static str,
        /// The event.
        event: &'static str,
    },
    /// An event needs a goroutine and there is none.
    #[error("g 0 did {0}")]
    NoGo(&'static str),
    /// A goroutine is made that exists.
    #[error("g {} already exists", .0.0)]
    GoExists(GoId),
    /// A range begins that is open.
    #[error("previous {0} is not ended before a new one")]
    RangeOpen(&'static str),
    /// A range ends that is not open.
    #[error("bogus {0} end")]
    RangeNotOpen(&'static str),
    /// A user task begins that is open.
    #[error("task id conflicts (id:{})", .0.0)]
    TaskConflict(TaskId),
    /// A region ends that is not the innermost one.
    #[error(
        "misuse of region in goroutine {}: end of {} of task {} when the inner-most active region is {} of task {}",
        .go.0, .name, .task.0, .open_name, .open_task.0
    )]
    RegionMisuse {
        /// The goroutine.
        go: GoId,
        /// The task of the region that ends.
        task: TaskId,
        /// The name of the region that ends.
        name: StringId,
        /// The task of the innermost region.
        open_task: TaskId,
        /// The name of the innermost region.
        open_name: StringId,
    },
    /// An event of a region neither begins nor ends it.
    #[error("invalid user region mode: {0}")]
    RegionMode(u64),
    /// An event that no runtime writes any more.
    #[error("unexpected event type {0}")]
    Obsolete(u8),
}
