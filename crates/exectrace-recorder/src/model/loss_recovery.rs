//! What the model does about records that never came.
//!
//! After a loss nothing that was open can be trusted to end: the record of its end may be among the
//! lost. What is open then becomes *suspect*. A suspect ends at the record of its end, if that comes;
//! or when nothing has named it for some generations. So no table grows because records were lost.

use exectrace_format::conventions::LOST_CATEGORY;
use exectrace_format::{Inferred, LeftOut, SideRecord, ThreadId};
use rustc_hash::FxHashSet;

use super::flow::{FlowState, RegionKey};
use super::names::Leaf;
use super::spans::{Span, SpanSlot};
use super::{Model, ThreadIndex};

/// Generations (of about a second) that a suspect may live without being named.
const SILENT_GENERATIONS: u64 = 3;

impl Model {
    /// A thread says that it lost records before this moment.
    pub(super) fn lost(&mut self, thread: ThreadIndex, records: u64) {
        self.run(thread);
        self.losses += 1;
        self.counts.lost += records;
        self.earlier.forget_all();
        self.suspect_all_regions();
        let message = format!("{records} records lost: the tracer's buffers were full");
        let category = self.machine.names.intern_static(LOST_CATEGORY);
        self.write_log_event(thread, super::TRACER_TASK, category, &message, Leaf::None);
        let Some(thread) = self.machine.thread(thread).map(|thread| thread.id) else {
            return;
        };
        let time_ns = self.machine.emitter.time_ns();
        self.machine.emitter.side(&SideRecord::Lost {
            time_ns,
            thread,
            records,
        });
    }

    /// What is open on any thread may have been ended by a lost record.
    fn suspect_all_regions(&mut self) {
        for flow in self.machine.flows.iter_mut() {
            for region in &mut flow.regions {
                region.suspect = true;
            }
        }
    }

    /// Records of a thread were dropped, which it has not said itself.
    pub(crate) fn dropped(&mut self, time_ns: u64, thread: ThreadId, records: u64) {
        if records == 0 {
            return;
        }
        self.losses += 1;
        self.counts.lost += records;
        self.earlier.forget_all();
        self.suspect_all_regions();
        let message = format!("{records} records lost: the tracer's buffers were full");
        self.note(time_ns, LOST_CATEGORY, &message);
        let time_ns = self.machine.emitter.time_ns();
        self.machine.emitter.side(&SideRecord::Lost {
            time_ns,
            thread,
            records,
        });
    }

    /// So much is not in the trace, for another reason than full buffers.
    pub(crate) fn left_out(&mut self, cause: LeftOut, count: u64) {
        if count == 0 {
            return;
        }
        // What a full table or ring could not take ends nothing that is open.
        if !matches!(
            cause,
            LeftOut::TableFull | LeftOut::CpuSamples | LeftOut::HeapSamples
        ) {
            self.losses += 1;
            self.suspect_all_regions();
        }
        let message = format!("{count} {}", cause.text());
        self.note(self.time_ns(), LOST_CATEGORY, &message);
        let time_ns = self.machine.emitter.time_ns();
        self.machine.emitter.side(&SideRecord::LeftOut {
            time_ns,
            cause,
            count,
        });
    }

    /// A source of spans is gone, and with it the handles of all its spans.
    pub(super) fn source_closed(&mut self, thread: ThreadIndex, source: u16) {
        self.earlier.source_closed(source);
        for slot in self.spans.live_where(|span| span.key.source == source) {
            self.end_span(thread, slot, true);
        }
    }

    /// At the begin of a generation: ends suspects that nothing has named for long.
    pub(super) fn end_what_losses_left_open(&mut self) {
        if self.losses == 0 {
            return;
        }
        self.end_silent_regions();
        self.end_silent_spans();
        self.end_silent_tasks();
    }

    fn is_silent(&self, named: u64) -> bool {
        named + SILENT_GENERATIONS <= self.machine.emitter.generation()
    }

    /// Ends suspect regions that began long ago, where their flow runs; else when it runs next.
    fn end_silent_regions(&mut self) {
        let silent_before = self
            .machine
            .emitter
            .generation()
            .saturating_sub(SILENT_GENERATIONS);
        let mut running = Vec::new();
        for flow in self.machine.flows.iter_mut() {
            for position in 0..flow.regions.len() {
                let region = &flow.regions[position];
                if region.suspect && region.generation <= silent_before && !region.over {
                    flow.settle_region(position);
                    flow.regions[position].over = true;
                }
            }
            if let FlowState::Running(thread) = flow.state {
                running.push(thread);
            }
        }
        for thread in running {
            self.close_regions_that_are_over(thread);
        }
    }

    fn end_silent_spans(&mut self) {
        let flows = self.machine.flows.iter();
        let regions = flows.flat_map(|(_, flow)| &flow.regions);
        let keys = regions
            .filter(|region| !region.over)
            .filter_map(|region| match region.key {
                RegionKey::Span(slot) => self
                    .spans
                    .get(slot)
                    .map(|span| (span.key.source, span.key.id)),
                RegionKey::Annotation(_) => None,
            });
        let entered: FxHashSet<_> = keys.collect();
        let is_entered = |span: &Span| entered.contains(&(span.key.source, span.key.id));
        let silent = self.spans.live_where(|span| {
            span.losses < self.losses && self.is_silent(span.named) && !is_entered(span)
        });
        for slot in silent {
            self.end_span_on_tracer(slot);
        }
    }

    fn end_silent_tasks(&mut self) {
        let silent: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, open)| open.losses < self.losses && self.is_silent(open.named))
            .map(|(number, _)| number)
            .collect();
        for number in silent {
            if let Some(open) = self.tasks.end(number) {
                self.end_task_on_tracer(open.task);
            }
        }
    }

    /// Ends a span where no thread of the program can be said to have ended it.
    fn end_span_on_tracer(&mut self, slot: SpanSlot) {
        self.end_span(ThreadIndex::TRACER, slot, true);
        self.machine.rest_tracer();
    }

    /// Ends a task where no thread of the program can be said to have ended it.
    fn end_task_on_tracer(&mut self, task: exectrace_format::TaskId) {
        self.machine.run(ThreadIndex::TRACER);
        self.write_task_end(ThreadIndex::TRACER, task);
        self.machine.rest_tracer();
        self.infer(Inferred::TaskEnd, task.0);
    }
}
