//! The writer: one generation at a time, in groups of complete batches.
//!
//! It holds bytes and ids, no file and no clock. What it is given between two calls of
//! [`Writer::finish_group`] becomes one group: new strings, new stacks, CPU samples, side data,
//! then the events of each thread. Tables stand before the events that use them, so a file that is
//! cut between two groups is a good file. It does not check whether the sequence of events is
//! legal: the caller sees to that.

mod batch;
mod interner;
mod names;
mod stream;

use rustc_hash::FxHashMap;

use crate::event::Event;
use crate::ids::{GoId, ProcId, StackId, ThreadId};
use crate::side::{MAX_SIDE_RECORD_BYTES, SIDE_DATA_MAGIC, SIDE_DATA_VERSION, SideRecord};
use crate::wire::{self, ClockSnapshot, HEADER_BYTES, Version, put_uvarint};

pub use names::WireFrame;

use batch::{BatchTable, Head};
use interner::Interner;
use stream::EventStream;

/// Units per second in every sync batch that is written: times are nanoseconds.
const FREQUENCY: u64 = 1_000_000_000;
/// Kind, length and fields of a side record at most.
const SIDE_ITEM_BYTES: usize = MAX_SIDE_RECORD_BYTES + 2 * wire::MAX_UVARINT_BYTES;

/// What side data batches begin with: magic and version.
const SIDE_OPENING: [u8; 10] = {
    let mut opening = [SIDE_DATA_VERSION; 10];
    let mut index = 0;
    while index < SIDE_DATA_MAGIC.len() {
        opening[index] = SIDE_DATA_MAGIC[index];
        index += 1;
    }
    opening
};

/// A thread's stream of events in a [`Writer`]: a cheap handle, from [`Writer::stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(u32);

/// What a group held, from [`Writer::finish_group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GroupCounts {
    /// Timed events, CPU samples not counted.
    pub events: u64,
    /// CPU samples.
    pub samples: u64,
    /// New strings.
    pub strings: u64,
    /// New stacks.
    pub stacks: u64,
    /// Records of side data.
    pub side_records: u64,
    /// Bytes appended.
    pub bytes: usize,
}

/// Makes the bytes of generations.
///
/// ```
/// use exectrace_format::{ClockSnapshot, Event, ProcId, ProcStatus, ThreadId, Version, Writer};
///
/// let mut file = Writer::header(Version::Go125).to_vec();
/// let mut writer = Writer::new();
/// writer.begin_generation(1, 1_000);
/// let clock = ClockSnapshot { monotonic_ns: 1_000, unix_seconds: 1_700_000_000, unix_nanoseconds: 1 };
/// Writer::sync_batch(Version::Go125, 1, 1_000, clock, &mut file);
///
/// let stream = writer.stream(ThreadId(7));
/// writer.event(stream, 1_000, Event::ProcStatus { proc: ProcId(1), status: ProcStatus::Idle });
/// let counts = writer.finish_group(&mut file);
/// assert_eq!(counts.events, 1);
/// assert!(writer.is_empty());
/// ```
#[derive(Debug)]
pub struct Writer {
    generation: u64,
    time_ns: u64,
    strings: Interner,
    next_string: u32,
    messages: usize,
    stacks: Interner,
    next_stack: u32,
    string_table: BatchTable,
    stack_table: BatchTable,
    samples: BatchTable,
    side: BatchTable,
    streams: Vec<EventStream>,
    /// Each thread's stream, so that a thread never has two in one group.
    by_thread: FxHashMap<ThreadId, StreamId>,
    /// Streams that no thread has.
    free: Vec<StreamId>,
    /// Streams to become free after the next group.
    released: Vec<StreamId>,
    scratch: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// A writer that is in no generation yet: call [`begin_generation`](Self::begin_generation).
    pub fn new() -> Self {
        Self {
            generation: 0,
            time_ns: 1,
            strings: Interner::default(),
            next_string: 1,
            messages: 0,
            stacks: Interner::default(),
            next_stack: 1,
            string_table: BatchTable::new(&[wire::STRINGS]),
            stack_table: BatchTable::new(&[wire::STACKS]),
            samples: BatchTable::new(&[wire::CPU_SAMPLES]),
            side: BatchTable::new(&SIDE_OPENING),
            streams: Vec::new(),
            by_thread: FxHashMap::default(),
            free: Vec::new(),
            released: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The 16 bytes that begin a file.
    pub fn header(version: Version) -> [u8; HEADER_BYTES] {
        version.header()
    }

    /// Appends the sync batch that each generation must have, best as its first.
    ///
    /// Headers 22 and 23 have no room for `clock`. Times are nanoseconds; `time_ns` 0 is written as 1.
    pub fn sync_batch(
        version: Version,
        generation: u64,
        time_ns: u64,
        clock: ClockSnapshot,
        out: &mut Vec<u8>,
    ) {
        let mut payload = Vec::with_capacity(48);
        if version.has_sync_batch() {
            payload.push(wire::SYNC);
        }
        payload.push(wire::FREQUENCY);
        put_uvarint(&mut payload, FREQUENCY);
        if version.has_sync_batch() {
            payload.push(wire::CLOCK_SNAPSHOT);
            put_uvarint(&mut payload, 0);
            put_uvarint(&mut payload, clock.monotonic_ns);
            put_uvarint(&mut payload, clock.unix_seconds);
            put_uvarint(&mut payload, u64::from(clock.unix_nanoseconds));
        }
        let head = Head {
            kind: &[wire::EVENT_BATCH],
            generation,
            thread: 0,
        };
        head.put_batch(time_ns.max(1), &payload, out);
    }

    /// Begins generation `number`, from 1: all string and stack ids are forgotten and start at 1.
    ///
    /// `time_ns` stamps the tables; it should not be later than the generation's first event. Call
    /// [`finish_group`](Self::finish_group) before: what is pending is dropped, as its ids would
    /// mean nothing here.
    pub fn begin_generation(&mut self, number: u64, time_ns: u64) {
        self.generation = number;
        self.time_ns = time_ns.max(1);
        self.strings.clear();
        self.next_string = 1;
        self.messages = 0;
        self.stacks.clear();
        self.next_stack = 1;
        for table in [
            &mut self.string_table,
            &mut self.stack_table,
            &mut self.samples,
            &mut self.side,
        ] {
            table.clear();
        }
        for stream in &mut self.streams {
            stream.clear();
        }
    }

    /// The number of the generation that was begun last; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The stream of `thread`; [`ThreadId::NONE`] is the stream of events that belong to no thread.
    ///
    /// Asked again for the same thread it is the same handle, good until it is
    /// [released](Self::release).
    pub fn stream(&mut self, thread: ThreadId) -> StreamId {
        if let Some(&stream) = self.by_thread.get(&thread) {
            // A released thread that comes back before the group ends.
            self.streams[stream.0 as usize].released = false;
            return stream;
        }
        let stream = self.free.pop().unwrap_or_else(|| {
            self.streams.push(EventStream::new(thread.0));
            StreamId(self.streams.len() as u32 - 1)
        });
        self.streams[stream.0 as usize].reuse(thread.0);
        self.by_thread.insert(thread, stream);
        stream
    }

    /// Says that the thread is gone: after the next group the handle may become another thread's.
    pub fn release(&mut self, stream: StreamId) {
        let Some(entry) = self.streams.get_mut(stream.0 as usize) else {
            return;
        };
        let owned = self.by_thread.get(&ThreadId(entry.thread)) == Some(&stream);
        if owned && !entry.released {
            entry.released = true;
            self.released.push(stream);
        }
    }

    /// Appends an event to a thread's stream.
    ///
    /// A time before that of the stream's previous event is taken for the same time. Costs some
    /// nanoseconds; allocates only while the stream's buffer grows to its usual size. An event on a
    /// handle of another writer is dropped.
    #[inline(always)]
    pub fn event(&mut self, stream: StreamId, time_ns: u64, event: Event) {
        if let Some(stream) = self.streams.get_mut(stream.0 as usize) {
            stream.push(time_ns, event);
        }
    }

    /// Adds a CPU sample. `proc` is [`ProcId::NONE`] without a proc, `go` is 0 without a goroutine.
    ///
    /// `stack` must exist in this generation: readers do not check it and crash.
    pub fn cpu_sample(
        &mut self,
        time_ns: u64,
        thread: ThreadId,
        proc: ProcId,
        go: GoId,
        stack: StackId,
    ) {
        let item = self.samples.item(1 + 5 * wire::MAX_UVARINT_BYTES);
        item.push(wire::CPU_SAMPLE);
        for value in [time_ns, thread.0, proc.0, go.0, stack.0] {
            put_uvarint(item, value);
        }
    }

    /// Adds a record of side data. Not for header 22, which has no experimental batches.
    pub fn side_record(&mut self, record: &SideRecord) {
        let mut fields = core::mem::take(&mut self.scratch);
        let item = self.side.item(SIDE_ITEM_BYTES);
        record.encode(&mut fields, item);
        self.scratch = fields;
    }

    /// Whether nothing is pending for the next group.
    pub fn is_empty(&self) -> bool {
        self.pending_bytes() == 0
    }

    /// The size of the next group so far, without the heads of its batches. Walks all streams.
    pub fn pending_bytes(&self) -> usize {
        let tables = [
            &self.string_table,
            &self.stack_table,
            &self.samples,
            &self.side,
        ];
        tables.iter().map(|table| table.bytes()).sum::<usize>()
            + self
                .streams
                .iter()
                .map(EventStream::pending_bytes)
                .sum::<usize>()
    }

    /// The timed events of the next group so far. Walks all streams.
    pub fn pending_events(&self) -> u64 {
        self.streams.iter().map(|stream| stream.events).sum()
    }

    /// Appends the group to `out` and begins the next: tables, samples, side data, then events.
    pub fn finish_group(&mut self, out: &mut Vec<u8>) -> GroupCounts {
        let before = out.len();
        let mut counts = GroupCounts {
            events: self.pending_events(),
            samples: self.samples.len(),
            strings: self.string_table.len(),
            stacks: self.stack_table.len(),
            side_records: self.side.len(),
            bytes: 0,
        };
        let plain = Head {
            kind: &[wire::EVENT_BATCH],
            generation: self.generation,
            thread: 0,
        };
        let side = Head {
            kind: &[wire::EXPERIMENTAL_BATCH, wire::SIDE_DATA_EXPERIMENT],
            ..plain
        };
        for (table, head) in [
            (&mut self.string_table, plain),
            (&mut self.stack_table, plain),
            (&mut self.samples, plain),
            (&mut self.side, side),
        ] {
            table.drain(head, self.time_ns, out);
        }
        for stream in &mut self.streams {
            stream.drain(self.generation, out);
        }
        for stream in self.released.drain(..) {
            let entry = &mut self.streams[stream.0 as usize];
            // Not if the thread came back meanwhile, nor a second time.
            if core::mem::take(&mut entry.released) {
                self.by_thread.remove(&ThreadId(entry.thread));
                self.free.push(stream);
            }
        }
        counts.bytes = out.len() - before;
        counts
    }
}
