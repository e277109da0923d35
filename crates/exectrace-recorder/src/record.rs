//! Records: the raw items that threads put in their buffers.
//!
//! A record is some 8-byte words. Word 0, the *head*, holds the kind, the source and the time:
//!
//! ```text
//! 63                                    16 15        6 5       0
//! +---------------------------------------+-----------+---------+
//! |        ticks, low 48 bits             |  source   |  kind   |
//! +---------------------------------------+-----------+---------+
//! ```
//!
//! 48 bits of ticks are a day of a 3 GHz counter. The flush thread, which reads a record within a
//! second or so, knows the upper bits. What follows the head depends on the kind: `kinds` has the table.

use crate::kinds::Kind;

const KIND_MASK: u64 = 0x3f;
const SOURCE_SHIFT: u32 = 6;
const SOURCE_MASK: u64 = 0x3ff;
const TICKS_SHIFT: u32 = 16;

/// Numbers that a head can name.
pub(crate) const MAX_SOURCES: usize = 1 << 10;

/// The kind in a head.
#[inline]
pub(crate) fn kind_of_head(head: u64) -> Option<Kind> {
    Kind::of_number(head & KIND_MASK)
}

/// Packs a head.
#[inline(always)]
pub(crate) fn head(kind: Kind, source: u16, ticks: u64) -> u64 {
    ticks << TICKS_SHIFT | u64::from(source) << SOURCE_SHIFT | kind as u64
}

/// Whether a head is of this kind and source.
#[inline(always)]
pub(crate) fn is_head_of(word: u64, kind: Kind, source: u16) -> bool {
    // Both lie below the ticks.
    word as u16 == head(kind, source, 0) as u16
}

/// The source in a head.
#[inline]
pub(crate) fn source_of_head(head: u64) -> u16 {
    (head >> SOURCE_SHIFT & SOURCE_MASK) as u16
}

/// The full ticks of a head, given a moment `near` that is less than half a day of ticks away.
#[inline]
pub(crate) fn ticks_of_head(head: u64, near: u64) -> u64 {
    let low = head >> TICKS_SHIFT;
    // The distance to `near`, modulo 2^48, as a signed number.
    let distance = (low.wrapping_sub(near) << TICKS_SHIFT) as i64 >> TICKS_SHIFT;
    near.wrapping_add_signed(distance)
}

/// Packs a number below 2^48 with a text's length, which ends at 65,535 bytes.
#[inline(always)]
pub(crate) fn number_and_length(number: u64, length: usize) -> u64 {
    number << 16 | length.min(0xffff) as u64
}

/// The two parts of [`number_and_length`].
#[inline]
pub(crate) fn split_number_and_length(word: u64) -> (u64, usize) {
    (word >> 16, (word & 0xffff) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_back_its_kind_source_and_full_ticks() {
        for ticks in [1_u64, (1 << 48) - 5, 1 << 48, (3 << 48) + 7] {
            for near in [ticks, ticks + 1_000_000, ticks.saturating_sub(1)] {
                let packed = head(Kind::SpanExit, 1023, ticks);
                assert_eq!(kind_of_head(packed), Some(Kind::SpanExit));
                assert_eq!(source_of_head(packed), 1023);
                assert_eq!(ticks_of_head(packed, near), ticks);
            }
        }
    }
}
