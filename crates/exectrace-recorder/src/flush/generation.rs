//! The generation that is being written: its number, its beginning in both clocks, its size.

use std::time::Duration;

use exectrace_format::{ClockSnapshot, Version, Writer};

use crate::clock::Moment;

/// A generation is closed at this age …
const AGE_NS: u64 = 1_000_000_000;
/// … or at this size: it bounds what readers must hold in memory.
const BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Generation {
    number: u64,
    begin_ns: u64,
    /// The wall clock at its begin.
    wall: Duration,
    bytes: usize,
}

impl Generation {
    /// The first one, before anything is recorded.
    pub(super) fn first(moment: Moment) -> Self {
        // Number 1 is the first recording's preamble.
        Self {
            number: 2,
            begin_ns: moment.sample.ns,
            wall: moment.wall_at(moment.sample.ns),
            bytes: 0,
        }
    }

    /// Begins the next generation at `begin_ns`, or this one again if nothing of it was written:
    /// numbers must have no gaps.
    pub(super) fn renew(&mut self, begin_ns: u64, moment: Moment) {
        // Readers want a wall clock that grows, also where somebody has set it back.
        let later = self.wall + Duration::from_nanos(1);
        *self = Self {
            number: self.number + u64::from(self.is_written()),
            begin_ns,
            wall: moment.wall_at(begin_ns).max(later),
            bytes: 0,
        };
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    fn is_written(&self) -> bool {
        self.bytes > 0
    }

    /// Counts a group of it that was written.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Whether the next one is to begin, at `now_ns`.
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        let age_ns = now_ns.saturating_sub(self.begin_ns);
        self.is_written() && (age_ns >= AGE_NS || self.bytes >= BYTES)
    }

    /// Appends the batch with which it begins.
    pub(super) fn sync_batch(&self, version: Version, out: &mut Vec<u8>) {
        sync_batch(version, self.number, self.begin_ns, self.wall, out);
    }

    /// Appends the batch with which a preamble begins, which lies before this generation.
    pub(super) fn sync_batch_of_preamble(
        &self,
        version: Version,
        begin_ns: u64,
        out: &mut Vec<u8>,
    ) {
        let before = Duration::from_nanos(self.begin_ns.saturating_sub(begin_ns).max(1));
        let wall = self.wall.saturating_sub(before);
        sync_batch(version, self.number - 1, begin_ns, wall, out);
    }
}

fn sync_batch(version: Version, number: u64, time_ns: u64, wall: Duration, out: &mut Vec<u8>) {
    let clock = ClockSnapshot {
        monotonic_ns: time_ns,
        unix_seconds: wall.as_secs(),
        unix_nanoseconds: wall.subsec_nanos(),
    };
    Writer::sync_batch(version, number, time_ns, clock, out);
}
