//! Lanes and workers: which lane a thread holds, and when it changes.
//!
//! A thread takes a lane when it first needs one: one that carries its name. A worker's lane is the
//! worker's: when another thread continues as the same worker (Tokio's `block_in_place`), that thread takes
//! the lane, and what still runs on the first thread continues on a lane of its own.

use exectrace_format::{ProcId, SideRecord};

use super::lanes::Taken;
use super::names::{Leaf, NameId};
use super::threads::{Machine, Thread, ThreadIndex, WorkerKey};

impl Machine {
    /// Sees to it that the thread holds a lane, and that this generation knows it.
    pub(crate) fn hold_lane(&mut self, index: ThreadIndex) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        let (stream, holds, lane, name) = (thread.stream, thread.holds, thread.lane, thread.name);
        match lane {
            Some(lane) if holds => self.lanes.announce(lane, stream, &mut self.emitter),
            Some(lane) => {
                self.lanes.start(lane, stream, &mut self.emitter);
                self.set_lane(index, Some(lane), true);
            }
            None => {
                let Taken {
                    lane,
                    is_new,
                    is_shared,
                } = self.lanes.take(name);
                self.lanes.start(lane, stream, &mut self.emitter);
                self.set_lane(index, Some(lane), true);
                let name = if is_shared { self.shared_lane } else { name };
                self.name_lane(lane, name);
                if is_new {
                    self.emitter.lanes_grew();
                }
            }
        }
    }

    pub(super) fn set_lane(&mut self, index: ThreadIndex, lane: Option<ProcId>, holds: bool) {
        if let Some(thread) = self.thread_mut(index) {
            thread.lane = lane;
            thread.holds = holds;
        }
    }

    /// Gives a lane a name, if it has another.
    fn name_lane(&mut self, lane: ProcId, name: NameId) {
        if self.lane_names.insert(lane, name) == Some(name) {
            return;
        }
        let name = self.names.text(name).to_owned().into();
        self.emitter
            .side(&SideRecord::ProcName { proc: lane, name });
    }

    /// What each lane is called.
    pub(crate) fn lane_names(&self) -> impl Iterator<Item = (ProcId, NameId)> {
        self.lane_names.iter().map(|(&lane, &name)| (lane, name))
    }

    /// Stops the thread's lane; what ran there must have been stopped.
    pub(super) fn stop_lane(&mut self, index: ThreadIndex) {
        if let Some(thread) = self.thread(index)
            && let (true, Some(lane)) = (thread.holds, thread.lane)
        {
            let stream = thread.stream;
            self.lanes.announce(lane, stream, &mut self.emitter);
            self.lanes.stop(lane, stream, &mut self.emitter);
            self.set_lane(index, Some(lane), false);
        }
    }

    /// The thread goes to sleep: its lane is idle.
    pub(crate) fn park(&mut self, index: ThreadIndex) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        let runs_own = thread.current.is_some() && thread.current == thread.own;
        if runs_own {
            self.block(index, self.reasons.polling, Leaf::None);
        } else {
            self.stop(index, self.reasons.lost, Leaf::None);
        }
        self.stop_lane(index);
        if let Some(thread) = self.thread_mut(index) {
            thread.parked = true;
            thread.outer.clear();
        }
    }

    /// The thread, as a worker, wakes up: it takes the worker's lane.
    pub(crate) fn unpark(&mut self, index: ThreadIndex, worker: WorkerKey, name: &str) {
        if let Some(thread) = self.thread_mut(index) {
            thread.parked = false;
        }
        match self.workers.get(&worker).copied() {
            Some((_, holder)) if holder == index => {}
            Some((lane, holder)) => {
                self.move_off(holder, lane);
                self.take_worker_lane(index, worker, lane);
            }
            None => {
                self.become_worker(index, worker, name);
            }
        }
        self.hold_lane(index);
    }

    /// The thread is the first to be this worker: the lane of an earlier worker of that name, or else the
    /// one that it has, is the worker's.
    fn become_worker(&mut self, index: ThreadIndex, worker: WorkerKey, name: &str) {
        let name = self.names.intern(name);
        if let Some(lane) = self.lanes.take_free(name) {
            return self.take_worker_lane(index, worker, lane);
        }
        let is_other_worker = self
            .thread(index)
            .is_some_and(|thread| thread.worker.is_some());
        if is_other_worker {
            self.give_up_lane(index);
        }
        self.hold_lane(index);
        let Some(lane) = self.thread(index).and_then(|thread| thread.lane) else {
            return;
        };
        self.workers.insert(worker, (lane, index));
        if let Some(thread) = self.thread_mut(index) {
            thread.worker = Some(worker);
        }
        self.name_lane(lane, name);
    }

    /// Another thread continues as the worker whose lane this one has: this one keeps what it runs, on a
    /// lane of its own.
    pub(super) fn move_off(&mut self, index: ThreadIndex, lane: ProcId) {
        let Some(thread) = self.thread(index) else {
            return;
        };
        if thread.lane != Some(lane) {
            return;
        }
        let (current, is_in_call) = (thread.current, thread.call.is_some());
        if is_in_call {
            // The call goes on without a lane.
            self.stop_lane_in_call(index);
            self.set_lane(index, None, false);
            if let Some(thread) = self.thread_mut(index) {
                thread.worker = None;
            }
            return;
        }
        // Its worker may have left without a word, and this be the next task of the thread.
        let blocks = self.current(index).is_some_and(|flow| {
            let mut regions = flow.regions.iter();
            regions.any(|region| region.name == self.reasons.blocks_in_place)
        });
        let reason = match blocks {
            true => self.reasons.blocks_in_place,
            false => self.reasons.moved,
        };
        self.stop(index, reason, Leaf::None);
        self.stop_lane(index);
        self.set_lane(index, None, false);
        if let Some(thread) = self.thread_mut(index) {
            thread.worker = None;
        }
        if let Some(current) = current {
            self.start(index, current, Leaf::None);
        }
    }

    pub(super) fn take_worker_lane(&mut self, index: ThreadIndex, worker: WorkerKey, lane: ProcId) {
        let current = self.thread(index).and_then(|thread| thread.current);
        self.stop(index, self.reasons.moved, Leaf::None);
        self.give_up_lane(index);
        self.set_lane(index, Some(lane), false);
        if let Some(thread) = self.thread_mut(index) {
            thread.worker = Some(worker);
        }
        self.workers.insert(worker, (lane, index));
        if let Some(current) = current {
            self.start(index, current, Leaf::None);
        }
    }

    /// Stops the lane of a thread that runs nothing, unless it is a worker, of which it is seen when it
    /// parks: others do not look for work.
    pub(crate) fn rest_unless_worker(&mut self, index: ThreadIndex) {
        let rests = |thread: &Thread| thread.current.is_none() && thread.worker.is_none();
        if self.thread(index).is_some_and(rests) {
            self.stop_lane(index);
        }
    }

    /// Stops the thread's lane; others may have it unless it is a worker's.
    pub(super) fn give_up_lane(&mut self, index: ThreadIndex) {
        self.stop_lane(index);
        let Some(thread) = self.thread_mut(index) else {
            return;
        };
        let (lane, worker) = (thread.lane.take(), thread.worker.take());
        if let (Some(lane), None) = (lane, worker)
            && let Some(&name) = self.lane_names.get(&lane)
        {
            self.lanes.give_back(lane, name);
        }
    }

    /// Nobody is the worker any more that the thread was: its lane is like any other.
    pub(super) fn free_worker(&mut self, index: ThreadIndex) {
        let worker = self.thread(index).and_then(|thread| thread.worker);
        if let Some(worker) = worker
            && self
                .workers
                .get(&worker)
                .is_some_and(|(_, holder)| *holder == index)
        {
            self.workers.remove(&worker);
            if let Some(thread) = self.thread_mut(index) {
                thread.worker = None;
            }
        }
    }
}
