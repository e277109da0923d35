//! Records of spans and their events.
//!
//! A span without a parent is a user task (or what its call site says), any other belongs to its
//! parent's. What it is where it is entered, is in `entering`; where it ends, in `closing`.

use exectrace_format::conventions::FOLLOWS_FROM_CATEGORY;
use exectrace_format::{SideRecord, TaskId};

use super::names::Leaf;
use super::sites::SiteId;
use super::spans::{Span, SpanSlot};
use super::threads::ThreadIndex;
use super::{BACKGROUND_TASK, Model, text};
use crate::input::{CallsiteKey, FieldValues, NewSpan, SpanKey};
use crate::span_source::{CallsiteKind, Parent, TRACE_ID_INDEX, TaskRule};
use crate::values::Value;

/// What is found of the parent of a span or an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FoundParent {
    /// The span.
    span: Option<SpanSlot>,
    /// The user task that it is or belongs to.
    task: Option<TaskId>,
    /// There is a parent, be it known or not.
    exists: bool,
}

impl Model {
    pub(super) fn span_new(&mut self, thread: ThreadIndex, new: &NewSpan<'_>) {
        let (key, fields) = (new.span, new.fields);
        if let Some(open) = self.spans.find_in_table(key) {
            self.end_span(thread, open, true);
        }
        let site = self.sites.id_of(new.site, &mut self.machine.names);
        if self.is_task_span(key, site, fields) {
            return;
        }
        self.run(thread);
        self.earlier.forget(key);
        self.recall_parent(thread, key.source, new.parent);
        let span = self.made_span(thread, new, site);
        let (task, parent, is_task) = (span.task, span.parent, span.is_task);
        let parent_span = span.parent_span;
        if self.spans.insert(span).is_none() {
            self.counts.untracked += 1;
            return;
        }
        if let Some(parent) = parent_span.and_then(|slot| self.spans.get_mut(slot)) {
            parent.children += 1;
        }
        if is_task {
            let (name, place) = (self.sites.get(site).name, self.sites.get(site).frame);
            self.write_task_begin(thread, task, parent, name, Leaf::Place(place));
        }
        if !fields.values.is_empty() {
            self.write_fields(thread, site, task, fields);
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
        span.began_ns = self.machine.emitter.time_ns();
        span.losses = self.losses;
        span.named = self.machine.emitter.generation();
        let found = self.parent_of(thread, new.span.source, new.parent);
        let (parent_task, has_parent) = (found.task, found.exists);
        span.parent_span = found.span;
        span.is_task = self.is_task(site, new.fields, has_parent);
        if span.is_task {
            span.parent = parent_task.unwrap_or(TaskId::BACKGROUND);
            span.task = self.new_task();
        } else {
            span.task = parent_task.unwrap_or(BACKGROUND_TASK);
        }
        span
    }

    /// The parent of a new span or an event, and the task it gives.
    ///
    /// Without a span of the same source, it belongs to the region of the annotation API that the
    /// thread's flow is in, or to none: the spans of another source are another tree.
    pub(super) fn parent_of(
        &self,
        thread: ThreadIndex,
        source: u16,
        parent: Parent,
    ) -> FoundParent {
        let (id, is_current) = match parent {
            Parent::Root => return FoundParent::default(),
            Parent::Explicit(id) => (id, false),
            Parent::Current(id) => (id, true),
        };
        // Most often there is none, which takes no search.
        let slot = if id == 0 {
            None
        } else {
            self.spans.find(SpanKey { id, source })
        };
        let span = slot.and_then(|slot| self.spans.get(slot));
        if span.is_some_and(|span| span.hidden) {
            return FoundParent::default();
        }
        let mut found = FoundParent {
            // One that has ended already is kept alive by no child.
            span: slot.filter(|_| span.is_some_and(|span| !span.closed)),
            task: span.map(|span| span.task),
            exists: true,
        };
        if is_current && found.task.is_none() {
            found.task = self
                .machine
                .current(thread)
                .and_then(|flow| flow.task(Some(source)));
            found.exists = found.task.is_some() || id != 0;
        }
        found
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

    /// Writes fields as a log of the span's task, under the span's name.
    pub(super) fn write_fields(
        &mut self,
        thread: ThreadIndex,
        site_id: SiteId,
        task: TaskId,
        fields: FieldValues<'_>,
    ) {
        let site = self.sites.get(site_id);
        let (name, place, has_trace_ids) = (site.name, site.frame, site.has_trace_ids);
        let mut text = std::mem::take(&mut self.text);
        text::write_fields(site, fields, &mut text);
        if !text.is_empty() {
            self.write_log_event(thread, task, name, &text, Leaf::Place(place));
        }
        self.text = text;
        if has_trace_ids {
            self.write_trace_ids(thread, site_id, task, fields);
        }
    }

    pub(super) fn span_clone(&mut self, thread: ThreadIndex, key: SpanKey) {
        if let Some(ahead) = self.clones_ahead.get_mut(&key) {
            *ahead -= 1;
            if *ahead == 0 {
                self.clones_ahead.remove(&key);
            }
        }
        let generation = self.machine.emitter.generation();
        let Some(slot) = self.spans.find(key) else {
            return self.earlier.handles(key, 1);
        };
        if let Some(span) = self.spans.get_mut(slot) {
            span.handles += 1;
            span.named = generation;
        }
        // The clone, too, may have been dropped before.
        self.end_if_unused(thread, slot);
    }

    pub(super) fn span_record(
        &mut self,
        thread: ThreadIndex,
        key: SpanKey,
        fields: FieldValues<'_>,
    ) {
        let generation = self.machine.emitter.generation();
        let Some(span) = self.span_mut(key) else {
            return;
        };
        span.named = generation;
        let (site, task) = (span.site, span.task);
        self.run(thread);
        match { fields.values }.next() {
            Some((TRACE_ID_INDEX, id)) => self.write_trace_id(thread, site, task, id),
            _ => self.write_fields(thread, site, task, fields),
        }
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
        let category = self.machine.names.intern_static(FOLLOWS_FROM_CATEGORY);
        self.write_log_event(thread, to, category, &message, Leaf::Place(place));
        let time_ns = self.machine.emitter.time_ns();
        self.machine
            .emitter
            .side(&SideRecord::Link { time_ns, from, to });
    }

    pub(super) fn event(
        &mut self,
        thread: ThreadIndex,
        site_key: CallsiteKey,
        parent: Parent,
        fields: FieldValues<'_>,
    ) {
        self.run(thread);
        let site_id = self.sites.id_of(site_key, &mut self.machine.names);
        self.recall_parent(thread, site_key.source, parent);
        let task = match (self.parent_of(thread, site_key.source, parent).task, parent) {
            (Some(task), _) => task,
            (None, Parent::Current(_)) => self.flow_task(thread),
            (None, _) => BACKGROUND_TASK,
        };
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
        self.write_log_event(thread, task, category, &text, Leaf::Place(place));
        self.text = text;
    }

    pub(super) fn span_mut(&mut self, key: SpanKey) -> Option<&mut Span> {
        let slot = self.spans.find(key)?;
        self.spans.get_mut(slot)
    }
}
