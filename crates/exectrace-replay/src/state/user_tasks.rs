//! User tasks, and the ranges of garbage collection.

use exectrace_format::conventions::TraceId;
use exectrace_format::{GoId, RangeScope, TaskId};

use crate::names::{Stack, Text};

/// A user task: one logical operation, possibly across many goroutines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserTask {
    /// Its id.
    pub id: TaskId,
    /// Its parent; [`TaskId::NONE`] or [`TaskId::BACKGROUND`] if it has none.
    pub parent: TaskId,
    /// Its name.
    pub name: Text,
    /// Where it began.
    pub stack: Stack,
    /// The innermost frame of that alone, as the stack of a region.
    pub place: Stack,
    /// When it began, also if that was before the trace and is known; else the begin of the trace.
    pub begin: i64,
    /// When the trace reports its begin.
    pub reported: i64,
    /// Whether its begin is in the trace.
    pub is_begin_seen: bool,
    /// The goroutine in which it began.
    pub goroutine: GoId,
    /// It is no operation: it carries a span that is concurrent with others of its async task.
    pub carries_span: bool,
    /// The distributed trace that it is a part of, as far as its logs have said: by the first of its own, else that
    /// of its parent when it began.
    pub trace_id: Option<TraceId>,
    /// Whether that is its parent's.
    pub is_trace_id_inherited: bool,
}

/// A range of garbage collection: a phase of the collector, or the world stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// Its name as Go shows it; for a stop of the world with its reason.
    pub name: Text,
    /// For a stop of the world: why.
    pub reason: Text,
    /// What it concerns.
    pub scope: RangeScope,
    /// When it began; if that was before the trace, when the generation began that reports it first.
    pub begin: i64,
    /// Whether its begin is in the trace.
    pub is_begin_seen: bool,
    /// Whether it was among the open ones; of one that ends and was not, nothing has been reported.
    pub is_reported: bool,
    /// The goroutine on which the event was that the callback is about.
    pub goroutine: GoId,
}
