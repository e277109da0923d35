//! JSON for programs: one document, or one a line.
//!
//! JSON allows some control characters as they are, and standard output takes them for what a terminal
//! should not be sent, so they are escaped: names stay what they are in the trace.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `value` as a document of its own, for people to look at as well.
pub(crate) fn document(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(Escaping(&mut *out), value)?;
    writeln!(out)?;
    Ok(())
}

/// Writes `value` on one line.
pub(crate) fn line(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer(Escaping(&mut *out), value)?;
    writeln!(out)?;
    Ok(())
}

/// Escapes the characters U+007F to U+009F. Whole characters must be written.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some((at, length, code)) = first_control(rest) {
            self.0.write_all(&rest[..at])?;
            write!(self.0, "\\u{code:04x}")?;
            rest = &rest[at + length..];
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The first character of U+007F to U+009F in UTF-8: where it is, its bytes, its number.
fn first_control(bytes: &[u8]) -> Option<(usize, usize, u8)> {
    let found = |(at, &byte): (usize, &u8)| match (byte, bytes.get(at + 1)) {
        (0x7f, _) => Some((at, 1, byte)),
        (0xc2, Some(&next @ 0x80..=0x9f)) => Some((at, 2, next)),
        _ => None,
    };
    bytes.iter().enumerate().find_map(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_all_else_stays() {
        let text = "a\u{7f}b\u{80}\u{9b}\u{a0}ß\u{1b}\u{c2}";
        let mut out = Vec::new();
        line(&text, &mut out).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, "\"a\\u007fb\\u0080\\u009b\u{a0}ß\\u001b\u{c2}\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
