//! Side data: records of exectrace in experimental batches, for what the format has no event for.
//!
//! The payload of such a batch is
//!
//! | bytes | what |
//! |---|---|
//! | 9 | `exectrace` |
//! | 1 | version, now 1 |
//! | rest | records: kind (uvarint), length of the fields (uvarint), fields |
//!
//! A number is a uvarint, a signed number a zigzag uvarint, a text its length in bytes and the
//! bytes. A reader skips kinds it does not know by their length, and bytes after the fields it
//! knows, so a kind can grow at its end. Other tools take the batch for opaque bytes.

mod fields;
mod records;
mod span;

use std::borrow::Cow;

use thiserror::Error;

use crate::ids::{GoId, ProcId, StackId, TaskId, ThreadId};

pub(crate) use fields::cut;
pub use records::SideRecords;
pub use span::SpanRecord;

/// The bytes that begin each payload of side data.
pub const SIDE_DATA_MAGIC: &[u8; 9] = b"exectrace";
/// The version of the records that this crate writes and reads.
pub const SIDE_DATA_VERSION: u8 = 1;
/// Most bytes of the fields of a record that this crate writes; what exceeds it is left out.
pub const MAX_SIDE_RECORD_BYTES: usize = 32_768;
/// Most bytes of one text in a record; longer ones are cut at a character boundary when written.
pub const MAX_SIDE_TEXT_BYTES: usize = 1_024;

/// A text of a record: borrowed where it is static, owned where it was made or read.
pub type SideText = Cow<'static, str>;

/// One record of side data.
///
/// Times are nanoseconds on the clock of the events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SideRecord {
    /// What the recording program can see and what it cannot, as pairs of key and value. The keys that readers
    /// depend on are in [`conventions`](crate::conventions).
    Capabilities {
        /// Key and value, in the order to be shown.
        pairs: Vec<(SideText, SideText)>,
    },
    /// The name of a thread.
    ThreadName {
        /// The thread.
        thread: ThreadId,
        /// Its name.
        name: SideText,
    },
    /// The name of a proc.
    ProcName {
        /// The proc.
        proc: ProcId,
        /// Its name.
        name: SideText,
    },
    /// The name of an async runtime.
    RuntimeName {
        /// The runtime's number in this recording.
        id: u64,
        /// Its name.
        name: SideText,
    },
    /// The value of a counter from an instant on.
    Counter {
        /// The counter.
        name: SideText,
        /// When it was read.
        time_ns: u64,
        /// What it was.
        value: i64,
    },
    /// One user task follows from another, without being its child.
    Link {
        /// When this became known.
        time_ns: u64,
        /// The earlier user task.
        from: TaskId,
        /// The user task that follows.
        to: TaskId,
    },
    /// An event in the trace was not seen by the recorder but concluded. A wake of an async task that was
    /// concluded has no such record: its stack says so, as there may be one a poll.
    Inferred {
        /// The time of the event.
        time_ns: u64,
        /// What was concluded.
        what: Inferred,
        /// The user task or goroutine concerned.
        id: u64,
    },
    /// Records of a thread were dropped.
    Lost {
        /// When the loss was noticed.
        time_ns: u64,
        /// The thread.
        thread: ThreadId,
        /// How many records.
        records: u64,
    },
    /// Something is not in the trace, for another reason than dropped records.
    LeftOut {
        /// When it was noticed.
        time_ns: u64,
        /// The reason.
        cause: LeftOut,
        /// How many records, or spans, user tasks and regions.
        count: u64,
    },
    /// A user task began before the file does; its begin event stands in the preamble.
    BeganBefore {
        /// The user task.
        task: TaskId,
        /// When it began.
        time_ns: u64,
    },
    /// The program that wrote the trace.
    GeneratedBy {
        /// Its name.
        name: SideText,
        /// Its version.
        version: SideText,
    },
    /// A span that no single region describes.
    Span(SpanRecord),
    /// What the system had counted of a thread's time at an instant, since the thread began.
    ThreadTime {
        /// The thread.
        thread: ThreadId,
        /// When the system was asked.
        time_ns: u64,
        /// How long the thread was on a processor.
        cpu_ns: u64,
        /// How long it was ready and waited for a processor, in waits that had ended.
        wait_ns: u64,
    },
    /// System calls, made by way of the C library, that were counted and have no events of their own: they were
    /// short, or are of a kind that is only counted.
    CallCounts {
        /// When the last of them ended, or later.
        time_ns: u64,
        /// The thread that made them.
        thread: ThreadId,
        /// What ran on it; 0 if nothing did that the trace shows.
        go: GoId,
        /// The user task that they belong to.
        task: TaskId,
        /// The function of the C library.
        call: SideText,
        /// How many calls.
        calls: u64,
        /// How long they took, all together; 0 where their kind is not timed.
        total_ns: u64,
    },
    /// A call that has events of its own has failed.
    CallFailed {
        /// The time of the event with which it began.
        time_ns: u64,
        /// Who made it.
        go: GoId,
        /// The system's number of the error.
        errno: u64,
    },
    /// Where a call was made that has events of its own. Such a record says it of a call that lasted so long that
    /// its begin was written before it was known.
    CallStack {
        /// The time of the event with which it began.
        time_ns: u64,
        /// Who made it.
        go: GoId,
        /// The stack in this generation, with the call as its leaf.
        stack: StackId,
    },
    /// A thread waited in the driver of its runtime for sockets, timers and signals.
    DriverWait {
        /// When it began to wait.
        time_ns: u64,
        /// The thread.
        thread: ThreadId,
        /// How long it waited.
        duration_ns: u64,
        /// How many sources were ready; 0 if the time for which it meant to wait was over, or a signal came.
        ready: u64,
    },
    /// Memory that was allocated and freed, since the last record of this thread.
    Allocations {
        /// When it was counted.
        time_ns: u64,
        /// The thread that allocated and freed.
        thread: ThreadId,
        /// What ran on it; 0 if nothing did that the trace shows.
        go: GoId,
        /// The user task that it belongs to.
        task: TaskId,
        /// Bytes that were allocated.
        allocated_bytes: u64,
        /// In so many allocations.
        allocations: u64,
        /// Bytes that were freed, whoever had allocated them.
        freed_bytes: u64,
        /// So many allocations were freed.
        frees: u64,
    },
    /// How often a thread had stopped and waited, since it began.
    ThreadUsage {
        /// The thread.
        thread: ThreadId,
        /// When the system was asked.
        time_ns: u64,
        /// How often it gave its processor up itself, to wait for something.
        voluntary_switches: u64,
        /// How often the system took the processor away from it.
        involuntary_switches: u64,
        /// Page faults for which nothing was read from a disk.
        minor_faults: u64,
        /// Page faults for which the thread waited for a disk.
        major_faults: u64,
    },
    /// A thread was on no processor.
    OffProcessor {
        /// When it left its processor.
        time_ns: u64,
        /// The thread.
        thread: ThreadId,
        /// How long it was on none.
        duration_ns: u64,
        /// It could have run on: the system gave its processor to another thread.
        is_preempted: bool,
    },
    /// A source of the trace had more to record than its budget, and left some of it out.
    Thinned {
        /// When that was noticed.
        time_ns: u64,
        /// The source.
        source: SideText,
        /// How many records it left out since it last said so.
        records: u64,
    },
    /// An allocation that was sampled, one for each `interval_bytes` that were allocated, on average.
    ///
    /// It stands for 1 / (1 - e^(-`size_bytes` / `interval_bytes`)) allocations of its size.
    HeapSample {
        /// When it was allocated.
        time_ns: u64,
        /// The thread that allocated.
        thread: ThreadId,
        /// What ran on it; 0 if nothing did that the trace shows.
        go: GoId,
        /// The user task that it belongs to.
        task: TaskId,
        /// The sample's number, which is that of no other in the trace.
        sample: u64,
        /// Bytes that were asked for.
        size_bytes: u64,
        /// The mean distance of two samples in bytes, when this one was taken.
        interval_bytes: u64,
        /// Where it was allocated: a stack of this generation, or none.
        stack: StackId,
        /// It was allocated before the file begins, and is alive at its begin.
        is_from_before: bool,
    },
    /// A sampled allocation was freed.
    HeapFree {
        /// When.
        time_ns: u64,
        /// The number of the sample.
        sample: u64,
    },
    /// A record of a kind that this version does not know, or whose fields it cannot make out.
    Unknown {
        /// The kind's number.
        kind: u64,
        /// Its fields.
        bytes: Vec<u8>,
    },
}

/// Why something is not in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum LeftOut {
    /// Spans, user tasks and regions, as a table of the recorder was full.
    TableFull = 1,
    /// Records, as the formatting of a value panicked.
    Unformatted = 2,
    /// Records that came while their thread was in the middle of another one, or past its end.
    Nested = 3,
    /// CPU samples, as they came faster than they were written.
    CpuSamples = 4,
    /// Samples of allocations, as more of them were alive than can be followed, buffers were full, or their thread was in
    /// another record.
    HeapSamples = 5,
}

impl LeftOut {
    /// What was left out and why, to follow a number.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::TableFull => "spans, tasks and regions left out: a table of the tracer was full",
            Self::Unformatted => "records lost: the formatting of a value panicked",
            Self::CpuSamples => "CPU samples lost: they came faster than they were written",
            Self::HeapSamples => {
                "samples of allocations lost: there was no room, or their thread was in another record"
            }
            Self::Nested => "records lost: their thread was in another record, or at its end",
        }
    }

    fn from_wire(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::TableFull,
            2 => Self::Unformatted,
            3 => Self::Nested,
            4 => Self::CpuSamples,
            5 => Self::HeapSamples,
            _ => return None,
        })
    }
}

/// What kind of event was concluded rather than seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Inferred {
    /// The beginning of a user task.
    TaskBegin = 1,
    /// The end of a user task.
    TaskEnd = 2,
    /// The beginning of a region.
    RegionBegin = 3,
    /// The end of a region.
    RegionEnd = 4,
    /// A wake.
    Wake = 5,
    /// The state of a goroutine or proc.
    State = 6,
    /// The last run of a goroutine, and the wake before it: it ended without running, of which the format knows
    /// nothing.
    Run = 7,
}

impl Inferred {
    /// What this code stands for.
    fn from_wire(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::TaskBegin,
            2 => Self::TaskEnd,
            3 => Self::RegionBegin,
            4 => Self::RegionEnd,
            5 => Self::Wake,
            6 => Self::State,
            7 => Self::Run,
            _ => return None,
        })
    }
}

/// Why a payload of side data cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SideDataError {
    /// The batch is another program's: it does not begin with [`SIDE_DATA_MAGIC`].
    #[error("not side data of exectrace")]
    Foreign,
    /// The batch was written by a newer or older program.
    #[error("side data of version {found}, this program reads version {known}")]
    Version {
        /// The version in the batch.
        found: u8,
        /// The version that this crate reads.
        known: u8,
    },
    /// A record's head is cut off, or its length exceeds the batch.
    #[error("side data damaged at byte {offset} of its batch")]
    Damaged {
        /// Where the record begins, counted from the beginning of the payload.
        offset: usize,
    },
}
