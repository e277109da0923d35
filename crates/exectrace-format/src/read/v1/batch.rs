//! The second pass: the events of one batch, and what it says of tables, clock and goroutines.

use crate::wire::Version;

use super::dense::Dense;
use super::error::V1Error;
use super::event::{GO_ZERO, V1Event};
use super::index::BatchRange;
use super::kinds::V1Kind;
use super::names::V1Names;
use super::wire::{Numbers, Raw, numbers_at, take_event};

/// Reads batches; what it learns on the way belongs to the whole trace.
#[derive(Debug)]
pub(super) struct BatchLoader<'a> {
    bytes: &'a [u8],
    version: Version,
    pub(super) goroutines: &'a mut Dense,
    pub(super) names: V1Names<'a>,
    /// Units of the clock per second; 0 before it is known.
    pub(super) frequency: i64,
    /// By goroutine, whether it is one that serves timers.
    pub(super) timers: Vec<bool>,
    /// By lane, the goroutine that ran on it at the end of its last batch.
    last_goes: Vec<u32>,
}

impl<'a> BatchLoader<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        version: Version,
        goroutines: &'a mut Dense,
        lanes: &Dense,
        names: V1Names<'a>,
    ) -> Self {
        Self {
            bytes,
            version,
            goroutines,
            names,
            frequency: 0,
            timers: Vec::new(),
            last_goes: vec![GO_ZERO; lanes.len()],
        }
    }

    /// Appends the events of a batch to `events`.
    pub(super) fn load(
        &mut self,
        batch: BatchRange,
        lane: u32,
        events: &mut Vec<V1Event>,
    ) -> Result<(), (usize, V1Error)> {
        let mut rest = &self.bytes[batch.start as usize..batch.end as usize];
        let mut clock = 0i64;
        let mut go = self.last_goes[lane as usize];
        while !rest.is_empty() {
            let start = batch.end as usize - rest.len();
            let mut step = || {
                let raw = take_event(&mut rest, self.version)?;
                match raw.kind {
                    V1Kind::CpuSample => Ok(()),
                    V1Kind::Batch => {
                        clock = raw.numbers()?.second() as i64;
                        Ok(())
                    }
                    V1Kind::String | V1Kind::Stack | V1Kind::Frequency | V1Kind::TimerGoroutine => {
                        self.learn(&raw, start)
                    }
                    _ => {
                        let event = self.event(&raw, start, &mut clock, &mut go)?;
                        events.push(V1Event { lane, ..event });
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
    pub(super) fn numbers(&self, event: &V1Event) -> Numbers {
        numbers_at(self.bytes, event.at, event.kind)
    }

    /// Takes up what is no event of a goroutine.
    fn learn(&mut self, raw: &Raw<'_>, start: usize) -> Result<(), V1Error> {
        match raw.kind {
            V1Kind::String => self.names.add_string(raw),
            V1Kind::Stack => self.names.add_stack(raw, start),
            V1Kind::Frequency => {
                self.frequency = raw.numbers()?.first() as i64;
                // Go writes such a frequency if the clocks of two processors differ much.
                if self.frequency <= 0 {
                    return Err(V1Error::TimeOrder);
                }
                Ok(())
            }
            _ => {
                let go = self.goroutines.index(raw.numbers()?.first()) as usize;
                if self.timers.len() <= go {
                    self.timers.resize(go + 1, false);
                }
                self.timers[go] = true;
                Ok(())
            }
        }
    }

    /// The event, and whose it is: that is not on the wire, but the last goroutine of the lane.
    fn event(
        &mut self,
        raw: &Raw<'a>,
        start: usize,
        clock: &mut i64,
        last_go: &mut u32,
    ) -> Result<V1Event, V1Error> {
        let numbers = raw.numbers()?;
        if raw.kind == V1Kind::UserLog {
            self.names.add_message(raw.text, start)?;
        }
        *clock = clock.wrapping_add(numbers.first() as i64);
        let mut go = *last_go;
        match raw.kind {
            V1Kind::GoStart | V1Kind::GoStartLocal | V1Kind::GoStartLabel => {
                go = self.goroutines.index(numbers.second());
                *last_go = go;
            }
            V1Kind::GoSysExit | V1Kind::GoWaiting | V1Kind::GoInSyscall => {
                go = self.goroutines.index(numbers.second());
            }
            V1Kind::GoEnd
            | V1Kind::GoStop
            | V1Kind::GoSched
            | V1Kind::GoPreempt
            | V1Kind::GoSysBlock => {
                *last_go = GO_ZERO;
            }
            kind if kind.is_block() => *last_go = GO_ZERO,
            _ => {}
        }
        Ok(V1Event {
            time: *clock,
            at: start as u32,
            lane: 0,
            go,
            kind: raw.kind,
            blocks: false,
        })
    }
}
