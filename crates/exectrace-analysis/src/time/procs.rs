//! The lanes (workers): which are held, and since when.

use exectrace_format::{GoId, ProcState};
use exectrace_replay::{Clip, Index};

/// What is known of a lane at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) id: u64,
    /// Held by a thread; `None` while not known.
    pub(crate) is_held: Option<bool>,
    pub(crate) since: i64,
    /// The flow that ran on it when a sweep began.
    pub(crate) sweeping: Option<GoId>,
    pub(crate) held: u64,
    pub(crate) idle: u64,
    pub(crate) parks: u64,
    pub(crate) steals: u64,
}

/// All lanes of the trace.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) all: Vec<Lane>,
    index: Index,
}

impl Lanes {
    /// Whether the lane is known to be free.
    pub(crate) fn is_idle(&self, id: u64) -> bool {
        let lane = self
            .index
            .get(id)
            .and_then(|index| self.all.get(index as usize));
        lane.is_some_and(|lane| lane.is_held == Some(false))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Lane> {
        let index = self.index.get(id)?;
        self.all.get_mut(index as usize)
    }

    /// The lane's state changes. `first` is when its state before began, if it was not known.
    pub(crate) fn change(
        &mut self,
        id: u64,
        state: ProcState,
        (first, time): (i64, i64),
        clip: Clip,
    ) -> &mut Lane {
        let index = match self.index.get(id) {
            Some(index) => index as usize,
            None => {
                let index = self.all.len();
                self.index.insert(id, index as u32);
                self.all.push(Lane {
                    id,
                    is_held: None,
                    since: first,
                    sweeping: None,
                    held: 0,
                    idle: 0,
                    parks: 0,
                    steals: 0,
                });
                index
            }
        };
        let lane = &mut self.all[index];
        let is_held = match state {
            ProcState::Running => Some(true),
            ProcState::Idle => Some(false),
            ProcState::Undetermined | ProcState::NotExist => None,
        };
        // Until then it was in the state that is now reported for the first time.
        lane.settle(time, lane.is_held.or(is_held), clip);
        lane.is_held = is_held;
        lane
    }
}

impl Lane {
    /// Adds the time since the last change to the state that lasted so long.
    pub(crate) fn settle(&mut self, time: i64, was_held: Option<bool>, clip: Clip) {
        let duration = clip.between(self.since, time);
        match was_held {
            Some(true) => self.held += duration,
            Some(false) => self.idle += duration,
            None => {}
        }
        self.since = time;
    }
}
