//! Where a span ends: its last handle and its last child are gone.

use std::time::Duration;

use exectrace_format::{Inferred, SideRecord, SpanRecord};

use super::Model;
use super::flow::{FlowId, FlowState, RegionKey};
use super::names::Leaf;
use super::spans::SpanSlot;
use super::threads::ThreadIndex;
use crate::input::SpanKey;

impl Model {
    pub(super) fn span_close(&mut self, thread: ThreadIndex, key: SpanKey) {
        match self.spans.find(key) {
            Some(slot) => self.end_span(thread, slot, false),
            None => self.earlier.forget(key),
        }
    }

    pub(super) fn span_drop(&mut self, thread: ThreadIndex, key: SpanKey) {
        let Some(slot) = self.spans.find(key) else {
            return self.earlier.handles(key, -1);
        };
        if let Some(span) = self.spans.get_mut(slot) {
            span.handles -= 1;
            self.end_if_unused(thread, slot);
        }
    }

    /// Ends a span without handles and children.
    pub(super) fn end_if_unused(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let unused = self.spans.get(slot).is_some_and(|span| {
            span.handles <= 0
                && span.children == 0
                && !span.closed
                && !self.has_clone_ahead(span.key)
        });
        if unused {
            self.end_span(thread, slot, false);
        }
    }

    /// Ends a span, and those of its ancestors that only it kept alive.
    pub(super) fn end_span(&mut self, thread: ThreadIndex, slot: SpanSlot, inferred: bool) {
        let mut ended = self.end_one(thread, slot, inferred);
        while let Some(parent) = ended {
            let Some(span) = self.spans.get_mut(parent) else {
                return;
            };
            span.children = span.children.saturating_sub(1);
            let unused = span.handles <= 0 && span.children == 0 && !span.closed;
            let key = span.key;
            if !unused || self.has_clone_ahead(key) {
                return;
            }
            ended = self.end_one(thread, parent, inferred);
        }
    }

    /// Ends a span: its region in an async task, if it was left there, and its user task, if it has
    /// one. Other regions that it still has open end when they are left. Returns its parent.
    fn end_one(&mut self, thread: ThreadIndex, slot: SpanSlot, inferred: bool) -> Option<SpanSlot> {
        if self.end_task_span(slot) {
            return None;
        }
        let span = self.spans.get(slot).filter(|span| !span.closed)?;
        let (task, owns_task, parent) = (span.task, span.owns_task(), span.parent_span);
        // Of one that an earlier recording saw it is not known which handles are left.
        let inferred = inferred || span.adopted;
        if owns_task {
            self.run(thread);
        }
        let end_ns = self.machine.emitter.time_ns();
        self.end_left_stays(slot);
        if owns_task {
            self.write_task_end(thread, task);
            if inferred {
                self.infer(Inferred::TaskEnd, task.0);
            }
        }
        self.write_record(thread, slot, end_ns, inferred);
        let time_ns = self.machine.emitter.time_ns();
        self.spans.close(slot, time_ns);
        parent
    }

    /// Ends what the span is in the flows that have left it.
    fn end_left_stays(&mut self, slot: SpanSlot) {
        let (flows, flow) = match self.spans.get(slot) {
            Some(span) => (span.flows, span.flow),
            None => return,
        };
        match flows {
            0 => {}
            1 => flow
                .into_iter()
                .for_each(|flow| self.end_left_stay(flow, slot)),
            _ => {
                let flows = self.machine.flows.iter();
                let left = flows.filter(|(_, flow)| flow.left_in(slot).is_some());
                let left: Vec<_> = left.map(|(id, _)| id).collect();
                left.into_iter()
                    .for_each(|flow| self.end_left_stay(flow, slot));
            }
        }
    }

    /// Ends what a left span is in a flow, or lets it end when the flow runs next.
    fn end_left_stay(&mut self, id: FlowId, slot: SpanSlot) {
        let Some(flow) = self.machine.flows.get_mut(id) else {
            return;
        };
        if flow.left_in(slot).is_none() {
            return;
        }
        if let FlowState::Running(thread) = flow.state {
            return self.end_stay(thread, slot, false);
        }
        if let Some(position) = flow.find(RegionKey::Span(slot)) {
            flow.settle_region(position);
            flow.regions[position].over = true;
        } else {
            flow.forget_carried(slot);
        }
    }

    /// Writes the truth of a span that is not one region by itself.
    fn write_record(&mut self, thread: ThreadIndex, slot: SpanSlot, end_ns: u64, inferred: bool) {
        let now_ns = self.machine.emitter.now_ns();
        let losses = self.losses;
        let Some(span) = self.spans.get_mut(slot) else {
            return;
        };
        if span.is_one_region || span.entries.count == 0 {
            return;
        }
        span.entries.settle(now_ns);
        let (entries, site) = (span.entries, span.site);
        let name = self.sites.get(site).name;
        let is_shown = span.owns_task() || span.has_long_region;
        let mut record = SpanRecord {
            first_ns: entries.first_ns,
            end_ns: end_ns.max(entries.first_ns),
            busy_ns: entries.busy_ns,
            entries: entries.count,
            flow: entries.first_go,
            task: span.task,
            own_task: span.owns_task(),
            carried: span.carried,
            inferred: inferred || span.adopted || span.losses < losses,
            parent_ns: 0,
            name: self.machine.names.text(name).to_owned().into(),
        };
        record.parent_ns = self.entered_ancestor_ns(slot);
        if !is_shown {
            self.write_close_log(thread, site, &record);
        }
        self.machine.emitter.side(&SideRecord::Span(record));
    }

    /// When the nearest ancestor that was entered was so first; 0 if there is none.
    fn entered_ancestor_ns(&self, slot: SpanSlot) -> u64 {
        let ancestors = self.ancestors(slot).filter_map(|slot| self.spans.get(slot));
        let mut entered = ancestors.map(|span| span.entries.first_ns);
        entered.find(|&first_ns| first_ns != 0).unwrap_or(0)
    }

    /// Writes a log at the close of a span of which Go's tools show only the times when it was entered.
    fn write_close_log(
        &mut self,
        thread: ThreadIndex,
        site: super::sites::SiteId,
        span: &SpanRecord,
    ) {
        self.run(thread);
        let length = Duration::from_nanos(span.end_ns - span.first_ns);
        let busy = Duration::from_nanos(span.busy_ns);
        let message = format!(
            "span closed: {length:.2?} from first entry to close, {busy:.2?} busy, {} entries",
            span.entries
        );
        let site = self.sites.get(site);
        let (name, place) = (site.name, Leaf::Place(site.frame));
        self.write_log_event(thread, span.task, name, &message, place);
    }
}
