//! Warns early that an output will be large: some formats take many times the bytes of the trace.

use std::io::{self, Write};

use super::units;
use crate::failure::warn;
use crate::progress::Position;

/// After so many bytes, and each time so many more were written, the whole is estimated.
const LOOK_BYTES: u64 = 64_000_000;
/// From this size on an output is worth a warning.
const LARGE_BYTES: u64 = 1_000_000_000;

/// An output that warns once, when by what was read and written so far it will be large.
#[derive(Debug)]
pub(crate) struct Growing<W> {
    out: W,
    written: u64,
    next_look: u64,
    input: Position,
    has_warned: bool,
}

impl<W> Growing<W> {
    pub(crate) fn new(out: W, input: Position) -> Self {
        Self {
            out,
            written: 0,
            next_look: LOOK_BYTES,
            input,
            has_warned: false,
        }
    }

    /// Counts bytes that were written; what to warn of, if it is time to.
    fn advance(&mut self, bytes: u64) -> Option<String> {
        self.written = self.written.saturating_add(bytes);
        if self.has_warned || self.written < self.next_look {
            return None;
        }
        self.next_look = self.written.saturating_add(LOOK_BYTES);
        let read = self.input.read.get().max(1);
        let (bytes, says) = match self.input.total {
            Some(total) => {
                let total = total.max(read);
                let estimate = u128::from(self.written) * u128::from(total) / u128::from(read);
                let estimate = u64::try_from(estimate).unwrap_or(u64::MAX);
                let (size, share) = (units::bytes(estimate), units::percent(read, total));
                let says = format!("will be about {size} large, by the first {share} of the trace");
                (estimate, says)
            }
            None => {
                let size = units::bytes(self.written);
                (self.written, format!("has {size} so far"))
            }
        };
        self.has_warned = bytes >= LARGE_BYTES;
        self.has_warned.then(|| {
            format!("the output {says}; `exectrace cut` with --from and --to makes a shorter trace")
        })
    }
}

impl<W: Write> Write for Growing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(message) = self.advance(written as u64) {
            warn(&message);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    fn growing(read: u64, total: Option<u64>) -> Growing<io::Sink> {
        let read = Rc::new(Cell::new(read));
        Growing::new(io::sink(), Position { read, total })
    }

    #[test]
    fn that_an_output_will_be_large_is_said_early_and_once() {
        // A hundredth of the trace gave 64 MB.
        let mut output = growing(1_000, Some(100_000));
        assert_eq!(output.advance(LOOK_BYTES - 1), None, "too early");
        let said = output.advance(1).expect("6.4 GB are large");
        assert!(said.contains("about 6.40 GB"), "{said}");
        assert_eq!(output.advance(LOOK_BYTES), None, "once");
        // Half of it gave as much.
        assert_eq!(growing(50, Some(100)).advance(LOOK_BYTES), None);
        // Of a pipe it is not known how much follows.
        assert_eq!(growing(50, None).advance(LOOK_BYTES), None);
        assert!(growing(50, None).advance(LARGE_BYTES).is_some());
    }
}
