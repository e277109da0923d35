//! What threads have allocated and freed: whom it belongs to, and how much of it is alive.

use exectrace_format::{Event, GoId, SideRecord, TaskId, ThreadId};

use super::Model;
use super::threads::ThreadIndex;
use crate::heap_sums::HeapSum;

/// How many bytes are alive, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heap {
    /// Bytes that were alive when the recording began and that are known of, and what came to them since.
    live_bytes: i64,
    /// The least that this ever was, or 0. Where more was freed than is known to have been allocated, so
    /// much more was alive at the beginning.
    least_bytes: i64,
    /// Something was counted.
    is_counted: bool,
    /// What this generation says.
    written_bytes: Option<u64>,
}

impl Heap {
    fn add(&mut self, sum: HeapSum) {
        let change = sum.allocated_bytes.wrapping_sub(sum.freed_bytes);
        self.live_bytes = self.live_bytes.wrapping_add(change.cast_signed());
        self.least_bytes = self.least_bytes.min(self.live_bytes);
        self.is_counted = true;
    }

    /// Bytes that are certainly alive.
    fn known_bytes(&self) -> u64 {
        self.live_bytes
            .wrapping_sub(self.least_bytes)
            .cast_unsigned()
    }

    /// What readers know of the heap they know for a generation.
    pub(super) fn begin_generation(&mut self) {
        self.written_bytes = None;
    }
}

impl Model {
    /// So many bytes are alive already.
    pub(crate) fn heap_begins_with(&mut self, bytes: u64) {
        self.heap.live_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    }

    /// A thread has allocated and freed so much, for what runs on it now.
    pub(super) fn heap_sum(&mut self, thread: ThreadIndex, sum: HeapSum) {
        if let Some(id) = self.machine.thread(thread).map(|thread| thread.id) {
            self.allocated(Some((thread, id)), sum);
        }
    }

    /// As [`heap_sum`](Self::heap_sum), also of a thread that has no record, or of none that is known.
    pub(crate) fn allocated(&mut self, thread: Option<(ThreadIndex, ThreadId)>, sum: HeapSum) {
        if sum == HeapSum::default() {
            return;
        }
        let (thread, (go, task)) = match thread {
            Some((thread, id)) => (id, self.who_runs(thread)),
            None => (ThreadId::NONE, (0, TaskId::BACKGROUND)),
        };
        self.heap.add(sum);
        let time_ns = self.machine.emitter.time_ns();
        self.machine.emitter.side(&SideRecord::Allocations {
            time_ns,
            thread,
            go: GoId(go),
            task,
            allocated_bytes: sum.allocated_bytes,
            allocations: sum.allocations,
            freed_bytes: sum.freed_bytes,
            frees: sum.frees,
        });
    }

    /// Writes how many bytes are alive, if that has changed.
    pub(crate) fn write_live_bytes(&mut self) {
        let bytes = self.heap.known_bytes();
        if self.heap.is_counted && self.heap.written_bytes != Some(bytes) {
            self.heap.written_bytes = Some(bytes);
            self.machine
                .write_on_tracer_lane(Event::HeapAlloc { bytes });
        }
    }
}
