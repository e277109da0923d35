//! Regions: intervals of time inside one goroutine, which nest.

use exectrace_format::TaskId;

use crate::names::{Stack, Text};

/// A region that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// Its name.
    pub name: Text,
    /// The user task it belongs to, or [`TaskId::BACKGROUND`].
    pub user_task: TaskId,
    /// Where it began.
    pub stack: Stack,
    /// When it began.
    pub begin: i64,
}

/// How it is known that something is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Its end is in the trace.
    Seen,
    /// The goroutine that it belonged to ended, or began to wait forever.
    WithGoroutine,
    /// The trace ends before it.
    WithTrace,
}

/// A region that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedRegion {
    /// Its name.
    pub name: Text,
    /// The user task it belongs to, or [`TaskId::BACKGROUND`].
    pub user_task: TaskId,
    /// Where it began; unknown if that was before the trace.
    pub stack: Stack,
    /// When it began; `None` if that was before the trace.
    pub begin: Option<i64>,
    /// How its end is known.
    pub end: End,
    /// Where it ended.
    pub end_stack: Stack,
    /// It is a part of a span, and none by itself.
    pub is_part_of_span: bool,
}
