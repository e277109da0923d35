//! Ids of distributed traces, by which a user task is found again in other services.
//!
//! A user task has the id of the distributed trace that it is a part of as a log of its own: the category is
//! [`TRACE_ID_CATEGORY`], and the message is the id as [`TraceId`] shows it. A user task may have several such
//! logs; the first is the id of the operation. A child has the id of its parent, unless it has a log of its own.

use std::fmt;
use std::num::NonZeroU128;

/// Category of a log: the message is the id of the distributed trace that the user task is a part of.
pub const TRACE_ID_CATEGORY: &str = "trace_id";

/// The id of a distributed trace, as the W3C's *Trace Context* has it: 128 bits, not all of them zero.
///
/// It is shown as 32 hexadecimal digits in lower case.
///
/// ```
/// use exectrace_format::conventions::TraceId;
///
/// let parent = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
/// let id = TraceId::parse(parent).map(|id| id.to_string());
/// assert_eq!(id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The id with this number; `None` for 0, which is no id.
    #[must_use]
    pub const fn new(number: u128) -> Option<Self> {
        match NonZeroU128::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0.get()
    }

    /// The id that a text stands for, in any of the forms that programs write:
    ///
    /// | form | as in |
    /// |---|---|
    /// | 32 hexadecimal digits | `4bf92f3577b34da6a3ce929d0e0e4736` |
    /// | the same with the dashes of a UUID | `4bf92f35-77b3-4da6-a3ce-929d0e0e4736` |
    /// | 16 hexadecimal digits: the lower half, the upper one is 0 | `a3ce929d0e0e4736` |
    /// | the header `traceparent` of *Trace Context* | `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01` |
    ///
    /// Digits may be in upper or lower case. Quotes around the text are left out. Decimal numbers are no form, as
    /// one of 16 digits would be two ids.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').unwrap_or(text);
        let text = text.strip_suffix('"').unwrap_or(text).as_bytes();
        let number = match text.len() {
            16 | 32 => hexadecimal(text)?,
            36 => hexadecimal(&without_dashes(text)?)?,
            _ => of_traceparent(text)?,
        };
        Self::new(number)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// The number of at most 32 digits.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(number << 4 | u128::from(digit))
    })
}

/// The digits of a UUID.
fn without_dashes(text: &[u8]) -> Option<[u8; 32]> {
    let mut digits = [0; 32];
    let mut rest = digits.iter_mut();
    for (index, &byte) in text.iter().enumerate() {
        match (index, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            _ => *rest.next()? = byte,
        }
    }
    Some(digits)
}

/// The number in `version-trace-parent-flags`. Version 00 ends there; later ones may have more behind a dash, and
/// `ff` is none.
fn of_traceparent(text: &[u8]) -> Option<u128> {
    const LENGTH: usize = 55;
    let (known, more) = text.split_at_checked(LENGTH)?;
    if [2, 35, 52].iter().any(|&dash| known[dash] != b'-') {
        return None;
    }
    let version = hexadecimal(&known[..2])?;
    let is_whole = match version {
        0 => more.is_empty(),
        0xff => false,
        _ => more.is_empty() || more[0] == b'-',
    };
    let parent = hexadecimal(&known[36..52])?;
    hexadecimal(&known[53..])?;
    let number = hexadecimal(&known[3..35])?;
    (is_whole && parent != 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn each_form_of_an_id_is_the_same_id() {
        for form in [
            ID,
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "\"4bf92f3577b34da6a3ce929d0e0e4736\"",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            let id = TraceId::parse(form).map(|id| id.to_string());
            assert_eq!(id.as_deref(), Some(ID), "{form}");
        }
        assert_eq!(
            TraceId::parse("a3ce929d0e0e4736"),
            TraceId::new(0xa3ce_929d_0e0e_4736)
        );
    }

    #[test]
    fn what_is_no_id_is_none() {
        for text in [
            "",
            "\"",
            "4bf92f3577b34da6a3ce929d0e0e473",
            "4bf92f3577b34da6a3ce929d0e0e47360",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "4bf92f3577b34da6a3ce929d0e0e473é",
            "00000000000000000000000000000000",
            "0000000000000000",
            "4bf92f357-7b3-4da6-a3ce-929d0e0e4736",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e473-",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
    }
}
