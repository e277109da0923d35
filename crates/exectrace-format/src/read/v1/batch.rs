//! The second pass: the events of one batch, and what it says of tables, clock and flows.

use crate::wire::Version;

use super::dense::Dense;
use super::error::V1Error;
use super::event::{Event, GO_ZERO};
use super::index::Batch;
use super::kinds::Kind;
use super::names::Names;
use super::wire::{Numbers, Raw, numbers_at, take_event};

/// Reads batches; what it learns on the way belongs to the whole trace.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    bytes: &'a [u8],
    version: Version,
    pub(super) goes: &'a mut Dense,
    pub(super) names: Names<'a>,
    /// Units of the clock per second; 0 before it is known.
    pub(super) frequency: i64,
    /// By flow, whether it is one that serves timers.
    pub(super) timers: Vec<bool>,
    /// By lane, the flow that ran on it at the end of its last batch.
    last_goes: Vec<u32>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        version: Version,
        goes: &'a mut Dense,
        lanes: &Dense,
        names: Names<'a>,
    ) -> Self {
        Self {
            bytes,
            version,
            goes,
            names,
            frequency: 0,
            timers: Vec::new(),
            last_goes: vec![GO_ZERO; lanes.len()],
        }
    }

    /// Appends the events of a batch to `events`.
    pub(super) fn load(
        &mut self,
        batch: Batch,
        lane: u32,
        events: &mut Vec<Event>,
    ) -> Result<(), (usize, V1Error)> {
        let mut rest = &self.bytes[batch.start as usize..batch.end as usize];
        let mut clock = 0i64;
        let mut go = self.last_goes[lane as usize];
        while !rest.is_empty() {
            let start = batch.end as usize - rest.len();
            let mut step = || {
                let raw = take_event(&mut rest, self.version)?;
                match raw.kind {
                    Kind::CpuSample => Ok(()),
                    Kind::Batch => {
                        clock = raw.numbers()?.second() as i64;
                        Ok(())
                    }
                    Kind::String | Kind::Stack | Kind::Frequency | Kind::TimerGoroutine => {
                        self.learn(&raw, start)
                    }
                    _ => {
                        let event = self.event(&raw, start, &mut clock, &mut go)?;
                        events.push(Event { lane, ..event });
                        Ok(())
                    }
                }
            };
            step().map_err(|error| (start, error))?;
        }
        self.last_goes[lane as usize] = go;
        Ok(())
    }

    /// The numbers of an event that was loaded.
    pub(super) fn numbers(&self, event: &Event) -> Numbers {
        numbers_at(self.bytes, event.at, event.kind)
    }

    /// Takes up what is no event of a flow.
    fn learn(&mut self, raw: &Raw<'_>, start: usize) -> Result<(), V1Error> {
        match raw.kind {
            Kind::String => self.names.add_string(raw),
            Kind::Stack => self.names.add_stack(raw, start),
            Kind::Frequency => {
                self.frequency = raw.numbers()?.first() as i64;
                // So it is if the clocks of two processors differ much.
                if self.frequency <= 0 {
                    return Err(V1Error::TimeOrder);
                }
                Ok(())
            }
            _ => {
                let go = self.goes.index(raw.numbers()?.first()) as usize;
                if self.timers.len() <= go {
                    self.timers.resize(go + 1, false);
                }
                self.timers[go] = true;
                Ok(())
            }
        }
    }

    /// The event, and whose it is: that is not on the wire, but the last flow of the lane.
    fn event(
        &mut self,
        raw: &Raw<'a>,
        start: usize,
        clock: &mut i64,
        last_go: &mut u32,
    ) -> Result<Event, V1Error> {
        let numbers = raw.numbers()?;
        if raw.kind == Kind::UserLog {
            self.names.add_message(raw.text, start)?;
        }
        *clock = clock.wrapping_add(numbers.first() as i64);
        let mut go = *last_go;
        match raw.kind {
            Kind::GoStart | Kind::GoStartLocal | Kind::GoStartLabel => {
                go = self.goes.index(numbers.second());
                *last_go = go;
            }
            Kind::GoSysExit | Kind::GoWaiting | Kind::GoInSyscall => {
                go = self.goes.index(numbers.second());
            }
            Kind::GoEnd | Kind::GoStop | Kind::GoSched | Kind::GoPreempt | Kind::GoSysBlock => {
                *last_go = GO_ZERO;
            }
            kind if kind.is_block() => *last_go = GO_ZERO,
            _ => {}
        }
        Ok(Event {
            time: *clock,
            at: start as u32,
            lane: 0,
            go,
            kind: raw.kind,
            blocks: false,
        })
    }
}
