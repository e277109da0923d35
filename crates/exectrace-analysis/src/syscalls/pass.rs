//! Gathers [`Syscalls`] while a trace is replayed.

use exectrace_format::SideRecord;
use exectrace_replay::{GoroutineKind, Location, Stack, Text};
use rustc_hash::FxHashMap;

use super::counted::{Counted, CountedCalls};
use super::{Calls, FailedCalls, PlaceCalls, Syscall, SyscallInstance, Syscalls, TaskCalls, errno};
use crate::names::Places;
use crate::sums::add_ns;
use crate::time::{Flow, TimeSpan, World};
use crate::top::Top;

#[derive(Debug)]
pub(crate) struct SyscallPass {
    limit: usize,
    kinds: Vec<Kind>,
    by_name: FxHashMap<Text, usize>,
    tasks: Vec<(Option<GoroutineKind>, Text, Sums)>,
    by_task: FxHashMap<(Option<GoroutineKind>, Text), usize>,
    places: Vec<PlaceSums>,
    by_place: FxHashMap<(Option<Location>, usize), usize>,
    /// The kind and the place of each stack.
    by_stack: Vec<Option<(usize, usize)>>,
    counted: CountedCalls,
    /// What was counted, by the number of its name.
    counted_sums: Vec<Calls>,
    /// Terms of the filter are about spans of time: of calls that were counted it is not known whether they match.
    leaves_counted_out: bool,
    /// Errors of calls that have not ended, by who made them and when they began.
    errors: FxHashMap<(u64, i64), u64>,
}

/// Sums while they are gathered.
#[derive(Debug, Default)]
struct Sums {
    calls: Calls,
    /// By error.
    failed: FxHashMap<u64, u64>,
}

#[derive(Debug)]
struct Kind {
    name: Text,
    sums: Sums,
    longest: Top<SyscallInstance>,
}

#[derive(Debug)]
struct PlaceSums {
    kind: usize,
    place: Option<Location>,
    stack: Stack,
    sums: Sums,
}

/// What is added for one call.
#[derive(Clone, Copy, Debug)]
struct One {
    duration: u64,
    blocked: u64,
    on_worker: u64,
    errno: Option<u64>,
    is_closed: bool,
}

impl Sums {
    fn add(&mut self, one: &One) {
        let calls = &mut self.calls;
        calls.count += 1;
        calls.blocked += u64::from(one.blocked > 0);
        add_ns(&mut calls.blocked_ns, one.blocked);
        add_ns(&mut calls.total_ns, one.duration);
        add_ns(&mut calls.on_worker_ns, one.on_worker);
        if one.is_closed {
            calls.durations.record(one.duration);
        }
        if let Some(errno) = one.errno {
            *self.failed.entry(errno).or_default() += 1;
        }
    }

    fn finish(self) -> Calls {
        let failed = self.failed.into_iter();
        let mut failed: Vec<FailedCalls> = failed
            .map(|(errno, count)| FailedCalls {
                errno,
                name: errno::name(errno).to_owned(),
                count,
            })
            .collect();
        failed.sort_by_key(|failed| (std::cmp::Reverse(failed.count), failed.errno));
        Calls {
            failed,
            ..self.calls
        }
    }
}

/// Past so many errors of calls that have not ended, as far as was seen, old ones are dropped.
const MAX_ERRORS: usize = 1 << 16;

/// Functions through which Go programs enter the system, whatever the call.
const ENTRIES: [&str; 5] = [
    "syscall.Syscall",
    "syscall.RawSyscall",
    "syscall.syscall",
    "syscall.rawSyscall",
    "internal/runtime/syscall.",
];

/// Layers of Go's library between a program and the system, which say nothing of the program.
const LAYERS: [&str; 6] = ["syscall.", "internal/", "runtime.", "os.", "io.", "net.("];

impl SyscallPass {
    pub(crate) fn new(limit: usize, leaves_counted_out: bool) -> Self {
        Self {
            limit,
            kinds: Vec::new(),
            by_name: FxHashMap::default(),
            tasks: Vec::new(),
            by_task: FxHashMap::default(),
            places: Vec::new(),
            by_place: FxHashMap::default(),
            by_stack: Vec::new(),
            counted: CountedCalls::default(),
            counted_sums: Vec::new(),
            leaves_counted_out,
            errors: FxHashMap::default(),
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        match record {
            SideRecord::CallFailed { time_ns, go, errno } => {
                let begin = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                if self.errors.len() >= MAX_ERRORS {
                    // Of calls that a filter has left out: nobody asks for them.
                    self.errors.retain(|&(_, begin), _| begin >= world.now);
                }
                self.errors.insert((go.0, begin), *errno);
            }
            SideRecord::CallCounts { time_ns, .. } => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                if !self.leaves_counted_out && world.clip.touches(time, time) {
                    self.counted.add(record);
                }
            }
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        if span.whole().is_in_call() {
            self.call(world, flow, span);
        }
    }

    #[inline(never)]
    fn call(&mut self, world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        let is_of_task = flow.kind == GoroutineKind::Task && world.is_shared_lane(span.proc.0);
        let blocked = world.clip.between(span.blocked, span.end);
        let duration = span.duration();
        let one = One {
            duration,
            blocked,
            on_worker: match is_of_task {
                true => world.clip.between(span.begin, span.blocked),
                false => 0,
            },
            errno: self.errors.remove(&(flow.id.0, span.begin)),
            is_closed: span.is_closed(),
        };
        let (kind, place) = self.kind_and_place(world, span.stack);
        self.places[place].sums.add(&one);
        self.task(Some(flow.kind), flow.name).add(&one);
        let kind = &mut self.kinds[kind];
        kind.sums.add(&one);
        if kind.longest.wants(duration) {
            let longest = SyscallInstance {
                async_task: flow.id.0,
                task_name: world.names().owned(flow.name),
                begin_ns: world.since_begin(span.begin),
                duration_ns: duration,
                worker: (span.proc.0 != u64::MAX).then_some(span.proc.0),
                is_handed_over: blocked > 0,
                errno: one.errno,
                stack: world.names().places(span.stack),
            };
            kind.longest.push(duration, longest);
        }
    }

    fn task(&mut self, kind: Option<GoroutineKind>, name: Text) -> &mut Sums {
        let tasks = &mut self.tasks;
        let place = *self.by_task.entry((kind, name)).or_insert_with(|| {
            tasks.push((kind, name, Sums::default()));
            tasks.len() - 1
        });
        &mut tasks[place].2
    }

    fn kind_and_place(&mut self, world: &World<'_>, stack: Stack) -> (usize, usize) {
        let index = stack.index();
        if self.by_stack.len() <= index {
            self.by_stack.resize(index + 1, None);
        }
        if let Some(known) = self.by_stack[index] {
            return known;
        }
        let (name, limit) = (name(world, stack), self.limit);
        let kinds = &mut self.kinds;
        let kind = *self.by_name.entry(name).or_insert_with(|| {
            kinds.push(Kind {
                name,
                sums: Sums::default(),
                longest: Top::new(limit),
            });
            kinds.len() - 1
        });
        let (at, places) = (place_of_call(world, stack), &mut self.places);
        let place = *self.by_place.entry((at, kind)).or_insert_with(|| {
            places.push(PlaceSums {
                kind,
                place: at,
                stack,
                sums: Sums::default(),
            });
            places.len() - 1
        });
        self.by_stack[index] = Some((kind, place));
        (kind, place)
    }

    /// A flow has ended that the filter lets through.
    pub(crate) fn flow_ends(&mut self, flow: &Flow<'_>) {
        let counted = self.counted.take(flow.id);
        self.add_counted(Some(flow.kind), flow.name, &counted);
    }

    fn add_counted(&mut self, kind: Option<GoroutineKind>, name: Text, counted: &[Counted]) {
        for one in counted {
            one.add_to(&mut self.task(kind, name).calls);
            if self.counted_sums.len() <= one.call {
                self.counted_sums.resize_with(one.call + 1, Calls::default);
            }
            one.add_to(&mut self.counted_sums[one.call]);
        }
    }

    /// `is_filtered`: some flows are left out.
    pub(crate) fn finish(mut self, world: &World<'_>, is_filtered: bool) -> Syscalls {
        let rest = self.counted.take_rest();
        if !is_filtered {
            self.add_counted(None, Text::EMPTY, &rest);
        }
        let names = world.names();
        let mut by_place: Vec<PlaceCalls> = self
            .places
            .into_iter()
            .map(|place| PlaceCalls {
                name: names.owned(self.kinds[place.kind].name),
                place: place.place.map(|at| names.place(&at)),
                calls: place.sums.finish(),
                stack: names.places(place.stack),
            })
            .collect();
        let tasks = self.tasks.into_iter();
        let mut by_task: Vec<TaskCalls> = tasks
            .map(|(kind, name, sums)| TaskCalls {
                name: names.owned(name),
                kind: kind.map(Into::into),
                calls: sums.finish(),
            })
            .collect();
        let mut by_name: Vec<Syscall> = self
            .kinds
            .into_iter()
            .map(|kind| Syscall {
                name: names.owned(kind.name),
                calls: kind.sums.finish(),
                longest: kind.longest.into_items(),
            })
            .collect();
        merge_counted(&mut by_name, self.counted.into_numbers(), self.counted_sums);
        let key = |calls: &Calls| std::cmp::Reverse((calls.all_ns(), calls.all()));
        by_name.sort_by(|a, b| {
            let order = key(&a.calls).cmp(&key(&b.calls));
            order.then_with(|| a.name.cmp(&b.name))
        });
        by_task.sort_by(|a, b| {
            let order = key(&a.calls).cmp(&key(&b.calls));
            order.then_with(|| a.name.cmp(&b.name))
        });
        by_place.sort_by(|a, b| {
            let order = key(&a.calls).cmp(&key(&b.calls));
            order.then_with(|| (&a.place, &a.name).cmp(&(&b.place, &b.name)))
        });
        Syscalls {
            by_name,
            by_task,
            by_place,
        }
    }
}

/// Adds what was only counted to the calls of the same name. `numbers`: of each name, the place of its sums.
fn merge_counted(
    by_name: &mut Vec<Syscall>,
    mut numbers: FxHashMap<String, usize>,
    mut sums: Vec<Calls>,
) {
    let mut sums_of = |number: usize| sums.get_mut(number).map(std::mem::take);
    for call in by_name.iter_mut() {
        let number = numbers.remove(&call.name);
        if let Some(counted) = number.and_then(&mut sums_of) {
            call.calls.counted = counted.counted;
            call.calls.counted_ns = counted.counted_ns;
        }
    }
    let others = numbers.into_iter().filter_map(|(name, number)| {
        Some(Syscall {
            name,
            calls: sums_of(number)?,
            longest: Vec::new(),
        })
    });
    by_name.extend(others);
}

/// The first function of the stack that is no mere entry to the system; the leaf if all are.
fn name(world: &World<'_>, stack: Stack) -> Text {
    let mut functions = world.names().locations(stack).map(|frame| frame.function);
    let leaf = world.names().leaf(stack).map(|leaf| leaf.function);
    let is_entry = |text: &Text| {
        let function = world.names().get(*text);
        ENTRIES.iter().any(|entry| function.starts_with(entry))
    };
    functions
        .find(|text| !is_entry(text))
        .or(leaf)
        .unwrap_or_default()
}

/// The first place below a call that is the program's own; the root if none is.
pub(crate) fn place_of_call(world: &World<'_>, stack: Stack) -> Option<Location> {
    let names = world.names();
    let is_of_go = world.is_of_go();
    // The leaf is the call itself.
    let mut below = names.locations(stack).skip(1);
    let root = names.locations(stack).next_back();
    let is_of_program = |at: &&Location| {
        let function = names.get(at.function);
        match is_of_go {
            true => !LAYERS.iter().any(|layer| function.starts_with(layer)),
            false => crate::names::is_of_program(function),
        }
    };
    below.find(is_of_program).or(root).copied()
}
