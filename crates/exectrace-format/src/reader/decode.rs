//! One event out of the bytes of a batch.
//!
//! Nearly all events have their numbers in the eight bytes behind their id. There the ends of all
//! numbers are found at once, and no branch depends on how long a number is: lengths alternate in
//! no way that a processor could foresee, and each wrong guess costs as much as half an event.

use crate::event::{EventKind, MAX_ARGUMENTS};
use crate::wire::{CLOCK_SNAPSHOT, take_uvarint};

use super::error::EventError;

/// Ids above this are beyond the table of events.
const LAST_EVENT_ID: u8 = 136;

/// Numbers of an event at most: its time, then its arguments.
const MAX_NUMBERS: usize = MAX_ARGUMENTS + 1;

/// The kinds by id, with the count of their numbers.
static KINDS: [Option<(EventKind, u8)>; 256] = {
    let mut kinds = [None; 256];
    let mut index = 0;
    while index < EventKind::ALL.len() {
        let kind = EventKind::ALL[index];
        kinds[kind.id() as usize] = Some((kind, kind.arguments().len() as u8 + 1));
        index += 1;
    }
    kinds
};

/// An event as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded {
    /// `None` for a clock snapshot: well-formed, but out of place.
    pub(super) kind: Option<EventKind>,
    /// Units of the clock since the event before.
    pub(super) delta: u64,
    pub(super) arguments: [u64; MAX_ARGUMENTS],
    /// Where the next event begins.
    pub(super) end: usize,
}

/// Decodes the event at `start` of a batch.
#[inline]
pub(super) fn decode(batch: &[u8], start: usize) -> Result<Decoded, EventError> {
    let bytes = batch.get(start..).unwrap_or_default();
    let Some((&[id, ref word @ ..], _)) = bytes.split_first_chunk::<9>() else {
        return decode_any(batch, start);
    };
    let word = u64::from_le_bytes(*word);
    let Some((kind, count)) = KINDS[id as usize] else {
        return decode_any(batch, start);
    };
    let numbers = match count {
        1 => numbers::<1>(word),
        2 => numbers::<2>(word),
        3 => numbers::<3>(word),
        4 => numbers::<4>(word),
        _ => numbers::<MAX_NUMBERS>(word),
    };
    let Some(([delta, arguments @ ..], length)) = numbers else {
        return decode_any(batch, start);
    };
    Ok(Decoded {
        kind: Some(kind),
        delta,
        arguments,
        end: start + 1 + length,
    })
}

/// The first numbers in eight bytes, and how many bytes they take; `None` if they need more.
#[inline(always)]
fn numbers<const COUNT: usize>(word: u64) -> Option<([u64; MAX_NUMBERS], usize)> {
    let mut values = [0; MAX_NUMBERS];
    // The highest bit of each byte that ends a number.
    let mut ends = !word & 0x8080_8080_8080_8080;
    let mut rest = word;
    let mut length = 0;
    for value in values.iter_mut().take(COUNT) {
        if ends == 0 {
            return None;
        }
        let end = ends.trailing_zeros();
        *value = join(rest & ((1 << end) - 1));
        // In two steps, as all 64 bits may be used up.
        rest = rest >> end >> 1;
        ends = ends >> end >> 1;
        length += end + 1;
    }
    Some((values, length as usize / 8))
}

/// Joins the lower seven bits of each byte.
#[inline(always)]
fn join(bytes: u64) -> u64 {
    let pairs = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// The same for any bytes, and with the cause if they are no event.
#[cold]
fn decode_any(batch: &[u8], start: usize) -> Result<Decoded, EventError> {
    let mut rest = batch.get(start..).unwrap_or_default();
    let Some((&id, after)) = rest.split_first() else {
        return Err(EventError::Uvarint);
    };
    rest = after;
    let (kind, count) = match KINDS[id as usize] {
        Some((kind, count)) => (Some(kind), usize::from(count)),
        // It has three numbers beside its time.
        None if id == CLOCK_SNAPSHOT => (None, 4),
        None if id > LAST_EVENT_ID => return Err(EventError::UnknownType(id)),
        None => return Err(EventError::Untimed(id)),
    };
    let delta = take_uvarint(&mut rest).ok_or(EventError::TimeUvarint)?;
    let mut arguments = [0; MAX_ARGUMENTS];
    for argument in arguments.iter_mut().take(count - 1) {
        *argument = take_uvarint(&mut rest).ok_or(EventError::Uvarint)?;
    }
    Ok(Decoded {
        kind,
        delta,
        arguments,
        end: batch.len() - rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_uvarint;

    #[test]
    fn an_event_is_the_same_however_long_its_numbers_are_and_whatever_follows() {
        let lengths = [0, 7, 14, 21, 28, 35, 42, 49, 56, 63];
        for &kind in EventKind::ALL {
            let count = kind.arguments().len() + 1;
            for round in 0..1_000 {
                let mut numbers = [0; MAX_NUMBERS];
                for (index, number) in numbers.iter_mut().take(count).enumerate() {
                    // All mixtures of three lengths, longer ones in later rounds.
                    let length = lengths[round / 3usize.pow(index as u32) % 3 + round / 250];
                    *number = u64::MAX >> (63 - length);
                }
                let mut bytes = vec![0xff, kind.id()];
                for &number in &numbers[..count] {
                    put_uvarint(&mut bytes, number);
                }
                let end = bytes.len();
                for following in [0, 9] {
                    bytes.resize(end + following, 0xff);
                    let found = decode(&bytes, 1).expect("an event");
                    assert_eq!(found.kind, Some(kind));
                    assert_eq!(
                        (found.delta, &found.arguments[..]),
                        (numbers[0], &numbers[1..])
                    );
                    assert_eq!(found.end, end);
                }
            }
        }
    }
}
