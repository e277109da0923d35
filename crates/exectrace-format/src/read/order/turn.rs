//! One event being tried: where it happens, and what its arguments name.

use crate::ids::{GoId, ProcId, StackId, StringId};

use super::super::decode::WireEvent;
use super::super::error::EventError;
use super::super::event::CompactEvent;
use super::super::kind::CompactKind;
use super::super::order_error::OrderError;
use super::super::state::{GoState, ProcState, StateChange};
use super::super::tables::Tables;
use super::NONE;
use Need::{Must, MustNot};

/// Where an event happens; `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) thread: u64,
    pub(super) proc: u64,
    pub(super) go: u64,
}

/// Whether an event needs a proc or goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
    MustNot,
}

/// One event being tried.
pub(super) struct Turn<'a> {
    pub(super) event: &'a WireEvent,
    pub(super) time_ns: i64,
    /// The context that the surfaced event has.
    pub(super) context: Context,
    /// What the thread holds afterwards.
    pub(super) after_proc: u64,
    pub(super) after_go: u64,
    pub(super) tables: &'a mut Tables,
    /// Where the event is written when it happens.
    pub(super) out: &'a mut CompactEvent,
}

impl Turn<'_> {
    #[inline]
    pub(super) fn argument(&self, index: usize) -> u64 {
        self.event.arguments[index]
    }

    /// The string that an argument names.
    #[inline]
    pub(super) fn string(&self, index: usize) -> Result<StringId, EventError> {
        let id = self.argument(index);
        self.tables.string_id(id).ok_or(EventError::UnknownString {
            id: StringId(id),
            kind: self.event.kind,
        })
    }

    /// The stack that an argument names.
    #[inline]
    pub(super) fn stack(&self, index: usize) -> Result<StackId, EventError> {
        let id = self.argument(index);
        self.tables.stack_id(id).ok_or(EventError::UnknownStack {
            id: StackId(id),
            kind: self.event.kind,
        })
    }

    /// Checks the context: a thread is always needed.
    #[inline]
    pub(super) fn needs(&self, proc: Need, go: Need) -> Result<(), OrderError> {
        let kind = self.event.kind;
        if self.context.thread == NONE {
            return Err(OrderError::ExpectedThread(kind));
        }
        match (proc, self.context.proc == NONE) {
            (Must, true) => return Err(OrderError::ExpectedProc(kind)),
            (MustNot, false) => return Err(OrderError::ExpectedNoProc(kind)),
            _ => {}
        }
        match (go, self.context.go == NONE) {
            (Must, true) => Err(OrderError::ExpectedGo(kind)),
            (MustNot, false) => Err(OrderError::ExpectedNoGo(kind)),
            _ => Ok(()),
        }
    }
}

/// How a change of a goroutine is shown.
pub(super) fn go_change(go: u64, from: GoState, to: GoState) -> CompactKind {
    let go = GoId(go);
    CompactKind::StateTransition {
        change: StateChange::Go { go, from, to },
        is_status: false,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

/// How a change of a proc is shown.
pub(super) fn proc_change(proc: u64, from: ProcState, to: ProcState) -> CompactKind {
    let proc = ProcId(proc);
    CompactKind::StateTransition {
        change: StateChange::Proc { proc, from, to },
        is_status: false,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

/// How the status of a proc is shown.
pub(super) fn status_of_proc(proc: u64, from: ProcState, to: ProcState) -> CompactKind {
    let proc = ProcId(proc);
    CompactKind::StateTransition {
        change: StateChange::Proc { proc, from, to },
        is_status: true,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}
