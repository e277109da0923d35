//! The scheduling rules: who runs where, and what may follow what.
//!
//! Goroutines and procs obey the same rules, so both are [`Scheduled`]s of one machine.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use crate::ids::{GoId, ProcId, ThreadId};
use crate::read::{GoState, ProcState};

use super::violation::Rule;

/// What is scheduled: goroutines or procs.
pub(super) trait Scheduled {
    /// The id of one of them.
    type Id: Copy + Eq + Hash + fmt::Debug;
    /// The state of one of them.
    type State: Copy + Eq + fmt::Debug;

    fn is_undetermined(state: Self::State) -> bool;
    fn is_gone(state: Self::State) -> bool;
    /// Whether a thread is taken up by it.
    fn is_executing(state: Self::State) -> bool;

    fn to_undetermined(id: Self::Id) -> Rule;
    fn late(id: Self::Id) -> Rule;
    fn wrong_state(id: Self::Id, found: Self::State, known: Self::State) -> Rule;
    fn unknown(id: Self::Id, found: Self::State) -> Rule;
    fn busy_thread(id: Self::Id, other: Self::Id) -> Rule;
    fn not_on_thread(id: Self::Id, other: Option<Self::Id>) -> Rule;
    fn unbound(id: Self::Id) -> Rule;
}

/// The rules of goroutines.
#[derive(Debug, Default)]
pub(super) struct GoroutineRules;

/// The rules of procs.
#[derive(Debug, Default)]
pub(super) struct ProcRules;

impl Scheduled for GoroutineRules {
    type Id = GoId;
    type State = GoState;

    fn is_undetermined(state: GoState) -> bool {
        state == GoState::Undetermined
    }

    fn is_gone(state: GoState) -> bool {
        state == GoState::NotExist
    }

    fn is_executing(state: GoState) -> bool {
        matches!(state, GoState::Running | GoState::Syscall)
    }

    fn to_undetermined(id: GoId) -> Rule {
        Rule::GoToUndetermined(id)
    }

    fn late(id: GoId) -> Rule {
        Rule::LateGo(id)
    }

    fn wrong_state(go: GoId, found: GoState, known: GoState) -> Rule {
        Rule::GoState { go, found, known }
    }

    fn unknown(go: GoId, found: GoState) -> Rule {
        Rule::UnknownGo { go, found }
    }

    fn busy_thread(go: GoId, other: GoId) -> Rule {
        Rule::GoOnBusyThread { go, other }
    }

    fn not_on_thread(go: GoId, other: Option<GoId>) -> Rule {
        let other = other.unwrap_or(GoId::NONE);
        Rule::GoNotOnThread { go, other }
    }

    fn unbound(id: GoId) -> Rule {
        Rule::GoUnbound(id)
    }
}

impl Scheduled for ProcRules {
    type Id = ProcId;
    type State = ProcState;

    fn is_undetermined(state: ProcState) -> bool {
        state == ProcState::Undetermined
    }

    fn is_gone(state: ProcState) -> bool {
        state == ProcState::NotExist
    }

    fn is_executing(state: ProcState) -> bool {
        state == ProcState::Running
    }

    fn to_undetermined(id: ProcId) -> Rule {
        Rule::ProcToUndetermined(id)
    }

    fn late(id: ProcId) -> Rule {
        Rule::LateProc(id)
    }

    fn wrong_state(proc: ProcId, found: ProcState, known: ProcState) -> Rule {
        Rule::ProcState { proc, found, known }
    }

    fn unknown(proc: ProcId, found: ProcState) -> Rule {
        Rule::UnknownProc { proc, found }
    }

    fn busy_thread(proc: ProcId, other: ProcId) -> Rule {
        Rule::ProcOnBusyThread { proc, other }
    }

    fn not_on_thread(proc: ProcId, other: Option<ProcId>) -> Rule {
        let other = other.unwrap_or(ProcId::NONE);
        Rule::ProcNotOnThread { proc, other }
    }

    fn unbound(id: ProcId) -> Rule {
        Rule::ProcUnbound(id)
    }
}

/// Where a transition happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransitionContext {
    /// The thread, or [`ThreadId::NONE`].
    pub(super) thread: ThreadId,
    /// Whether there need not be one.
    pub(super) is_lenient: bool,
    /// Whether the first generation is over.
    pub(super) is_late: bool,
}

/// All goroutines, or all procs, and the threads they are on.
#[derive(Debug)]
pub(super) struct StateMachine<K: Scheduled> {
    /// The state of each, and the thread that it takes up.
    known: HashMap<K::Id, (K::State, Option<ThreadId>)>,
    by_thread: HashMap<ThreadId, K::Id>,
}

impl<K: Scheduled> Default for StateMachine<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            by_thread: HashMap::new(),
        }
    }
}

impl<K: Scheduled> StateMachine<K> {
    /// Forgets what is gone. It is kept while a status may still contradict it, which is in the
    /// first generation.
    pub(super) fn end_first_generation(&mut self) {
        self.known.retain(|_, (state, _)| !K::is_gone(*state));
    }

    /// Takes in a transition; `report` is called with what is wrong with it.
    pub(super) fn change(
        &mut self,
        id: K::Id,
        (from, to): (K::State, K::State),
        place: TransitionContext,
        report: &mut impl FnMut(Rule),
    ) {
        if K::is_undetermined(to) {
            report(K::to_undetermined(id));
        }
        if place.is_late && K::is_undetermined(from) {
            report(K::late(id));
        }
        let known = self.known.get(&id).copied();
        match known {
            Some((state, _)) if state != from => report(K::wrong_state(id, from, state)),
            None if !K::is_undetermined(from) && !K::is_gone(from) => {
                report(K::unknown(id, from));
            }
            _ => {}
        }
        let bound = known.and_then(|(_, thread)| thread);
        let bound = if K::is_executing(to) {
            self.run(id, bound, place, report)
        } else if K::is_executing(from) {
            self.stop(id, bound, report);
            None
        } else {
            bound
        };
        match K::is_gone(to) && place.is_late && bound.is_none() {
            true => _ = self.known.remove(&id),
            false => _ = self.known.insert(id, (to, bound)),
        }
    }

    /// Puts it on the thread of the event, and returns the thread that it takes up from now on.
    fn run(
        &mut self,
        id: K::Id,
        bound: Option<ThreadId>,
        place: TransitionContext,
        report: &mut impl FnMut(Rule),
    ) -> Option<ThreadId> {
        if place.thread == ThreadId::NONE && !place.is_lenient {
            report(Rule::NoThread);
            return bound;
        }
        match self.by_thread.insert(place.thread, id) {
            Some(other) if other != id => report(K::busy_thread(id, other)),
            _ => {}
        }
        Some(place.thread)
    }

    fn stop(&mut self, id: K::Id, bound: Option<ThreadId>, report: &mut impl FnMut(Rule)) {
        let Some(thread) = bound else {
            report(K::unbound(id));
            return;
        };
        let other = self.by_thread.remove(&thread);
        if other != Some(id) {
            report(K::not_on_thread(id, other));
        }
    }
}
