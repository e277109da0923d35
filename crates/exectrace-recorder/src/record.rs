//! Records: the raw items that threads put in their buffers.
//!
//! A record is some 8-byte words. Word 0, the *head*, holds the kind, the span source and the time:
//!
//! ```text
//! 63                                    16 15        6 5       0
//! +---------------------------------------+-----------+---------+
//! |        ticks, low 48 bits             |   span source    |  kind   |
//! +---------------------------------------+-----------+---------+
//! ```
//!
//! 48 bits of ticks are a day of a 3 GHz counter. The flush thread, which reads a record within a
//! second or so, knows the upper bits. What follows the head depends on the kind:
//!
//! | kind | words after the head |
//! |---|---|
//! | `RegionBegin` | name address, task and name length, location address |
//! | `RegionEnd` | ticks at the begin |
//! | `TaskBegin` | name address, task and name length, location address, parent task |
//! | `TaskEnd` | task |
//! | `Log` | category address, task and category length, location address, *text* |
//! | `SpanNew` | span, site address, parent span, parent kind and words of fields, *fields* |
//! | `SpanEnter`, `SpanExit`, `SpanClose`, `SpanClone`, `SpanDrop` | span |
//! | `SpanRecord` | span, words of fields, *fields* |
//! | `SpanFollows` | span, the span it follows |
//! | `Event` | site address, parent span, parent kind and words of fields, *fields* |
//! | `SourceClosed`, `ThreadEnd` | – (one word of zero, so that every record has two) |
//! | `Lost` | records of the thread lost so far |
//! | `AsyncSpawn` | async task, location address, name address, kind and name length |
//! | `PollBegin`, `PollEnd`, `AsyncEnd`, `Wake` | async task |
//! | `PollEndAt` | async task, hash of the stack where it waits |
//! | `Park`, `Unpark` | worker |
//! | `WakerOf` | async task, address that its wakers carry |
//! | `PollBeginAfter` | async task, nanoseconds since it was woken |
//! | `WakeBy` | address that a waker carries; where the span source is not 0, span of the async task |
//! | `StackIs` | hash of a stack, number of its addresses, addresses from leaf to root |
//!
//! The span source of rows about async tasks and workers is the number of the runtime.
//!
//! "Task and length" packs a task's number in the upper 48 bits and a text's length in bytes in the
//! lower 16. *Fields* and *text* are laid out as `fields` says.

/// What a record tells. The numbers are those of the head's lowest six bits.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RegionBegin = 1,
    RegionEnd = 2,
    TaskBegin = 3,
    TaskEnd = 4,
    Log = 5,
    SpanNew = 6,
    SpanEnter = 7,
    SpanExit = 8,
    SpanClose = 9,
    SpanClone = 10,
    SpanDrop = 11,
    SpanRecord = 12,
    SpanFollows = 13,
    Event = 14,
    SourceClosed = 15,
    ThreadEnd = 16,
    Lost = 17,
    AsyncSpawn = 18,
    PollBegin = 19,
    PollEnd = 20,
    PollEndAt = 21,
    AsyncEnd = 22,
    Wake = 23,
    Park = 24,
    Unpark = 25,
    WakerOf = 26,
    WakeBy = 27,
    StackIs = 28,
    PollBeginAfter = 29,
}

impl Kind {
    const ALL: [Kind; 29] = [
        Kind::RegionBegin,
        Kind::RegionEnd,
        Kind::TaskBegin,
        Kind::TaskEnd,
        Kind::Log,
        Kind::SpanNew,
        Kind::SpanEnter,
        Kind::SpanExit,
        Kind::SpanClose,
        Kind::SpanClone,
        Kind::SpanDrop,
        Kind::SpanRecord,
        Kind::SpanFollows,
        Kind::Event,
        Kind::SourceClosed,
        Kind::ThreadEnd,
        Kind::Lost,
        Kind::AsyncSpawn,
        Kind::PollBegin,
        Kind::PollEnd,
        Kind::PollEndAt,
        Kind::AsyncEnd,
        Kind::Wake,
        Kind::Park,
        Kind::Unpark,
        Kind::WakerOf,
        Kind::WakeBy,
        Kind::StackIs,
        Kind::PollBeginAfter,
    ];

    /// The kind in a head.
    #[inline]
    pub(crate) fn of_head(head: u64) -> Option<Self> {
        let number = (head & KIND_MASK) as usize;
        Self::ALL.get(number.wrapping_sub(1)).copied()
    }

    /// Whether the record closes what an earlier one opened: these may use a chunk's reserve.
    pub(crate) const fn is_end(self) -> bool {
        matches!(
            self,
            Kind::RegionEnd
                | Kind::TaskEnd
                | Kind::SpanExit
                | Kind::SpanClose
                | Kind::SpanDrop
                | Kind::SourceClosed
                | Kind::ThreadEnd
                | Kind::PollEnd
                | Kind::PollEndAt
                | Kind::AsyncEnd
                | Kind::Park
        )
    }
}

const KIND_MASK: u64 = 0x3f;
const SOURCE_SHIFT: u32 = 6;
const SOURCE_MASK: u64 = 0x3ff;
const TICKS_SHIFT: u32 = 16;

/// Numbers that a head can name.
pub(crate) const MAX_SOURCES: usize = 1 << 10;

/// Packs a head.
#[inline(always)]
pub(crate) fn head(kind: Kind, source: u16, ticks: u64) -> u64 {
    ticks << TICKS_SHIFT | u64::from(source) << SOURCE_SHIFT | kind as u64
}

/// Whether a head is of this kind and span source.
#[inline(always)]
pub(crate) fn is_head_of(word: u64, kind: Kind, source: u16) -> bool {
    // Both lie below the ticks.
    word as u16 == head(kind, source, 0) as u16
}

/// The span source in a head.
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

/// Packs a task's number with a text's length, which is cut at 65,535 bytes.
#[inline(always)]
pub(crate) fn task_and_length(task: u64, length: usize) -> u64 {
    task << 16 | length.min(0xffff) as u64
}

/// The two parts of [`task_and_length`].
#[inline]
pub(crate) fn split_task_and_length(word: u64) -> (u64, usize) {
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
                assert_eq!(Kind::of_head(packed), Some(Kind::SpanExit));
                assert_eq!(source_of_head(packed), 1023);
                assert_eq!(ticks_of_head(packed, near), ticks);
            }
        }
    }

    #[test]
    fn each_kind_is_found_under_its_own_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_head(head(kind, 3, 77)), Some(kind));
        }
        assert_eq!(Kind::of_head(0), None);
        assert_eq!(Kind::of_head(63), None);
    }
}
