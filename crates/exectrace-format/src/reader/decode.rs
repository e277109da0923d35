//! One event out of the bytes of a batch.

use crate::event::{EventKind, MAX_ARGUMENTS};
use crate::wire::{CLOCK_SNAPSHOT, take_uvarint};

use super::error::EventError;
use super::generation::ClockRate;

/// Ids above this are beyond the table of events.
const LAST_EVENT_ID: u8 = 136;

/// An event as it stands in the file, with its time in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawEvent {
    pub(super) kind: EventKind,
    pub(super) time: i64,
    pub(super) arguments: [u64; MAX_ARGUMENTS],
}

/// What stands at a place in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoded {
    Event(RawEvent),
    /// A clock snapshot: well-formed, but out of place. Nobody may notice before its turn comes.
    Misplaced {
        time: i64,
    },
}

/// Decodes the event at the front of `bytes` and takes it off; `last` is the time before.
#[inline]
pub(super) fn decode(bytes: &mut &[u8], last: i64, rate: ClockRate) -> Result<Decoded, EventError> {
    let Some((&id, rest)) = bytes.split_first() else {
        return Err(EventError::Uvarint);
    };
    *bytes = rest;
    let kind = match EventKind::from_id(id) {
        Some(kind) => Some(kind),
        None if id == CLOCK_SNAPSHOT => None,
        None if id > LAST_EVENT_ID => return Err(EventError::UnknownType(id)),
        None => return Err(EventError::Untimed(id)),
    };
    let delta = take_uvarint(bytes).ok_or(EventError::TimeUvarint)?;
    let time = last.wrapping_add(rate.nanoseconds(delta));
    let mut arguments = [0; MAX_ARGUMENTS];
    // A clock snapshot has three numbers.
    let count = kind.map_or(3, |kind| kind.arguments().len());
    for argument in arguments.iter_mut().take(count) {
        *argument = take_uvarint(bytes).ok_or(EventError::Uvarint)?;
    }
    Ok(match kind {
        Some(kind) => Decoded::Event(RawEvent {
            kind,
            time,
            arguments,
        }),
        None => Decoded::Misplaced { time },
    })
}
