//! Cuts the sequence of batches into generations.
//!
//! Up to header 25 the first batch of the next generation shows that this one is complete; it is
//! kept for later. From header 26 on a mark shows it.

use std::io::{self, Read, Seek};

use crate::wire::Version;

use super::checkpoint::FirstBatch;
use super::error::{FramingError, ReadCause, ReadError};
use super::framing::{BatchHead, Framing, Item};
use super::generation::Generation;

/// Most payload bytes that one generation may have. Go's are a few megabytes.
pub const MAX_GENERATION_BYTES: u64 = 4 << 30;

/// The result of reading a generation.
#[derive(Debug)]
pub(super) enum NextGeneration {
    /// A generation; and what is wrong with the file directly behind its last good batch.
    Generation(Option<ReadError>),
    /// The file ends, and is not damaged.
    End,
    /// There is no further generation that can be read.
    Damaged(ReadError),
}

/// Reads generation after generation.
#[derive(Debug)]
pub(super) struct Generations<R> {
    framing: Framing<R>,
    /// The first batch of the next generation (up to header 25), with its payload.
    spill: Option<(BatchHead, Box<[u8]>)>,
    /// The payload of the batch that was read last.
    payload: Vec<u8>,
    first: bool,
    keeps_first_batches: bool,
    /// The first batch of the current generation, if that is to be kept.
    first_batch: Option<FirstBatch>,
}

impl<R: Read> Generations<R> {
    pub(super) fn new(input: R) -> Result<Self, ReadError> {
        let framing = Framing::new(input).map_err(|cause| ReadError {
            offset: 0,
            generation: 0,
            cause,
        })?;
        Ok(Self {
            framing,
            spill: None,
            payload: Vec::new(),
            first: true,
            keeps_first_batches: false,
            first_batch: None,
        })
    }

    pub(super) fn version(&self) -> Version {
        self.framing.version()
    }

    /// The byte of the file that is read next.
    pub(super) fn offset(&self) -> u64 {
        self.framing.offset()
    }

    pub(super) fn keep_first_batches(&mut self) {
        self.keeps_first_batches = true;
    }

    /// The first batch of the current generation, if such are kept.
    pub(super) fn first_batch(&self) -> Option<FirstBatch> {
        self.first_batch
    }

    /// Reads what is left of the file, of a version that has no generations.
    pub(super) fn rest(
        &mut self,
        limit: u64,
        wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Vec<u8>, ReadError> {
        let offset = self.framing.offset();
        self.framing.rest(limit, wanted).map_err(|error| ReadError {
            offset,
            generation: 0,
            cause: error.into(),
        })
    }

    /// Reads the next generation in place of the one in `generation`, which stays empty if there
    /// is none.
    pub(super) fn next(&mut self, generation: &mut Generation) -> NextGeneration {
        generation.reset();
        let outcome = if self.version().has_end_of_generation() {
            self.read_marked(generation)
        } else {
            self.read_numbered(generation)
        };
        let next = match outcome {
            Ok(Outcome::Complete(trailing)) => return NextGeneration::Generation(trailing),
            Ok(Outcome::End) => NextGeneration::End,
            Err(error) => NextGeneration::Damaged(error),
        };
        generation.reset();
        next
    }

    /// Up to header 25: a generation ends where the next number or the file's end is.
    fn read_numbered(&mut self, generation: &mut Generation) -> Result<Outcome, ReadError> {
        match self.spill.take() {
            Some((head, payload)) => {
                self.add(generation, head, &payload)?;
            }
            None if !self.first => return Ok(Outcome::End),
            None => {}
        }
        self.first = false;
        let trailing = loop {
            let offset = self.framing.offset();
            let head = match self.next_batch() {
                Ok(Some(Item::Batch(head))) => head,
                Ok(_) => break None,
                Err(cause) => {
                    let trailing = ReadError {
                        offset,
                        generation: generation.number,
                        cause,
                    };
                    if generation.number == 0 {
                        return Err(trailing);
                    }
                    break Some(trailing);
                }
            };
            let current = generation.number;
            if current != 0 && head.generation != 0 && head.generation == current.wrapping_add(1) {
                self.spill = Some((head, self.payload.as_slice().into()));
                break None;
            }
            if current != 0 && head.generation != 0 && head.generation != current {
                let found = head.generation;
                let cause = FramingError::OutOfOrder { current, found }.into();
                return Err(ReadError {
                    offset: head.offset,
                    generation: current,
                    cause,
                });
            }
            self.add_read(generation, head)?;
        };
        self.finish(generation)?;
        Ok(Outcome::Complete(trailing))
    }

    /// Header 26: a generation ends at its mark.
    fn read_marked(&mut self, generation: &mut Generation) -> Result<Outcome, ReadError> {
        loop {
            let offset = self.framing.offset();
            let located = |generation: &Generation, cause| ReadError {
                offset,
                generation: generation.number,
                cause,
            };
            let head = match self.next_batch() {
                Ok(Some(Item::Batch(head))) => head,
                Ok(Some(Item::EndOfGeneration)) => break,
                Ok(None) if generation.batches.is_empty() => return Ok(Outcome::End),
                Ok(None) => return Err(located(generation, FramingError::Incomplete.into())),
                Err(cause) => return Err(located(generation, cause)),
            };
            let known = generation.number != 0 && head.generation != 0;
            if known && head.generation != generation.number {
                return Err(located(generation, FramingError::Interleaved.into()));
            }
            self.add_read(generation, head)?;
        }
        self.finish(generation)?;
        Ok(Outcome::Complete(None))
    }

    fn next_batch(&mut self) -> Result<Option<Item>, ReadCause> {
        self.payload.clear();
        self.framing.next(&mut self.payload)
    }

    /// Adds the batch that was read last.
    fn add_read(&mut self, generation: &mut Generation, head: BatchHead) -> Result<(), ReadError> {
        let payload = std::mem::take(&mut self.payload);
        let added = self.add(generation, head, &payload);
        self.payload = payload;
        added
    }

    fn add(
        &mut self,
        generation: &mut Generation,
        head: BatchHead,
        payload: &[u8],
    ) -> Result<(), ReadError> {
        generation.payload_bytes += payload.len() as u64;
        let cause = if head.generation == 0 {
            FramingError::GenerationZero.into()
        } else if generation.payload_bytes > MAX_GENERATION_BYTES {
            FramingError::GenerationTooLarge(MAX_GENERATION_BYTES).into()
        } else {
            if self.keeps_first_batches && generation.number == 0 {
                self.first_batch = Some(FirstBatch::new(head, payload));
            }
            generation.number = head.generation;
            match generation.add(head, payload, self.version()) {
                Ok(()) => return Ok(()),
                Err(error) => ReadCause::from(error),
            }
        };
        Err(ReadError {
            offset: head.offset,
            generation: generation.number,
            cause,
        })
    }

    fn finish(&self, generation: &mut Generation) -> Result<(), ReadError> {
        let offset = self.framing.offset();
        generation
            .finish(self.version())
            .map_err(|error| ReadError {
                offset,
                generation: generation.number,
                cause: error.into(),
            })
    }
}

impl<R: Read + Seek> Generations<R> {
    /// Lets the generation come next that begins with this batch; false if that is not in the file, and then
    /// nothing can be read any more.
    pub(super) fn seek(&mut self, first: &FirstBatch) -> io::Result<bool> {
        self.framing.seek(first.head.offset)?;
        let is_there = match self.next_batch() {
            Ok(Some(Item::Batch(head))) => FirstBatch::new(head, &self.payload) == *first,
            Err(ReadCause::Io(error)) => return Err(error),
            Ok(_) | Err(_) => false,
        };
        self.framing.seek(first.head.offset)?;
        Ok(is_there)
    }
}

enum Outcome {
    Complete(Option<ReadError>),
    End,
}
