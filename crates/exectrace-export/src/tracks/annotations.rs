//! User tasks, regions, spans, and the ranges of garbage collection.

use exectrace_replay::{End, EndedRegion, Range, Slot, State, UserTask};

use crate::error::ExportError;

use super::TrackWriter;
use super::change::{Change, RegionSlice, Span};
use super::observer::Tracks;

impl<W: TrackWriter> Tracks<'_, W> {
    /// Writes the spans that have closed by now; all when the trace ends.
    pub(super) fn close_spans(&mut self, state: &State, all: bool) -> Result<(), ExportError> {
        while let Some(entry) = self.spans.first_entry() {
            let end_ns = i64::try_from(entry.key().0).unwrap_or(i64::MAX);
            if end_ns > state.now() && !all {
                break;
            }
            let record = entry.remove();
            let span = Span {
                record: &record,
                is_in_parts: !record.carried && self.threads.contains(&record.flow),
            };
            self.write(state, Change::Span(span))?;
        }
        Ok(())
    }

    pub(super) fn end_user_task(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), ExportError> {
        if end == End::WithTrace {
            // Spans hang under their user tasks.
            self.close_spans(state, true)?;
        }
        let user_task = *user_task;
        if !user_task.is_begin_seen {
            self.write(state, Change::UserTaskBegan(user_task))?;
        }
        self.write(state, Change::UserTaskEnded { user_task, end })
    }

    pub(super) fn begin_region(&mut self, state: &State, slot: Slot) -> Result<(), ExportError> {
        let Some(region) = state.goroutines().at(slot).regions.last() else {
            return Ok(());
        };
        let region = RegionSlice {
            name: region.name,
            user_task: region.user_task,
            begin: region.begin,
            is_begin_seen: true,
            stack: region.stack,
            is_part: false,
        };
        self.write_of(state, slot, |task| Change::RegionBegan { task, region })
    }

    pub(super) fn end_region(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), ExportError> {
        let end = region.end;
        let begin = region.begin.unwrap_or_else(|| {
            // It began before the trace, and so before those of this kind that ended earlier.
            let earlier = state.goroutines().at(slot).regions_without_begin - 1;
            let earlier = i64::try_from(earlier).unwrap_or(i64::MAX);
            state.begin().saturating_sub(earlier)
        });
        let region = RegionSlice {
            name: region.name,
            user_task: region.user_task,
            begin,
            is_begin_seen: region.begin.is_some(),
            stack: region.stack,
            is_part: region.is_part_of_span,
        };
        self.write_of(state, slot, |task| Change::RegionEnded {
            task,
            region,
            end,
        })
    }

    pub(super) fn end_range(
        &mut self,
        state: &State,
        range: &Range,
        end: End,
    ) -> Result<(), ExportError> {
        let range = *range;
        if !range.is_reported {
            self.write(state, Change::RangeBegan(range))?;
        }
        self.write(state, Change::RangeEnded { range, end })
    }
}
