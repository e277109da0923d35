//! What comes next: whose turn it is between generations, side data and events.

use std::io::Read;
use std::sync::Arc;

use crate::ids::GoId;

use super::checkpoint::ReaderCheckpoint;
use super::error::{ReadError, TableError};
use super::event::{CompactEvent, SyncClock};
use super::generations::NextGeneration;
use super::kind::CompactKind;
use super::merge::Step;
use super::side_cursor::SideCursor;
use super::time::TraceTime;
use super::v1::{self, MAX_V1_BYTES, Scan, V1};
use super::{ReadStage, Reader};

impl<R: Read> Reader<R> {
    /// Writes the next event to `out`; false at the end.
    pub(super) fn advance(&mut self, out: &mut CompactEvent) -> Result<bool, Box<ReadError>> {
        loop {
            if self.stage != ReadStage::Events || !self.order.more.is_empty() {
                if let Some(there_is_one) = self.advance_seldom(out)? {
                    return Ok(there_is_one);
                }
                continue;
            }
            let (merge, order) = (&mut self.merge, &mut self.order);
            match merge.step(&mut self.generation, order, out)? {
                Step::Event => return Ok(true),
                Step::Sample(index) => {
                    *out = self.sample(index)?;
                    return Ok(true);
                }
                Step::End => self.stage = ReadStage::Between,
            }
        }
    }

    /// The next event that does not come from the merge, or a part of the last; `None` if the merge has to be asked.
    #[cold]
    fn advance_seldom(&mut self, out: &mut CompactEvent) -> Result<Option<bool>, Box<ReadError>> {
        if let Some(event) = self.order.more.pop_front() {
            *out = self.timed(event);
            return Ok(Some(true));
        }
        if let Some(damage) = self.damage.take() {
            return Err(damage.into());
        }
        let event = match self.stage {
            ReadStage::Events => return Ok(None),
            ReadStage::Done => None,
            ReadStage::Between => Some(self.next_generation()?),
            ReadStage::Side => match self.next_side_data() {
                Some(event) => Some(event),
                None => {
                    self.record = None;
                    self.stage = ReadStage::Events;
                    return Ok(None);
                }
            },
            ReadStage::V1 => self.next_v1()?,
        };
        if let Some(event) = event {
            *out = event;
        }
        Ok(Some(event.is_some()))
    }

    /// Reads a generation, or finds the end; either is a sync.
    fn next_generation(&mut self) -> Result<CompactEvent, Box<ReadError>> {
        self.checkpoint = None;
        if let Some(trailing) = self.trailing.take() {
            self.generation.reset();
            return Ok(self.last_sync(Some(trailing)));
        }
        match self.source.next(&mut self.generation) {
            NextGeneration::Generation(trailing) => {
                self.trailing = trailing;
                let generation = &mut *self.generation;
                self.order.begin_generation(generation.number);
                // The order stays as it is now, but for the numbers of threads, until an event happens.
                let first = self.source.first_batch();
                let before = first.map(|first| (first, Arc::new(self.order.clone())));
                self.merge.begin(generation, &mut self.order)?;
                let (time, clock) = (
                    generation.rate.nanoseconds(generation.min_time),
                    generation.clock,
                );
                self.side = SideCursor::default();
                self.stage = ReadStage::Side;
                let sync = self.sync(time, clock);
                self.checkpoint = before.map(|(first, order)| ReaderCheckpoint {
                    version: self.source.version(),
                    first,
                    read_bytes: self.source.offset(),
                    syncs: self.syncs - 1,
                    time: sync.time,
                    order,
                });
                Ok(sync)
            }
            NextGeneration::End => Ok(self.last_sync(None)),
            NextGeneration::Damaged(damage) => Ok(self.last_sync(Some(damage))),
        }
    }

    /// The next event of a trace of Go 1.21 or earlier, which is read whole before the first.
    fn next_v1(&mut self) -> Result<Option<CompactEvent>, Box<ReadError>> {
        let tables = &mut self.generation.tables;
        let v1 = match &mut self.v1 {
            Some(v1) => v1,
            None => {
                let version = self.source.version();
                let mut scan = Scan::new(version);
                let bytes = self
                    .source
                    .rest(MAX_V1_BYTES + 1, |bytes| scan.goes_on(bytes))?;
                let v1 = V1::read(bytes, version, tables)?;
                self.generation.number = v1::GENERATION;
                self.v1.insert(Box::new(v1))
            }
        };
        Ok(v1.next(tables)?)
    }

    /// The sync at the end of what can be read, which is before the damage.
    fn last_sync(&mut self, damage: Option<ReadError>) -> CompactEvent {
        self.damage = damage;
        self.stage = ReadStage::Done;
        self.sync(self.order.last_time().0, None)
    }

    /// What the user sees of a CPU sample.
    fn sample(&mut self, index: usize) -> Result<CompactEvent, ReadError> {
        let sample = self.generation.samples[index];
        let Some(stack) = self.generation.tables.stack_id(sample.stack.0) else {
            return Err(ReadError {
                offset: sample.offset,
                generation: self.generation.number,
                cause: TableError::SampleStack(sample.stack).into(),
            });
        };
        Ok(self.timed(CompactEvent {
            time: TraceTime(sample.time),
            thread: sample.thread,
            proc: sample.proc,
            // Samples say 0 for no goroutine.
            go: if sample.go.0 == 0 {
                GoId::NONE
            } else {
                sample.go
            },
            stack,
            kind: CompactKind::StackSample,
        }))
    }

    /// The event at its time, but later than the last in any case.
    fn timed(&mut self, event: CompactEvent) -> CompactEvent {
        CompactEvent {
            time: self.order.show_at(event.time.0),
            ..event
        }
    }

    fn sync(&mut self, time_ns: i64, clock: Option<SyncClock>) -> CompactEvent {
        self.syncs += 1;
        let number = self.syncs;
        let kind = CompactKind::Sync { number, clock };
        self.timed(CompactEvent::bare(TraceTime(time_ns), kind))
    }

    /// The next record of side data of this generation, which have the time of its sync.
    fn next_side_data(&mut self) -> Option<CompactEvent> {
        let (record, kind) = match self.side.next(&self.generation.side)? {
            Ok(record) => (Some(record), CompactKind::SideData(())),
            Err(error) => (None, CompactKind::UnreadableSideData(error)),
        };
        self.record = record;
        Some(CompactEvent::bare(self.order.last_time(), kind))
    }
}
