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

/// An event as it stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireEvent {
    /// What kind of event.
    pub kind: EventKind,
    /// When, in units of the file's clock.
    pub time: u64,
    /// Its arguments, as many as the kind has; then zeros.
    pub arguments: [u64; MAX_ARGUMENTS],
}

impl Default for WireEvent {
    /// In place of an event that is still to come.
    #[inline]
    fn default() -> Self {
        Self {
            kind: EventKind::ProcStop,
            time: 0,
            arguments: [0; MAX_ARGUMENTS],
        }
    }
}

/// What stands at a place in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Event,
    /// A clock snapshot: well-formed, but out of place. Only its time is decoded.
    Misplaced,
}

/// Decodes the event at `position` of a batch into `event`, and moves on to the next.
///
/// The time in `event` is then the one since the event before.
#[inline]
pub(super) fn decode(
    batch: &[u8],
    position: &mut usize,
    event: &mut WireEvent,
) -> Result<Found, EventError> {
    match decode_short(batch, *position, event) {
        Some(end) => {
            *position = end;
            Ok(Found::Event)
        }
        None => decode_any(batch, position, event),
    }
}

/// Decodes an event whose numbers are short; `None` for any other.
#[inline(always)]
fn decode_short(batch: &[u8], start: usize, event: &mut WireEvent) -> Option<usize> {
    let (&[id, ref word @ ..], _) = batch.get(start..)?.split_first_chunk::<9>()?;
    let word = u64::from_le_bytes(*word);
    let (kind, count) = KINDS[id as usize]?;
    let length = match count {
        1 => short_numbers::<1>(word, event),
        2 => short_numbers::<2>(word, event),
        3 => short_numbers::<3>(word, event),
        4 => short_numbers::<4>(word, event),
        _ => short_numbers::<MAX_NUMBERS>(word, event),
    }?;
    event.kind = kind;
    Some(start + 1 + length)
}

/// The first numbers in eight bytes, and how many bytes they take. `None` if one of them has more
/// than four bytes, or all together more than eight.
#[inline(always)]
fn short_numbers<const COUNT: usize>(word: u64, event: &mut WireEvent) -> Option<usize> {
    let mut values = [0; MAX_NUMBERS];
    // The highest bit of each byte that ends a number.
    let mut ends = !word & 0x8080_8080_8080_8080;
    let mut rest = word;
    let mut bits = 0;
    for value in values.iter_mut().take(COUNT) {
        let end = ends.trailing_zeros();
        if end > 31 {
            return None;
        }
        *value = join(rest & ((1 << end) - 1));
        rest = rest >> end >> 1;
        ends = ends >> end >> 1;
        bits += end + 1;
    }
    let [time, arguments @ ..] = values;
    (event.time, event.arguments) = (time, arguments);
    Some(bits as usize / 8)
}

/// Joins the lower seven bits of each of four bytes.
#[inline(always)]
fn join(bytes: u64) -> u64 {
    let (first, second) = (bytes & 0x7f, bytes >> 1 & 0x7f << 7);
    let (third, fourth) = (bytes >> 2 & 0x7f << 14, bytes >> 3 & 0x7f << 21);
    first | second | third | fourth
}

/// The same for any bytes, and with the cause if they are no event.
#[cold]
#[inline(never)]
fn decode_any(
    batch: &[u8],
    position: &mut usize,
    event: &mut WireEvent,
) -> Result<Found, EventError> {
    let mut rest = batch.get(*position..).unwrap_or_default();
    let Some((&id, after)) = rest.split_first() else {
        return Err(EventError::Uvarint);
    };
    rest = after;
    let (found, count) = match KINDS[id as usize] {
        Some((kind, count)) => {
            event.kind = kind;
            (Found::Event, usize::from(count))
        }
        // It has three numbers beside its time.
        None if id == CLOCK_SNAPSHOT => (Found::Misplaced, 4),
        None if id > LAST_EVENT_ID => return Err(EventError::UnknownType(id)),
        None => return Err(EventError::Untimed(id)),
    };
    event.time = take_uvarint(&mut rest).ok_or(EventError::TimeUvarint)?;
    event.arguments = [0; MAX_ARGUMENTS];
    for argument in event.arguments.iter_mut().take(count - 1) {
        *argument = take_uvarint(&mut rest).ok_or(EventError::Uvarint)?;
    }
    *position = batch.len() - rest.len();
    Ok(found)
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
                    let (mut position, mut event) = (1, WireEvent::default());
                    let found = decode(&bytes, &mut position, &mut event);
                    assert_eq!((found, position), (Ok(Found::Event), end));
                    assert_eq!((event.kind, event.time), (kind, numbers[0]));
                    assert_eq!(event.arguments, numbers[1..]);
                }
            }
        }
    }
}
