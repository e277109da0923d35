//! What a replay reports.

use exectrace_format::{CompactEvent, GoId, Metric, Reader, SideRecord, SyncClock, Tables, TaskId};

use crate::names::{Names, Stack, Text};
use crate::state::{End, EndedRegion, ProcChange, Range, Slot, State, StateSpan, UserTask};

/// An event as the reader yields it, with what its ids mean.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The event.
    pub event: &'a CompactEvent,
    /// The names and stacks of its generation.
    pub tables: &'a Tables,
    /// The record, if the event is one of side data.
    pub side: Option<&'a SideRecord>,
}

impl<'a> Input<'a> {
    /// The event that a reader has just yielded.
    #[inline]
    pub fn of<R: std::io::Read>(reader: &'a Reader<R>, event: &'a CompactEvent) -> Self {
        Self {
            event,
            tables: reader.tables(),
            side: reader.side_record(),
        }
    }
}

/// A goroutine is woken, or made runnable by who spawned it. Who did it and where is in the [`State`]:
/// [`goroutine`](State::goroutine), [`current_proc`](State::current_proc),
/// [`current_thread`](State::current_thread).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wake<'a> {
    /// The wait that it ends; `None` for a spawn.
    pub wait: Option<&'a StateSpan<'a>>,
    /// Where the waker was.
    pub stack: Stack,
    /// It was not seen, but concluded from the run that follows.
    pub is_concluded: bool,
}

/// A message.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Log<'a> {
    /// The user task it belongs to, or [`TaskId::BACKGROUND`].
    pub user_task: TaskId,
    /// Its category.
    pub category: Text,
    /// Its text, which [`Names`] do not keep.
    pub message: &'a str,
    /// Where it was written.
    pub stack: Stack,
}

/// An allocation that was sampled: [`SideRecord::HeapSample`], with its stack. Samples stand at the begin of their
/// generation, before its events.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HeapSample<'a> {
    /// The record. The id of its stack holds for the generation alone.
    pub record: &'a SideRecord,
    /// When it was allocated.
    pub time: i64,
    /// The sample's number.
    pub number: u64,
    /// The user task that it belongs to.
    pub user_task: TaskId,
    /// Bytes that were asked for.
    pub size_bytes: u64,
    /// The mean distance of two samples, in bytes.
    pub interval_bytes: u64,
    /// Where it was allocated. The outermost place names the goroutine.
    pub stack: Stack,
    /// It was allocated before the file begins.
    pub is_from_before: bool,
}

impl HeapSample<'_> {
    /// For how many allocations of its size it stands: the reciprocal of the probability with which one is
    /// sampled, 1 - e^(-size / interval). Of one without size or interval, 1.
    #[must_use]
    pub fn weight(&self) -> f64 {
        let p = -(-(self.size_bytes as f64) / self.interval_bytes as f64).exp_m1();
        if p > 0.0 { 1.0 / p } else { 1.0 }
    }
}

/// Takes what a trace says, as it is replayed.
///
/// All methods do nothing unless they are implemented, and what is not implemented costs nothing: calls
/// are resolved at compile time. The [`State`] is as it is after the change, except where a method says
/// otherwise; where and when it happens is in the state, too. Of what ends at once, the inner comes first.
#[allow(unused_variables, reason = "the methods do nothing by default")]
pub trait Observer {
    /// Why an observer cannot go on, as an output that fails. [`Infallible`](std::convert::Infallible) for
    /// those that always can.
    type Error;

    /// The replay begins. Names that the observer looks for can be added now.
    fn start(&mut self, names: &mut Names) {}

    /// An event comes, and the state is as it was before it, but for its time and place.
    #[inline]
    fn before(&mut self, state: &mut State, input: &Input<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A generation begins, or the trace ends. `clock`: what the clocks of the machine showed.
    #[inline]
    fn sync(&mut self, state: &State, clock: Option<&SyncClock>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine is made, or the trace reports it for the first time.
    #[inline]
    fn appear(&mut self, state: &State, slot: Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The name of a goroutine has become known, and with it its kind.
    #[inline]
    fn named(&mut self, state: &State, slot: Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine is labelled; `before` is the label that it had.
    #[inline]
    fn labelled(&mut self, state: &State, slot: Slot, before: Text) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine leaves a state, or the trace ends. The state is as it was before.
    #[inline]
    fn leave(
        &mut self,
        state: &State,
        slot: Slot,
        span: &StateSpan<'_>,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine becomes runnable by a wake or its spawn: after it left its state, and before it enters
    /// the next.
    #[inline]
    fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine enters a state.
    #[inline]
    fn enter(&mut self, state: &State, slot: Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A goroutine ends, or the trace does. The slot belongs to it no longer.
    #[inline]
    fn vanish(&mut self, state: &State, slot: Slot, end: End) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A proc changes its state, or the trace says again which it has.
    #[inline]
    fn proc(&mut self, state: &State, change: &ProcChange) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A region begins: it is the innermost of its goroutine.
    #[inline]
    fn region_begin(&mut self, state: &State, slot: Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The innermost region of a goroutine has ended, and is no longer among its regions.
    #[inline]
    fn region_end(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A user task begins.
    #[inline]
    fn user_task_begin(&mut self, state: &State, user_task: &UserTask) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A user task ends, and is no longer among those open. Of one whose begin is not in the trace, this
    /// is the first report.
    #[inline]
    fn user_task_end(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A range of garbage collection begins, or was open when the trace began.
    #[inline]
    fn range_begin(&mut self, state: &State, range: &Range) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A new generation says of a range that it is open, which is known.
    #[inline]
    fn range_goes_on(&mut self, state: &State, range: &Range) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A range of garbage collection has ended. Of one whose begin is not in the trace, this is the first
    /// report.
    #[inline]
    fn range_end(&mut self, state: &State, range: &Range, end: End) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A message.
    #[inline]
    fn log(&mut self, state: &State, log: &Log<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A quantity of the program has a new value.
    #[inline]
    fn metric(&mut self, state: &State, metric: Metric, value: u64) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A CPU sample with this stack, of this goroutine or [`GoId::NONE`].
    #[inline]
    fn sample(&mut self, state: &State, of: GoId, stack: Stack) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An allocation that was sampled. [`side`](Self::side) has its record, too, before.
    #[inline]
    fn heap_sample(&mut self, state: &State, sample: &HeapSample<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A record of side data.
    #[inline]
    fn side(&mut self, state: &State, record: &SideRecord) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The trace has ended, and all that was open in it.
    fn finish(&mut self, state: &mut State) -> Result<(), Self::Error> {
        Ok(())
    }
}
