//! What threads have allocated and freed: whom it belongs to, how much of it is alive, and which samples of it are.

use std::collections::VecDeque;

use exectrace_format::{Event, GoId, SideRecord, StackId, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use super::Model;
use super::names::FrameId;
use super::threads::ThreadIndex;
use crate::budget::Source;
use crate::heap_sums::HeapSum;
use crate::input::HeapSample;

/// A sampled allocation that is alive.
///
/// There are no more of them than the table of the threads has places, so the model keeps all.
#[derive(Debug)]
pub(super) struct LiveSample {
    time_ns: u64,
    thread: ThreadId,
    go: GoId,
    task: TaskId,
    size_bytes: u64,
    interval_bytes: u64,
    /// Leaf first; the last names the flow.
    pub(super) frames: Box<[FrameId]>,
}

impl LiveSample {
    /// Its record, with its stack in the generation that this stands in.
    pub(super) fn record(&self, sample: u64, stack: StackId, is_from_before: bool) -> SideRecord {
        SideRecord::HeapSample {
            time_ns: self.time_ns,
            thread: self.thread,
            go: self.go,
            task: self.task,
            sample,
            size_bytes: self.size_bytes,
            interval_bytes: self.interval_bytes,
            stack,
            is_from_before,
        }
    }
}

/// How many bytes are alive, as far as is known.
#[derive(Debug, Default)]
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
    /// Sampled allocations that are alive, by their numbers.
    pub(super) samples: FxHashMap<u64, LiveSample>,
    /// Times and numbers of those that were freed and are not known. They come by another thread, whose clock is behind;
    /// or never, as the samples are of an earlier recording.
    freed_early: VecDeque<(u64, u64)>,
}

/// Most frees that wait for their samples. A clock is behind by a microsecond.
const MAX_FREED_EARLY: usize = 256;

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
    /// A sampled allocation, for what runs on the thread now.
    pub(super) fn heap_sample(&mut self, thread: ThreadIndex, sample: &HeapSample<'_>) {
        let Some(known) = self.machine.thread(thread) else {
            return;
        };
        let (id, mut root) = (known.id, known.root);
        let mut is_polled = false;
        let flow = known.current.or(known.own);
        if let Some(flow) = flow.and_then(|flow| self.machine.flows.get(flow)) {
            (root, is_polled) = (flow.root, flow.is_polled());
        }
        let (go, task) = self.who_runs(thread);
        let frames = self.samples.of_allocation(
            (sample.addresses, sample.end),
            (root, is_polled),
            self.polls.waits.resolver(),
            &mut self.machine.names,
        );
        self.spend(Source::Heap, 1);
        let live = LiveSample {
            time_ns: self.machine.emitter.now_ns(),
            thread: id,
            go: GoId(go),
            task,
            size_bytes: sample.size_bytes,
            interval_bytes: sample.interval_bytes,
            frames,
        };
        let emitter = &mut self.machine.emitter;
        let stack = emitter.stack_of(&mut self.machine.names, &live.frames);
        emitter.side(&live.record(sample.number, stack, false));
        self.heap.samples.insert(sample.number, live);
        let early = &mut self.heap.freed_early;
        if let Some(place) = early
            .iter()
            .position(|&(_, number)| number == sample.number)
            && let Some((time_ns, number)) = early.remove(place)
        {
            self.heap_freed(time_ns, number);
        }
    }

    /// A sampled allocation was freed.
    pub(crate) fn heap_freed(&mut self, time_ns: u64, sample: u64) {
        let Some(live) = self.heap.samples.remove(&sample) else {
            let early = &mut self.heap.freed_early;
            if early.len() == MAX_FREED_EARLY {
                early.pop_front();
            }
            early.push_back((time_ns, sample));
            return;
        };
        // Two processors' clocks may differ a little.
        let time_ns = time_ns.max(live.time_ns);
        let record = SideRecord::HeapFree { time_ns, sample };
        self.machine.emitter.side(&record);
    }
}
