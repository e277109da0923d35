//! All that is known at an instant of the trace.

mod goroutines;
mod index;
mod procs;
mod regions;
mod span;
mod user_tasks;

use exectrace_format::conventions::{
    FOREVER, POLLED_BEFORE, TRACE_ID_CATEGORY, TraceId, UNKNOWN_FILE, WAITING_CALLS, WAKE_NOT_SEEN,
};
use exectrace_format::{GoId, GoState, Metric, ProcId, RangeScope, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use crate::names::{Names, Stack, Text};

pub use goroutines::{Goroutine, GoroutineKind, Goroutines, Slot};
pub use index::Index;
pub use procs::{Proc, ProcChange, Procs, Thread};
pub use regions::{End, EndedRegion, Region};
pub use span::{GoroutineState, Next, Origin, StateSpan, between};
pub use user_tasks::{Range, UserTask};

/// Texts by which the trace marks what was not seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub(crate) wake_not_seen: Text,
    pub(crate) polled_before: Text,
    pub(crate) forever: Text,
    pub(crate) trace_id: Text,
    /// The first of the calls in which one waits; the others follow it.
    first_waiting_call: Text,
    unknown_file: Text,
}

impl Marks {
    fn new(names: &mut Names) -> Self {
        // Nothing else is there yet, so each of them is a new text.
        let waiting_calls = WAITING_CALLS.map(|call| names.intern(call));
        Self {
            first_waiting_call: waiting_calls[0],
            unknown_file: names.intern(UNKNOWN_FILE),
            wake_not_seen: names.intern(WAKE_NOT_SEEN),
            polled_before: names.intern(POLLED_BEFORE),
            forever: names.intern(FOREVER),
            trace_id: names.intern(TRACE_ID_CATEGORY),
        }
    }

    /// Whether the stack ends in a call of the C library in which one waits.
    #[inline]
    pub(crate) fn ends_in_waiting_call(&self, names: &Names, stack: Stack) -> bool {
        let first = self.first_waiting_call.index();
        let number = names.leaf_function(stack).index().wrapping_sub(first);
        // Few functions of the program are called so, and all have a file.
        let is_of_library = || names.leaf(stack).map(|leaf| leaf.file) == Some(self.unknown_file);
        number < WAITING_CALLS.len() && is_of_library()
    }
}

/// All that is known at an instant: who is alive, in which state, and what is open.
///
/// A clone of it is a part of a [`Checkpoint`](crate::Checkpoint), from which a [`Replay`](crate::Replay) can
/// go on. Memory: what is open, and the [`Names`] of the trace.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) names: Names,
    pub(crate) goroutines: Goroutines,
    pub(crate) procs: Procs,
    pub(crate) threads: FxHashMap<ThreadId, Thread>,
    pub(crate) user_tasks: FxHashMap<TaskId, UserTask>,
    /// Some user task has said which distributed trace it is a part of.
    has_trace_ids: bool,
    pub(crate) ranges: FxHashMap<(RangeScope, Text), Range>,
    /// A few at most, in the order in which they were first reported.
    pub(crate) metrics: Vec<(Metric, u64)>,
    /// The true begins of user tasks that began before the trace, reported before the tasks themselves.
    pub(crate) began_before: FxHashMap<TaskId, i64>,
    /// Where calls are made that begin in this generation, by who makes them and when: what the events of their
    /// begins do not say.
    pub(crate) calls_ahead: FxHashMap<(GoId, i64), Stack>,
    /// The recorder's own proc.
    pub(crate) recorder: Option<ProcId>,
    /// The trace says who wrote it, or what its procs are called. Go's traces do not.
    pub(crate) is_described: bool,
    pub(crate) marks: Marks,
    pub(crate) has_begun: bool,
    pub(crate) begin: i64,
    pub(crate) generation_begin: i64,
    pub(crate) now: i64,
    pub(crate) goroutine: GoId,
    pub(crate) proc: ProcId,
    pub(crate) thread: ThreadId,
}

impl State {
    pub(crate) fn new() -> Self {
        let mut names = Names::new();
        Self {
            marks: Marks::new(&mut names),
            names,
            goroutines: Goroutines::default(),
            procs: Procs::default(),
            threads: FxHashMap::default(),
            user_tasks: FxHashMap::default(),
            has_trace_ids: false,
            ranges: FxHashMap::default(),
            metrics: Vec::new(),
            began_before: FxHashMap::default(),
            calls_ahead: FxHashMap::default(),
            recorder: None,
            is_described: false,
            has_begun: false,
            begin: 0,
            generation_begin: 0,
            now: 0,
            goroutine: GoId::NONE,
            proc: ProcId::NONE,
            thread: ThreadId::NONE,
        }
    }

    /// The texts and stacks of the trace so far.
    #[inline]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The texts and stacks, to add some.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// The goroutines that are alive.
    #[inline]
    pub fn goroutines(&self) -> &Goroutines {
        &self.goroutines
    }

    /// The procs.
    pub fn procs(&self) -> &Procs {
        &self.procs
    }

    /// A thread that held a proc, or has a name.
    pub fn thread(&self, id: ThreadId) -> Option<&Thread> {
        self.threads.get(&id)
    }

    /// All threads that held a proc or have a name, in no particular order.
    pub fn threads(&self) -> impl Iterator<Item = (ThreadId, &Thread)> {
        self.threads.iter().map(|(&id, thread)| (id, thread))
    }

    /// A user task that is open.
    pub fn user_task(&self, id: TaskId) -> Option<&UserTask> {
        self.user_tasks.get(&id)
    }

    /// The user tasks that are open, by their ids. Sorts them.
    pub fn user_tasks(&self) -> Vec<&UserTask> {
        let mut open: Vec<_> = self.user_tasks.values().collect();
        open.sort_unstable_by_key(|user_task| user_task.id);
        open
    }

    /// The distributed trace of a user task that is open.
    pub(crate) fn trace_id_of(&self, id: TaskId) -> Option<TraceId> {
        match self.has_trace_ids {
            true => self.user_tasks.get(&id)?.trace_id,
            false => None,
        }
    }

    /// A user task's log says which distributed trace it is a part of. What carries a span is a part of another.
    pub(crate) fn set_trace_id(&mut self, id: TaskId, text: &str) {
        let Some(trace_id) = TraceId::parse(text) else {
            return;
        };
        let mut next = Some(id);
        while let Some(open) = next.and_then(|id| self.user_tasks.get_mut(&id)) {
            if open.trace_id.is_none() || open.is_trace_id_inherited {
                open.trace_id = Some(trace_id);
                open.is_trace_id_inherited = false;
                self.has_trace_ids = true;
            }
            // Parents have the smaller ids, so this ends whatever the trace says.
            next = Some(open.parent).filter(|parent| open.carries_span && *parent < open.id);
        }
    }

    /// The ranges of garbage collection that are open, in no particular order.
    pub fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.ranges.values()
    }

    /// The time of the first event, in nanoseconds on the clock of the trace.
    #[inline]
    pub fn begin(&self) -> i64 {
        self.begin
    }

    /// When the current generation began.
    #[inline]
    pub fn generation_begin(&self) -> i64 {
        self.generation_begin
    }

    /// The time of the current event.
    #[inline]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The goroutine on whose thread the current event happens, or [`GoId::NONE`].
    #[inline]
    pub fn goroutine(&self) -> GoId {
        self.goroutine
    }

    /// The proc of the thread on which the current event happens, or [`ProcId::NONE`].
    #[inline]
    pub fn current_proc(&self) -> ProcId {
        self.proc
    }

    /// The thread on which the current event happens, or [`ThreadId::NONE`].
    #[inline]
    pub fn current_thread(&self) -> ThreadId {
        self.thread
    }

    /// The name of a proc, as the recorder reported it; empty where none is known.
    pub fn proc_name(&self, id: ProcId) -> &str {
        let proc = self.procs.get(id);
        proc.map_or("", |proc| self.names.get(proc.name))
    }

    /// The name of a thread, as the recorder reported it; empty where none is known.
    pub fn thread_name(&self, id: ThreadId) -> &str {
        let thread = self.threads.get(&id);
        thread.map_or("", |thread| self.names.get(thread.name))
    }

    /// Whether the traced program is Go's: its traces do not say who wrote them or what their procs are
    /// called.
    #[inline]
    pub fn is_of_go(&self) -> bool {
        !self.is_described
    }

    /// The proc on which the recorder shows what it concluded.
    #[inline]
    pub fn recorder_proc(&self) -> Option<ProcId> {
        self.recorder
    }

    /// The goroutine that is in a system call and still holds this proc.
    pub fn goroutine_in_syscall(&self, proc: ProcId) -> Option<&Goroutine> {
        let slot = self.procs.get(proc)?.in_syscall?;
        Some(self.goroutines.at(slot)).filter(|goroutine| goroutine.in_format == GoState::Syscall)
    }

    /// The last value of each quantity that the trace has reported.
    pub fn metrics(&self) -> &[(Metric, u64)] {
        &self.metrics
    }

    /// Where a call is made that began before this generation, or begins in it.
    pub(crate) fn call_was_made_at(&mut self, go: GoId, begin: i64, stack: Stack) {
        if begin >= self.generation_begin {
            self.calls_ahead.insert((go, begin), stack);
        } else if let Some(slot) = self.goroutines.find(go)
            && self.goroutines.at(slot).is_in_call()
        {
            self.goroutines.at_mut(slot).is_called_at(stack);
        }
    }

    pub(crate) fn set_metric(&mut self, metric: Metric, value: u64) {
        match self.metrics.iter_mut().find(|(known, _)| *known == metric) {
            Some((_, last)) => *last = value,
            None => self.metrics.push((metric, value)),
        }
    }
}
