//! The values of a record's fields, written into the thread's buffer as they come: numbers as they are, texts
//! copied, others formatted straight into the buffer. `values` has the layout.

use std::fmt::{self, Debug, Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::reservation::Reservation;
use crate::values::{ValueType, value_header};

/// Longest text of one value, in bytes: Go's limit for a string in a trace. Longer ones are truncated at a
/// character boundary, and end in `…`.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The end of a text that was truncated.
pub(crate) const ELLIPSIS: &str = "…";

/// Follows the text of a value whose `Debug` or `Display` returned an error.
const FORMATTING_FAILED: &str = "<formatting failed>";

/// Writes the values of one record's fields into the thread's buffer.
///
/// A field is named by its index among the fields of the call site. Numbers and strings cost a few
/// nanoseconds each; `debug` and `display` cost what the value's own formatting costs. Nothing is
/// allocated. Values past the room of a chunk (some 15 KiB) are left out, and the record says so.
///
/// It writes into the buffer of the thread that began the record, and stays there: it is neither
/// [`Send`] nor [`Sync`].
///
/// ```compile_fail,E0277
/// fn on_another_thread(fields: &mut exectrace_recorder::Fields) {
///     std::thread::scope(|scope| scope.spawn(|| fields.u64(0, 5)).join());
/// }
/// ```
#[derive(Debug)]
pub struct Fields {
    reservation: Reservation,
    full: bool,
}

impl Fields {
    #[inline]
    pub(crate) fn new(reservation: Reservation) -> Self {
        Self {
            reservation,
            full: false,
        }
    }

    /// The record, with the values in it.
    #[inline]
    pub(crate) fn into_reservation(self) -> Reservation {
        self.reservation
    }

    /// Whether some value did not fit.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    #[inline]
    fn number(&mut self, kind: ValueType, index: usize, word: u64) {
        let start = self.reservation.length();
        let fits = self
            .reservation
            .push_all([value_header(kind, index, 8), word]);
        self.keep_if(fits, start);
    }

    fn wide_number(&mut self, kind: ValueType, index: usize, value: u128) {
        let start = self.reservation.length();
        let fits = self.reservation.push(value_header(kind, index, 16))
            && self.reservation.push(value as u64)
            && self.reservation.push((value >> 64) as u64);
        self.keep_if(fits, start);
    }

    #[inline]
    fn keep_if(&mut self, fits: bool, start: usize) {
        if !fits {
            self.reservation.truncate(start);
            self.full = true;
        }
    }

    /// An unsigned integer.
    #[inline]
    pub fn u64(&mut self, index: usize, value: u64) {
        self.number(ValueType::U64, index, value);
    }

    /// A signed integer.
    #[inline]
    pub fn i64(&mut self, index: usize, value: i64) {
        self.number(ValueType::I64, index, value.cast_unsigned());
    }

    /// A floating point number.
    #[inline]
    pub fn f64(&mut self, index: usize, value: f64) {
        self.number(ValueType::F64, index, value.to_bits());
    }

    /// A truth value.
    #[inline]
    pub fn bool(&mut self, index: usize, value: bool) {
        self.number(ValueType::Bool, index, u64::from(value));
    }

    /// A wide unsigned integer.
    pub fn u128(&mut self, index: usize, value: u128) {
        self.wide_number(ValueType::U128, index, value);
    }

    /// A wide signed integer.
    pub fn i128(&mut self, index: usize, value: i128) {
        self.wide_number(ValueType::I128, index, value.cast_unsigned());
    }

    /// A string, truncated at [`MAX_TEXT_BYTES`].
    #[inline]
    pub fn str(&mut self, index: usize, value: &str) {
        if value.len() <= MAX_TEXT_BYTES {
            let (words, rest) = value.as_bytes().as_chunks::<8>();
            let header = value_header(ValueType::Text, index, value.len());
            let rest = (!rest.is_empty()).then(|| word_of(rest));
            if self.reservation.push_text(header, words, rest) {
                return;
            }
        }
        self.str_slowly(index, value);
    }

    /// A string that must be truncated, or for which a new chunk is to be taken.
    #[cold]
    #[inline(never)]
    fn str_slowly(&mut self, index: usize, value: &str) {
        self.text(ValueType::Text, index, MAX_TEXT_BYTES, |text| {
            text.write(value);
        });
    }

    /// What the value's `Debug` writes, truncated at [`MAX_TEXT_BYTES`].
    pub fn debug(&mut self, index: usize, value: &dyn Debug) {
        self.format(index, format_args!("{value:?}"));
    }

    /// What the value's `Debug` writes, truncated at about so many bytes, or at [`MAX_TEXT_BYTES`] if that is less.
    pub fn debug_within(&mut self, index: usize, value: &dyn Debug, max_bytes: usize) {
        let max_bytes = max_bytes.min(MAX_TEXT_BYTES);
        self.format_within(index, max_bytes, format_args!("{value:?}"));
    }

    /// What the value's `Display` writes, truncated at [`MAX_TEXT_BYTES`].
    pub fn display(&mut self, index: usize, value: &dyn Display) {
        self.format(index, format_args!("{value}"));
    }

    /// Formatted text, truncated at [`MAX_TEXT_BYTES`], where the formatting is ended by an error. One that
    /// fails by itself keeps what it had written, and a mark.
    pub fn formatted(&mut self, index: usize, arguments: fmt::Arguments<'_>) {
        if let Some(text) = arguments.as_str() {
            self.text(ValueType::Formatted, index, MAX_TEXT_BYTES, |out| {
                out.write(text);
            });
            return;
        }
        self.format(index, arguments);
    }

    /// Runs the formatting of values, which is not our code: it may fail or panic.
    fn format(&mut self, index: usize, arguments: fmt::Arguments<'_>) {
        self.format_within(index, MAX_TEXT_BYTES, arguments);
    }

    #[inline(always)]
    fn format_within(&mut self, index: usize, max_bytes: usize, arguments: fmt::Arguments<'_>) {
        self.text(ValueType::Formatted, index, max_bytes, |out| {
            let outcome = catch_unwind(AssertUnwindSafe(|| out.write_fmt(arguments)));
            match outcome {
                Ok(Ok(())) => {}
                // It was ended here, as there is no room for more. Some formatting unwraps every error
                // of a writer: that must not bring the program down.
                Ok(Err(_)) | Err(_) if out.is_over() => {}
                Ok(Err(_)) => out.write(FORMATTING_FAILED),
                Err(panic) => {
                    // The record is lost, as its reservation is dropped.
                    resume_unwind(panic)
                }
            }
        });
    }

    /// A mark in the place of a value that must not be recorded.
    pub fn redacted(&mut self, index: usize) {
        let start = self.reservation.length();
        let fits = self
            .reservation
            .push(value_header(ValueType::Redacted, index, 0));
        self.keep_if(fits, start);
    }

    #[inline]
    fn text(
        &mut self,
        kind: ValueType,
        index: usize,
        max_bytes: usize,
        write: impl FnOnce(&mut TextWriter<'_>),
    ) {
        let start = self.reservation.length();
        if !self.reservation.push(value_header(kind, index, 0)) {
            self.keep_if(false, start);
            return;
        }
        let mut writer = TextWriter::new(&mut self.reservation, max_bytes);
        write(&mut writer);
        let written = writer.end();
        match written {
            Some(length_bytes) => self
                .reservation
                .set(start, value_header(kind, index, length_bytes)),
            None => self.keep_if(false, start),
        }
    }
}

/// Collects bytes into words.
struct TextWriter<'a> {
    reservation: &'a mut Reservation,
    /// The last bytes, as far as they do not fill a word, lowest first.
    pending: u64,
    length_bytes: usize,
    /// Bytes that may still come: the rest is ignored.
    room_bytes: usize,
    /// Text came that is longer than that room.
    truncated: bool,
    /// The buffer had no room.
    full: bool,
}

impl<'a> TextWriter<'a> {
    #[inline]
    fn new(reservation: &'a mut Reservation, room_bytes: usize) -> Self {
        Self {
            reservation,
            pending: 0,
            length_bytes: 0,
            room_bytes,
            truncated: false,
            full: false,
        }
    }

    #[inline]
    fn write(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        if bytes.len() > self.room_bytes {
            return self.truncate(text);
        }
        self.room_bytes -= bytes.len();
        if !self.length_bytes.is_multiple_of(8) {
            bytes = self.complete_word(bytes);
        }
        let (words, rest) = bytes.as_chunks::<8>();
        self.full |= !self.reservation.push_bytes(words);
        self.pending |= word_of(rest);
        self.length_bytes += bytes.len();
    }

    /// Writes what still fits of a text that is too long, and the mark for it; nothing after it does. Where
    /// pieces that came before filled the room, the mark stands behind it.
    #[cold]
    #[inline(never)]
    fn truncate(&mut self, text: &str) {
        if self.truncated {
            return;
        }
        self.truncated = true;
        let kept = text.floor_boundary(self.room_bytes.saturating_sub(ELLIPSIS.len()));
        self.room_bytes = kept + ELLIPSIS.len();
        self.write(&text[..kept]);
        self.write(ELLIPSIS);
    }

    /// Whether nothing that comes is kept any more.
    fn is_over(&self) -> bool {
        self.truncated || self.full
    }

    #[inline]
    fn push(&mut self, word: u64) {
        self.full |= !self.reservation.push_all([word]);
    }

    /// Completes the word that was begun, if the bytes suffice, and returns those that are left.
    fn complete_word<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let filled = self.length_bytes % 8;
        let (taken, left) = bytes.split_at(bytes.len().min(8 - filled));
        self.pending |= word_of(taken) << (filled * 8);
        self.length_bytes += taken.len();
        if filled + taken.len() == 8 {
            self.push(self.pending);
            self.pending = 0;
        }
        left
    }

    /// Flushes the last word. Returns the length, or `None` if the buffer had no room.
    #[inline]
    fn end(mut self) -> Option<usize> {
        if !self.length_bytes.is_multiple_of(8) {
            self.push(self.pending);
        }
        (!self.full).then_some(self.length_bytes)
    }
}

/// At most seven bytes as a word, lowest first.
///
/// Two loads that may overlap instead of a loop: texts are short, and most have a rest.
#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last));
        return u64::from(u32::from_le_bytes(*first)) | last << ((length - 4) * 8);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let last = u64::from(u16::from_le_bytes(*last));
        return u64::from(u16::from_le_bytes(*first)) | last << ((length - 2) * 8);
    }
    bytes.first().map_or(0, |&byte| u64::from(byte))
}

impl fmt::Write for TextWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text);
        if self.is_over() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// `str::floor_char_boundary`, which the oldest supported Rust does not have.
pub(crate) trait FloorBoundary {
    fn floor_boundary(&self, at: usize) -> usize;
}

impl FloorBoundary for str {
    fn floor_boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.len());
        while !self.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_fewer_than_eight_bytes_has_them_in_order_and_zeros_above() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        for length in 0..8 {
            let mut padded = [0; 8];
            padded[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(word_of(&bytes[..length]), u64::from_le_bytes(padded));
        }
    }
}
