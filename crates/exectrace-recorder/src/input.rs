//! What the model is given: records, decoded.
//!
//! Everything static is a reference by now; what the program made is borrowed from the record.

use std::hash::{Hash, Hasher};
use std::panic::Location;

use crate::calls::{Call, CallResult};
use crate::cpu::WalkEnd;
use crate::heap_sums::HeapSum;
use crate::runtime::AsyncTaskKind;
use crate::span_source::Parent;
use crate::values::{Value, Values};

/// A span among all spans of the process: its source and its id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanKey {
    pub(crate) id: u64,
    pub(crate) source: u16,
}

impl WakerKey {
    /// What wakers are known by that carry this address.
    pub(crate) fn of_address(address: u64) -> Self {
        Self {
            id: address,
            source: 0,
        }
    }
}

impl Hash for SpanKey {
    /// A registry's ids of the spans in one place differ in their highest bits only, and the hasher of
    /// our tables brings those not far enough down: in a small table all would collide. So they are
    /// folded down first. (The multiplier is the golden ratio's fraction, odd and without a pattern.)
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let key = self.id ^ u64::from(self.source) << 40;
        let wide = u128::from(key) * 0x9e37_79b9_7f4a_7c15;
        state.write_u64((wide >> 64) as u64 ^ wide as u64);
    }
}

/// A call site: its address, and the source that can describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallsiteKey {
    pub(crate) address: u64,
    pub(crate) source: u16,
}

/// What a wake names: the address that the task's wakers carry, with source 0, or the task's span.
pub(crate) type WakerKey = SpanKey;

/// An async task, and the runtime that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AsyncKey {
    pub(crate) task: u64,
    pub(crate) runtime: u16,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    /// `None` if the number in the record is none.
    pub(crate) call: Option<Call>,
    /// The ticks of its begin, which name it on its thread.
    pub(crate) began: u64,
    pub(crate) took_ns: u64,
    pub(crate) result: CallResult,
    /// The hash of its stack, or 0.
    pub(crate) stack: u64,
}

/// An allocation that was sampled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeapSample<'a> {
    /// No other sample of the process has it.
    pub(crate) number: u64,
    pub(crate) size_bytes: u64,
    /// The mean distance of two samples.
    pub(crate) interval_bytes: u64,
    pub(crate) end: WalkEnd,
    /// Where the active calls return to, innermost first.
    pub(crate) addresses: &'a [u64],
}

/// The fields of a record, and whether some did not fit into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldValues<'a> {
    pub(crate) values: Values<'a>,
    pub(crate) truncated: bool,
}

/// One record. See `record` for the kinds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    RegionBegin {
        /// Names the region on its thread.
        began: u64,
        name: &'static str,
        /// The program's number of the task; 0 is none.
        task: u64,
        place: &'static Location<'static>,
        /// Async tasks that are spawned in it have it as well.
        with_spawned: bool,
    },
    RegionEnd {
        began: u64,
    },
    TaskBegin {
        task: u64,
        parent: u64,
        name: &'static str,
        place: &'static Location<'static>,
    },
    TaskEnd {
        task: u64,
    },
    Log {
        task: u64,
        category: &'static str,
        message: Value<'a>,
        place: &'static Location<'static>,
    },
    SpanNew(NewSpan<'a>),
    SpanEnter(SpanKey),
    SpanExit(SpanKey),
    /// A span is left, and its thread's next record closes it or drops a handle.
    SpanExitLast(SpanKey),
    SpanClose(SpanKey),
    SpanClone(SpanKey),
    SpanDrop(SpanKey),
    SpanRecord {
        span: SpanKey,
        fields: FieldValues<'a>,
    },
    SpanFollows {
        span: SpanKey,
        followed: SpanKey,
    },
    Event {
        site: CallsiteKey,
        parent: Parent,
        fields: FieldValues<'a>,
    },
    SourceClosed {
        source: u16,
    },
    ThreadEnd,
    Lost {
        records: u64,
    },
    AsyncSpawn {
        task: AsyncKey,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    },
    PollBegin(AsyncKey),
    PollEnd {
        task: AsyncKey,
        /// Hash of the stack where it waits; 0 is unknown.
        stack: u64,
    },
    AsyncEnd(AsyncKey),
    Wake(AsyncKey),
    Park,
    Unpark {
        runtime: u16,
        worker: u64,
    },
    WakerOf {
        task: AsyncKey,
        address: u64,
    },
    WakeBy(WakerKey),
    /// A closure of a blocking pool runs, of which nothing was reported before.
    ClosureBegin(AsyncKey),
    Call(Called),
    /// Calls that were counted since the thread said so last.
    CallSum {
        /// The number of the call.
        call: u16,
        calls: u64,
        total_ns: u64,
    },
    HeapSum(HeapSum),
    HeapSample(HeapSample<'a>),
    /// A sampled allocation is freed.
    HeapFree {
        sample: u64,
    },
    StackIs {
        hash: u64,
        /// Return addresses, leaf first.
        addresses: &'a [u64],
    },
}

/// The making of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSpan<'a> {
    pub(crate) span: SpanKey,
    pub(crate) site: CallsiteKey,
    pub(crate) parent: Parent,
    pub(crate) fields: FieldValues<'a>,
}

/// What is looked at in a record before it is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upcoming {
    Clone(SpanKey),
    BlockingSpawn(AsyncKey),
    PollBegin {
        task: AsyncKey,
        /// Nanoseconds since the task was woken, if the runtime says so.
        waited_ns: Option<u64>,
    },
    PollEnd,
    ClosureBegin(AsyncKey),
    /// Parks, or unparks.
    Park(bool),
    /// The thread has waited for the driver of its runtime.
    DriverWait {
        /// Ticks that the wait took.
        took: u64,
        result: CallResult,
    },
    Wake(AsyncKey),
    WakeBy(WakerKey),
    WakerOf {
        task: AsyncKey,
        waker: WakerKey,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use rustc_hash::FxBuildHasher;

    use super::*;

    #[test]
    fn ids_that_differ_anywhere_fall_into_different_places_of_a_small_table() {
        const KEYS: u64 = 64;
        // Tables take the lowest bits of a hash for the place.
        let places = |key: fn(u64) -> SpanKey| {
            let hashes = (0..KEYS).map(key).map(|key| FxBuildHasher.hash_one(key));
            hashes.map(|hash| hash % 1024).collect::<HashSet<_>>().len()
        };
        let spread = [
            places(|n| SpanKey { id: n, source: 1 }),
            places(|n| SpanKey {
                id: 7 | n << 51,
                source: 1,
            }),
            places(|n| SpanKey {
                id: 7 | n << 32,
                source: 1,
            }),
            places(|n| SpanKey {
                id: 7,
                source: n as u16,
            }),
        ];
        // Of 64 balls in 1,024 bins some two share one.
        assert!(spread.iter().all(|&places| places >= 54), "{spread:?}");
    }
}
