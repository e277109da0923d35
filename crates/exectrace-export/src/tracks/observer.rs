//! Makes changes of what a replay reports.

use std::collections::BTreeMap;

use exectrace_format::{GoId, Metric, SideRecord, SpanRecord, SyncClock};
use exectrace_replay::{
    End, EndedRegion, GoroutineKind, Input, Log, Observer, ProcChange, Range, Slot, Stack, State,
    StateSpan, Text, UserTask, Wake,
};
use rustc_hash::FxHashSet;

use crate::error::ExportError;

use super::TrackWriter;
use super::change::{Change, LogLine, Ready};
use super::picture::{Lanes, Picture};
use super::task::{DrawnTasks, Task};

/// What is drawn, and who writes it.
#[derive(Debug)]
pub(super) struct Tracks<'w, W> {
    writer: &'w mut W,
    /// Events of the program.
    pub(super) events: u64,
    /// From the first event to the last.
    pub(super) read_ns: u64,
    pub(super) lanes: Lanes,
    pub(super) tasks: DrawnTasks,
    /// The wakes so far.
    pub(super) wakes: u64,
    /// The wake of the goroutine that enters its state next.
    pub(super) wake: Option<Ready>,
    /// Spans whose records came before their close, by that and their first entry.
    pub(super) spans: BTreeMap<(u64, u64), SpanRecord>,
    /// Threads' own code.
    pub(super) threads: FxHashSet<GoId>,
}

impl<'w, W: TrackWriter> Tracks<'w, W> {
    pub(super) fn new(writer: &'w mut W) -> Self {
        Self {
            writer,
            events: 0,
            read_ns: 0,
            lanes: Lanes::default(),
            tasks: DrawnTasks::default(),
            wakes: 0,
            wake: None,
            spans: BTreeMap::new(),
            threads: FxHashSet::default(),
        }
    }

    pub(super) fn write(&mut self, state: &State, change: Change<'_>) -> Result<(), ExportError> {
        let tasks = &self.tasks;
        let picture = Picture { state, tasks };
        self.writer.change(state.now(), change, &picture)
    }

    /// Writes a change of the async task in a slot.
    pub(super) fn write_of<'a>(
        &'a mut self,
        state: &'a State,
        slot: Slot,
        change: impl FnOnce(Task<'a>) -> Change<'a>,
    ) -> Result<(), ExportError> {
        let tasks = &self.tasks;
        let picture = Picture { state, tasks };
        let task = Task {
            goroutine: state.goroutines().at(slot),
            drawn: tasks.at(slot),
        };
        self.writer.change(state.now(), change(task), &picture)
    }
}

impl<W: TrackWriter> Observer for Tracks<'_, W> {
    type Error = ExportError;

    #[inline]
    fn before(&mut self, state: &mut State, input: &Input<'_>) -> Result<(), ExportError> {
        self.events += u64::from(input.event.kind.is_of_program());
        if !self.spans.is_empty() {
            self.close_spans(state, false)?;
        }
        self.writer.event(input, state.names_mut())
    }

    fn sync(&mut self, state: &State, clock: Option<&SyncClock>) -> Result<(), ExportError> {
        self.write(state, Change::Sync(clock.copied()))
    }

    fn appear(&mut self, _state: &State, slot: Slot) -> Result<(), ExportError> {
        self.tasks.begin(slot);
        Ok(())
    }

    fn named(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        let goroutine = state.goroutines().at(slot);
        if goroutine.kind == GoroutineKind::Thread {
            self.threads.insert(goroutine.id);
        }
        self.write_of(state, slot, Change::TaskNamed)?;
        self.write_held_back(state, slot)
    }

    fn labelled(&mut self, state: &State, slot: Slot, before: Text) -> Result<(), ExportError> {
        match state.goroutines().at(slot).label == before {
            true => Ok(()),
            false => self.write_of(state, slot, Change::TaskNamed),
        }
    }

    fn leave(
        &mut self,
        state: &State,
        slot: Slot,
        span: &StateSpan<'_>,
    ) -> Result<(), ExportError> {
        self.leave_state(state, slot, span)
    }

    fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), ExportError> {
        self.woken(state, slot, wake)
    }

    fn enter(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        self.enter_state(state, slot)
    }

    fn vanish(&mut self, state: &State, slot: Slot, end: End) -> Result<(), ExportError> {
        match end {
            End::WithTrace => Ok(()),
            _ => self.write_of(state, slot, Change::TaskGone),
        }
    }

    fn proc(&mut self, state: &State, change: &ProcChange) -> Result<(), ExportError> {
        self.worker_changes(state, change)
    }

    fn region_begin(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        self.begin_region(state, slot)
    }

    fn region_end(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), ExportError> {
        self.end_region(state, slot, region)
    }

    fn user_task_begin(&mut self, state: &State, user_task: &UserTask) -> Result<(), ExportError> {
        self.write(state, Change::UserTaskBegan(*user_task))
    }

    fn user_task_end(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), ExportError> {
        self.end_user_task(state, user_task, end)
    }

    fn range_begin(&mut self, state: &State, range: &Range) -> Result<(), ExportError> {
        self.write(state, Change::RangeBegan(*range))
    }

    fn range_end(&mut self, state: &State, range: &Range, end: End) -> Result<(), ExportError> {
        self.end_range(state, range, end)
    }

    fn log(&mut self, state: &State, log: &Log<'_>) -> Result<(), ExportError> {
        let line = LogLine {
            user_task: log.user_task,
            task: state.goroutine(),
            worker: state.current_proc(),
            thread: state.current_thread(),
            category: state.names().get(log.category),
            message: log.message,
            stack: log.stack,
        };
        self.write(state, Change::Log(line))
    }

    fn metric(&mut self, state: &State, metric: Metric, value: u64) -> Result<(), ExportError> {
        let name = metric.name();
        self.write(state, Change::Metric { name, value })
    }

    fn sample(&mut self, state: &State, of: GoId, stack: Stack) -> Result<(), ExportError> {
        let sample = Change::Sample {
            task: of,
            worker: state.current_proc(),
            thread: state.current_thread(),
            stack,
        };
        self.write(state, sample)
    }

    fn side(&mut self, state: &State, record: &SideRecord) -> Result<(), ExportError> {
        if let SideRecord::Span(span) = record {
            let key = (span.end_ns, span.first_ns);
            self.spans.insert(key, span.clone());
        }
        self.write(state, Change::Side(record))
    }

    fn finish(&mut self, state: &mut State) -> Result<(), ExportError> {
        self.read_ns = state.now().abs_diff(state.begin());
        self.close_spans(state, true)?;
        self.write(state, Change::TheEnd)
    }
}
