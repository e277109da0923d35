//! Records of spans and their events.
//!
//! A span without a parent is a user task (or what its call site says), any other belongs to its
//! parent's. Where it is entered, it is a region. On a thread's own flow each stretch is a region; in
//! an async task a span is left at each pending poll and entered again at the next, and is one region
//! from its first entry to its end.

use exectrace_format::{Inferred, SideRecord, TaskId};

use super::flow::{Await, FlowId, FlowState, OpenRegion, RegionKey};
use super::names::Leaf;
use super::sites::SiteId;
use super::spans::{Span, SpanSlot};
use super::threads::ThreadIndex;
use super::{BACKGROUND_TASK, Model, text};
use crate::door::{CallsiteKind, Parent, TaskRule};
use crate::fields::Value;
use crate::input::{FieldValues, NewSpan, SiteKey, SpanKey};

impl Model {
    pub(super) fn span_new(&mut self, thread: ThreadIndex, new: &NewSpan<'_>) {
        let (key, fields) = (new.span, new.fields);
        if let Some(open) = self.spans.find_in_table(key) {
            self.end_span(thread, open, true);
        }
        let site = self.sites.meet(new.site, &mut self.machine.names);
        if self.is_task_span(key, site, fields) {
            return;
        }
        self.run(thread);
        let span = self.made_span(thread, new, site);
        let (task, parent, is_task) = (span.task, span.parent, span.is_task);
        if self.spans.insert(span).is_none() {
            self.counts.untracked += 1;
            return;
        }
        if is_task {
            let (name, place) = (self.sites.get(site).name, self.sites.get(site).frame);
            self.tell_task_begin(thread, task, parent, name, Leaf::Place(place));
        }
        if !fields.values.is_empty() {
            self.tell_fields(thread, site, task, fields);
        }
    }

    /// A span as it is made now: to whom it belongs, and whether it is a user task.
    pub(super) fn made_span(
        &mut self,
        thread: ThreadIndex,
        new: &NewSpan<'_>,
        site: SiteId,
    ) -> Span {
        let mut span = Span::new(new.span, site);
        span.began_ns = self.machine.output.time_ns();
        span.losses = self.losses;
        span.named = self.machine.output.generation();
        let (parent_task, has_parent) = self.parent_task(thread, new.span.door, new.parent);
        span.is_task = self.is_task(site, new.fields, has_parent);
        if span.is_task {
            span.parent = parent_task.unwrap_or(TaskId::BACKGROUND);
            span.task = self.new_task();
        } else {
            span.task = parent_task.unwrap_or(BACKGROUND_TASK);
        }
        span
    }

    /// The task a new span or an event belongs to by its parent, and whether it has a parent at all.
    pub(super) fn parent_task(
        &self,
        thread: ThreadIndex,
        door: u16,
        parent: Parent,
    ) -> (Option<TaskId>, bool) {
        let (id, is_current) = match parent {
            Parent::Root => return (None, false),
            Parent::Explicit(id) => (id, false),
            Parent::Current(id) => (id, true),
        };
        // Most often there is none, which takes no search.
        let known = if id == 0 {
            None
        } else {
            self.spans.find(SpanKey { id, door })
        };
        let span = known.and_then(|slot| self.spans.get(slot));
        if span.is_some_and(|span| span.hidden) {
            return (None, false);
        }
        let task = span.map(|span| span.task);
        if !is_current {
            return (task, true);
        }
        let task = task.or_else(|| self.machine.current(thread)?.task());
        (task, task.is_some() || id != 0)
    }

    pub(super) fn is_task(&self, site: SiteId, fields: FieldValues<'_>, has_parent: bool) -> bool {
        let site = self.sites.get(site);
        if let Some(field) = site.task_field() {
            for (index, value) in fields.values {
                if let (true, Value::Bool(is_task)) = (index == field, value) {
                    return is_task;
                }
            }
        }
        match site.task {
            TaskRule::Always => true,
            TaskRule::Never => false,
            TaskRule::Roots => !has_parent,
        }
    }

    /// Tells fields as a log of the span's task, under the span's name.
    pub(super) fn tell_fields(
        &mut self,
        thread: ThreadIndex,
        site: SiteId,
        task: TaskId,
        fields: FieldValues<'_>,
    ) {
        let site = self.sites.get(site);
        let (name, place) = (site.name, site.frame);
        let mut text = std::mem::take(&mut self.text);
        text::write_fields(site, fields, &mut text);
        if !text.is_empty() {
            self.tell_log(thread, task, name, &text, Leaf::Place(place));
        }
        self.text = text;
    }

    pub(super) fn span_enter(&mut self, thread: ThreadIndex, key: SpanKey) {
        let slot = self.spans.find(key);
        let span = slot.and_then(|slot| self.spans.get(slot));
        if span.is_some_and(|span| span.hidden) {
            return;
        }
        let entered = span.is_none_or(|span| span.entered > 0);
        self.run(thread);
        if entered && self.enter_again(thread, key) {
            return;
        }
        let region = self.stretch(thread, key, slot);
        let flow = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        if self.open_region(thread, region)
            && let Some(span) = slot.and_then(|slot| self.spans.get_mut(slot))
        {
            span.entered += 1;
            span.flow = flow;
        }
    }

    /// The region of a stretch in a span, which may be one whose making was not seen.
    pub(super) fn stretch(
        &mut self,
        thread: ThreadIndex,
        key: SpanKey,
        slot: Option<SpanSlot>,
    ) -> OpenRegion {
        let generation = self.machine.output.generation();
        let mut region = OpenRegion {
            key: RegionKey::Span(key),
            slot,
            task: BACKGROUND_TASK,
            name: self.unknown_span,
            place: Leaf::None,
            depth: 0,
            suspect: false,
            generation,
            awaits: Await {
                polls: 1,
                ..Await::default()
            },
        };
        if let Some(span) = slot.and_then(|slot| self.spans.get_mut(slot)) {
            span.named = generation;
            let site = self.sites.get(span.site);
            region.task = span.task;
            region.name = site.name;
            region.place = Leaf::Place(site.frame);
        } else {
            region.task = self.flow_task(thread);
            self.infer(Inferred::RegionBegin, region.task.0);
        }
        region
    }

    /// Enters a span whose region is open in the thread's flow. Returns `false` if none is.
    pub(super) fn enter_again(&mut self, thread: ThreadIndex, key: SpanKey) -> bool {
        let Some(flow) = self.machine.current_mut(thread) else {
            return false;
        };
        let Some(position) = flow.find(RegionKey::Span(key)) else {
            return false;
        };
        let just_left = flow.just_left.take() == Some(key);
        let poll = flow.poll;
        let region = &mut flow.regions[position];
        let awaits = &mut region.awaits;
        match awaits.left_in.take() {
            // Left and entered with nothing between: the future is being dropped.
            Some(left_in) if left_in == poll => awaits.dropping = just_left,
            Some(_) => awaits.polls += 1,
            // Its exit was probably lost: this is a new stretch, and the old one ends with it.
            None if region.suspect => return false,
            None => region.depth += 1,
        }
        true
    }

    pub(super) fn span_exit(&mut self, thread: ThreadIndex, key: SpanKey) {
        let is_task = self.machine.runs_task(thread);
        let Some(flow) = self.machine.current_mut(thread) else {
            return;
        };
        let Some(position) = flow.find(RegionKey::Span(key)) else {
            // Its begin was lost, or was before the recording.
            return;
        };
        let poll = flow.poll;
        let region = &mut flow.regions[position];
        if region.depth > 0 {
            region.depth -= 1;
        } else if is_task && !region.awaits.dropping {
            // It may be entered again when the task is polled next.
            region.awaits.left_in = Some(poll);
            flow.just_left = Some(key);
        } else {
            self.close_region(thread, position);
        }
    }

    pub(super) fn span_close(&mut self, thread: ThreadIndex, key: SpanKey) {
        if let Some(slot) = self.spans.find(key) {
            self.end_span(thread, slot, false);
        }
    }

    pub(super) fn span_clone(&mut self, key: SpanKey) {
        if let Some(ahead) = self.clones_ahead.get_mut(&key) {
            *ahead -= 1;
            if *ahead == 0 {
                self.clones_ahead.remove(&key);
            }
        }
        let generation = self.machine.output.generation();
        if let Some(span) = self.span_mut(key) {
            span.handles += 1;
            span.named = generation;
        }
    }

    pub(super) fn span_drop(&mut self, thread: ThreadIndex, key: SpanKey) {
        let Some(slot) = self.spans.find(key) else {
            return;
        };
        let ahead = !self.clones_ahead.is_empty() && self.clones_ahead.contains_key(&key);
        if let Some(span) = self.spans.get_mut(slot) {
            span.handles -= 1;
            if span.handles <= 0 && !ahead {
                self.end_span(thread, slot, false);
            }
        }
    }

    /// Ends a span: its region in an async task, if it was left there, and its user task, if it is
    /// one. Other regions that it still has open end when they are left.
    pub(super) fn end_span(&mut self, thread: ThreadIndex, slot: SpanSlot, inferred: bool) {
        if self.end_task_span(slot) {
            return;
        }
        let Some(span) = self.spans.get(slot).filter(|span| !span.closed) else {
            return;
        };
        let (task, is_task, key) = (span.task, span.is_task, span.key);
        if span.entered > 0
            && let Some(flow) = span.flow
        {
            self.end_left_region(flow, RegionKey::Span(key));
        }
        if is_task {
            self.run(thread);
            self.tell_task_end(thread, task);
            if inferred {
                self.infer(Inferred::TaskEnd, task.0);
            }
        }
        let time_ns = self.machine.output.time_ns();
        self.spans.close(slot, time_ns);
    }

    /// Ends the region that an async task has left for good, or lets it end when the task runs next.
    pub(super) fn end_left_region(&mut self, id: FlowId, key: RegionKey) {
        let Some(flow) = self.machine.flows.get_mut(id) else {
            return;
        };
        let Some(position) = flow.find(key) else {
            return;
        };
        let region = &mut flow.regions[position];
        if region.awaits.left_in.is_none() {
            return;
        }
        region.awaits.over = true;
        if let FlowState::Running(thread) = flow.state {
            self.close_region(thread, position);
        }
    }

    pub(super) fn span_record(
        &mut self,
        thread: ThreadIndex,
        key: SpanKey,
        fields: FieldValues<'_>,
    ) {
        let generation = self.machine.output.generation();
        let Some(span) = self.span_mut(key) else {
            return;
        };
        span.named = generation;
        let (site, task) = (span.site, span.task);
        self.run(thread);
        self.tell_fields(thread, site, task, fields);
    }

    pub(super) fn span_follows(&mut self, thread: ThreadIndex, key: SpanKey, followed: SpanKey) {
        let find = |key| self.spans.get(self.spans.find(key)?);
        let (Some(span), Some(followed)) = (find(key), find(followed)) else {
            return;
        };
        let (from, to) = (followed.task, span.task);
        let place = self.sites.get(span.site).frame;
        let name = self.machine.names.text(self.sites.get(followed.site).name);
        let message = format!("{name} (task {})", from.0);
        self.run(thread);
        let category = self.machine.names.intern_static("follows_from");
        self.tell_log(thread, to, category, &message, Leaf::Place(place));
        let time_ns = self.machine.output.time_ns();
        self.machine
            .output
            .side(&SideRecord::Link { time_ns, from, to });
    }

    pub(super) fn event(
        &mut self,
        thread: ThreadIndex,
        site_key: SiteKey,
        parent: Parent,
        fields: FieldValues<'_>,
    ) {
        self.run(thread);
        let site_id = self.sites.meet(site_key, &mut self.machine.names);
        let (task, _) = self.parent_task(thread, site_key.door, parent);
        let task = task.unwrap_or(BACKGROUND_TASK);
        let site = self.sites.get(site_id);
        let is_log = site.callsite.kind == CallsiteKind::Log;
        let mut text = std::mem::take(&mut self.text);
        text::write_fields(site, fields, &mut text);
        let (mut category, mut place) = (site.category, site.frame);
        if is_log {
            let origin = text::LogOrigin::of(site, fields);
            category = self.machine.names.intern(&origin.category);
            place = origin.place(&mut self.machine.names);
        }
        self.tell_log(thread, task, category, &text, Leaf::Place(place));
        self.text = text;
    }

    pub(super) fn span_mut(&mut self, key: SpanKey) -> Option<&mut Span> {
        let slot = self.spans.find(key)?;
        self.spans.get_mut(slot)
    }
}
