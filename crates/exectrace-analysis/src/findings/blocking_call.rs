//! An async task made a call that kept its worker from other tasks.
//!
//! Looked at is what the call took and what that cost: how long the other tasks of the runtime were ready meanwhile
//! and did not run. A call into the system in which its thread may have waited for a processor is no fault of the
//! call.

use exectrace_format::GoId;
use exectrace_format::conventions::BLOCK_IN_PLACE;
use exectrace_replay::{GoroutineKind, GoroutineState, Location, Names, Stack, Text};
use rustc_hash::FxHashMap;

use crate::names::Places;
use crate::syscalls::place_of_call;
use crate::time::{Flow, ThreadTime, TimeSpan, World};
use crate::top::Top;

use super::machine::{Machine, ProcessorWaits};
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown};

/// Calls from here on are reported. Tokio's own advice is that a poll takes less than 0.1 ms.
pub(super) const LONG_NS: u64 = 1_000_000;

/// Where others waited for less than so long in all, the calls are worth knowing and no more.
const HARM_NS: u64 = 1_000_000;

/// A part of a call, one in so many, for which the thread may have waited for a processor, is enough to excuse it.
const EXCUSED_PART: u64 = 2;

#[derive(Debug)]
pub(super) struct BlockingCallWatch {
    block_in_place: Text,
    count: u64,
    total: u64,
    /// For how long other tasks were ready meanwhile, all together.
    others: u64,
    worst: Top<Case>,
    /// Calls that a wait for a processor may account for.
    excused: u64,
    waits: ProcessorWaits,
    /// How long the calls took that are reported, by lane.
    by_lane: FxHashMap<u64, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    task: GoId,
    name: Text,
    root: Option<Location>,
    user_task: u64,
    lane: u64,
    begin: i64,
    duration: u64,
    stack: Stack,
    others: u64,
    around: Option<ThreadTime>,
}

/// Whether a call is one of an async task that keeps its runtime's worker. Go takes the worker from a goroutine in a
/// long call, so there it does no harm.
pub(super) fn keeps_worker(world: &World<'_>, flow: &Flow<'_>, call: &TimeSpan<'_>) -> bool {
    flow.kind == GoroutineKind::Task
        && !world.is_of_go()
        && call.blocked == call.end
        && world.is_shared_lane(call.proc.0)
}

impl BlockingCallWatch {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            block_in_place: names.intern(BLOCK_IN_PLACE),
            count: 0,
            total: 0,
            others: 0,
            worst: Top::new(MAX_EXEMPLARS),
            excused: 0,
            waits: ProcessorWaits::default(),
            by_lane: FxHashMap::default(),
        }
    }

    /// A call has ended, or the trace.
    pub(super) fn call_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, call: &TimeSpan<'_>) {
        let duration = call.duration();
        let asks_to_block = |flow: &Flow<'_>| {
            let mut regions = flow.regions.iter();
            regions.any(|region| region.name == self.block_in_place)
        };
        if duration < LONG_NS || !keeps_worker(world, flow, call) || asks_to_block(flow) {
            return;
        }
        let processors = &world.facts.processors;
        let around = processors.around(call.thread.0, call.begin, call.end);
        if call.state == GoroutineState::Syscall
            && let Some((since, time)) = around
            && self
                .waits
                .account_for(call.thread.0, since, time, duration / EXCUSED_PART)
        {
            self.excused += 1;
            return;
        }
        let others = match flow.time.pool {
            Some(pool) => world
                .slack
                .ready_ns(pool, call.end)
                .saturating_sub(flow.time.ready_at_call),
            None => 0,
        };
        self.count += 1;
        self.total = self.total.saturating_add(duration);
        self.others = self.others.saturating_add(others);
        let of_lane = self.by_lane.entry(call.proc.0).or_default();
        *of_lane = of_lane.saturating_add(duration);
        let case = Case {
            task: flow.id,
            name: flow.name,
            root: flow.root,
            user_task: flow.user_task().0,
            lane: call.proc.0,
            begin: call.begin,
            duration,
            stack: call.stack,
            others,
            around: around.map(|(_, time)| time),
        };
        self.worst.push(duration, case);
    }

    /// How long the calls took that are reported, on a lane.
    pub(super) fn reported_ns(&self, lane: u64) -> u64 {
        self.by_lane.get(&lane).copied().unwrap_or(0)
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let worst = self.worst.iter().next()?;
        let is_harmful = self.others >= HARM_NS;
        let others = match is_harmful {
            true => format!(
                "; other tasks of the runtime were ready meanwhile for {} in all",
                shown(self.others)
            ),
            false => "; hardly any other task was ready meanwhile".to_owned(),
        };
        let excused = match self.excused {
            0 => String::new(),
            excused => format!(
                "; {} more, in which the thread may have waited for a processor, left out",
                plural(excused, "call")
            ),
        };
        let name = |stack: Stack| call_name(world, stack);
        Some(Finding {
            id: "blocking_call",
            severity: match is_harmful {
                true => Severity::Warning,
                false => Severity::Info,
            },
            message: format!(
                "{} on a worker, the longest in {} for {}{others}{excused}",
                plural(self.count, "blocking call"),
                name(worst.stack),
                shown(worst.duration)
            ),
            count: self.count,
            total_ns: self.total,
            exemplars: self.worst.iter().map(|case| case.exemplar(world)).collect(),
            rule: "A call of 1 ms or more that an async task makes while it is polled on a worker of its runtime, \
                   outside block_in_place. A system call is left out where its thread, by the samples around it, \
                   may have waited for a processor for half of it. It is a warning if other tasks of the runtime \
                   were ready and did not run for 1 ms or more in all while these calls lasted; they may have \
                   waited for other workers as well.",
            help: "Use the async form of the call, or spawn_blocking.",
            basis: Machine::of_world(world).basis(),
        })
    }
}

impl Case {
    fn exemplar(&self, world: &World<'_>) -> Exemplar {
        let place = place_of_call(world, self.stack).filter(|at| Some(*at) != self.root);
        let root = self.root.map(|root| world.names().place(&root));
        let others = match self.others {
            0 => "no other task was ready meanwhile".to_owned(),
            others => format!("other tasks were ready meanwhile for {}", shown(others)),
        };
        Exemplar {
            what: format!(
                "{} was in {} for {}; {others}{}",
                world.names().get(self.name),
                call_name(world, self.stack),
                shown(self.duration),
                async_stack(world, self.stack)
            ),
            begin_ns: Some(world.since_begin(self.begin)),
            duration_ns: Some(self.duration),
            async_task: Some(self.task.0),
            user_task: (self.user_task != 0).then_some(self.user_task),
            worker: Some(self.lane),
            spawned_at: place.is_none().then_some(root).flatten(),
            place: place.map(|at| world.names().place(&at)),
            thread_time: self.around,
        }
    }
}

/// The call in which a stack ends.
pub(super) fn call_name<'a>(world: &'a World<'_>, stack: Stack) -> &'a str {
    let leaf = world.names().leaf(stack);
    match leaf.map_or("", |leaf| world.names().get(leaf.function)) {
        "" => "a system call",
        name => name,
    }
}

/// At most so many frames between a call and its task are shown.
const MAX_FRAMES: usize = 8;

/// The functions of the program between the call and the root, the innermost first; empty where there are none.
fn async_stack(world: &World<'_>, stack: Stack) -> String {
    let names = world.names();
    let all: Vec<&str> = names
        .locations(stack)
        .map(|at| names.get(at.function))
        .collect();
    let inner = all.get(1..all.len().saturating_sub(1)).unwrap_or_default();
    let own: Vec<&str> = inner
        .iter()
        .copied()
        .filter(|function| crate::names::is_of_program(function))
        .take(MAX_FRAMES)
        .collect();
    match own.is_empty() {
        true => String::new(),
        false => format!("; in {}", own.join(", called by ")),
    }
}
