//! The goroutines that are alive at an instant.

use exectrace_format::{GoId, GoState, ProcId, TaskId, ThreadId};

use crate::names::{Location, Stack, Text};

use super::index::Index;
use super::regions::Region;
use super::span::{GoroutineState, Next, Origin, StateSpan};

/// A goroutine's index among those alive. It is given to another when the goroutine has ended, so an
/// array by slots is as long as the most goroutines that were alive at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(crate) u32);

impl Slot {
    /// The slot as an index of an array.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a goroutine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GoroutineKind {
    /// An async task, or a goroutine of a Go program.
    #[default]
    Task,
    /// A thread's own code: what it runs outside all async tasks. While it is
    /// [`GoroutineState::Running`] it has its thread; whether it runs then, sleeps or waits for a lock is
    /// not in the trace.
    Thread,
}

/// A goroutine at an instant: an async task, a thread's own code, or a goroutine of a Go program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Goroutine {
    /// Its id.
    pub id: GoId,
    /// The function of its root frame; empty while no stack of its own was seen.
    pub name: Text,
    /// The root frame of its own stacks.
    pub root: Option<Location>,
    /// The first stack of its own, whose root names it.
    pub first_stack: Stack,
    /// Its label.
    pub label: Text,
    /// What it is.
    pub kind: GoroutineKind,
    /// Who made it; `None` if it lived before the trace.
    pub parent: Option<GoId>,
    /// Where it was made.
    pub spawned_at: Stack,
    /// When it was made; for those that lived before, when the generation began that reports it first.
    pub created: i64,
    /// When it first ran.
    pub started: Option<i64>,
    /// When it ended, or began to wait forever.
    pub ended: Option<i64>,
    /// The state it is in.
    pub state: GoroutineState,
    /// Since when.
    pub since: i64,
    /// In a system call: when its proc was taken away.
    pub proc_lost: Option<i64>,
    /// What was before this state.
    pub origin: Origin,
    /// Why it came into this state.
    pub reason: Text,
    /// The stack of the event that brought it there.
    pub stack: Stack,
    /// Its own stack there, if the event had that.
    pub own_stack: Stack,
    /// Who brought it there.
    pub actor: GoId,
    /// The proc of the thread on which that happened, or [`ProcId::NONE`].
    pub proc: ProcId,
    /// The thread on which that happened, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// It was woken, and the wake was not seen but concluded from the run that follows.
    pub is_wake_concluded: bool,
    /// It waits in a call of the C library and keeps its thread meanwhile: it sleeps there, or waits for another
    /// thread. Or it waited so, and is about to run on.
    pub waits_in_call: bool,
    /// Open regions, the outermost first.
    pub regions: Vec<Region>,
    /// How many of its regions have ended whose begin is not in the trace.
    pub regions_without_begin: u64,
    /// The user task of the region in which it was spawned.
    pub inherited_user_task: TaskId,
    /// Its state as the format has it, which has runs that the goroutine never had.
    pub(crate) in_format: GoState,
    /// The thread that the format has it on.
    pub(crate) thread_in_format: ThreadId,
}

impl Goroutine {
    fn new(id: GoId) -> Self {
        Self {
            id,
            name: Text::EMPTY,
            root: None,
            first_stack: Stack::NONE,
            label: Text::EMPTY,
            kind: GoroutineKind::Task,
            parent: None,
            spawned_at: Stack::NONE,
            created: 0,
            started: None,
            ended: None,
            state: GoroutineState::Unknown,
            since: 0,
            proc_lost: None,
            origin: Origin::Before,
            reason: Text::EMPTY,
            stack: Stack::NONE,
            own_stack: Stack::NONE,
            actor: GoId::NONE,
            proc: ProcId::NONE,
            thread: ThreadId::NONE,
            is_wake_concluded: false,
            waits_in_call: false,
            regions: Vec::new(),
            regions_without_begin: 0,
            inherited_user_task: TaskId::BACKGROUND,
            in_format: GoState::Undetermined,
            thread_in_format: ThreadId::NONE,
        }
    }

    /// Whether it is a thread's own code and has its thread. What the code does then (run, sleep, wait for
    /// a lock) is not in the trace.
    #[inline]
    pub fn is_own_code(&self) -> bool {
        self.kind == GoroutineKind::Thread
            && matches!(
                self.state,
                GoroutineState::Running | GoroutineState::Runnable
            )
    }

    /// Whether it is in a call of the C library, or in a system call of Go's.
    #[inline]
    pub fn is_in_call(&self) -> bool {
        match self.state {
            GoroutineState::Syscall => true,
            GoroutineState::Waiting => self.waits_in_call,
            _ => false,
        }
    }

    /// The call that it is in was made here.
    pub(crate) fn is_called_at(&mut self, stack: Stack) {
        (self.stack, self.own_stack) = (stack, stack);
    }

    /// Whether it lived before the trace.
    #[inline]
    pub fn is_older_than_trace(&self) -> bool {
        self.parent.is_none()
    }

    /// The user task it works for: that of the innermost region, else the inherited one.
    #[inline]
    pub fn user_task(&self) -> TaskId {
        let innermost = self.regions.last();
        innermost.map_or(self.inherited_user_task, |region| region.user_task)
    }

    /// Whether it has begun to wait forever, which Go reports of goroutines that are dead.
    #[inline]
    pub fn waits_forever(&self) -> bool {
        self.state == GoroutineState::Waiting && self.ended.is_some()
    }

    /// Why and where it waits, if it ran before, be it in a poll that began before the trace.
    pub fn wait(&self) -> Option<(Text, Stack)> {
        let came_from_run = matches!(
            self.origin,
            Origin::From(GoroutineState::Running | GoroutineState::Unknown)
        );
        (self.state == GoroutineState::Waiting && came_from_run)
            .then_some((self.reason, self.own_stack))
    }

    /// Its state as the format has it. It differs from [`state`](Self::state) where that is not known and
    /// the format had to say something, and in the instant of a run that the format asks for before a
    /// goroutine can end.
    #[inline]
    pub fn state_in_format(&self) -> GoState {
        self.in_format
    }

    /// The thread that it has by [`state_in_format`](Self::state_in_format).
    pub fn thread_in_format(&self) -> Option<ThreadId> {
        let has_one = matches!(self.in_format, GoState::Running | GoState::Syscall);
        (has_one && self.thread_in_format != ThreadId::NONE).then_some(self.thread_in_format)
    }

    /// The time that it has spent in its state until `end`.
    #[inline]
    pub fn span_until(&self, end: i64) -> StateSpan<'_> {
        StateSpan {
            goroutine: self,
            begin: self.since,
            end,
            blocked: self.proc_lost.unwrap_or(end),
            next: Next::TraceEnd,
            end_reason: Text::EMPTY,
            end_stack: Stack::NONE,
            own_end_stack: Stack::NONE,
            is_own_code: self.is_own_code(),
            enters_call: false,
        }
    }
}

/// The goroutines that are alive.
#[derive(Clone, Debug, Default)]
pub struct Goroutines {
    all: Vec<Goroutine>,
    free: Vec<Slot>,
    index: Index,
    seen: u64,
}

impl Goroutines {
    /// The slot of a goroutine that is alive.
    #[inline]
    pub fn find(&self, id: GoId) -> Option<Slot> {
        self.index.get(id.0).map(Slot)
    }

    /// A goroutine that is alive.
    #[inline]
    pub fn get(&self, id: GoId) -> Option<&Goroutine> {
        self.all.get(self.find(id)?.index())
    }

    /// The goroutine in a slot that an [`Observer`](crate::Observer) of this replay was given.
    ///
    /// # Panics
    ///
    /// The slot is of another replay, in which more goroutines were alive.
    #[inline]
    pub fn at(&self, slot: Slot) -> &Goroutine {
        &self.all[slot.index()]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: Slot) -> &mut Goroutine {
        &mut self.all[slot.index()]
    }

    /// How many there were in all so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Those that are alive, by their ids. Sorts them.
    pub fn alive(&self) -> Vec<(GoId, Slot)> {
        let all = self
            .all
            .iter()
            .zip(0..)
            .map(|(goroutine, slot)| (goroutine.id, Slot(slot)));
        let mut alive: Vec<_> = all
            .filter(|&(id, slot)| self.find(id) == Some(slot))
            .collect();
        alive.sort_unstable();
        alive
    }

    /// Adds one; what was known under the same id is replaced.
    pub(crate) fn add(&mut self, id: GoId) -> Slot {
        self.seen += 1;
        let new = Goroutine::new(id);
        let slot = match self.find(id).or_else(|| self.free.pop()) {
            Some(slot) => {
                self.all[slot.index()] = new;
                slot
            }
            None => {
                self.all.push(new);
                // Each takes bytes in the file, so there are fewer than 2^32 at a time.
                Slot((self.all.len() - 1) as u32)
            }
        };
        self.index.insert(id.0, slot.0);
        slot
    }

    /// Takes one out that has ended.
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.index.remove(self.at(slot).id.0);
        self.free.push(slot);
    }
}
