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

use super::decode::{Found, WireEvent, decode};
use super::error::{EventError, ReadCause, ReadError};
use super::event::CompactEvent;
use super::generation::Generation;
use super::hindrance::Hindrance;
use super::id_map::Seed;
use super::order::{Change, Order, Wait};
use super::order_error::{Frontier, OrderError};

/// How many waiting events the error of a stuck trace names.
const FRONTIER_SHOWN: usize = 8;

/// A cursor by the time of its event; equal times go by the order of the threads in the file.
type ByTime = Reverse<(i64, usize)>;
/// The same for one that waits; by the last number it is seen whether it still does.
type WaitingByTime = Reverse<(i64, usize, u32)>;

#[derive(Debug)]
struct ThreadCursor {
    /// Index in [`Order`].
    thread: usize,
    thread_id: u64,
    event: WireEvent,
    /// Whether it is a clock snapshot, which has no place here. Nobody may notice before its turn.
    misplaced: bool,
    /// When `event` happened.
    time_ns: i64,
    /// The payload of the current batch.
    bytes: Vec<u8>,
    /// Where in it `event` begins.
    start: usize,
    /// Where in it the event behind begins.
    position: usize,
    /// Where in the file the payload begins.
    payload_offset: u64,
    next_batch: Option<u32>,
    waiting: bool,
    /// Counts the times it began to wait.
    waits: u32,
}

/// The result of a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// An event has happened.
    Event,
    /// The CPU sample with this number comes before the next event.
    Sample(usize),
    /// All events of the generation have happened.
    End,
}

/// The cursors of one generation.
#[derive(Debug, Default)]
pub(super) struct EventMerge {
    cursors: Vec<ThreadCursor>,
    /// The cursor that went last, if it has another event: it need not go through the heap.
    current: Option<usize>,
    ready: BinaryHeap<ByTime>,
    waiting: HashMap<Wait, BinaryHeap<WaitingByTime>, Seed>,
    waiting_count: usize,
    /// All that wait, by time: kept only while there are samples to be placed among the events.
    waiting_times: BinaryHeap<WaitingByTime>,
    /// From index in [`Order`] to cursor; stale entries name a cursor of another thread.
    cursor_of: Vec<usize>,
    next_sample: usize,
    /// What follows directly behind the event that happened last.
    damage: Option<Box<ReadError>>,
}

impl EventMerge {
    /// Sets a cursor on the first event of each thread.
    pub(super) fn begin(
        &mut self,
        generation: &mut Generation,
        order: &mut Order,
    ) -> Result<(), Box<ReadError>> {
        self.cursors.clear();
        self.current = None;
        self.ready.clear();
        self.waiting.clear();
        self.waiting_count = 0;
        self.waiting_times.clear();
        self.next_sample = 0;
        self.damage = None;
        order.changes.clear();
        for index in 0..generation.threads.len() {
            let batches = generation.threads[index];
            let thread = order.thread(batches.thread);
            if self.cursor_of.len() <= thread {
                self.cursor_of.resize(thread + 1, usize::MAX);
            }
            self.cursor_of[thread] = self.cursors.len();
            let mut cursor = ThreadCursor {
                thread,
                thread_id: batches.thread,
                event: WireEvent::default(),
                misplaced: false,
                time_ns: 0,
                bytes: Vec::new(),
                start: 0,
                position: 0,
                payload_offset: 0,
                next_batch: Some(batches.first),
                waiting: false,
                waits: 0,
            };
            if cursor.load(generation)? {
                self.ready
                    .push(Reverse((cursor.time_ns, self.cursors.len())));
            }
            self.cursors.push(cursor);
        }
        Ok(())
    }

    /// Lets one more event happen, which stands in `out` then.
    #[inline]
    pub(super) fn step(
        &mut self,
        generation: &mut Generation,
        order: &mut Order,
        out: &mut CompactEvent,
    ) -> Result<Step, Box<ReadError>> {
        if self.damage.is_some()
            && let Some(damage) = self.damage.take()
        {
            return Err(damage);
        }
        loop {
            let next = self.take_earliest();
            if self.next_sample < generation.samples.len() && self.sample_is_next(next, generation)
            {
                self.current = next;
                self.next_sample += 1;
                return Ok(Step::Sample(self.next_sample - 1));
            }
            let Some(index) = next else {
                return if self.waiting_count == 0 {
                    Ok(Step::End)
                } else {
                    Err(self.stuck(generation.number))
                };
            };
            let cursor = &mut self.cursors[index];
            order.watched = self.waiting_count > 0;
            if cursor.misplaced {
                let misplaced = EventError::Misplaced(CLOCK_SNAPSHOT);
                return Err(cursor.error(generation, misplaced.into()));
            }
            let (event, time_ns) = (&cursor.event, cursor.time_ns);
            match order.advance(cursor.thread, event, time_ns, &mut generation.tables, out) {
                Ok(()) => {
                    match cursor.load(generation) {
                        Ok(true) => self.current = Some(index),
                        Ok(false) => {}
                        Err(damage) => self.damage = Some(damage),
                    }
                    if order.watched {
                        self.wake(order);
                    }
                    return Ok(Step::Event);
                }
                Err(Hindrance::Wait) => self.put_aside(index, order.waits_for, generation),
                Err(Hindrance::Refused(cause)) => return Err(cursor.error(generation, *cause)),
            }
        }
    }

    /// The cursor with the earliest event of those that do not wait.
    #[inline]
    fn take_earliest(&mut self) -> Option<usize> {
        let Some(current) = self.current.take() else {
            return self.ready.pop().map(|Reverse((_, index))| index);
        };
        let key = (self.cursors[current].time_ns, current);
        match self.ready.peek_mut() {
            Some(mut earliest) if earliest.0 < key => {
                let index = earliest.0.1;
                *earliest = Reverse(key);
                Some(index)
            }
            _ => Some(current),
        }
    }

    /// Whether the next sample comes before the earliest event, waiting or not.
    fn sample_is_next(&mut self, next: Option<usize>, generation: &Generation) -> bool {
        while let Some(&Reverse((_, index, waits))) = self.waiting_times.peek() {
            if self.cursors[index].waiting && self.cursors[index].waits == waits {
                break;
            }
            self.waiting_times.pop();
        }
        let waiting = self.waiting_times.peek().map(|&Reverse((time, ..))| time);
        let ready = next.map(|index| self.cursors[index].time_ns);
        let earliest = [waiting, ready].into_iter().flatten().min();
        earliest.is_none_or(|time| generation.samples[self.next_sample].time < time)
    }

    #[cold]
    fn put_aside(&mut self, index: usize, wait: Wait, generation: &Generation) {
        let cursor = &mut self.cursors[index];
        cursor.waiting = true;
        cursor.waits = cursor.waits.wrapping_add(1);
        self.waiting_count += 1;
        let entry = Reverse((cursor.time_ns, index, cursor.waits));
        self.waiting.entry(wait).or_default().push(entry);
        if self.next_sample < generation.samples.len() {
            self.waiting_times.push(entry);
        }
    }

    /// Brings back who waits for what has changed: of several who wait for the same the earliest,
    /// since what it does changes that again.
    fn wake(&mut self, order: &mut Order) {
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
            self.ready.push(Reverse((cursor.time_ns, index)));
        }
    }

    /// The error of a trace in which everybody waits.
    #[cold]
    fn stuck(&self, generation: u64) -> Box<ReadError> {
        let mut waiting: Vec<&ThreadCursor> = self
            .cursors
            .iter()
            .filter(|cursor| cursor.waiting)
            .collect();
        waiting.sort_by_key(|cursor| cursor.time_ns);
        let more = waiting.len().saturating_sub(FRONTIER_SHOWN);
        let offset = waiting.first().map_or(0, |cursor| cursor.offset());
        let shown = waiting.iter().take(FRONTIER_SHOWN).map(|cursor| {
            let WireEvent {
                kind, arguments, ..
            } = cursor.event;
            let used = arguments[..kind.arguments().len()].to_vec();
            (ThreadId(cursor.thread_id), kind, used)
        });
        let frontier = Frontier {
            waiting: shown.collect(),
            more,
        };
        Box::new(ReadError {
            offset,
            generation,
            cause: OrderError::FailedToAdvance(frontier).into(),
        })
    }
}

impl ThreadCursor {
    /// Moves on to the thread's next event; false if there is none.
    #[inline]
    fn load(&mut self, generation: &mut Generation) -> Result<bool, Box<ReadError>> {
        if self.position == self.bytes.len() && !self.load_batch(generation)? {
            return Ok(false);
        }
        self.start = self.position;
        match decode(&self.bytes, &mut self.position, &mut self.event) {
            Ok(found) => self.misplaced = found == Found::Misplaced,
            Err(error) => return Err(self.error(generation, error.into())),
        }
        let delta_ns = generation.rate.nanoseconds(self.event.time);
        self.time_ns = self.time_ns.wrapping_add(delta_ns);
        Ok(true)
    }

    /// Moves on to the thread's next batch; false if there is none.
    #[cold]
    fn load_batch(&mut self, generation: &mut Generation) -> Result<bool, Box<ReadError>> {
        let Some(next) = self.next_batch else {
            // What was held of the last one is not needed any more.
            self.bytes = Vec::new();
            self.position = 0;
            return Ok(false);
        };
        (self.start, self.position) = (0, 0);
        let batch = &generation.batches[next as usize];
        self.payload_offset = batch.payload_offset;
        self.next_batch = batch.next;
        self.time_ns = generation.rate.nanoseconds(batch.time);
        match generation.load(next, &mut self.bytes) {
            Ok(()) => Ok(true),
            Err(error) => Err(self.error(generation, error.into())),
        }
    }

    /// Where in the file the current event begins.
    fn offset(&self) -> u64 {
        self.payload_offset.wrapping_add(self.start as u64)
    }

    #[cold]
    fn error(&self, generation: &Generation, cause: ReadCause) -> Box<ReadError> {
        Box::new(ReadError {
            offset: self.offset(),
            generation: generation.number,
            cause,
        })
    }
}
