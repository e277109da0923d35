//! Lanes (P): small numbers from 1, reused when their thread is gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use exectrace_format::{Event, ProcId, ProcStatus, Stream};

use super::output::Output;

#[derive(Debug, Default)]
struct Lane {
    /// The generation in which its state was told last.
    told: u64,
    /// Its last sequence number in that generation.
    seq: u64,
    busy: bool,
}

/// All lanes there ever were in this model.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    free: BinaryHeap<Reverse<u64>>,
}

impl Lanes {
    /// Takes the lowest free lane, or a new one. The second value tells whether it is new.
    pub(crate) fn take(&mut self) -> (ProcId, bool) {
        match self.free.pop() {
            Some(Reverse(number)) => (ProcId(number), false),
            None => {
                self.lanes.push(Lane::default());
                (ProcId(self.lanes.len() as u64), true)
            }
        }
    }

    /// Gives a lane back that was stopped.
    pub(crate) fn give_back(&mut self, lane: ProcId) {
        self.free.push(Reverse(lane.0));
    }

    /// What a reader is told of the number of lanes: one more than the largest number.
    pub(crate) fn count_to_tell(&self) -> u64 {
        self.lanes.len() as u64 + 1
    }

    /// Starts an idle lane on a thread.
    pub(crate) fn start(&mut self, lane: ProcId, stream: Stream, output: &mut Output) {
        self.tell(lane, stream, output);
        let entry = self.entry(lane);
        entry.seq += 1;
        entry.busy = true;
        let seq = entry.seq;
        output.event(stream, Event::ProcStart { proc: lane, seq });
    }

    /// Stops the lane of a thread.
    pub(crate) fn stop(&mut self, lane: ProcId, stream: Stream, output: &mut Output) {
        self.entry(lane).busy = false;
        output.event(stream, Event::ProcStop);
    }

    /// Tells the lane's state, if this generation does not know it.
    pub(crate) fn tell(&mut self, lane: ProcId, stream: Stream, output: &mut Output) {
        let generation = output.generation();
        let entry = self.entry(lane);
        if entry.told == generation {
            return;
        }
        entry.told = generation;
        entry.seq = 0;
        let status = status(entry);
        output.event(stream, Event::ProcStatus { proc: lane, status });
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
    if lane.busy {
        ProcStatus::Running
    } else {
        ProcStatus::Idle
    }
}
