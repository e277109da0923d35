//! Batches under construction: a payload that is cut into batches of legal size as it grows.

use crate::wire::put_uvarint;

/// A payload is cut when it exceeds this; a reader accepts 65 536, so any last item still fits.
pub(super) const CUT_BYTES: usize = 60_000;

/// What the head of a batch says, apart from its time and size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// The first byte, and the experiment's id if there is one.
    pub(super) kind: &'a [u8],
    pub(super) generation: u64,
    pub(super) thread: u64,
}

impl Head<'_> {
    /// Appends the head and the payload of one batch.
    pub(super) fn put_batch(&self, time_ns: u64, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.kind);
        put_uvarint(out, self.generation);
        put_uvarint(out, self.thread);
        put_uvarint(out, time_ns);
        put_uvarint(out, payload.len() as u64);
        out.extend_from_slice(payload);
    }
}

/// Items of one table, cut into batches that each begin with the same bytes.
#[derive(Debug)]
pub(super) struct BatchTable {
    /// What each payload begins with.
    opening: &'static [u8],
    bytes: Vec<u8>,
    /// Where each batch begins in `bytes`.
    starts: Vec<usize>,
    items: u64,
}

impl BatchTable {
    pub(super) fn new(opening: &'static [u8]) -> Self {
        Self {
            opening,
            bytes: Vec::new(),
            starts: Vec::new(),
            items: 0,
        }
    }

    /// The bytes to append one more item to.
    ///
    /// `item_bytes` is an upper bound for the item, at most [`CUT_BYTES`] less the opening.
    pub(super) fn item(&mut self, item_bytes: usize) -> &mut Vec<u8> {
        let full = match self.starts.last() {
            None => true,
            Some(start) => self.bytes.len() - start + item_bytes > CUT_BYTES,
        };
        if full {
            self.starts.push(self.bytes.len());
            self.bytes.extend_from_slice(self.opening);
        }
        self.items += 1;
        &mut self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.items
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
        self.items = 0;
    }

    /// Appends the batches to `out` and begins anew.
    pub(super) fn drain(&mut self, head: Head<'_>, time_ns: u64, out: &mut Vec<u8>) {
        for (index, &start) in self.starts.iter().enumerate() {
            let end = self
                .starts
                .get(index + 1)
                .copied()
                .unwrap_or(self.bytes.len());
            head.put_batch(time_ns, &self.bytes[start..end], out);
        }
        self.clear();
    }
}
