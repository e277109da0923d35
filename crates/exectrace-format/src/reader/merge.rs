//! Brings the events of all threads into their true order.
//!
//! Each thread with events has a cursor. Of the cursors whose event can happen, the one with the
//! earliest time goes first. An event that must wait is put aside under what it waits for, and
//! comes back when just that was changed; so a trace in which everybody waits costs no more than
//! one in which nobody does. Which events are accepted, and in which order, is the same as if all
//! were tried again each time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::HashMap;

use crate::ids::ThreadId;
use crate::wire::CLOCK_SNAPSHOT;

use super::decode::decode;
use super::error::{EventError, Frontier, OrderError, ReadCause, ReadError};
use super::generation::{Generation, Sample};
use super::id_map::Seed;
use super::order::{Change, Order, RawEvent, Step, Wait};

/// How many waiting events the error of a stuck trace names.
const FRONTIER_SHOWN: usize = 8;

/// A cursor by the time of its event; equal times go by the order of the threads in the file.
type ByTime = Reverse<(i64, usize)>;
/// The same for one that waits; the last number tells whether it still does.
type WaitingByTime = Reverse<(i64, usize, u32)>;

#[derive(Debug)]
struct Cursor {
    /// Index in [`Order`].
    thread: usize,
    thread_id: u64,
    event: RawEvent,
    /// Whether it is a clock snapshot, which has no place here. Nobody may notice before its turn.
    misplaced: bool,
    /// Where in the file `event` begins.
    offset: u64,
    /// The rest of the current batch in the arena.
    position: usize,
    end: usize,
    /// What to add to a place in the arena to get one in the file.
    to_file: u64,
    next_batch: Option<usize>,
    last_time: i64,
    waiting: bool,
    /// Counts the times it began to wait.
    waits: u32,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Played {
    /// An event has happened: it is in the queue of [`Order`].
    Event,
    /// A CPU sample comes before the next event.
    Sample(Sample),
    /// All events of the generation have happened.
    End,
}

/// The cursors of one generation.
#[derive(Debug, Default)]
pub(super) struct Merge {
    cursors: Vec<Cursor>,
    /// The cursor that went last, if it may go on: it need not go through the heap.
    current: Option<usize>,
    ready: BinaryHeap<ByTime>,
    waiting: HashMap<Wait, BinaryHeap<WaitingByTime>, Seed>,
    waiting_count: usize,
    /// All that wait, by time: kept only while samples are to be placed.
    waiting_times: BinaryHeap<WaitingByTime>,
    /// From index in [`Order`] to cursor; stale entries name a cursor of another thread.
    cursor_of: Vec<usize>,
    next_sample: usize,
    /// What follows directly behind the event that happened last.
    damage: Option<ReadError>,
}

impl Merge {
    /// Sets a cursor on the first event of each thread.
    pub(super) fn begin(
        &mut self,
        generation: &Generation,
        order: &mut Order,
    ) -> Result<(), ReadError> {
        self.cursors.clear();
        self.current = None;
        self.ready.clear();
        self.waiting.clear();
        self.waiting_count = 0;
        self.waiting_times.clear();
        self.next_sample = 0;
        self.damage = None;
        order.changes.clear();
        for batches in &generation.threads {
            let thread = order.thread(batches.thread);
            if self.cursor_of.len() <= thread {
                self.cursor_of.resize(thread + 1, usize::MAX);
            }
            self.cursor_of[thread] = self.cursors.len();
            let mut cursor = Cursor {
                thread,
                thread_id: batches.thread,
                event: RawEvent::NONE,
                misplaced: false,
                offset: 0,
                position: 0,
                end: 0,
                to_file: 0,
                next_batch: Some(batches.first),
                last_time: 0,
                waiting: false,
                waits: 0,
            };
            if cursor.load(generation)? {
                self.ready
                    .push(Reverse((cursor.last_time, self.cursors.len())));
            }
            self.cursors.push(cursor);
        }
        Ok(())
    }

    /// Lets one more event happen.
    pub(super) fn step(
        &mut self,
        generation: &mut Generation,
        order: &mut Order,
    ) -> Result<Played, ReadError> {
        if let Some(damage) = self.damage.take() {
            return Err(damage);
        }
        loop {
            let next = self.take_earliest();
            if let Some(sample) = self.sample_before(next, generation) {
                self.current = next;
                return Ok(Played::Sample(sample));
            }
            let Some(index) = next else {
                return if self.waiting_count == 0 {
                    Ok(Played::End)
                } else {
                    Err(self.stuck(generation.number))
                };
            };
            let cursor = &mut self.cursors[index];
            order.watched = self.waiting_count > 0;
            let step = if cursor.misplaced {
                Err(EventError::Misplaced(CLOCK_SNAPSHOT).into())
            } else {
                order.advance(cursor.thread, &cursor.event, &mut generation.tables)
            };
            match step.map_err(|cause| cursor.error(generation, cause))? {
                Step::Done => {
                    match cursor.load(generation) {
                        Ok(true) => self.current = Some(index),
                        Ok(false) => {}
                        Err(damage) => self.damage = Some(damage),
                    }
                    self.wake(order);
                    return Ok(Played::Event);
                }
                Step::Wait(wait) => self.put_aside(index, wait, generation),
            }
        }
    }

    /// The cursor with the earliest event of those that do not wait.
    fn take_earliest(&mut self) -> Option<usize> {
        let Some(current) = self.current.take() else {
            return self.ready.pop().map(|Reverse((_, index))| index);
        };
        let key = (self.cursors[current].last_time, current);
        match self.ready.peek_mut() {
            Some(mut earliest) if earliest.0 < key => {
                let index = earliest.0.1;
                *earliest = Reverse(key);
                Some(index)
            }
            _ => Some(current),
        }
    }

    /// The next sample, if it comes before the earliest event, waiting or not.
    fn sample_before(&mut self, next: Option<usize>, generation: &Generation) -> Option<Sample> {
        let sample = *generation.samples.get(self.next_sample)?;
        while let Some(&Reverse((_, index, waits))) = self.waiting_times.peek() {
            if self.cursors[index].waiting && self.cursors[index].waits == waits {
                break;
            }
            self.waiting_times.pop();
        }
        let waiting = self.waiting_times.peek().map(|&Reverse((time, ..))| time);
        let ready = next.map(|index| self.cursors[index].last_time);
        let earliest = [waiting, ready].into_iter().flatten().min();
        if earliest.is_none_or(|time| sample.time < time) {
            self.next_sample += 1;
            return Some(sample);
        }
        None
    }

    fn put_aside(&mut self, index: usize, wait: Wait, generation: &Generation) {
        let cursor = &mut self.cursors[index];
        cursor.waiting = true;
        cursor.waits = cursor.waits.wrapping_add(1);
        self.waiting_count += 1;
        let entry = Reverse((cursor.last_time, index, cursor.waits));
        self.waiting.entry(wait).or_default().push(entry);
        if self.next_sample < generation.samples.len() {
            self.waiting_times.push(entry);
        }
    }

    /// Brings back who waits for what has changed: of several who wait for the same the earliest,
    /// since what it does changes that again.
    fn wake(&mut self, order: &mut Order) {
        if self.waiting_count == 0 {
            order.changes.clear();
            return;
        }
        for change in order.changes.drain(..) {
            match change {
                Change::Holds(wait) => self.wake_first(wait),
                Change::Thread(thread) => {
                    let index = self.cursor_of.get(thread).copied().unwrap_or(usize::MAX);
                    if self
                        .cursors
                        .get(index)
                        .is_some_and(|cursor| cursor.thread == thread)
                    {
                        self.bring_back(index);
                    }
                }
            }
        }
    }

    fn wake_first(&mut self, wait: Wait) {
        let Some(heap) = self.waiting.get_mut(&wait) else {
            return;
        };
        let mut found = None;
        while let Some(Reverse((_, index, waits))) = heap.pop() {
            if self.cursors[index].waiting && self.cursors[index].waits == waits {
                found = Some(index);
                break;
            }
        }
        if heap.is_empty() {
            self.waiting.remove(&wait);
        }
        if let Some(index) = found {
            self.bring_back(index);
        }
    }

    fn bring_back(&mut self, index: usize) {
        let cursor = &mut self.cursors[index];
        if cursor.waiting {
            cursor.waiting = false;
            self.waiting_count -= 1;
            self.ready.push(Reverse((cursor.last_time, index)));
        }
    }

    /// The error of a trace in which everybody waits.
    fn stuck(&self, generation: u64) -> ReadError {
        let mut waiting: Vec<&Cursor> = self
            .cursors
            .iter()
            .filter(|cursor| cursor.waiting)
            .collect();
        waiting.sort_by_key(|cursor| cursor.last_time);
        let more = waiting.len().saturating_sub(FRONTIER_SHOWN);
        let offset = waiting.first().map_or(0, |cursor| cursor.offset);
        let shown = waiting.iter().take(FRONTIER_SHOWN).map(|cursor| {
            let RawEvent {
                kind, arguments, ..
            } = cursor.event;
            let used = arguments[..kind.arguments().len()].to_vec();
            (ThreadId(cursor.thread_id), kind, used)
        });
        let frontier = Frontier {
            waiting: shown.collect(),
            more,
        };
        ReadError {
            offset,
            generation,
            cause: OrderError::FailedToAdvance(frontier).into(),
        }
    }
}

impl Cursor {
    /// Moves on to the thread's next event; false if there is none.
    fn load(&mut self, generation: &Generation) -> Result<bool, ReadError> {
        while self.position == self.end {
            let Some(next) = self.next_batch else {
                return Ok(false);
            };
            let batch = generation.batches[next];
            self.position = batch.start;
            self.end = batch.end;
            self.to_file = batch.payload_offset.wrapping_sub(batch.start as u64);
            self.next_batch = batch.next;
            self.last_time = generation.rate.nanoseconds(batch.time);
        }
        self.offset = self.to_file.wrapping_add(self.position as u64);
        let event = decode(&generation.bytes[..self.end], self.position)
            .map_err(|error| self.error(generation, error.into()))?;
        self.position = event.end;
        let delta = generation.rate.nanoseconds(event.delta);
        self.last_time = self.last_time.wrapping_add(delta);
        self.misplaced = event.kind.is_none();
        if let Some(kind) = event.kind {
            self.event = RawEvent {
                kind,
                time: self.last_time,
                arguments: event.arguments,
            };
        }
        Ok(true)
    }

    fn error(&self, generation: &Generation, cause: ReadCause) -> ReadError {
        ReadError {
            offset: self.offset,
            generation: generation.number,
            cause,
        }
    }
}
