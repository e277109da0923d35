//! System calls by name.

use exectrace_replay::{GoroutineState, Stack, Text};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::histogram::Histogram;
use crate::names::{Place, Places};
use crate::sums::add_ns;
use crate::time::{Flow, TimeSpan, World};
use crate::top::Top;

/// The system calls of a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Syscalls {
    /// By name, the one with the most time first.
    pub by_name: Vec<Syscall>,
}

/// System calls of one name.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Syscall {
    /// The first function of the stack that is no mere entry to the system; empty without a stack.
    pub name: String,
    /// How many.
    pub count: u64,
    /// For how long in all, up to the end of the trace.
    pub total_ns: u64,
    /// How many of them lost their worker.
    pub blocked: u64,
    /// The time after the worker was taken away.
    pub blocked_ns: u64,
    /// How long, of those whose end was seen.
    pub durations: Histogram,
    /// The longest.
    pub longest: Vec<SyscallInstance>,
}

/// One system call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyscallInstance {
    /// The async task.
    pub async_task: u64,
    /// Its name.
    pub task_name: String,
    /// When it began, since the begin of the trace.
    pub begin_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The worker on which it began.
    pub worker: Option<u64>,
    /// Whether the worker was taken away, to run other tasks meanwhile.
    pub is_handed_over: bool,
    /// Where, leaf first.
    pub stack: Vec<Place>,
}

#[derive(Debug)]
pub(crate) struct SyscallPass {
    limit: usize,
    kinds: Vec<Kind>,
    by_name: FxHashMap<Text, u32>,
    /// The kind of each stack, plus one.
    by_stack: Vec<u32>,
}

#[derive(Debug)]
struct Kind {
    name: Text,
    count: u64,
    blocked: u64,
    blocked_ns: u64,
    total_ns: u64,
    durations: Histogram,
    longest: Top<SyscallInstance>,
}

/// Functions through which Go programs enter the system, whatever the call.
const ENTRIES: [&str; 5] = [
    "syscall.Syscall",
    "syscall.RawSyscall",
    "syscall.syscall",
    "syscall.rawSyscall",
    "internal/runtime/syscall.",
];

impl SyscallPass {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            kinds: Vec::new(),
            by_name: FxHashMap::default(),
            by_stack: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        if span.state != GoroutineState::Syscall {
            return;
        }
        let duration = span.duration();
        let blocked = world.clip.between(span.blocked, span.end);
        let kind = self.kind(world, span.stack);
        kind.count += 1;
        kind.blocked += u64::from(blocked > 0);
        add_ns(&mut kind.blocked_ns, blocked);
        add_ns(&mut kind.total_ns, duration);
        if span.is_closed() {
            kind.durations.record(duration);
        }
        if kind.longest.wants(duration) {
            let longest = SyscallInstance {
                async_task: flow.id.0,
                task_name: world.names().owned(flow.name),
                begin_ns: world.since_begin(span.begin),
                duration_ns: duration,
                worker: (span.proc.0 != u64::MAX).then_some(span.proc.0),
                is_handed_over: blocked > 0,
                stack: world.names().places(span.stack),
            };
            kind.longest.push(duration, longest);
        }
    }

    fn kind(&mut self, world: &World<'_>, stack: Stack) -> &mut Kind {
        let place = stack.index();
        if self.by_stack.len() <= place {
            self.by_stack.resize(place + 1, 0);
        }
        if self.by_stack[place] == 0 {
            let name = name(world, stack);
            let next = self.kinds.len() as u32;
            let index = *self.by_name.entry(name).or_insert(next);
            if index == next {
                self.kinds.push(Kind {
                    name,
                    count: 0,
                    blocked: 0,
                    blocked_ns: 0,
                    total_ns: 0,
                    durations: Histogram::default(),
                    longest: Top::new(self.limit),
                });
            }
            self.by_stack[place] = index + 1;
        }
        &mut self.kinds[self.by_stack[place] as usize - 1]
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Syscalls {
        let mut kinds = self.kinds;
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.total_ns));
        let by_name = kinds.into_iter().map(|kind| Syscall {
            name: world.names().owned(kind.name),
            count: kind.count,
            total_ns: kind.total_ns,
            blocked: kind.blocked,
            blocked_ns: kind.blocked_ns,
            durations: kind.durations,
            longest: kind.longest.into_items(),
        });
        Syscalls {
            by_name: by_name.collect(),
        }
    }
}

/// The first function of the stack that is no mere entry to the system; the leaf if all are.
fn name(world: &World<'_>, stack: Stack) -> Text {
    let mut functions = world.names().locations(stack).map(|frame| frame.function);
    let is_entry = |text: &Text| {
        let function = world.names().get(*text);
        ENTRIES.iter().any(|entry| function.starts_with(entry))
    };
    let leaf = world
        .names()
        .locations(stack)
        .next()
        .map(|frame| frame.function);
    functions
        .find(|text| !is_entry(text))
        .or(leaf)
        .unwrap_or_default()
}
