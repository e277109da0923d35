//! The kinds of side records, and their fields as bytes.

use std::borrow::Cow;

use crate::ids::{GoId, ProcId, StackId, TaskId, ThreadId};
use crate::wire::{put_uvarint, take_uvarint};

use super::{
    Inferred, LeftOut, MAX_SIDE_RECORD_BYTES, MAX_SIDE_TEXT_BYTES, SideRecord, SideText, SpanRecord,
};

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
const CALL_COUNTS: u64 = 14;
const CALL_FAILED: u64 = 15;
const DRIVER_WAIT: u64 = 16;
const ALLOCATIONS: u64 = 17;
const THREAD_USAGE: u64 = 18;
const OFF_PROCESSOR: u64 = 19;
const THINNED: u64 = 20;
const HEAP_SAMPLE: u64 = 21;
const HEAP_FREE: u64 = 22;
const CALL_STACK: u64 = 23;

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
        (
            CALL_COUNTS,
            "CallCounts",
            "time, thread, go, task, call text, calls, total",
        ),
        (CALL_FAILED, "CallFailed", "time, go, errno"),
        (DRIVER_WAIT, "DriverWait", "time, thread, duration, ready"),
        (
            ALLOCATIONS,
            "Allocations",
            "time, thread, go, task, allocated bytes, allocations, freed bytes, frees",
        ),
        (
            THREAD_USAGE,
            "ThreadUsage",
            "thread, time, voluntary switches, involuntary switches, minor faults, major faults",
        ),
        (
            OFF_PROCESSOR,
            "OffProcessor",
            "time, thread, duration, preempted 0 or 1",
        ),
        (THINNED, "Thinned", "time, source text, records"),
        (
            HEAP_SAMPLE,
            "HeapSample",
            "time, thread, go, task, sample, size, interval, stack, from before 0 or 1",
        ),
        (HEAP_FREE, "HeapFree", "time, sample"),
        (CALL_STACK, "CallStack", "time, go, stack"),
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
            Self::CallCounts { .. } => CALL_COUNTS,
            Self::CallFailed { .. } => CALL_FAILED,
            Self::DriverWait { .. } => DRIVER_WAIT,
            Self::Allocations { .. } => ALLOCATIONS,
            Self::ThreadUsage { .. } => THREAD_USAGE,
            Self::OffProcessor { .. } => OFF_PROCESSOR,
            Self::Thinned { .. } => THINNED,
            Self::HeapSample { .. } => HEAP_SAMPLE,
            Self::HeapFree { .. } => HEAP_FREE,
            Self::CallStack { .. } => CALL_STACK,
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
            Self::CallCounts {
                time_ns,
                thread,
                go,
                task,
                call,
                calls,
                total_ns,
            } => {
                put_all(out, &[*time_ns, thread.0, go.0, task.0]);
                put_text(out, call);
                put_all(out, &[*calls, *total_ns]);
            }
            Self::CallFailed { time_ns, go, errno } => put_all(out, &[*time_ns, go.0, *errno]),
            Self::CallStack { time_ns, go, stack } => put_all(out, &[*time_ns, go.0, stack.0]),
            Self::DriverWait {
                time_ns,
                thread,
                duration_ns,
                ready,
            } => put_all(out, &[*time_ns, thread.0, *duration_ns, *ready]),
            Self::Allocations {
                time_ns,
                thread,
                go,
                task,
                allocated_bytes,
                allocations,
                freed_bytes,
                frees,
            } => {
                put_all(out, &[*time_ns, thread.0, go.0, task.0]);
                put_all(out, &[*allocated_bytes, *allocations, *freed_bytes, *frees]);
            }
            Self::ThreadUsage {
                thread,
                time_ns,
                voluntary_switches,
                involuntary_switches,
                minor_faults,
                major_faults,
            } => {
                put_all(out, &[thread.0, *time_ns]);
                put_all(out, &[*voluntary_switches, *involuntary_switches]);
                put_all(out, &[*minor_faults, *major_faults]);
            }
            Self::OffProcessor {
                time_ns,
                thread,
                duration_ns,
                is_preempted,
            } => put_all(
                out,
                &[*time_ns, thread.0, *duration_ns, u64::from(*is_preempted)],
            ),
            Self::Thinned {
                time_ns,
                source,
                records,
            } => {
                put_uvarint(out, *time_ns);
                put_text(out, source);
                put_uvarint(out, *records);
            }
            Self::HeapSample {
                time_ns,
                thread,
                go,
                task,
                sample,
                size_bytes,
                interval_bytes,
                stack,
                is_from_before,
            } => {
                put_all(out, &[*time_ns, thread.0, go.0, task.0, *sample]);
                put_all(out, &[*size_bytes, *interval_bytes, stack.0]);
                put_all(out, &[u64::from(*is_from_before)]);
            }
            Self::HeapFree { time_ns, sample } => put_all(out, &[*time_ns, *sample]),
            Self::Unknown { bytes, .. } => {
                out.extend_from_slice(&bytes[..bytes.len().min(MAX_SIDE_RECORD_BYTES)]);
            }
        }
    }

    /// The record of this kind with these fields; `None` if they do not fit it.
    pub(super) fn decode_known(kind: u64, mut fields: &[u8]) -> Option<Self> {
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
            CALL_COUNTS => Self::CallCounts {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                go: GoId(take_uvarint(input)?),
                task: TaskId(take_uvarint(input)?),
                call: take_text(input)?,
                calls: take_uvarint(input)?,
                total_ns: take_uvarint(input)?,
            },
            CALL_FAILED => Self::CallFailed {
                time_ns: take_uvarint(input)?,
                go: GoId(take_uvarint(input)?),
                errno: take_uvarint(input)?,
            },
            CALL_STACK => Self::CallStack {
                time_ns: take_uvarint(input)?,
                go: GoId(take_uvarint(input)?),
                stack: StackId(take_uvarint(input)?),
            },
            DRIVER_WAIT => Self::DriverWait {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                duration_ns: take_uvarint(input)?,
                ready: take_uvarint(input)?,
            },
            ALLOCATIONS => Self::Allocations {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                go: GoId(take_uvarint(input)?),
                task: TaskId(take_uvarint(input)?),
                allocated_bytes: take_uvarint(input)?,
                allocations: take_uvarint(input)?,
                freed_bytes: take_uvarint(input)?,
                frees: take_uvarint(input)?,
            },
            THREAD_USAGE => Self::ThreadUsage {
                thread: ThreadId(take_uvarint(input)?),
                time_ns: take_uvarint(input)?,
                voluntary_switches: take_uvarint(input)?,
                involuntary_switches: take_uvarint(input)?,
                minor_faults: take_uvarint(input)?,
                major_faults: take_uvarint(input)?,
            },
            OFF_PROCESSOR => Self::OffProcessor {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                duration_ns: take_uvarint(input)?,
                is_preempted: take_uvarint(input)? != 0,
            },
            THINNED => Self::Thinned {
                time_ns: take_uvarint(input)?,
                source: take_text(input)?,
                records: take_uvarint(input)?,
            },
            HEAP_SAMPLE => Self::HeapSample {
                time_ns: take_uvarint(input)?,
                thread: ThreadId(take_uvarint(input)?),
                go: GoId(take_uvarint(input)?),
                task: TaskId(take_uvarint(input)?),
                sample: take_uvarint(input)?,
                size_bytes: take_uvarint(input)?,
                interval_bytes: take_uvarint(input)?,
                stack: StackId(take_uvarint(input)?),
                is_from_before: take_uvarint(input)? != 0,
            },
            HEAP_FREE => Self::HeapFree {
                time_ns: take_uvarint(input)?,
                sample: take_uvarint(input)?,
            },
            _ => return None,
        })
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

pub(super) fn put_all(out: &mut Vec<u8>, values: &[u64]) {
    for &value in values {
        put_uvarint(out, value);
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
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

pub(super) fn take_text(input: &mut &[u8]) -> Option<SideText> {
    let length = usize::try_from(take_uvarint(input)?).ok()?;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Cow::Owned(String::from_utf8_lossy(text).into_owned()))
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
