//! The events of one thread: the hot path of the writer.
//!
//! An event is encoded straight into the stream's buffer. The buffer always has room for one more
//! event of the largest size below `limit`, so the only check on the way is `used >= limit`; the
//! cold side of it begins a batch, or makes room.

use crate::event::{Event, MAX_EVENT_BYTES, PutArgument};

use super::batch::{CUT_BYTES, Head};

/// Room for any event, and for the eight bytes that [`put_long`] writes at a time.
const SLOT_BYTES: usize = 64;
const _: () = assert!(MAX_EVENT_BYTES + 8 <= SLOT_BYTES);

/// A buffer begins with this size and doubles.
const FIRST_BYTES: usize = 1_024;

#[derive(Debug)]
pub(super) struct EventStream {
    pub(super) thread: u64,
    /// Whether the handle becomes free after the next group.
    pub(super) released: bool,
    /// Payloads of all batches of this group, one after the other; valid up to `used`.
    buffer: Vec<u8>,
    used: usize,
    /// Beyond this the cold path runs. 0 when no batch has begun.
    limit: usize,
    /// Time of the last event, which the next one counts from.
    last_ns: u64,
    pub(super) events: u64,
    /// Where each batch of this group begins, and its base time.
    starts: Vec<(usize, u64)>,
}

impl EventStream {
    pub(super) fn new(thread: u64) -> Self {
        Self {
            thread,
            released: false,
            buffer: Vec::new(),
            used: 0,
            limit: 0,
            // A batch time of 0 would mean "not set".
            last_ns: 1,
            events: 0,
            starts: Vec::new(),
        }
    }

    /// Makes this a fresh stream of another thread.
    pub(super) fn reuse(&mut self, thread: u64) {
        self.thread = thread;
        self.released = false;
        self.last_ns = 1;
    }

    /// Inlined, so that where the kind of the event is known its encoding is straight code.
    #[inline(always)]
    pub(super) fn push(&mut self, time_ns: u64, event: Event) {
        let time_ns = time_ns.max(self.last_ns);
        if self.used >= self.limit {
            self.make_room(time_ns);
        }
        let Some(bytes) = self.buffer[self.used..].first_chunk_mut::<SLOT_BYTES>() else {
            // `make_room` has just seen to it.
            return;
        };
        let mut slot = EventRoom { bytes, at: 0 };
        slot.put_id(event.kind().id());
        slot.put(time_ns - self.last_ns);
        event.put_arguments(&mut slot);
        self.used += slot.at;
        self.last_ns = time_ns;
        self.events += 1;
    }

    /// Begins a batch if none has begun or the last is full; grows the buffer if it is.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, time_ns: u64) {
        let full = match self.starts.last() {
            None => true,
            Some(&(start, _)) => self.used - start >= CUT_BYTES,
        };
        if full {
            self.starts.push((self.used, time_ns));
            self.last_ns = time_ns;
        }
        if self.used + SLOT_BYTES > self.buffer.len() {
            let length = (self.buffer.len() * 2).max(self.used + FIRST_BYTES);
            self.buffer.resize(length, 0);
        }
        let start = self.starts.last().map_or(0, |&(start, _)| start);
        self.limit = (start + CUT_BYTES).min(self.buffer.len() - SLOT_BYTES + 1);
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.used
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.limit = 0;
        self.events = 0;
        self.starts.clear();
        if self.released {
            self.buffer = Vec::new();
        }
    }

    /// Appends the batches to `out` and begins anew.
    pub(super) fn drain(&mut self, generation: u64, out: &mut Vec<u8>) {
        let head = Head {
            kind: &[crate::wire::EVENT_BATCH],
            generation,
            thread: self.thread,
        };
        for (index, &(start, time_ns)) in self.starts.iter().enumerate() {
            let end = self
                .starts
                .get(index + 1)
                .map_or(self.used, |&(end, _)| end);
            head.put_batch(time_ns, &self.buffer[start..end], out);
        }
        self.clear();
    }
}

/// The place where one event is written.
///
/// Positions are masked, which is never seen to change one and spares every bounds check.
struct EventRoom<'a> {
    bytes: &'a mut [u8; SLOT_BYTES],
    at: usize,
}

impl EventRoom<'_> {
    #[inline(always)]
    fn put_id(&mut self, id: u8) {
        self.bytes[0] = id;
        self.at = 1;
    }
}

impl PutArgument for EventRoom<'_> {
    /// Writes a uvarint. Most are of one, two or three bytes.
    #[inline(always)]
    fn put(&mut self, value: u64) {
        if value < 0x80 {
            self.bytes[self.at & (SLOT_BYTES - 1)] = value as u8;
            self.at += 1;
        } else if value < 0x4000 {
            let at = self.at & (SLOT_BYTES - 1);
            self.bytes[at] = value as u8 | 0x80;
            self.bytes[(at + 1) & (SLOT_BYTES - 1)] = (value >> 7) as u8;
            self.at += 2;
        } else if value < 0x20_0000 {
            let at = self.at & (SLOT_BYTES - 1);
            self.bytes[at] = value as u8 | 0x80;
            self.bytes[(at + 1) & (SLOT_BYTES - 1)] = (value >> 7) as u8 | 0x80;
            self.bytes[(at + 2) & (SLOT_BYTES - 1)] = (value >> 14) as u8;
            self.at += 3;
        } else {
            self.at = put_long(self.bytes, self.at, value);
        }
    }
}

/// Writes a uvarint of some bytes at `at`; where it ends. Below 2^56 without a loop.
#[inline(never)]
fn put_long(bytes: &mut [u8; SLOT_BYTES], mut at: usize, mut value: u64) -> usize {
    if value < 1 << 56 {
        // Spread the groups of seven bits to bytes: halves, then quarters, then eighths.
        let mut spread = (value & 0x0fff_ffff) | ((value & 0x00ff_ffff_f000_0000) << 4);
        spread = (spread & 0x0000_3fff_0000_3fff) | ((spread & 0x0fff_c000_0fff_c000) << 2);
        spread = (spread & 0x007f_007f_007f_007f) | ((spread & 0x3f80_3f80_3f80_3f80) << 1);
        let length = (70 - value.leading_zeros() as usize) / 7;
        // All bytes but the last have their high bit set.
        let more = 0x8080_8080_8080_8080 & ((1u64 << (8 * (length - 1))) - 1);
        if let Some(place) = bytes[at.min(SLOT_BYTES - 8)..].first_chunk_mut::<8>() {
            *place = (spread | more).to_le_bytes();
        }
        return at + length;
    }
    while value >= 0x80 {
        bytes[at & (SLOT_BYTES - 1)] = value as u8 | 0x80;
        at += 1;
        value >>= 7;
    }
    bytes[at & (SLOT_BYTES - 1)] = value as u8;
    at + 1
}
