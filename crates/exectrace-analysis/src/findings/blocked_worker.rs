//! Threads of workers were blocked in the middle of polls: by a lock of the standard library, a sleep, a call
//! that waits. Each time may be far shorter than what is a long run.
//!
//! The system counts how long a thread was blocked, and the trace knows how long its worker was held, that is
//! not parked. What exceeds the time that it was not held was blocked while it was: in polls, mostly. Where,
//! the gaps between records in polls say, as far as they are long.

use exectrace_replay::{GoroutineKind, Location, Stack, Text};
use rustc_hash::FxHashMap;

use crate::names::Places;
use crate::syscalls::place_of_call;
use crate::time::{Flow, Gap, ThreadTime, TimeSpan, World};

use super::blocking_call::{BlockingCallWatch, LONG_NS, call_name, keeps_worker};
use super::machine::Machine;
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown, sum};

/// A worker is reported if it was blocked for this share of the trace: a twentieth.
const SHARE: u64 = 20;
/// At most so many places are kept.
const MAX_PLACES: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct BlockedWorkerWatch {
    /// The thread that ran tasks on a lane; `None` if there were several.
    threads: FxHashMap<u64, Option<u64>>,
    places: FxHashMap<Key, TaskPlace>,
    /// Calls that are too short to be reported each.
    calls: FxHashMap<(Stack, Text), CallPlace>,
}

/// Calls at one place, by tasks of one name.
#[derive(Debug)]
struct CallPlace {
    root: Option<Location>,
    count: u64,
    total: u64,
    /// The longest: how long, when, and by which task.
    longest: (u64, i64, u64),
}

/// What gaps have in common: the region, or the task's code.
type Key = (Stack, Text);

#[derive(Debug)]
struct TaskPlace {
    root: Option<Location>,
    count: u64,
    total: u64,
    /// How many began while one of another task, on another worker, was not over.
    together: u64,
    longest: (u64, Gap, u64),
    /// The end, the worker and the task of the one that ended last.
    last: (i64, u64, u64),
}

impl BlockedWorkerWatch {
    #[inline]
    pub(super) fn run_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, run: &TimeSpan<'_>) {
        if flow.kind != GoroutineKind::Task {
            return;
        }
        // Of every run: which thread has lost its worker, long gaps alone do not show.
        let thread = self.threads.entry(run.proc.0).or_insert(Some(run.thread.0));
        if *thread != Some(run.thread.0) {
            *thread = None;
        }
        // Short gaps are not kept.
        if let Some(gap) = flow.time.longest_gap.as_deref() {
            self.gap(world, flow, run, gap);
        }
    }

    #[cold]
    fn gap(&mut self, world: &World<'_>, flow: &Flow<'_>, run: &TimeSpan<'_>, gap: &Gap) {
        if !world.is_shared_lane(run.proc.0) {
            return;
        }
        let stack = gap.region.map_or(gap.before.stack, |(_, stack)| stack);
        let key = (stack, flow.name);
        if self.places.len() >= MAX_PLACES && !self.places.contains_key(&key) {
            return;
        }
        let length = gap.duration();
        let place = self.places.entry(key).or_insert(TaskPlace {
            root: flow.root,
            count: 0,
            total: 0,
            together: 0,
            longest: (0, *gap, flow.id.0),
            last: (i64::MIN, run.proc.0, flow.id.0),
        });
        let (end, lane, task) = place.last;
        let is_other = lane != run.proc.0 && task != flow.id.0;
        place.together += u64::from(gap.before.time < end && is_other);
        place.count += 1;
        place.total = place.total.saturating_add(length);
        place.last = (gap.after.time, run.proc.0, flow.id.0);
        if length > place.longest.0 {
            place.longest = (length, *gap, flow.id.0);
        }
    }

    pub(super) fn call_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, call: &TimeSpan<'_>) {
        let length = call.inside;
        if length >= LONG_NS || !keeps_worker(world, flow, call) {
            return;
        }
        let key = (call.stack, flow.name);
        if self.calls.len() >= MAX_PLACES && !self.calls.contains_key(&key) {
            return;
        }
        let place = self.calls.entry(key).or_insert(CallPlace {
            root: flow.root,
            count: 0,
            total: 0,
            longest: (0, call.begin, flow.id.0),
        });
        place.count += 1;
        place.total = place.total.saturating_add(length);
        if length > place.longest.0 {
            place.longest = (length, call.begin, flow.id.0);
        }
    }

    /// How long each worker's thread was blocked while it had its worker, at least, apart from calls that are
    /// reported.
    fn blocked<'a>(
        &'a self,
        world: &'a World,
        length: u64,
        calls: &'a BlockingCallWatch,
    ) -> impl Iterator<Item = u64> + 'a {
        let lanes = world.lanes.all.iter();
        let shared = lanes.filter(|lane| world.is_shared_lane(lane.id));
        shared.filter_map(move |lane| {
            let thread = self.threads.get(&lane.id).copied().flatten()?;
            let time: ThreadTime = world.facts.processors.of(thread)?;
            let not_held = length.saturating_sub(lane.held);
            let explained = not_held.saturating_add(calls.reported_ns(lane.id));
            let blocked = time.blocked_ns.saturating_sub(explained);
            // One that is never seen to park may sleep unseen.
            (lane.parks > 0 && blocked >= length / SHARE).then_some(blocked)
        })
    }

    pub(super) fn find(self, world: &World<'_>, calls: &BlockingCallWatch) -> Option<Finding> {
        let length = world.clip.between(world.begin, world.now);
        let blocked: Vec<u64> = self.blocked(world, length, calls).collect();
        let longest = *blocked.iter().max()?;
        let mut places: Vec<(&Key, &TaskPlace)> = self.places.iter().collect();
        places.sort_by_key(|(_, place)| (std::cmp::Reverse(place.total), place.longest.2));
        places.truncate(MAX_EXEMPLARS);
        let together: u64 = places.iter().map(|(_, place)| place.together).sum();
        let as_at_a_lock = match together {
            0 => "",
            _ => ", tasks at one place at the same time, as at a lock that is held over work",
        };
        let threads = plural(blocked.len() as u64, "worker");
        Some(Finding {
            id: "blocked_worker",
            severity: Severity::Warning,
            message: format!(
                "the threads of {threads} were blocked in polls for {} in all, one for {} of {}\
                 {as_at_a_lock}",
                shown(sum(blocked.iter().copied())),
                shown(longest),
                shown(length)
            ),
            count: blocked.len() as u64,
            total_ns: sum(blocked.iter().copied()),
            exemplars: self.exemplars(world, &places),
            rule: "By the system's counts the thread of a shared worker was blocked (neither on a \
                   processor nor waiting for one) for longer than the worker was parked, by a twentieth of \
                   the trace or more, without the calls that `blocking_call` has. The places are those of shorter \
                   calls, and of polls in which nothing was recorded for 1 ms or more, without calls; which of \
                   the latter blocked is not known.",
            help: "Look for locks of the standard library that are held over work, sleeps, and calls that \
                   wait; use their async forms, or move them to blocking threads.",
            basis: Machine::of_world(world).basis(),
        })
    }
}

impl BlockedWorkerWatch {
    /// Calls, as they are known to have kept their worker, then gaps; of each those first that took the most time.
    fn exemplars(&self, world: &World<'_>, places: &[(&Key, &TaskPlace)]) -> Vec<Exemplar> {
        let gaps = places
            .iter()
            .map(|((stack, name), place)| place.exemplar(world, *stack, *name));
        let calls = self.calls.iter();
        let calls = calls
            .filter(|(_, place)| place.total >= LONG_NS)
            .map(|(&(stack, name), place)| (place.total, place.exemplar(world, stack, name)));
        let mut calls: Vec<(u64, Exemplar)> = calls.collect();
        calls.sort_by_key(|(total, call)| (std::cmp::Reverse(*total), call.begin_ns));
        let calls = calls.into_iter().map(|(_, exemplar)| exemplar);
        calls.chain(gaps).take(MAX_EXEMPLARS).collect()
    }
}

impl CallPlace {
    fn exemplar(&self, world: &World<'_>, stack: Stack, name: Text) -> Exemplar {
        let (length, begin, task) = self.longest;
        let place = place_of_call(world, stack);
        let is_root = place.is_some() && place == self.root;
        let place = place.map(|at| world.names().place(&at));
        let (place, spawned_at) = match is_root {
            true => (None, place),
            false => (place, None),
        };
        Exemplar {
            what: format!(
                "{} was in {} {}, for {} in all and {} at most",
                world.names().get(name),
                call_name(world, stack),
                match self.count {
                    1 => "once".to_owned(),
                    count => format!("{count} times"),
                },
                shown(self.total),
                shown(length)
            ),
            begin_ns: Some(world.since_begin(begin)),
            duration_ns: Some(length),
            async_task: Some(task),
            place,
            spawned_at,
            ..Exemplar::default()
        }
    }
}

impl TaskPlace {
    fn exemplar(&self, world: &World<'_>, stack: Stack, name: Text) -> Exemplar {
        let (length, gap, task) = self.longest;
        let (place, spawned_at) = world.place_in_task(stack, self.root);
        let together = match self.together {
            0 => String::new(),
            together => format!(", {together} while another task stood at the same place"),
        };
        Exemplar {
            what: format!(
                "{} recorded nothing {}, for {} in all and {} at most{together}",
                world.names().get(name),
                match self.count {
                    1 => "once".to_owned(),
                    count => format!("{count} times"),
                },
                shown(self.total),
                shown(length)
            ),
            begin_ns: Some(world.since_begin(gap.before.time)),
            duration_ns: Some(length),
            async_task: Some(task),
            place,
            spawned_at,
            ..Exemplar::default()
        }
    }
}
