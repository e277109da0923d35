//! Traces of Go 1.11 to 1.21 (headers 11, 19, 21), converted to what the newer format would say.
//!
//! This format has no generations, and knows the speed of its clock only at its end, so the whole
//! file is held in memory. In order:
//!
//! 1. `wire`, `kinds`: the bytes of an event; `index`: where the batches are;
//! 2. `batch`: the events of one batch; `names`: strings and stacks;
//! 3. `order`: all events in one order; `check`: what must hold between them;
//! 4. `convert`: events of the newer format, one by one as they are asked for.
//!
//! The verdict is that of Go's reader, which refuses a file whose bytes or order are damaged as a
//! whole. Where only the checks fail, what came before is yielded.

mod batch;
mod check;
mod convert;
mod dense;
pub(super) mod error;
mod event;
mod index;
mod kinds;
mod names;
mod order;
mod wire;

use crate::wire::{HEADER_BYTES, Version};

use super::error::{ReadCause, ReadError};
use super::event::CompactEvent;
use super::kind::CompactKind;
use super::tables::Tables;
use super::time::TraceTime;

use batch::BatchLoader;
use check::V1Check;
use convert::{Converter, OldTrace};
use dense::Dense;
use error::V1Error;
use event::{FIXED_GOROUTINES, FIXED_LANES, V1Event};
use names::V1Names;
use order::V1Damage;

/// Most bytes that a file of Go 1.11 to 1.21 may have, without its header.
///
/// Such a file is read whole. In memory it is some ten times as large, at most some forty times.
pub const MAX_V1_BYTES: u64 = u32::MAX as u64;

pub(super) use wire::Scan;

/// The number of the one generation.
pub(super) const GENERATION: u64 = 1;

/// A trace, read and put in order.
#[derive(Debug)]
pub(super) struct V1 {
    converter: Converter,
    events: std::vec::IntoIter<V1Event>,
    /// What the checks found behind the last event.
    damage: Option<ReadError>,
    /// How many syncs were yielded: one in front of the first event, one at the end.
    syncs: u64,
    ended: bool,
}

impl V1 {
    /// Reads all of a file but its header.
    pub(super) fn read(
        bytes: Vec<u8>,
        version: Version,
        tables: &mut Tables,
    ) -> Result<Self, ReadError> {
        if bytes.len() as u64 > MAX_V1_BYTES {
            return Err(located((0, V1Error::FileTooLarge(MAX_V1_BYTES))));
        }
        let mut goroutines = Dense::with(&FIXED_GOROUTINES);
        let mut lanes = Dense::with(&FIXED_LANES);
        let mut index =
            index::index(&bytes, version, &mut goroutines, &mut lanes).map_err(located)?;
        let names = V1Names::new(tables);
        let mut batches = BatchLoader::new(&bytes, version, &mut goroutines, &lanes, names);
        let mut events = order::ordered(&mut index, &mut batches).map_err(located)?;
        let (frequency, timers) = (batches.frequency, std::mem::take(&mut batches.timers));
        let named = batches.names.finish(&bytes, version);
        if frequency == 0 {
            return Err(located((bytes.len(), V1Error::NoFrequency)));
        }
        let mut check = V1Check::new(&bytes, &goroutines, &lanes, timers);
        let damage = events.iter_mut().enumerate().find_map(|(place, event)| {
            let error = check.event(event).err()?;
            Some((place, (event.at as usize, error)))
        });
        drop(check);
        let damage = damage.map(|(place, damage)| {
            events.truncate(place);
            located(damage)
        });
        let source = OldTrace {
            bytes,
            version,
            go_numbers: goroutines,
            lane_numbers: lanes,
            named,
            frequency,
        };
        Ok(Self {
            converter: Converter::new(source, &mut events),
            events: events.into_iter(),
            damage,
            syncs: 0,
            ended: false,
        })
    }

    /// The next event, or `None` at the end.
    pub(super) fn next(&mut self, tables: &Tables) -> Result<Option<CompactEvent>, ReadError> {
        if self.syncs == 0 && self.events.len() > 0 {
            return Ok(Some(self.sync(-1)));
        }
        loop {
            if let Some(extra) = self.converter.next_extra() {
                return Ok(Some(extra));
            }
            let Some(event) = self.events.next() else {
                break;
            };
            match self.converter.convert(&event, tables) {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(cause) => {
                    let error = ReadError {
                        offset: HEADER_BYTES as u64 + u64::from(event.at),
                        generation: GENERATION,
                        cause,
                    };
                    // Go reports what the checks found, wherever it is.
                    return Err(self.damage.take().unwrap_or(error));
                }
            }
        }
        if let Some(damage) = self.damage.take() {
            return Err(damage);
        }
        if std::mem::replace(&mut self.ended, true) {
            return Ok(None);
        }
        Ok(Some(self.sync(self.converter.last_ns().saturating_add(1))))
    }

    fn sync(&mut self, ns: i64) -> CompactEvent {
        self.syncs += 1;
        let kind = CompactKind::Sync {
            number: self.syncs,
            clock: None,
        };
        CompactEvent::bare(TraceTime(ns), kind)
    }
}

fn located((at, error): V1Damage) -> ReadError {
    ReadError {
        offset: (HEADER_BYTES + at) as u64,
        generation: 0,
        cause: ReadCause::V1(error),
    }
}
