//! The bytes of the old format: where an event begins and ends, and its numbers.
//!
//! An event is a byte, kind below and argument count above, and numbers. There is no frame around
//! several events: a batch begins with an event of its own and ends where the next one begins.

use crate::wire::{Version, take_uvarint};

use super::error::V1Error;
use super::kinds::V1Kind;

/// Most bytes that the numbers of an event with a length may have.
pub(super) const MAX_ARGUMENT_BYTES: u64 = 2_048;
/// Most bytes that a string or a message may have.
pub(super) const MAX_STRING_BYTES: u64 = 1_000_000;
/// Most frames that a stack may have.
pub(super) const MAX_STACK_FRAMES: u64 = 1_000;
/// Most numbers that an event has, those of stacks apart: time, three arguments, stack.
pub(super) const MAX_NUMBERS: usize = 5;

/// Most bytes of a whole event: of its kind, its lengths, its numbers and its text.
const MAX_EVENT_BYTES: usize = (MAX_ARGUMENT_BYTES + MAX_STRING_BYTES + 32) as usize;

/// The highest value of an event's two upper bits: the numbers' length in bytes comes first.
const WITH_LENGTH: u8 = 3;

/// An event, cut out of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    pub(super) kind: V1Kind,
    /// Its numbers, still encoded. Of a string, its id.
    pub(super) body: &'a [u8],
    /// The bytes of a string or of a log's message.
    pub(super) text: &'a [u8],
}

/// The numbers of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    /// The first of them.
    values: [u64; MAX_NUMBERS],
    count: usize,
}

/// Cuts the next event out of `rest`, which is not empty.
///
/// Only what is needed to find the event's end is checked.
pub(super) fn take_event<'a>(rest: &mut &'a [u8], version: Version) -> Result<Raw<'a>, V1Error> {
    let first = take(rest, 1, "event")?.first().copied().unwrap_or(0);
    let (number, count) = (first & 0x3f, first >> 6);
    let kind = V1Kind::from_number(number, version).ok_or(V1Error::UnknownType(number))?;
    let event = kind.spec().name;
    match kind {
        V1Kind::String => {
            let body = take_numbers(rest, 1, event)?;
            let text = take_text(rest, event)?;
            Ok(Raw { kind, body, text })
        }
        V1Kind::Batch if count != 1 => Err(V1Error::Arguments {
            event,
            wanted: 2,
            found: u64::from(count) + 1,
        }),
        _ if count < WITH_LENGTH => {
            let body = take_numbers(rest, usize::from(count) + 1, event)?;
            let text = &[][..];
            Ok(Raw { kind, body, text })
        }
        _ => {
            let bytes = number_of(rest, event)?;
            if bytes > MAX_ARGUMENT_BYTES {
                return Err(V1Error::TooManyBytes { event, bytes });
            }
            let body = take(rest, bytes, event)?;
            let text = match kind {
                V1Kind::UserLog => take_text(rest, event)?,
                _ => &[],
            };
            Ok(Raw { kind, body, text })
        }
    }
}

/// Looks for the first bytes that are no event, while a file is being read.
///
/// A file of the old format can only be converted as a whole; so something else that begins like one,
/// as a file with a hole behind its header, would be read whole before it is refused.
#[derive(Debug)]
pub(in super::super) struct Scan {
    version: Version,
    /// Where the first event begins that was not there as a whole.
    at: usize,
}

impl Scan {
    pub(in super::super) fn new(version: Version) -> Self {
        Self { version, at: 0 }
    }

    /// Whether `bytes`, which begin with those of the last call, may be the beginning of a trace.
    pub(in super::super) fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes.get(self.at..).unwrap_or_default();
        loop {
            self.at = bytes.len() - rest.len();
            match take_event(&mut rest, self.version) {
                Ok(_) => {}
                // It may be that the rest of the event was not read yet.
                Err(V1Error::Cut(_) | V1Error::Uvarint(_)) => {
                    return bytes.len() - self.at <= MAX_EVENT_BYTES;
                }
                Err(_) => return false,
            }
        }
    }
}

impl Raw<'_> {
    /// Decodes all numbers and checks that they are as many as the kind has.
    #[inline]
    pub(super) fn numbers(&self) -> Result<Numbers, V1Error> {
        let mut body = self.body;
        let mut numbers = Numbers {
            values: [0; MAX_NUMBERS],
            count: 0,
        };
        while !body.is_empty() {
            let value = number_of(&mut body, self.kind.spec().name)?;
            if let Some(slot) = numbers.values.get_mut(numbers.count) {
                *slot = value;
            }
            numbers.count += 1;
        }
        let wanted = self.kind.numbers();
        if numbers.count != wanted && self.kind != V1Kind::Stack {
            return Err(V1Error::Arguments {
                event: self.kind.spec().name,
                wanted: wanted as u64,
                found: numbers.count as u64,
            });
        }
        Ok(numbers)
    }
}

impl Numbers {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count as u64
    }

    /// The first number: the time since the event before, of an event that has one.
    pub(super) fn first(&self) -> u64 {
        self.values[0]
    }

    /// The second number: the first argument of an event that has a time.
    pub(super) fn second(&self) -> u64 {
        self.values[1]
    }

    /// The first three arguments of an event that has a time; the stack counts as one.
    pub(super) fn arguments(&self) -> [u64; 3] {
        let [_, first, second, third, _] = self.values;
        [first, second, third]
    }

    /// The last number, if it is a stack. Go keeps its lower half.
    pub(super) fn stack(&self, kind: V1Kind) -> u32 {
        match self.count.checked_sub(1) {
            Some(last) if kind.has_stack() => {
                self.values.get(last).copied().unwrap_or_default() as u32
            }
            _ => 0,
        }
    }
}

/// The event that begins at `at`, which was cut out before.
pub(super) fn event_at(bytes: &[u8], at: u32, version: Version) -> Option<Raw<'_>> {
    take_event(&mut bytes.get(at as usize..)?, version).ok()
}

/// The numbers of the event of this kind that begins at `at`, which were decoded before.
#[inline]
pub(super) fn numbers_at(bytes: &[u8], at: u32, kind: V1Kind) -> Numbers {
    let mut numbers = Numbers::default();
    let Some((first, mut rest)) = bytes.get(at as usize..).and_then(<[u8]>::split_first) else {
        return numbers;
    };
    if first >> 6 == WITH_LENGTH {
        _ = take_uvarint(&mut rest);
    }
    numbers.count = kind.numbers().min(MAX_NUMBERS);
    for value in &mut numbers.values[..numbers.count] {
        *value = take_uvarint(&mut rest).unwrap_or(0);
    }
    numbers
}

/// Takes one number.
#[inline]
pub(super) fn number_of(rest: &mut &[u8], event: &'static str) -> Result<u64, V1Error> {
    take_uvarint(rest).ok_or(V1Error::Uvarint(event))
}

fn take_numbers<'a>(
    rest: &mut &'a [u8],
    count: usize,
    event: &'static str,
) -> Result<&'a [u8], V1Error> {
    let whole = *rest;
    for _ in 0..count {
        number_of(rest, event)?;
    }
    Ok(&whole[..whole.len() - rest.len()])
}

fn take_text<'a>(rest: &mut &'a [u8], event: &'static str) -> Result<&'a [u8], V1Error> {
    let length = number_of(rest, event)?;
    take(rest, length, event)
}

fn take<'a>(rest: &mut &'a [u8], length: u64, event: &'static str) -> Result<&'a [u8], V1Error> {
    let (taken, left) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(V1Error::Cut(event))?;
    *rest = left;
    Ok(taken)
}
