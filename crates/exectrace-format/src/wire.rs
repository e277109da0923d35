//! The smallest pieces of the format: header, versions, structural bytes, limits, uvarints.
//!
//! A file is 16 bytes of header, then batches. A batch is `kind, generation, thread, time, size,
//! payload`; the first byte of the payload says whether it holds a table or events.

use core::fmt;

/// Length of the header at the beginning of a file.
pub const HEADER_BYTES: usize = 16;

/// First byte of an ordinary batch.
pub const EVENT_BATCH: u8 = 1;
/// First payload byte of a batch that holds stacks.
pub const STACKS: u8 = 2;
/// Begins each stack in a stack batch.
pub const STACK: u8 = 3;
/// First payload byte of a batch that holds strings.
pub const STRINGS: u8 = 4;
/// Begins each string in a string batch.
pub const STRING: u8 = 5;
/// First payload byte of a batch that holds CPU samples.
pub const CPU_SAMPLES: u8 = 6;
/// Begins each CPU sample in a batch of samples.
pub const CPU_SAMPLE: u8 = 7;
/// Begins the clock frequency: a batch of its own up to header 23, within the sync batch later.
pub const FREQUENCY: u8 = 8;
/// First byte of an experimental batch (header 23 and later).
pub const EXPERIMENTAL_BATCH: u8 = 49;
/// First payload byte of a sync batch (header 25 and later).
pub const SYNC: u8 = 50;
/// Begins the clock snapshot in a sync batch.
pub const CLOCK_SNAPSHOT: u8 = 51;
/// Ends a generation (header 26): a byte between batches, nothing follows it.
pub const END_OF_GENERATION: u8 = 52;

/// Most bytes that the payload of a batch may have; a reader refuses more.
pub const MAX_BATCH_BYTES: usize = 65_536;
/// Most bytes that a string may have; a reader refuses more.
pub const MAX_STRING_BYTES: usize = 1_024;
/// Most frames that a stack may have; a reader refuses more.
pub const MAX_STACK_FRAMES: usize = 128;
/// The one experiment id that other tools ignore; the side data of exectrace use it.
pub const SIDE_DATA_EXPERIMENT: u8 = 1;
/// Most bytes of a uvarint.
pub const MAX_UVARINT_BYTES: usize = 10;

/// A version of the format, by the number in the header.
///
/// Go 1.24 writes header 23 and Go 1.27 writes header 26: the numbers between do not exist. Up to
/// Go 1.21 the format was another, which can only be read: nothing else here holds for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// `go 1.11 trace`, Go 1.11 to 1.18: the old format.
    Go111,
    /// `go 1.19 trace`, Go 1.19 and 1.20: the old format, with CPU samples.
    Go119,
    /// `go 1.21 trace`: the old format, with reasons for stopping the world.
    Go121,
    /// `go 1.22 trace`: events up to id 44.
    Go122,
    /// `go 1.23 trace`: all events; experimental batches.
    Go123,
    /// `go 1.25 trace`: a sync batch with a snapshot of the clocks begins each generation.
    Go125,
    /// `go 1.26 trace`: a byte marks the end of each generation.
    Go126,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 7] = [
        Self::Go111,
        Self::Go119,
        Self::Go121,
        Self::Go122,
        Self::Go123,
        Self::Go125,
        Self::Go126,
    ];

    /// The number in the header, 11 to 26.
    pub const fn number(self) -> u8 {
        match self {
            Self::Go111 => 11,
            Self::Go119 => 19,
            Self::Go121 => 21,
            Self::Go122 => 22,
            Self::Go123 => 23,
            Self::Go125 => 25,
            Self::Go126 => 26,
        }
    }

    /// The version with this number in the header, if this crate knows it.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| u64::from(version.number()) == number)
    }

    /// The header of a file of this version.
    pub const fn header(self) -> [u8; HEADER_BYTES] {
        let number = self.number();
        let mut header = *b"go 1.00 trace\0\0\0";
        header[5] = b'0' + number / 10;
        header[6] = b'0' + number % 10;
        header
    }

    /// Whether it is of the old format, which can only be read.
    pub const fn is_v1(self) -> bool {
        matches!(self, Self::Go111 | Self::Go119 | Self::Go121)
    }

    /// Whether the frequency lives in a sync batch together with a snapshot of the clocks.
    pub const fn has_sync_batch(self) -> bool {
        matches!(self, Self::Go125 | Self::Go126)
    }

    /// Whether generations end at [`END_OF_GENERATION`] instead of at the next number.
    pub const fn has_end_of_generation(self) -> bool {
        matches!(self, Self::Go126)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.number())
    }
}

/// The clocks of the machine, read at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClockSnapshot {
    /// The system's monotonic clock, in nanoseconds.
    pub monotonic_ns: u64,
    /// Wall time: whole seconds since the Unix epoch.
    pub unix_seconds: u64,
    /// Wall time: nanoseconds within the second, below 1 000 000 000.
    pub unix_nanoseconds: u32,
}

/// Appends a uvarint: 7 bits per byte, low bits first, at most 10 bytes.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a uvarint off the front of `bytes`; `None` if it is cut off or exceeds 64 bits.
///
/// Over-long encodings are accepted, as Go's own writer makes them.
#[inline]
pub(crate) fn take_uvarint(bytes: &mut &[u8]) -> Option<u64> {
    if let [first @ 0..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(MAX_UVARINT_BYTES) {
        // The tenth byte has room for one bit.
        if index == MAX_UVARINT_BYTES - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = &bytes[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uvarints_round_trip_at_every_length() {
        for bits in 0..64 {
            for value in [1u64 << bits, (1u64 << bits) - 1, u64::MAX >> bits] {
                let mut bytes = Vec::new();
                put_uvarint(&mut bytes, value);
                assert_eq!(take_uvarint(&mut bytes.as_slice()), Some(value));
                assert_eq!(take_uvarint(&mut &bytes[..bytes.len() - 1]), None);
            }
        }
    }

    #[test]
    fn a_uvarint_may_be_padded_but_not_exceed_64_bits() {
        let padded = [0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(take_uvarint(&mut padded.as_slice()), Some(5));
        let mut exceeding = [0xff; 10];
        exceeding[9] = 2;
        assert_eq!(take_uvarint(&mut exceeding.as_slice()), None);
        assert_eq!(take_uvarint(&mut [0x80; 11].as_slice()), None);
    }

    #[test]
    fn the_header_names_the_version() {
        assert_eq!(&Version::Go125.header(), b"go 1.25 trace\0\0\0");
        assert_eq!(Version::from_number(23), Some(Version::Go123));
        assert_eq!(Version::from_number(24), None);
    }
}
