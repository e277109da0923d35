//! Lanes (P): small numbers from 1, reused when their thread is gone.
//!
//! Readers know one name for a lane. So a lane goes to a thread of the name that it has already, as long
//! as there are no more than [`MAX_NAMED`]; those beyond are shared by threads of any name.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use exectrace_format::{Event, ProcId, ProcStatus, StackId, StreamId};
use rustc_hash::FxHashMap;

use super::emitter::Emitter;
use super::names::NameId;

/// How many lanes are kept for threads of one name. A program that starts thread after thread, each with
/// a name of its own, has so many rows in a timeline, and then no more than it has threads at once.
const MAX_NAMED: u64 = 256;

#[derive(Debug, Default)]
struct Lane {
    /// The last generation that has its state.
    announced: u64,
    /// Its last sequence number in that generation.
    seq: u64,
    busy: bool,
    /// What runs on it is in a system call.
    in_syscall: bool,
}

/// All lanes there ever were in this model.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Lanes without a thread, by name.
    free: FxHashMap<NameId, BinaryHeap<Reverse<u64>>>,
    /// Lanes without a thread past [`MAX_NAMED`].
    free_for_any: BinaryHeap<Reverse<u64>>,
}

/// A lane for a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) lane: ProcId,
    /// There was no such lane before.
    pub(crate) is_new: bool,
    /// Threads of other names have it, too.
    pub(crate) is_shared: bool,
}

impl Lanes {
    /// Takes the lowest free lane of that name, or one without a name yet.
    pub(crate) fn take(&mut self, name: NameId) -> Taken {
        if let Some(lane) = self.take_free(name) {
            return Taken {
                lane,
                is_new: false,
                is_shared: false,
            };
        }
        let shared = self.free_for_any.pop();
        let number = shared.map_or(self.lanes.len() as u64 + 1, |Reverse(number)| number);
        if shared.is_none() {
            self.lanes.push(Lane::default());
        }
        Taken {
            lane: ProcId(number),
            is_new: shared.is_none(),
            is_shared: number > MAX_NAMED,
        }
    }

    /// Takes the lowest free lane that has this name.
    pub(crate) fn take_free(&mut self, name: NameId) -> Option<ProcId> {
        let Reverse(number) = self.free.get_mut(&name)?.pop()?;
        Some(ProcId(number))
    }

    /// Gives a lane back that was stopped, and has this name.
    pub(crate) fn give_back(&mut self, lane: ProcId, name: NameId) {
        let free = if lane.0 > MAX_NAMED {
            &mut self.free_for_any
        } else {
            self.free.entry(name).or_default()
        };
        free.push(Reverse(lane.0));
    }

    /// The number of lanes that is written for readers: one more than the largest lane's.
    pub(crate) fn reader_count(&self) -> u64 {
        self.lanes.len() as u64 + 1
    }

    /// Starts an idle lane on a thread.
    pub(crate) fn start(&mut self, lane: ProcId, stream: StreamId, emitter: &mut Emitter) {
        self.announce(lane, stream, emitter);
        let entry = self.entry(lane);
        entry.seq += 1;
        entry.busy = true;
        let seq = entry.seq;
        emitter.event(stream, Event::ProcStart { proc: lane, seq });
    }

    /// Stops the lane of a thread.
    pub(crate) fn stop(&mut self, lane: ProcId, stream: StreamId, emitter: &mut Emitter) {
        let entry = self.entry(lane);
        entry.busy = false;
        entry.in_syscall = false;
        emitter.event(stream, Event::ProcStop);
    }

    /// What runs on a busy lane enters a system call.
    pub(crate) fn begin_syscall(
        &mut self,
        lane: ProcId,
        stack: StackId,
        stream: StreamId,
        emitter: &mut Emitter,
    ) {
        self.announce(lane, stream, emitter);
        let entry = self.entry(lane);
        entry.seq += 1;
        entry.in_syscall = true;
        let proc_seq = entry.seq;
        emitter.event(stream, Event::GoSyscallBegin { proc_seq, stack });
    }

    /// It returns, and still has the lane.
    pub(crate) fn end_syscall(&mut self, lane: ProcId, stream: StreamId, emitter: &mut Emitter) {
        self.announce(lane, stream, emitter);
        self.entry(lane).in_syscall = false;
        emitter.event(stream, Event::GoSyscallEnd);
    }

    /// Writes the lane's state, if this generation does not have it.
    pub(crate) fn announce(&mut self, lane: ProcId, stream: StreamId, emitter: &mut Emitter) {
        let generation = emitter.generation();
        let entry = self.entry(lane);
        if entry.announced == generation {
            return;
        }
        entry.announced = generation;
        entry.seq = 0;
        let status = status(entry);
        emitter.event(stream, Event::ProcStatus { proc: lane, status });
    }

    /// Each lane that no thread holds.
    pub(crate) fn idle(&self) -> impl Iterator<Item = ProcId> {
        let numbered = self.lanes.iter().zip(1..);
        numbered
            .filter(|(lane, _)| !lane.busy)
            .map(|(_, number)| ProcId(number))
    }

    fn entry(&mut self, lane: ProcId) -> &mut Lane {
        &mut self.lanes[lane.0 as usize - 1]
    }
}

fn status(lane: &Lane) -> ProcStatus {
    match (lane.busy, lane.in_syscall) {
        (true, true) => ProcStatus::Syscall,
        (true, false) => ProcStatus::Running,
        (false, _) => ProcStatus::Idle,
    }
}
