//! Field values in a record: their layout, and how they are read back.
//!
//! Each value is one header word and its payload:
//!
//! ```text
//! 63             32 31       24 23             8 7      0
//! +-----------------+-----------+---------------+--------+
//! | length in bytes |     0     |  field index  |  type  |
//! +-----------------+-----------+---------------+--------+
//! ```
//!
//! followed by as many words as the length takes. Numbers are 8 or 16 bytes, little end first; a
//! text is its bytes, the last word padded with zeros.

use std::fmt::{self, Display};

/// What a value is, in its header's lowest byte.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    U64 = 1,
    I64 = 2,
    F64 = 3,
    Bool = 4,
    U128 = 5,
    I128 = 6,
    /// A string value.
    Text = 7,
    /// What a value's own formatting wrote.
    Formatted = 8,
    /// A value that must not leave the program.
    Redacted = 9,
}

/// Packs a value's header.
#[inline(always)]
pub(crate) fn value_header(kind: ValueType, index: usize, length_bytes: usize) -> u64 {
    (length_bytes as u64) << 32 | (index.min(0xffff) as u64) << 8 | kind as u64
}

/// A value, as the flush thread reads it back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    U64(u64),
    I64(i64),
    F64(f64),
    Bool(bool),
    U128(u128),
    I128(i128),
    Text(&'a str),
    Formatted(&'a str),
    Redacted,
}

/// Reads the values of a record's words back.
///
/// `bytes` are the payload words as bytes, so that texts can be borrowed from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    bytes: &'a [u8],
}

impl<'a> Values<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = (usize, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.bytes.split_first_chunk::<8>()?;
        let header = u64::from_le_bytes(*header);
        let length = (header >> 32) as usize;
        let index = (header >> 8 & 0xffff) as usize;
        let payload = rest.get(..length)?;
        self.bytes = rest.get(length.next_multiple_of(8)..)?;
        let word = || {
            payload
                .first_chunk::<8>()
                .map(|word| u64::from_le_bytes(*word))
        };
        let wide = || {
            payload
                .first_chunk::<16>()
                .map(|word| u128::from_le_bytes(*word))
        };
        let text = || std::str::from_utf8(payload).unwrap_or("");
        let value = match header as u8 {
            kind if kind == ValueType::U64 as u8 => Value::U64(word()?),
            kind if kind == ValueType::I64 as u8 => Value::I64(word()?.cast_signed()),
            kind if kind == ValueType::F64 as u8 => Value::F64(f64::from_bits(word()?)),
            kind if kind == ValueType::Bool as u8 => Value::Bool(word()? != 0),
            kind if kind == ValueType::U128 as u8 => Value::U128(wide()?),
            kind if kind == ValueType::I128 as u8 => Value::I128(wide()?.cast_signed()),
            kind if kind == ValueType::Text as u8 => Value::Text(text()),
            kind if kind == ValueType::Formatted as u8 => Value::Formatted(text()),
            kind if kind == ValueType::Redacted as u8 => Value::Redacted,
            _ => return None,
        };
        Some((index, value))
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::U64(value) => Display::fmt(&value, f),
            Value::I64(value) => Display::fmt(&value, f),
            Value::F64(value) => write!(f, "{value:?}"),
            Value::Bool(value) => Display::fmt(&value, f),
            Value::U128(value) => Display::fmt(&value, f),
            Value::I128(value) => Display::fmt(&value, f),
            Value::Text(value) => write!(f, "{value:?}"),
            Value::Formatted(value) => f.write_str(value),
            Value::Redacted => f.write_str("<redacted>"),
        }
    }
}
