//! Puts the events of all lanes in one order.
//!
//! The events of a lane are in their order; those of the samples too. Of the first events of all
//! lanes that are ready, the one with the smallest time is next. Ready is what fits the sequence
//! number and the state of the goroutine it concerns.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::read::id_map::Seed;

use super::batch::BatchLoader;
use super::error::V1Error;
use super::event::{GO_COLLECTOR, GO_UNORDERED, V1Event};
use super::index::{NO_BATCH, V1Index};
use super::kinds::V1Kind;

/// A place in the file and what is wrong there.
pub(super) type V1Damage = (usize, V1Error);

/// As a number that an event needs: any. As one that it leaves: the same.
const ANY: u64 = u64::MAX;
/// As a number that an event leaves: one more.
const ONE_MORE: u64 = u64::MAX - 1;

/// The states of goroutines, as far as the order needs them.
mod status {
    pub(super) const DEAD: u8 = 0;
    pub(super) const RUNNABLE: u8 = 1;
    pub(super) const RUNNING: u8 = 2;
    pub(super) const WAITING: u8 = 3;
}

/// The state of a goroutine, or what an event needs it to be or makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct SequencedState {
    seq: u64,
    status: u8,
}

/// What an event does to which goroutine.
#[derive(Clone, Copy, Debug)]
struct Transition {
    go: u32,
    from: SequencedState,
    to: SequencedState,
}

const UNORDERED: Transition = Transition {
    go: GO_UNORDERED,
    from: SequencedState {
        seq: 0,
        status: status::DEAD,
    },
    to: SequencedState {
        seq: 0,
        status: status::DEAD,
    },
};

impl Transition {
    fn is_ready(&self, current: SequencedState) -> bool {
        self.go == GO_UNORDERED
            || (self.from.seq == ANY || self.from.seq == current.seq)
                && self.from.status == current.status
    }
}

/// The events of one lane that are not yet in order, or all CPU samples.
#[derive(Debug)]
struct EventSource {
    /// The loaded batch.
    events: Vec<V1Event>,
    /// How many of them are in order.
    used: usize,
    lane: u32,
    next_batch: u32,
    /// What the first event does.
    transition: Transition,
    /// The next source in the same queue of waiting ones.
    next_waiting: Option<u32>,
}

/// What is known of a goroutine.
#[derive(Clone, Copy, Debug, Default)]
struct OrderedGo {
    state: SequencedState,
    /// How many sources wait for it.
    waiting: u32,
}

struct V1Order<'a, 'b> {
    index: &'a V1Index,
    batches: &'a mut BatchLoader<'b>,
    sources: Vec<EventSource>,
    goroutines: Vec<OrderedGo>,
    /// Sources whose first event was ready when it was looked at, by its time.
    ready: BinaryHeap<Reverse<(i64, u32)>>,
    /// By goroutine and state needed, the first of the sources that wait for it.
    waiting: HashMap<(u64, u64), u32, Seed>,
    waiting_count: usize,
}

/// All events in their order, by the times at which they happened.
pub(super) fn ordered(
    index: &mut V1Index,
    batches: &mut BatchLoader<'_>,
) -> Result<Vec<V1Event>, V1Damage> {
    let mut samples = std::mem::take(&mut index.samples);
    samples.sort_by_key(|sample| sample.time);
    let mut events = Vec::with_capacity(index.events + samples.len());
    let mut order = V1Order {
        index,
        batches,
        sources: Vec::new(),
        goroutines: Vec::new(),
        ready: BinaryHeap::new(),
        waiting: HashMap::default(),
        waiting_count: 0,
    };
    order.begin(samples);
    order.run(&mut events)?;
    if let Some(back) = events.windows(2).find(|pair| pair[1].time < pair[0].time) {
        return Err((back[1].at as usize, V1Error::TimeOrder));
    }
    date_syscall_exits(&mut events, batches)?;
    Ok(events)
}

impl V1Order<'_, '_> {
    fn begin(&mut self, samples: Vec<V1Event>) {
        let source = |lane, next_batch, events| EventSource {
            events,
            used: 0,
            lane,
            next_batch,
            transition: UNORDERED,
            next_waiting: None,
        };
        let lanes = self.index.lanes.iter();
        self.sources = lanes
            .map(|batches| source(batches.lane, batches.first, Vec::new()))
            .collect();
        self.sources.push(source(0, NO_BATCH, samples));
    }

    fn run(&mut self, events: &mut Vec<V1Event>) -> Result<(), V1Damage> {
        for source in 0..self.sources.len() as u32 {
            self.offer(source)?;
        }
        while let Some(Reverse((_, number))) = self.ready.pop() {
            let source = &mut self.sources[number as usize];
            let event = source.events[source.used];
            let transition = source.transition;
            source.used += 1;
            events.push(event);
            self.apply(transition)
                .map_err(|error| (event.at as usize, error))?;
            self.offer(number)?;
        }
        if self.waiting_count > 0 {
            let firsts = self.sources.iter();
            let firsts = firsts.filter_map(|source| source.events.get(source.used));
            let first = firsts.map(|event| event.at).min();
            return Err((first.unwrap_or_default() as usize, V1Error::NoOrdering));
        }
        Ok(())
    }

    /// Looks at the first event of a source: it is ready, or the source waits, or is at its end.
    fn offer(&mut self, number: u32) -> Result<(), V1Damage> {
        let source = &mut self.sources[number as usize];
        while source.used == source.events.len() {
            source.events.clear();
            source.used = 0;
            let Some(&batch) = self.index.batches.get(source.next_batch as usize) else {
                source.events = Vec::new();
                return Ok(());
            };
            source.next_batch = batch.next;
            self.batches.load(batch, source.lane, &mut source.events)?;
        }
        let event = source.events[source.used];
        let transition = transition(&event, self.batches);
        source.transition = transition;
        if transition.is_ready(self.go(transition.go).state) {
            self.ready.push(Reverse((event.time, number)));
        } else {
            let queue = self.waiting.entry(key(transition.go, transition.from));
            let next = match queue {
                std::collections::hash_map::Entry::Occupied(mut first) => {
                    Some(first.insert(number))
                }
                std::collections::hash_map::Entry::Vacant(first) => {
                    first.insert(number);
                    None
                }
            };
            self.sources[number as usize].next_waiting = next;
            self.go(transition.go).waiting += 1;
            self.waiting_count += 1;
        }
        Ok(())
    }

    /// Changes the state of a goroutine; those who wait for exactly that are ready now.
    fn apply(&mut self, transition: Transition) -> Result<(), V1Error> {
        if transition.go == GO_UNORDERED {
            return Ok(());
        }
        let go = self.go(transition.go);
        if !transition.is_ready(go.state) {
            return Err(V1Error::ImpossibleTransition);
        }
        let seq = match transition.to.seq {
            ANY => go.state.seq,
            ONE_MORE => go.state.seq.wrapping_add(1),
            seq => seq,
        };
        let status = transition.to.status;
        go.state = SequencedState { seq, status };
        if go.waiting > 0 {
            self.wake(transition.go, SequencedState { seq, status });
            self.wake(transition.go, SequencedState { seq: ANY, status });
        }
        Ok(())
    }

    fn wake(&mut self, go: u32, state: SequencedState) {
        let mut next = self.waiting.remove(&key(go, state));
        while let Some(number) = next {
            let source = &mut self.sources[number as usize];
            next = source.next_waiting.take();
            let time = source.events[source.used].time;
            self.ready.push(Reverse((time, number)));
            self.go(go).waiting -= 1;
            self.waiting_count -= 1;
        }
    }

    fn go(&mut self, go: u32) -> &mut OrderedGo {
        let go = go as usize;
        if go >= self.goroutines.len() {
            self.goroutines.resize(go + 1, OrderedGo::default());
        }
        &mut self.goroutines[go]
    }
}

fn key(go: u32, state: SequencedState) -> (u64, u64) {
    (u64::from(go) << 8 | u64::from(state.status), state.seq)
}

/// What an event needs and what it leaves.
fn transition(event: &V1Event, batches: &mut BatchLoader<'_>) -> Transition {
    use status::{DEAD, RUNNABLE, RUNNING, WAITING};
    let of = |go, from: (u64, u8), to: (u64, u8)| Transition {
        go,
        from: SequencedState {
            seq: from.0,
            status: from.1,
        },
        to: SequencedState {
            seq: to.0,
            status: to.1,
        },
    };
    match event.kind {
        V1Kind::GoCreate => {
            let [go, ..] = batches.numbers(event).arguments();
            of(batches.goroutines.index(go), (0, DEAD), (1, RUNNABLE))
        }
        V1Kind::GoWaiting | V1Kind::GoInSyscall => of(event.go, (1, RUNNABLE), (2, WAITING)),
        V1Kind::GoStart | V1Kind::GoStartLabel => {
            let [_, seq, _] = batches.numbers(event).arguments();
            of(event.go, (seq, RUNNABLE), (seq.wrapping_add(1), RUNNING))
        }
        V1Kind::GoStartLocal => of(event.go, (ANY, RUNNABLE), (ONE_MORE, RUNNING)),
        V1Kind::GoSched | V1Kind::GoPreempt => of(event.go, (ANY, RUNNING), (ANY, RUNNABLE)),
        V1Kind::GoUnblock | V1Kind::GoSysExit => {
            let [go, seq, _] = batches.numbers(event).arguments();
            let go = batches.goroutines.index(go);
            of(go, (seq, WAITING), (seq.wrapping_add(1), RUNNABLE))
        }
        V1Kind::GoUnblockLocal | V1Kind::GoSysExitLocal => {
            let [go, ..] = batches.numbers(event).arguments();
            of(
                batches.goroutines.index(go),
                (ANY, WAITING),
                (ONE_MORE, RUNNABLE),
            )
        }
        V1Kind::GcStart => {
            let [seq, ..] = batches.numbers(event).arguments();
            of(GO_COLLECTOR, (seq, DEAD), (seq.wrapping_add(1), DEAD))
        }
        kind if kind.is_block() || kind == V1Kind::GoSysBlock => {
            of(event.go, (ANY, RUNNING), (ANY, WAITING))
        }
        _ => UNORDERED,
    }
}

/// Moves the ends of system calls to when they happened, which may be long before the file has them.
///
/// Only now: while the order is looked for, such a time would seem to be out of order.
fn date_syscall_exits(events: &mut [V1Event], batches: &BatchLoader<'_>) -> Result<(), V1Damage> {
    // By goroutine, when its system call began to block; 0 if it did not.
    let mut blocked = vec![0i64; batches.goroutines.len()];
    let mut moved = false;
    for event in events.iter_mut() {
        match event.kind {
            V1Kind::GoSysBlock | V1Kind::GoInSyscall => blocked[event.go as usize] = event.time,
            V1Kind::GoSysExit => {
                let [_, _, time] = batches.numbers(event).arguments();
                let (time, begun) = (time as i64, blocked[event.go as usize]);
                let problem = match (time, begun) {
                    (0, _) => continue,
                    (_, 0) => V1Error::StraySyscallExit,
                    _ if time < begun => V1Error::TimeOrder,
                    _ => {
                        moved |= event.time != time;
                        event.time = time;
                        continue;
                    }
                };
                return Err((event.at as usize, problem));
            }
            _ => {}
        }
    }
    if moved {
        events.sort_by_key(|event| event.time);
    }
    Ok(())
}
