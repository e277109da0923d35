//! Reading without order or rules: batches as they stand in the file, and the events in them.

use std::io::Read;
use std::ops::Range;

use crate::ids::ThreadId;
use crate::wire::{self, Version};

use super::decode::{Found, WireEvent, decode};
use super::error::{EventError, ReadCause, ReadError};
use super::framing::{Framing, Item};

/// Reads a trace batch by batch, in the order of the file, for headers 22 to 26.
///
/// It is several times as fast as a [`Reader`](crate::Reader) and takes the memory of one batch. It checks only
/// that the sequence of batches is whole; a damaged event is found when it is decoded.
///
/// ```
/// use exectrace_format::{Batches, BatchKind, ClockSnapshot, Version, Writer};
///
/// let mut file = Writer::header(Version::Go125).to_vec();
/// Writer::sync_batch(Version::Go125, 1, 1_000, ClockSnapshot::default(), &mut file);
///
/// let mut batches = Batches::new(file.as_slice())?;
/// let mut events = 0;
/// while let Some(batch) = batches.next_batch()? {
///     assert_eq!((batch.generation, batch.kind), (1, BatchKind::Sync));
///     events += batch.events().count();
/// }
/// assert_eq!(events, 0);
/// # Ok::<(), exectrace_format::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Batches<R> {
    framing: Framing<R>,
    payload: Vec<u8>,
    ended: bool,
}

/// One batch of a trace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// What it holds.
    pub kind: BatchKind,
    /// The generation it belongs to.
    pub generation: u64,
    /// The thread it is of, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// The time that its first event counts from, in units of the file's clock.
    pub time: u64,
    /// Where it lies in the file, its head included.
    pub place: Range<u64>,
    /// What follows its head.
    pub payload: &'a [u8],
}

/// What a batch holds, by the first byte of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchKind {
    /// Events of a thread.
    Events,
    /// Strings.
    Strings,
    /// Stacks.
    Stacks,
    /// CPU samples.
    CpuSamples,
    /// The speed of the clock, and from header 25 on a snapshot of the clocks.
    Sync,
    /// Data of the experiment with this number.
    Experimental(u8),
    /// No batch, but the mark at the end of a generation (header 26).
    EndOfGeneration,
    /// Nothing at all.
    Empty,
}

impl<R: Read> Batches<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// The input fails, is no trace, or is of a version other than 22, 23, 25 and 26.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let located = |cause| ReadError {
            offset: 0,
            generation: 0,
            cause,
        };
        let framing = Framing::new(input).map_err(located)?;
        let version = framing.version();
        if version.is_v1() {
            let number = u64::from(version.number());
            return Err(located(ReadCause::UnsupportedVersion(number)));
        }
        Ok(Self {
            framing,
            payload: Vec::new(),
            ended: false,
        })
    }

    /// The version of the file.
    pub fn version(&self) -> Version {
        self.framing.version()
    }

    /// The next batch, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The input fails, or no whole batch follows. From then on `None`.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let start = self.framing.offset();
        self.payload.clear();
        let item = self.framing.next(&mut self.payload).map_err(|cause| {
            self.ended = true;
            ReadError {
                offset: start,
                generation: 0,
                cause,
            }
        })?;
        let place = start..self.framing.offset();
        Ok(match item {
            Some(Item::Batch(head)) => Some(Batch {
                kind: kind(head.experiment, &self.payload, self.framing.version()),
                generation: head.generation,
                thread: ThreadId(head.thread),
                time: head.time,
                place,
                payload: &self.payload,
            }),
            Some(Item::EndOfGeneration) => Some(Batch {
                kind: BatchKind::EndOfGeneration,
                generation: 0,
                thread: ThreadId::NONE,
                time: 0,
                place,
                payload: &[],
            }),
            None => {
                self.ended = true;
                None
            }
        })
    }
}

/// What a batch holds.
fn kind(experiment: u8, payload: &[u8], version: Version) -> BatchKind {
    if experiment != 0 {
        return BatchKind::Experimental(experiment);
    }
    match payload.first() {
        None => BatchKind::Empty,
        Some(&wire::STRINGS) => BatchKind::Strings,
        Some(&wire::STACKS) => BatchKind::Stacks,
        Some(&wire::CPU_SAMPLES) => BatchKind::CpuSamples,
        Some(&wire::SYNC) if version.has_sync_batch() => BatchKind::Sync,
        Some(&wire::FREQUENCY) if !version.has_sync_batch() => BatchKind::Sync,
        Some(_) => BatchKind::Events,
    }
}

impl<'a> Batch<'a> {
    /// The events, in the order of the file; none in a batch that is not of
    /// [`BatchKind::Events`].
    pub fn events(&self) -> WireEvents<'a> {
        let payload = match self.kind {
            BatchKind::Events => self.payload,
            _ => &[],
        };
        WireEvents {
            payload,
            position: 0,
            time: self.time,
        }
    }
}

/// The events of one [`Batch`], decoded one by one.
///
/// Ends after the last event or after the first error.
#[derive(Clone, Debug)]
pub struct WireEvents<'a> {
    payload: &'a [u8],
    position: usize,
    time: u64,
}

impl WireEvents<'_> {
    /// Where in the payload the next event begins.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Writes the next event to `event`; false at the end. Faster than [`next`](Self::next), which
    /// copies it.
    ///
    /// # Errors
    ///
    /// There is no event in the bytes that follow. From then on false.
    #[inline]
    pub fn next_into(&mut self, event: &mut WireEvent) -> Result<bool, EventError> {
        if self.position >= self.payload.len() {
            return Ok(false);
        }
        match decode(self.payload, &mut self.position, event) {
            Ok(Found::Event) => {
                self.time = self.time.wrapping_add(event.time);
                event.time = self.time;
                Ok(true)
            }
            Ok(Found::Misplaced) => Err(self.end(EventError::Misplaced(wire::CLOCK_SNAPSHOT))),
            Err(error) => Err(self.end(error)),
        }
    }

    #[cold]
    fn end(&mut self, error: EventError) -> EventError {
        self.payload = &[];
        error
    }
}

impl Iterator for WireEvents<'_> {
    type Item = Result<WireEvent, EventError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut event = WireEvent::default();
        match self.next_into(&mut event) {
            Ok(there_is_one) => there_is_one.then_some(Ok(event)),
            Err(error) => Some(Err(error)),
        }
    }
}
