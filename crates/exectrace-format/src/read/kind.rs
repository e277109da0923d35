//! What happened at an event, however the event gives its texts and stacks.

use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::event::{EventKind, MAX_ARGUMENTS};
use crate::ids::{GoId, StackId, StringId, TaskId};
use crate::side::{SideDataError, SideRecord};

use super::event::{StackFrame, SyncClock};
use super::state::{RangeScope, StateChange};

/// How an event gives its texts, stacks and side records: [`ById`] or [`Owned`].
pub trait EventForm: sealed::Sealed {
    /// A text.
    type Text: Clone + Debug + PartialEq;
    /// A stack, which may be none.
    type Stack: Clone + Debug + PartialEq;
    /// A record of side data.
    type Record: Clone + Debug + PartialEq;
}

mod sealed {
    /// What a [`EventForm`](super::EventForm) can be may still change.
    pub trait Sealed {}
    impl Sealed for super::ById {}
    impl Sealed for super::Owned {}
}

/// Texts and stacks are numbers in [`Reader::tables`](crate::Reader::tables), a side record is in
/// [`Reader::side_record`](crate::Reader::side_record).
///
/// The numbers are not those in the file, and are good until the next [`TraceEventKind::Sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ById {}

impl EventForm for ById {
    type Text = StringId;
    type Stack = StackId;
    type Record = ();
}

/// Texts, stacks and side records are in the event. Texts and stacks are shared by the events that have
/// them in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {}

impl EventForm for Owned {
    type Text = Arc<str>;
    type Stack = Option<Arc<[StackFrame]>>;
    type Record = SideRecord;
}

/// What happened at a [`CompactEvent`](crate::CompactEvent).
pub type CompactKind = TraceEventKind<ById>;

/// What happened at a [`TraceEvent`](crate::TraceEvent), or, as [`CompactKind`], at a
/// [`CompactEvent`](crate::CompactEvent).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TraceEventKind<F: EventForm = Owned> {
    /// A generation begins, or the trace ends. Ids of strings and stacks start again.
    Sync {
        /// Counts the syncs of the trace from 1.
        number: u64,
        /// The clocks of the machine; from header 25 on, and not at the end.
        clock: Option<SyncClock>,
    },
    /// A quantity has a new value.
    Metric {
        /// Which quantity.
        metric: Metric,
        /// Its value.
        value: u64,
    },
    /// A goroutine has a new label.
    Label {
        /// The goroutine.
        go: GoId,
        /// The label.
        label: F::Text,
    },
    /// A CPU sample.
    StackSample,
    /// A range begins: garbage collection, its parts, the world stopped.
    RangeBegin {
        /// Which range.
        range: RangeName<F::Text>,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range is open that began earlier.
    RangeActive {
        /// Which range.
        range: RangeName<F::Text>,
        /// What it concerns.
        scope: RangeScope,
    },
    /// A range ends.
    RangeEnd {
        /// Which range.
        range: RangeName<F::Text>,
        /// What it concerns.
        scope: RangeScope,
        /// For sweeps: bytes swept and bytes reclaimed.
        swept: Option<(u64, u64)>,
    },
    /// A user task begins.
    TaskBegin {
        /// The user task.
        task: TaskId,
        /// Its parent, or [`TaskId::NONE`].
        parent: TaskId,
        /// Its name.
        name: F::Text,
    },
    /// A user task ends.
    TaskEnd {
        /// The user task.
        task: TaskId,
        /// Its parent as its begin had it, or [`TaskId::NONE`].
        parent: TaskId,
        /// Its name as its begin had it, else empty.
        name: F::Text,
    },
    /// A region of the running goroutine begins.
    RegionBegin {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: F::Text,
    },
    /// A region of the running goroutine ends.
    RegionEnd {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its name.
        name: F::Text,
    },
    /// A message.
    Log {
        /// The user task it belongs to; [`TaskId::BACKGROUND`] if none.
        task: TaskId,
        /// Its category.
        category: F::Text,
        /// Its text.
        message: F::Text,
    },
    /// A goroutine or proc changes its state, or the trace says in which state it is.
    StateTransition {
        /// Which, from what, to what.
        change: StateChange,
        /// Nothing changes: a generation says in which state it found the goroutine or proc. `from` is what the
        /// reader knew before, so the same as `to`, or unknown.
        is_status: bool,
        /// Why; empty where nothing says it. Goroutines that stop or block have it.
        reason: F::Text,
        /// The stack of the goroutine concerned, if the event has it; its root frame names the goroutine.
        stack: F::Stack,
    },
    /// An event of Go's allocation experiment.
    Experimental {
        /// Which.
        kind: EventKind,
        /// Its arguments, as many as the kind has.
        arguments: [u64; MAX_ARGUMENTS],
    },
    /// A record of exectrace's side data; they follow the sync of their generation.
    SideData(F::Record),
    /// Side data of exectrace that this version cannot read. The rest of their batch is skipped.
    UnreadableSideData(SideDataError),
}

impl<F: EventForm> TraceEventKind<F> {
    /// Whether it says something of the traced program at its time. Syncs and side data do not: they
    /// are about the trace. This is what counts as an event wherever events are counted.
    #[inline]
    pub const fn is_of_program(&self) -> bool {
        !matches!(
            self,
            Self::Sync { .. } | Self::SideData(_) | Self::UnreadableSideData(_)
        )
    }
}

/// A quantity that changes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// The number of procs.
    Gomaxprocs,
    /// Bytes of heap objects.
    HeapAlloc,
    /// Bytes of heap that the collector aims at.
    HeapGoal,
}

impl Metric {
    /// The name that Go gives it, with the unit behind the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gomaxprocs => "/sched/gomaxprocs:threads",
            Self::HeapAlloc => "/memory/classes/heap/objects:bytes",
            Self::HeapGoal => "/gc/heap/goal:bytes",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of range begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RangeName<T = StringId> {
    /// The collector's mark phase.
    Mark,
    /// A part of a sweep.
    Sweep,
    /// A goroutine's help with marking.
    Assist,
    /// The world is stopped, for this reason.
    StopTheWorld(T),
}

impl<T> RangeName<T> {
    /// The name that Go gives it; for a stop of the world Go adds the reason in parentheses, as the
    /// `Display` of this does.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mark => "GC concurrent mark phase",
            Self::Sweep => "GC incremental sweep",
            Self::Assist => "GC mark assist",
            Self::StopTheWorld(_) => "stop-the-world",
        }
    }

    /// The same range, its reason given in another way.
    pub fn map<U>(self, text: impl FnOnce(T) -> U) -> RangeName<U> {
        match self {
            Self::Mark => RangeName::Mark,
            Self::Sweep => RangeName::Sweep,
            Self::Assist => RangeName::Assist,
            Self::StopTheWorld(reason) => RangeName::StopTheWorld(text(reason)),
        }
    }
}

impl<T: fmt::Display> fmt::Display for RangeName<T> {
    /// As Go names it: `stop-the-world (GC mark termination)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopTheWorld(reason) => write!(f, "{} ({reason})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}
