//! What a trace that begins in the middle must say first: who runs where, what is open.
//!
//! Statuses give the state of procs and goroutines. The format has none for user tasks and regions, nor for
//! the reason of a wait; so these are begun again. A goroutine that is on no thread is said to run for that
//! on a *carrier*, a thread and a proc that are there anyway, begins what is open, and waits again. The
//! times of all this lie before the window, a nanosecond each.

use std::collections::{BTreeMap, BTreeSet};

use exectrace_format::conventions::TRACE_ID_CATEGORY;
use exectrace_format::{
    Event, GoId, GoState, GoStatus, ProcId, ProcState, ProcStatus, RangeName, RangeScope, StackId,
    StringId, ThreadId,
};
use exectrace_replay::{Goroutine, Proc, Slot, Stack, State, Text, UserTask};

use super::encode::{Encoder, go_status, metric_event, parent_on_the_wire};
use super::names::WrittenNames;
use super::symbolizer::Symbolizer;

/// A thread that no operating system has: where the trace names none that is free.
const NO_SUCH_THREAD: ThreadId = ThreadId(0x7fff_ffff);

/// The most events that the preamble of this state needs, and so nanoseconds before the window; `None` if it
/// has nothing to say.
pub(super) fn events_max(state: &State) -> Option<u64> {
    let (goroutines, procs) = (state.goroutines().alive(), procs(state).len());
    let regions_of = |slot: Slot| state.goroutines().at(slot).regions.len();
    let regions: usize = goroutines.iter().map(|&(_, slot)| regions_of(slot)).sum();
    let entries = 5 * goroutines.len() + 3 * procs + 2 * state.user_tasks().len() + regions;
    (goroutines.len() + procs > 0).then_some(entries as u64 + 16)
}

/// Writes what is going on, from `time_ns` on.
pub(super) fn write<S: Symbolizer>(
    state: &State,
    time_ns: u64,
    encoder: &mut Encoder,
    names: &mut WrittenNames<'_, S>,
) {
    let mut user_tasks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for open in state.user_tasks() {
        let by = state.goroutines().find(open.goroutine);
        let by = by.map(|_| open.goroutine);
        user_tasks.entry(by).or_default().push(open);
    }
    let preamble = Preamble {
        encoder,
        names,
        state,
        goroutines: state.goroutines().alive(),
        procs: procs(state),
        threads: threads(state),
        ranges: Ranges::of(state),
        time_ns,
        user_tasks,
        is_ownerless_written: false,
    };
    preamble.write();
}

/// The procs whose state is known, by their ids. Of others only the name is known so far.
fn procs(state: &State) -> Vec<&Proc> {
    let is_known = |proc: &&Proc| proc.state != ProcState::Undetermined;
    let mut procs: Vec<_> = state.procs().all().iter().filter(is_known).collect();
    procs.sort_unstable_by_key(|proc| proc.id);
    procs
}

/// What a thread holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    proc: Option<ProcId>,
    goroutine: Option<Slot>,
}

fn threads(state: &State) -> BTreeMap<ThreadId, Held> {
    let mut threads: BTreeMap<ThreadId, Held> = BTreeMap::new();
    for (id, thread) in state.threads() {
        threads.entry(id).or_default().proc = thread.proc;
    }
    for (_, slot) in state.goroutines().alive() {
        if let Some(thread) = state.goroutines().at(slot).thread_in_format() {
            threads.entry(thread).or_default().goroutine = Some(slot);
        }
    }
    threads
}

/// The ranges of garbage collection that are open.
#[derive(Debug, Default)]
struct Ranges {
    is_marking: bool,
    sweeping: BTreeSet<ProcId>,
    assisting: BTreeSet<GoId>,
    /// Who stops the world, and why.
    stopping: BTreeMap<GoId, Text>,
}

impl Ranges {
    fn of(state: &State) -> Self {
        let mut ranges = Self::default();
        let assist: RangeName = RangeName::Assist;
        for range in state.ranges() {
            match range.scope {
                RangeScope::Global => ranges.is_marking = true,
                RangeScope::Proc(proc) => drop(ranges.sweeping.insert(proc)),
                RangeScope::Go(go) if state.names().get(range.name) == assist.name() => {
                    ranges.assisting.insert(go);
                }
                RangeScope::Go(go) => drop(ranges.stopping.insert(go, range.reason)),
            }
        }
        ranges
            .assisting
            .retain(|&go| state.goroutines().find(go).is_some());
        ranges
    }
}

/// Where goroutines run one after the other to begin what is open in them.
#[derive(Clone, Copy, Debug)]
struct Carrier {
    thread: ThreadId,
    proc: ProcId,
    /// What the proc is to be after it.
    after: After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The thread goes on to run its own goroutine, if it has one.
    Running,
    /// The thread's own goroutine is in a system call.
    Syscall,
    /// The proc is free.
    Idle,
}

/// Writes the preamble.
struct Preamble<'p, 'a, S> {
    encoder: &'p mut Encoder,
    names: &'p mut WrittenNames<'a, S>,
    state: &'p State,
    /// Those that are alive, by their ids.
    goroutines: Vec<(GoId, Slot)>,
    procs: Vec<&'p Proc>,
    threads: BTreeMap<ThreadId, Held>,
    ranges: Ranges,
    /// The time of the next event.
    time_ns: u64,
    /// Open user tasks by who is to begin them again; `None` for those whose beginner is gone.
    user_tasks: BTreeMap<Option<GoId>, Vec<&'p UserTask>>,
    is_ownerless_written: bool,
}

impl<'p, S: Symbolizer> Preamble<'p, '_, S> {
    fn write(mut self) {
        let carrier = self.carrier();
        let carried = carrier.map_or_else(Vec::new, |carrier| self.carry_all(carrier));
        self.write_threads(carrier);
        self.write_free_procs(carrier);
        self.write_other_goroutines(&carried);
        self.write_ranges();
    }

    fn put(&mut self, thread: ThreadId, event: Event) {
        self.encoder.put(thread, self.time_ns, event);
        self.time_ns += 1;
    }

    fn put_proc(&mut self, thread: ThreadId, proc: ProcId, status: ProcStatus) {
        self.encoder
            .put_proc_status(thread, self.time_ns, proc, status);
        self.time_ns += 1;
    }

    fn put_goroutine(&mut self, thread: ThreadId, go: GoId, status: GoStatus, stack: StackId) {
        self.encoder
            .put_go_status(thread, self.time_ns, go, status, stack);
        self.time_ns += 1;
    }

    fn text(&mut self, text: Text) -> StringId {
        let writer = &mut self.encoder.writer;
        self.names.text(text, self.state.names(), writer)
    }

    fn stack(&mut self, stack: Stack) -> StackId {
        let writer = &mut self.encoder.writer;
        self.names.stack(stack, self.state.names(), writer)
    }

    /// A stack by which readers name the goroutine.
    fn name_stack(&mut self, goroutine: &Goroutine) -> StackId {
        self.stack(goroutine.first_stack)
    }

    fn goroutine(&self, slot: Slot) -> &'p Goroutine {
        self.state.goroutines().at(slot)
    }

    /// Whether a goroutine is in a system call for which it still has the proc. One that has come to its proc
    /// in the call, on its way back from C, runs as far as the proc is concerned.
    fn is_in_syscall(&self, proc: ProcId) -> bool {
        self.state.goroutine_in_syscall(proc).is_some()
    }

    /// A thread with a proc, best one that is running.
    fn carrier(&self) -> Option<Carrier> {
        let held = |after: After| {
            self.threads.iter().find_map(|(&thread, &held)| {
                let proc = held.proc?;
                let is = match self.is_in_syscall(proc) {
                    true => After::Syscall,
                    false => After::Running,
                };
                (is == after).then_some(())?;
                Some(Carrier {
                    thread,
                    proc,
                    after,
                })
            })
        };
        let free = || {
            let proc = self.procs.iter().find(|proc| proc.holder.is_none())?;
            let is_free = |held: &Held| held.proc.is_none() && held.goroutine.is_none();
            let thread = self.threads.iter().find(|(_, held)| is_free(held));
            Some(Carrier {
                thread: thread.map_or(NO_SUCH_THREAD, |(&thread, _)| thread),
                proc: proc.id,
                after: After::Idle,
            })
        };
        held(After::Running)
            .or_else(free)
            .or_else(|| held(After::Syscall))
    }

    /// Writes the goroutines of which there is more to say than a state, and gives back which.
    fn carry_all(&mut self, carrier: Carrier) -> Vec<GoId> {
        let Carrier { thread, proc, .. } = carrier;
        match carrier.after {
            After::Running | After::Syscall => self.put_proc(thread, proc, ProcStatus::Running),
            After::Idle => {
                self.put_proc(ThreadId::NONE, proc, ProcStatus::Idle);
                let seq = self.encoder.proc_seq(proc);
                self.put(thread, Event::ProcStart { proc, seq });
            }
        }
        let mut carried = Vec::new();
        for (id, slot) in self.goroutines.clone() {
            let goroutine = self.goroutine(slot);
            let has_more = wait(goroutine).is_some()
                || !goroutine.regions.is_empty()
                || goroutine.label != Text::EMPTY
                || self.user_tasks.contains_key(&Some(id));
            if is_off_thread(goroutine) && has_more {
                self.carry(thread, goroutine);
                carried.push(id);
            }
        }
        if carrier.after == After::Idle {
            self.put(thread, Event::ProcStop);
        }
        carried
    }

    /// Writes one goroutine that is on no thread.
    fn carry(&mut self, thread: ThreadId, goroutine: &Goroutine) {
        let stack = self.name_stack(goroutine);
        self.put_goroutine(thread, goroutine.id, GoStatus::Running, stack);
        self.write_open(thread, goroutine);
        let (reason, stack) = match wait(goroutine) {
            Some((reason, stack)) => (self.text(reason), self.stack(stack)),
            None => (Default::default(), stack),
        };
        let event = match goroutine.state_in_format() {
            GoState::Runnable => Event::GoStop { reason, stack },
            _ => Event::GoBlock { reason, stack },
        };
        self.put(thread, event);
    }

    /// Writes what belongs to no goroutine that is alive, once, on a thread that runs one: the values of
    /// quantities, and user tasks whose beginner is gone.
    fn write_ownerless(&mut self, thread: ThreadId) {
        if std::mem::replace(&mut self.is_ownerless_written, true) {
            return;
        }
        let mut metrics = self.state.metrics().to_vec();
        metrics.sort_unstable_by_key(|(metric, _)| metric.name());
        for (metric, value) in metrics {
            if let Some(event) = metric_event(metric, value, StackId::NONE) {
                self.put(thread, event);
            }
        }
        self.write_user_tasks(thread, None);
    }

    /// Begins the user tasks again that were begun by this goroutine, or by those that are gone.
    fn write_user_tasks(&mut self, thread: ThreadId, by: Option<GoId>) {
        for open in self.user_tasks.remove(&by).unwrap_or_default() {
            let event = Event::UserTaskBegin {
                task: open.id,
                parent: parent_on_the_wire(open.parent),
                name: self.text(open.name),
                stack: self.stack(open.stack),
            };
            self.put(thread, event);
            self.write_trace_id(thread, open);
        }
    }

    /// Says again which distributed trace a user task is a part of. Where its parent is written, too, and has
    /// the same id, that suffices.
    fn write_trace_id(&mut self, thread: ThreadId, open: &UserTask) {
        let parent = self.state.user_task(open.parent);
        let is_said = open.is_trace_id_inherited
            && parent.is_some_and(|parent| parent.trace_id == open.trace_id);
        if let Some(trace_id) = open.trace_id.filter(|_| !is_said) {
            let writer = &mut self.encoder.writer;
            let event = Event::UserLog {
                task: open.id,
                category: writer.string(TRACE_ID_CATEGORY),
                message: writer.string(&trace_id.to_string()),
                stack: StackId::NONE,
            };
            self.put(thread, event);
        }
    }

    /// Writes what is open in a goroutine that runs on this thread.
    fn write_open(&mut self, thread: ThreadId, goroutine: &Goroutine) {
        self.write_ownerless(thread);
        self.write_user_tasks(thread, Some(goroutine.id));
        if goroutine.label != Text::EMPTY {
            let label = self.text(goroutine.label);
            self.put(thread, Event::GoLabel { label });
        }
        for region in &goroutine.regions {
            let event = Event::UserRegionBegin {
                task: region.user_task,
                name: self.text(region.name),
                stack: self.stack(region.stack),
            };
            self.put(thread, event);
        }
        if let Some(&reason) = self.ranges.stopping.get(&goroutine.id) {
            let (kind, stack) = (self.text(reason), StackId::NONE);
            self.put(thread, Event::StwBegin { kind, stack });
        }
    }

    /// Writes the procs and goroutines that threads hold.
    fn write_threads(&mut self, carrier: Option<Carrier>) {
        for (thread, held) in std::mem::take(&mut self.threads) {
            let carrier = carrier.filter(|carrier| carrier.thread == thread);
            let in_syscall = held.proc.is_some_and(|proc| self.is_in_syscall(proc));
            let is_carrier = carrier.is_some_and(|carrier| Some(carrier.proc) == held.proc);
            if let Some(proc) = held.proc.filter(|_| !is_carrier) {
                let status = match in_syscall {
                    true => ProcStatus::Syscall,
                    false => ProcStatus::Running,
                };
                self.put_proc(thread, proc, status);
            }
            let Some(goroutine) = held.goroutine.map(|slot| self.goroutine(slot)) else {
                continue;
            };
            let (id, stack) = (goroutine.id, self.name_stack(goroutine));
            // The carrier's proc was said to run, for the others.
            let begins_call = in_syscall && is_carrier;
            let status = match goroutine.state_in_format() {
                GoState::Syscall if !begins_call => GoStatus::Syscall,
                _ => GoStatus::Running,
            };
            self.put_goroutine(thread, id, status, stack);
            let Some(proc) = held.proc else { continue };
            self.write_open(thread, goroutine);
            if begins_call {
                let proc_seq = self.encoder.proc_seq(proc);
                self.put(thread, Event::GoSyscallBegin { proc_seq, stack });
            }
        }
    }

    /// Writes the procs that no thread holds.
    fn write_free_procs(&mut self, carrier: Option<Carrier>) {
        for proc in self.procs.clone() {
            let is_carrier = carrier.is_some_and(|carrier| carrier.proc == proc.id);
            if proc.holder.is_none() && !is_carrier {
                self.put_proc(ThreadId::NONE, proc.id, ProcStatus::Idle);
            }
        }
    }

    /// Writes the goroutines that are on no thread and were not carried.
    fn write_other_goroutines(&mut self, carried: &[GoId]) {
        for (id, slot) in self.goroutines.clone() {
            let goroutine = self.goroutine(slot);
            let status = go_status(goroutine.state_in_format());
            if let Some(status) = status.filter(|_| is_off_thread(goroutine))
                && carried.binary_search(&id).is_err()
            {
                let stack = self.name_stack(goroutine);
                self.put_goroutine(ThreadId::NONE, id, status, stack);
            }
        }
    }

    /// Writes the parts of a collection that go on.
    fn write_ranges(&mut self) {
        let ranges = std::mem::take(&mut self.ranges);
        for proc in ranges.sweeping {
            self.put(ThreadId::NONE, Event::GcSweepActive { proc });
        }
        for go in ranges.assisting {
            self.put(ThreadId::NONE, Event::GcMarkAssistActive { go });
        }
        // In the first generation it needs no thread, as nobody knows yet who began it.
        if ranges.is_marking {
            let seq = self.encoder.collector_seq();
            self.put(ThreadId::NONE, Event::GcActive { seq });
        }
    }
}

fn is_off_thread(goroutine: &Goroutine) -> bool {
    let state = goroutine.state_in_format();
    matches!(state, GoState::Waiting | GoState::Runnable)
}

/// Why and where a goroutine waits, if it also does in the format.
fn wait(goroutine: &Goroutine) -> Option<(Text, Stack)> {
    let wait = goroutine.wait()?;
    (goroutine.state_in_format() == GoState::Waiting).then_some(wait)
}
