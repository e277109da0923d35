//! What analyses may look at beside the flow concerned.

use std::ops::{Deref, DerefMut};

use exectrace_format::ProcId;
use exectrace_format::conventions::UNKNOWN_FILE;
use exectrace_replay::{Clip, Location, Names, Stack, State, Text, between};

use crate::names::{Place, Places, is_of_go_runtime, is_of_program};
use crate::overview::Facts;
use crate::workers::is_workers_name;

use super::procs::Lanes;
use super::slack::Slack;

/// What is counted of the trace as a whole.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) lanes: Lanes,
    pub(crate) facts: Facts,
    pub(crate) slack: Slack,
    /// The time of the first event.
    pub(crate) begin: i64,
    /// The time of the current event.
    pub(crate) now: i64,
    pub(crate) clip: Clip,
    /// Why a thread's own code waits while the thread polls async tasks.
    pub(super) polling_tasks: Text,
}

/// The state of the trace, and what was counted so far.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) state: &'a State,
    pub(crate) totals: &'a mut Totals,
}

impl Deref for World<'_> {
    type Target = Totals;

    #[inline]
    fn deref(&self) -> &Totals {
        self.totals
    }
}

impl DerefMut for World<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Totals {
        self.totals
    }
}

impl World<'_> {
    #[inline]
    pub(crate) fn names(&self) -> &Names {
        self.state.names()
    }

    /// Whether the traced program is Go's.
    pub(crate) fn is_of_go(&self) -> bool {
        self.state.is_of_go()
    }

    /// Whether tasks of this name belong to Go itself.
    pub(crate) fn is_of_go_runtime(&self, name: &str) -> bool {
        self.is_of_go() && is_of_go_runtime(name)
    }

    /// Whether the trace shows system calls: those of Go do, ours do where they were recorded.
    pub(crate) fn sees_syscalls(&self) -> bool {
        self.facts.seen.syscalls || self.facts.sources.has_calls() || self.is_of_go()
    }

    /// Whether any task may run on the proc, as opposed to a thread's own: so it is with Go's workers,
    /// which have no names, and with those of async runtimes.
    pub(crate) fn is_shared_lane(&self, proc: u64) -> bool {
        match self.state.proc_name(ProcId(proc)) {
            "" => self.is_of_go(),
            name => is_workers_name(name),
        }
    }

    /// The pool of the proc, if its tasks may run on other procs of it: the workers of one runtime, as far
    /// as names say, or all of Go's.
    #[inline]
    pub(super) fn pool(&mut self, proc: u64) -> Option<u32> {
        match self.totals.facts.known_pool(proc) {
            Some(pool) => pool,
            None => self.new_pool(proc),
        }
    }

    #[cold]
    fn new_pool(&mut self, proc: u64) -> Option<u32> {
        let name = self.state.proc_name(ProcId(proc));
        let runtime = name.rsplit_once(" worker ").map_or("", |(name, _)| name);
        let runtime = self.is_shared_lane(proc).then_some(runtime);
        self.totals.facts.add_pool(proc, runtime)
    }

    /// The place of a stack that says most of the program: of Go's as [`Place::of_program`], elsewhere
    /// the first outside Tokio and the standard library, or the leaf.
    pub(crate) fn place_of_program(&self, stack: Stack) -> Option<Place> {
        let names = self.names();
        if self.is_of_go() {
            return names.place_of_program(stack);
        }
        // A call of the C library is the only function without a path that has no file.
        let is_call = |at: &Location| {
            names.get(at.file) == UNKNOWN_FILE && !names.get(at.function).contains("::")
        };
        let is_of_program = |at: &&Location| is_of_program(names.get(at.function)) && !is_call(at);
        let first = names.locations(stack).find(is_of_program);
        let shown = first.or_else(|| names.leaf(stack))?;
        Some(names.place(shown))
    }

    /// As [`place_of_program`](Self::place_of_program), of a task with this root frame: where that alone is
    /// known, the place of the spawn comes apart, second. Of Go the root is the function that runs.
    pub(crate) fn place_in_task(
        &self,
        stack: Stack,
        root: Option<Location>,
    ) -> (Option<Place>, Option<Place>) {
        let place = self.place_of_program(stack);
        let root = root.map(|root| self.names().place(&root));
        match (place, self.is_of_go()) {
            (place, true) => (place.or(root), None),
            (Some(place), false) if root.as_ref() != Some(&place) => (Some(place), None),
            (_, false) => (None, root),
        }
    }

    /// Nanoseconds since the begin of the trace.
    pub(crate) fn since_begin(&self, time: i64) -> u64 {
        between(self.begin, time)
    }
}
