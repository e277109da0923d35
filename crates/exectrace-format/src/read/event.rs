//! What a reader yields: events in their true order, with their context.

use std::sync::Arc;

use crate::ids::{GoId, ProcId, StackId, ThreadId};
use crate::wire::ClockSnapshot;

use super::kind::{CompactKind, TraceEventKind};
use super::time::TraceTime;

/// An event that owns its texts and stacks, as the iterator of [`Reader`](crate::Reader) yields it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// When. Later for each event than for the one before, apart from side data, which have the
    /// time of their sync.
    pub time: TraceTime,
    /// The thread on which it happened.
    pub thread: Option<ThreadId>,
    /// The proc that the thread held before it.
    pub proc: Option<ProcId>,
    /// The goroutine that ran on the thread before it.
    pub go: Option<GoId>,
    /// Where in the program it happened, leaf first.
    pub stack: Option<Arc<[StackFrame]>>,
    /// What happened.
    pub kind: TraceEventKind,
}

/// An event of plain numbers, as [`Reader::next_into`](crate::Reader::next_into) writes it; otherwise
/// the same as a [`TraceEvent`].
///
/// Texts and stacks are numbers in [`Reader::tables`](crate::Reader::tables), which are not those
/// in the file, and are good until the next [`CompactKind::Sync`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactEvent {
    /// When. Later for each event than for the one before, apart from side data, which have the
    /// time of their sync.
    pub time: TraceTime,
    /// The thread on which it happened, or [`ThreadId::NONE`].
    pub thread: ThreadId,
    /// The proc that the thread held before it, or [`ProcId::NONE`].
    pub proc: ProcId,
    /// The goroutine that ran on the thread before it, or [`GoId::NONE`].
    pub go: GoId,
    /// Where in the program it happened, or [`StackId::NONE`].
    pub stack: StackId,
    /// What happened.
    pub kind: CompactKind,
}

impl CompactEvent {
    /// An event without context.
    pub(super) fn bare(time: TraceTime, kind: CompactKind) -> Self {
        Self {
            time,
            kind,
            ..Self::default()
        }
    }
}

impl Default for CompactEvent {
    /// In place of an event that is still to come.
    #[inline]
    fn default() -> Self {
        Self {
            time: TraceTime(0),
            thread: ThreadId::NONE,
            proc: ProcId::NONE,
            go: GoId::NONE,
            stack: StackId::NONE,
            kind: CompactKind::StackSample,
        }
    }
}

/// One entry of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StackFrame {
    /// The number that stands for the place, across the whole trace.
    pub pc: u64,
    /// The function's name.
    pub function: Arc<str>,
    /// The source file.
    pub file: Arc<str>,
    /// The line.
    pub line: u64,
}

impl StackFrame {
    /// An entry for a place that `pc` stands for.
    pub fn new(
        pc: u64,
        function: impl Into<Arc<str>>,
        file: impl Into<Arc<str>>,
        line: u64,
    ) -> Self {
        let (function, file) = (function.into(), file.into());
        Self {
            pc,
            function,
            file,
            line,
        }
    }
}

/// The clocks at an instant of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncClock {
    /// The instant on the clock of the trace.
    pub time: TraceTime,
    /// The other clocks at that instant.
    pub snapshot: ClockSnapshot,
}
