//! How the lengths of states are distributed, for all async tasks together and by name.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::histogram::Histogram;
use crate::names::{Names, Text};
use crate::play::{Flow, Origin, State, Stretch, World};

/// Distributions of how long async tasks were in each state at a time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Latencies {
    /// Of all of them.
    pub all: Vec<StateLatency>,
    /// By name of the task.
    pub groups: Vec<GroupLatency>,
}

/// The distributions of async tasks of one name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GroupLatency {
    /// The name.
    pub name: String,
    /// By state.
    pub states: Vec<StateLatency>,
}

/// How long a state lasted each time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StateLatency {
    /// `run` (polls), `wake` (from a wake to the run), `spawn` (from the spawn to the first run),
    /// `yield` (from a stop to the next run), `wait` or `syscall`.
    pub state: &'static str,
    /// Of waits: the reason.
    pub reason: String,
    /// How long.
    pub durations: Histogram,
}

#[derive(Debug, Default)]
pub(crate) struct LatencyPass {
    all: ByState,
    /// By the name of the flow, plus one.
    groups: FxHashMap<Text, ByState>,
}

/// Distributions by what is told in [`StateLatency`].
type ByState = Vec<((&'static str, Text), Histogram)>;

impl LatencyPass {
    #[inline]
    pub(crate) fn stretch(&mut self, world: &World, flow: &Flow, stretch: &Stretch) {
        if !stretch.is_closed() {
            return;
        }
        let none = Text::default();
        let key = match (stretch.state, stretch.origin) {
            (State::Running, _) => ("run", none),
            (State::Runnable, Origin::From(State::Waiting)) => ("wake", none),
            (State::Runnable, Origin::Spawned) => ("spawn", none),
            (State::Runnable, _) => ("yield", none),
            (State::Waiting, _) => ("wait", stretch.reason),
            (State::Syscall, _) => ("syscall", none),
            (State::Unknown, _) => return,
        };
        let duration = world.clip.between(stretch.begin, stretch.end);
        record(&mut self.all, key, duration);
        record(self.groups.entry(flow.name).or_default(), key, duration);
    }

    pub(crate) fn finish(self, world: &World) -> Latencies {
        let mut groups: Vec<GroupLatency> = self
            .groups
            .into_iter()
            .map(|(name, states)| GroupLatency {
                name: world.names.owned(name),
                states: named(&world.names, states),
            })
            .collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Latencies {
            all: named(&world.names, self.all),
            groups,
        }
    }
}

#[inline]
fn record(states: &mut ByState, key: (&'static str, Text), duration: u64) {
    match states.iter_mut().find(|(known, _)| *known == key) {
        Some((_, durations)) => durations.record(duration),
        None => {
            let mut durations = Histogram::default();
            durations.record(duration);
            states.push((key, durations));
        }
    }
}

fn named(names: &Names, states: ByState) -> Vec<StateLatency> {
    let mut named: Vec<StateLatency> = states
        .into_iter()
        .map(|((state, reason), durations)| StateLatency {
            state,
            reason: names.owned(reason),
            durations,
        })
        .collect();
    named.sort_by(|a, b| (a.state, &a.reason).cmp(&(b.state, &b.reason)));
    named
}
