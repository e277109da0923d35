//! The lowest layer of reading: header and batches, without a look at what they hold.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use crate::wire::{
    END_OF_GENERATION, EVENT_BATCH, EXPERIMENTAL_BATCH, HEADER_BYTES, MAX_BATCH_BYTES,
    MAX_UVARINT_BYTES, Version,
};

use super::error::{FramingError, ReadCause};

/// Size of the buffer in front of the input.
const BUFFER_BYTES: usize = 64 * 1_024;
/// What is read at first of a file that must be read whole.
const FIRST_STEP_BYTES: u64 = 1 << 20;

/// The head of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHead {
    /// The experiment of an experimental batch. 0 for ordinary ones, as in the format.
    pub(crate) experiment: u8,
    pub(crate) generation: u64,
    pub(crate) thread: u64,
    /// Base time, in units of the clock.
    pub(crate) time: u64,
    /// Size of the payload in bytes.
    pub(crate) size: usize,
    /// Where in the file the batch begins.
    pub(crate) offset: u64,
    /// Where in the file its payload begins.
    pub(crate) payload_offset: u64,
}

/// What the sequence of batches is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Batch(BatchHead),
    EndOfGeneration,
}

/// Reads header and batches.
#[derive(Debug)]
pub(crate) struct Framing<R> {
    input: BufReader<R>,
    version: Version,
    offset: u64,
}

impl<R: Read> Framing<R> {
    /// Reads the header.
    pub(crate) fn new(input: R) -> Result<Self, ReadCause> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        let mut header = [0; HEADER_BYTES];
        input
            .read_exact(&mut header)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ReadCause::NotATrace,
                _ => ReadCause::Io(error),
            })?;
        let version = parse_header(&header)?;
        Ok(Self {
            input,
            version,
            offset: HEADER_BYTES as u64,
        })
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The byte of the file that is read next.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads one batch and appends its payload to `payload`; `None` at the end of the file.
    pub(crate) fn next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Item>, ReadCause> {
        let offset = self.offset;
        let experimental = match self.byte()? {
            None => return Ok(None),
            Some(EVENT_BATCH) => false,
            Some(EXPERIMENTAL_BATCH) => true,
            Some(END_OF_GENERATION) if self.version.has_end_of_generation() => {
                return Ok(Some(Item::EndOfGeneration));
            }
            Some(other) => return Err(FramingError::UnexpectedKind(other).into()),
        };
        let experiment = if experimental {
            self.byte()?.ok_or(FramingError::HeadCut {
                field: "experiment",
            })?
        } else {
            0
        };
        let generation = self.uvarint("gen")?;
        let thread = self.uvarint("M ID")?;
        let time = self.uvarint("timestamp")?;
        let wanted = self.uvarint("size")?;
        if wanted > MAX_BATCH_BYTES as u64 {
            return Err(FramingError::TooLarge(wanted).into());
        }
        let payload_offset = self.offset;
        let read = self.input.by_ref().take(wanted).read_to_end(payload)? as u64;
        self.offset += read;
        if read != wanted {
            return Err(FramingError::PayloadCut { read, wanted }.into());
        }
        let size = wanted as usize;
        Ok(Some(Item::Batch(BatchHead {
            experiment,
            generation,
            thread,
            time,
            size,
            offset,
            payload_offset,
        })))
    }

    /// Reads what is left of the file: at most `limit` bytes, in steps that double what was read, as
    /// long as what was read is `wanted` to go on.
    pub(crate) fn rest(
        &mut self,
        limit: u64,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let read = bytes.len() as u64;
            let step = read.max(FIRST_STEP_BYTES).min(limit - read);
            let more = self.input.by_ref().take(step).read_to_end(&mut bytes)? as u64;
            self.offset += more;
            if more < step || read + more == limit || !wanted(&bytes) {
                return Ok(bytes);
            }
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => {
                    let byte = buffer.first().copied();
                    if byte.is_some() {
                        self.input.consume(1);
                        self.offset += 1;
                    }
                    return Ok(byte);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn uvarint(&mut self, field: &'static str) -> Result<u64, ReadCause> {
        let mut value = 0;
        for index in 0..MAX_UVARINT_BYTES {
            let byte = self.byte()?.ok_or(FramingError::HeadCut { field })?;
            if index == MAX_UVARINT_BYTES - 1 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FramingError::HeadOverflow { field }.into())
    }
}

impl<R: Read + Seek> Framing<R> {
    /// Lets this byte of the file be read next. The input has the header at its beginning.
    pub(crate) fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.offset = self.input.seek(SeekFrom::Start(offset))?;
        Ok(())
    }
}

fn parse_header(header: &[u8; HEADER_BYTES]) -> Result<Version, ReadCause> {
    let number = header
        .strip_prefix(b"go 1.")
        .and_then(|rest| rest.strip_suffix(b" trace\0\0\0"))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or(ReadCause::NotATrace)?;
    Version::from_number(number).ok_or(ReadCause::UnsupportedVersion(number))
}
