//! How the lengths of states are distributed, for all async tasks together and by name.

use exectrace_replay::{GoroutineKind, GoroutineState, Names, Next, Origin, Text};
use serde::Serialize;

use crate::breakdown::source;
use crate::histogram::Histogram;
use crate::names::Places;
use crate::time::{Flow, TimeSpan, World};

/// Distributions of how long async tasks were in each state at a time.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latencies {
    /// Of all of them.
    pub all: Vec<StateLatency>,
    /// By name of the task.
    pub groups: Vec<GroupLatency>,
}

/// The distributions of async tasks of one name.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GroupLatency {
    /// The name.
    pub name: String,
    /// By state.
    pub states: Vec<StateLatency>,
}

/// How long a state lasted each time.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StateLatency {
    /// `run` (polls), `kernel` (how long a poll was kept from running, as the kernel had given its thread's processor to
    /// another), `wake` (from a wake to the run), `spawn` (from the spawn to the first run), `yield` (from a stop to the
    /// next run), `wait` or `syscall`.
    pub state: &'static str,
    /// Of waits: the reason.
    pub reason: String,
    /// Of waits: how the reason is known, as in [`ReasonTime::source`](crate::ReasonTime::source).
    pub source: Option<&'static str>,
    /// How long.
    pub durations: Histogram,
    /// How many times it happened and its length was not seen, as the wake that began it was not; of `kernel`, how many
    /// polls there were of which the kernel did not report it.
    pub unseen: u64,
}

/// Only what is shown by name is kept while a trace is replayed; what holds for all is their sum.
#[derive(Debug, Default)]
pub(crate) struct LatencyPass {
    groups: Vec<Group>,
    /// The group of each text, plus one.
    group_of_name: Vec<u32>,
}

#[derive(Debug)]
struct Group {
    name: Text,
    states: States,
}

/// Distributions by what [`StateLatency`] has.
#[derive(Debug, Default)]
struct States {
    /// By the place of the name in [`NAMES`].
    plain: [Histogram; NAMES.len()],
    /// Wakes that were not seen.
    unseen_wakes: u64,
    /// Polls of which the kernel did not report when their thread had no processor.
    unreported: u64,
    /// By reason. Reasons are few, so a search from the front is faster than a map.
    waits: Vec<(Text, Histogram)>,
}

/// What is no wait.
const NAMES: [&str; 6] = ["run", "wake", "spawn", "yield", "syscall", "kernel"];
const RUN: usize = 0;
const WAKE: usize = 1;
const SPAWN: usize = 2;
const YIELD: usize = 3;
const SYSCALL: usize = 4;
const KERNEL: usize = 5;

impl LatencyPass {
    #[inline]
    pub(crate) fn leave(&mut self, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        let is_of_task = flow.kind == GoroutineKind::Task && span.state != GoroutineState::Unknown;
        // What was ready and was dropped did not run late.
        let is_dropped = span.state == GoroutineState::Runnable && span.next == Next::End;
        if !span.is_closed() || !is_of_task || is_dropped {
            return;
        }
        let states = &mut self.group(flow.name).states;
        let is_after_call = span.state == GoroutineState::Runnable && span.waits_in_call;
        if is_after_call {
            return;
        }
        if span.is_wake_concluded {
            states.unseen_wakes += 1;
            return;
        }
        let durations = match (span.state, span.origin) {
            (GoroutineState::Waiting, _) => states.wait(span.reason),
            (GoroutineState::Running, _) => {
                if let Some(poll) = &span.poll {
                    states.plain[RUN].record(poll.inside);
                    match poll.preempted {
                        Some(preempted) => states.plain[KERNEL].record(preempted),
                        None => states.unreported += 1,
                    }
                }
                return;
            }
            (GoroutineState::Runnable, Origin::From(GoroutineState::Waiting)) => {
                &mut states.plain[WAKE]
            }
            (GoroutineState::Runnable, Origin::Spawned) => &mut states.plain[SPAWN],
            (GoroutineState::Runnable, _) => &mut states.plain[YIELD],
            (GoroutineState::Syscall | GoroutineState::Unknown, _) => &mut states.plain[SYSCALL],
        };
        durations.record(span.inside);
    }

    #[inline]
    fn group(&mut self, name: Text) -> &mut Group {
        let place = name.index();
        let known = self.group_of_name.get(place).copied().unwrap_or(0);
        let index = match known {
            0 => self.new_group(name),
            known => known as usize - 1,
        };
        &mut self.groups[index]
    }

    fn new_group(&mut self, name: Text) -> usize {
        let place = name.index();
        if self.group_of_name.len() <= place {
            self.group_of_name.resize(place + 1, 0);
        }
        self.groups.push(Group {
            name,
            states: States::default(),
        });
        self.group_of_name[place] = self.groups.len() as u32;
        self.groups.len() - 1
    }

    pub(crate) fn finish(mut self, world: &World<'_>) -> Latencies {
        let mut all = States::default();
        let is_kernel_known = !world.facts.processors.is_empty();
        for group in &mut self.groups {
            if !is_kernel_known {
                group.states.unreported = 0;
            }
            all.add(&group.states);
        }
        let named = |group: Group| GroupLatency {
            name: world.names().owned(group.name),
            states: group.states.named(world.names()),
        };
        let mut groups: Vec<GroupLatency> = self.groups.into_iter().map(named).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Latencies {
            all: all.named(world.names()),
            groups,
        }
    }
}

impl States {
    #[inline]
    fn wait(&mut self, reason: Text) -> &mut Histogram {
        let place = self.waits.iter().position(|(known, _)| *known == reason);
        let place = place.unwrap_or_else(|| {
            self.waits.push((reason, Histogram::default()));
            self.waits.len() - 1
        });
        &mut self.waits[place].1
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in self.plain.iter_mut().zip(&other.plain) {
            sum.merge(part);
        }
        self.unseen_wakes += other.unseen_wakes;
        self.unreported += other.unreported;
        for (reason, part) in &other.waits {
            self.wait(*reason).merge(part);
        }
    }

    /// Those with values in them, sorted by state and reason.
    fn named(self, names: &Names) -> Vec<StateLatency> {
        let unseen = |place| match place {
            WAKE => self.unseen_wakes,
            KERNEL => self.unreported,
            _ => 0,
        };
        let plain = self.plain.into_iter().enumerate();
        let plain = plain.map(|(place, durations)| StateLatency {
            state: NAMES[place],
            reason: String::new(),
            source: None,
            durations,
            unseen: unseen(place),
        });
        let waits = self.waits.into_iter();
        let waits = waits.map(|(reason, durations)| StateLatency {
            state: "wait",
            reason: names.owned(reason),
            source: Some(source(names.get(reason))),
            durations,
            unseen: 0,
        });
        let mut named: Vec<StateLatency> = plain.chain(waits).collect();
        named.retain(|latency| latency.durations.count() + latency.unseen > 0);
        named.sort_by(|a, b| (a.state, &a.reason).cmp(&(b.state, &b.reason)));
        named
    }
}
