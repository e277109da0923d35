//! Side data: our own records in experimental batches, for what the format has no event for.
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

mod span;

use std::borrow::Cow;

use thiserror::Error;

use crate::ids::{ProcId, TaskId, ThreadId};
use crate::wire::{put_uvarint, take_uvarint};

pub use span::SpanRecord;

/// The bytes that begin each payload of ours.
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
    /// What the recording build can see and cannot, as pairs of key and value.
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
    /// The name of a lane.
    ProcName {
        /// The lane.
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
        /// The earlier task.
        from: TaskId,
        /// The task that follows.
        to: TaskId,
    },
    /// An event in the trace was not seen by the recorder but concluded. A wake of an async task that was
    /// concluded has no such record: its stack says so, as there may be one a poll.
    Inferred {
        /// The time of the event.
        time_ns: u64,
        /// What was concluded.
        what: Inferred,
        /// The task or flow concerned.
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
        /// How many records, or spans, tasks and regions.
        count: u64,
    },
    /// A user task began before the file does; its begin event stands in the preamble.
    BeganBefore {
        /// The task.
        task: TaskId,
        /// Its true beginning.
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
pub enum LeftOut {
    /// Spans, tasks and regions, as a table of the recorder was full.
    TableFull = 1,
    /// Records, as the formatting of a value panicked.
    Unformatted = 2,
    /// Records that came while their thread was in the middle of another one, or past its end.
    Nested = 3,
}

impl LeftOut {
    /// What was left out and why, to follow a number.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::TableFull => "spans, tasks and regions left out: a table of the tracer was full",
            Self::Unformatted => "records lost: the formatting of a value panicked",
            Self::Nested => "records lost: their thread was in another record, or at its end",
        }
    }

    fn from_wire(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::TableFull,
            2 => Self::Unformatted,
            3 => Self::Nested,
            _ => return None,
        })
    }
}

/// What kind of event was concluded rather than seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
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
    /// The state of a flow or lane.
    State = 6,
    /// The last run of a flow, and the wake before it: it ended without running, of which the format knows
    /// nothing.
    Run = 7,
}

impl Inferred {
    /// The meaning of this code.
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

const CAPABILITIES: u64 = 1;
const THREAD_NAME: u64 = 2;
const PROC_NAME: u64 = 3;
const RUNTIME_NAME: u64 = 4;
const COUNTER: u64 = 5;
const LINK: u64 = 6;
const INFERRED: u64 = 7;
const LOST: u64 = 8;
const BEGAN_BEFORE: u64 = 9;
const GENERATED_BY: u64 = 10;
const SPAN: u64 = 11;
const LEFT_OUT: u64 = 12;
const THREAD_TIME: u64 = 13;

impl SideRecord {
    /// The kinds of record: number, name, fields. `SPEC.md` is checked against it.
    pub const KINDS: &'static [(u64, &'static str, &'static str)] = &[
        (
            CAPABILITIES,
            "Capabilities",
            "n, n × (key text, value text)",
        ),
        (THREAD_NAME, "ThreadName", "thread, name text"),
        (PROC_NAME, "ProcName", "proc, name text"),
        (RUNTIME_NAME, "RuntimeName", "id, name text"),
        (COUNTER, "Counter", "name text, time, value signed"),
        (LINK, "Link", "time, from task, to task"),
        (INFERRED, "Inferred", "time, what, id"),
        (LOST, "Lost", "time, thread, records"),
        (BEGAN_BEFORE, "BeganBefore", "task, time"),
        (GENERATED_BY, "GeneratedBy", "name text, version text"),
        (
            SPAN,
            "Span",
            "first entry, close - first entry, busy, entries, go, task, flags, parent, name text",
        ),
        (LEFT_OUT, "LeftOut", "time, cause, count"),
        (THREAD_TIME, "ThreadTime", "thread, time, cpu, wait"),
    ];

    /// The number of this record's kind.
    pub fn kind(&self) -> u64 {
        match self {
            Self::Capabilities { .. } => CAPABILITIES,
            Self::ThreadName { .. } => THREAD_NAME,
            Self::ProcName { .. } => PROC_NAME,
            Self::RuntimeName { .. } => RUNTIME_NAME,
            Self::Counter { .. } => COUNTER,
            Self::Link { .. } => LINK,
            Self::Inferred { .. } => INFERRED,
            Self::Lost { .. } => LOST,
            Self::BeganBefore { .. } => BEGAN_BEFORE,
            Self::GeneratedBy { .. } => GENERATED_BY,
            Self::Span(_) => SPAN,
            Self::LeftOut { .. } => LEFT_OUT,
            Self::ThreadTime { .. } => THREAD_TIME,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// Appends the record: kind, length, fields.
    ///
    /// `fields` is a buffer to be used again from call to call; its contents do not matter.
    pub(crate) fn encode(&self, fields: &mut Vec<u8>, out: &mut Vec<u8>) {
        fields.clear();
        self.encode_fields(fields);
        put_uvarint(out, self.kind());
        put_uvarint(out, fields.len() as u64);
        out.extend_from_slice(fields);
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        match self {
            Self::Capabilities { pairs } => put_pairs(out, pairs),
            Self::ThreadName {
                thread: ThreadId(id),
                name,
            }
            | Self::ProcName {
                proc: ProcId(id),
                name,
            }
            | Self::RuntimeName { id, name } => {
                put_uvarint(out, *id);
                put_text(out, name);
            }
            Self::Counter {
                name,
                time_ns,
                value,
            } => {
                put_text(out, name);
                put_uvarint(out, *time_ns);
                put_uvarint(out, ((value << 1) ^ (value >> 63)) as u64);
            }
            Self::Link { time_ns, from, to } => put_all(out, &[*time_ns, from.0, to.0]),
            Self::Inferred { time_ns, what, id } => put_all(out, &[*time_ns, *what as u64, *id]),
            Self::Lost {
                time_ns,
                thread,
                records,
            } => put_all(out, &[*time_ns, thread.0, *records]),
            Self::BeganBefore { task, time_ns } => put_all(out, &[task.0, *time_ns]),
            Self::GeneratedBy { name, version } => {
                put_text(out, name);
                put_text(out, version);
            }
            Self::Span(span) => span.encode(out),
            Self::LeftOut {
                time_ns,
                cause,
                count,
            } => put_all(out, &[*time_ns, *cause as u64, *count]),
            Self::ThreadTime {
                thread,
                time_ns,
                cpu_ns,
                wait_ns,
            } => put_all(out, &[thread.0, *time_ns, *cpu_ns, *wait_ns]),
            Self::Unknown { bytes, .. } => {
                out.extend_from_slice(&bytes[..bytes.len().min(MAX_SIDE_RECORD_BYTES)]);
            }
        }
    }

    /// The record of this kind with these fields; `None` if they do not fit it.
    fn decode_known(kind: u64, mut fields: &[u8]) -> Option<Self> {
        let input = &mut fields;
        Some(match kind {
            CAPABILITIES => {
                let count = take_uvarint(input)?;
                let mut pairs = Vec::new();
                for _ in 0..count {
                    // Each pair takes two bytes at least, so a false count ends here soon.
                    pairs.push((take_text(input)?, take_text(input)?));
                }
                Self::Capabilities { pairs }
            }
            THREAD_NAME => Self::ThreadName {
                thread: ThreadId(take_uvarint(input)?),
                name: take_text(input)?,
            },
            PROC_NAME => Self::ProcName {
                proc: ProcId(take_uvarint(input)?),
                name: take_text(input)?,
            },
            RUNTIME_NAME => Self::RuntimeName {
                id: take_uvarint(input)?,
                name: take_text(input)?,
            },
            COUNTER => Self::Counter {
                name: take_text(input)?,
                time_ns: take_uvarint(input)?,
                value: unzigzag(take_uvarint(input)?),
            },
            LINK => Self::Link {
                time_ns: take_uvarint(input)?,
                from: TaskId(take_uvarint(input)?),
                to: TaskId(take_uvarint(input)?),
            },
            INFERRED => Self::Inferred {
                time_ns: take_uvarint(input)?,
                what: Inferred::from_wire(take_uvarint(input)?)?,
                id: take_uvarint(input)?,
            },
            LOST => Self::Lost {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                records: take_uvarint(input)?,
            },
            BEGAN_BEFORE => Self::BeganBefore {
                task: TaskId(take_uvarint(input)?),
                time_ns: take_uvarint(input)?,
            },
            GENERATED_BY => Self::GeneratedBy {
                name: take_text(input)?,
                version: take_text(input)?,
            },
            SPAN => Self::Span(SpanRecord::decode(input)?),
            LEFT_OUT => Self::LeftOut {
                time_ns: take_uvarint(input)?,
                cause: LeftOut::from_wire(take_uvarint(input)?)?,
                count: take_uvarint(input)?,
            },
            THREAD_TIME => Self::ThreadTime {
                thread: ThreadId(take_uvarint(input)?),
                time_ns: take_uvarint(input)?,
                cpu_ns: take_uvarint(input)?,
                wait_ns: take_uvarint(input)?,
            },
            _ => return None,
        })
    }
}

/// The records of one payload of side data, decoded one by one.
///
/// Ends after the last record or after the first error. Never panics, whatever the bytes; memory
/// is bounded by the payload.
#[derive(Clone, Debug)]
pub struct SideRecords<'a> {
    payload_bytes: usize,
    rest: &'a [u8],
}

impl<'a> SideRecords<'a> {
    /// The records in the payload of an experimental batch.
    ///
    /// # Errors
    ///
    /// [`SideDataError::Foreign`] or [`SideDataError::Version`].
    pub fn new(payload: &'a [u8]) -> Result<Self, SideDataError> {
        let rest = payload
            .strip_prefix(SIDE_DATA_MAGIC)
            .ok_or(SideDataError::Foreign)?;
        match rest.split_first() {
            Some((&SIDE_DATA_VERSION, rest)) => Ok(Self {
                payload_bytes: payload.len(),
                rest,
            }),
            Some((&found, _)) => Err(SideDataError::Version {
                found,
                known: SIDE_DATA_VERSION,
            }),
            None => Err(SideDataError::Foreign),
        }
    }

    /// Goes on at a [`position`](Self::position) of the same payload; 0 is the beginning.
    pub(crate) fn new_at(payload: &'a [u8], position: usize) -> Result<Self, SideDataError> {
        if position == 0 {
            return Self::new(payload);
        }
        Ok(Self {
            payload_bytes: payload.len(),
            rest: payload.get(position..).unwrap_or(&[]),
        })
    }

    /// Where in the payload the next record begins.
    pub(crate) fn position(&self) -> usize {
        self.payload_bytes - self.rest.len()
    }

    fn take(&mut self) -> Option<SideRecord> {
        let kind = take_uvarint(&mut self.rest)?;
        let length = usize::try_from(take_uvarint(&mut self.rest)?).ok()?;
        let (fields, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(
            SideRecord::decode_known(kind, fields).unwrap_or_else(|| SideRecord::Unknown {
                kind,
                bytes: fields.to_vec(),
            }),
        )
    }
}

impl Iterator for SideRecords<'_> {
    type Item = Result<SideRecord, SideDataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.payload_bytes - self.rest.len();
        let record = self.take();
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(SideDataError::Damaged { offset }))
    }
}

/// The longest beginning of `text` of at most `limit` bytes that ends between two characters.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn put_all(out: &mut Vec<u8>, values: &[u64]) {
    for &value in values {
        put_uvarint(out, value);
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = cut(text, MAX_SIDE_TEXT_BYTES);
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_pairs(out: &mut Vec<u8>, pairs: &[(SideText, SideText)]) {
    const PAIR_BYTES: usize = 2 * (MAX_SIDE_TEXT_BYTES + 2);
    let mut bytes = Vec::new();
    let mut count = 0;
    for (key, value) in pairs {
        if bytes.len() + PAIR_BYTES > MAX_SIDE_RECORD_BYTES {
            break;
        }
        put_text(&mut bytes, key);
        put_text(&mut bytes, value);
        count += 1;
    }
    put_uvarint(out, count);
    out.extend_from_slice(&bytes);
}

fn take_text(input: &mut &[u8]) -> Option<SideText> {
    let length = usize::try_from(take_uvarint(input)?).ok()?;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Cow::Owned(String::from_utf8_lossy(text).into_owned()))
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
