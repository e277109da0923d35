//! Where a span is entered and left: the one place that decides what it is in a flow.
//!
//! | flow | first entry | what the span is there |
//! |---|---|---|
//! | a thread's own | | each span of time in which it is entered is a region |
//! | polled | all other spans of the flow are entered or done | one region, from first entry to close |
//! | polled | another span, not its ancestor, was left and may be entered again | concurrent: carried by a user task of its own, from first entry to close |
//!
//! Regions of one flow must nest, and spans that an async task leaves and enters again in any order
//! do not. User tasks may overlap. So no region of a polled flow is split.
//!
//! A future's span can outlive the future, by the handles of detached children. That the future was
//! dropped shows in a hint: `tracing` enters a future's span once more to drop the future, so it was
//! left and entered with nothing between. A span with the hint is done in this flow when a span that
//! is not its descendant is first entered there, or when a later poll does not enter it.

use exectrace_format::{Event, Inferred};

use super::flow::{MAX_OPEN_REGIONS, OpenRegion, RegionKey};
use super::names::Leaf;
use super::spans::{Span, SpanSlot};
use super::stays::{Entry, Stay};
use super::threads::ThreadIndex;
use super::{BACKGROUND_TASK, Model};
use crate::input::SpanKey;

/// How many ancestors of a span are looked at.
pub(super) const MAX_ANCESTORS: usize = 256;

impl Model {
    pub(super) fn span_enter(&mut self, thread: ThreadIndex, key: SpanKey) {
        let mut known = self.spans.find(key);
        if known.is_none() {
            known = self.recall(thread, key);
        }
        let Some(slot) = known.or_else(|| self.adopt_span(thread, key)) else {
            return;
        };
        let Some(span) = self.spans.get(slot).filter(|span| !span.hidden) else {
            return;
        };
        let may_be_again = span.flows > 0;
        self.run(thread);
        let Some(flow) = self.machine.current_mut(thread) else {
            return;
        };
        let entry = match may_be_again {
            true => flow.enter_again(slot),
            false => Entry::First,
        };
        match entry {
            Entry::First => self.enter_first(thread, slot),
            Entry::Again => self.count_entry(thread, slot),
            Entry::Inside => {}
        }
    }

    /// Takes in a span that is older than the recording, or whose making was lost.
    #[cold]
    fn adopt_span(&mut self, thread: ThreadIndex, key: SpanKey) -> Option<SpanSlot> {
        let site = self.sites.unknown_span(&mut self.machine.names);
        let mut span = Span::new(key, site);
        span.task = self.flow_task(thread);
        span.began_ns = self.machine.emitter.time_ns();
        span.losses = self.losses;
        span.adopted = true;
        let task = span.task;
        let slot = self.spans.insert(span);
        match slot {
            Some(_) => self.infer(Inferred::RegionBegin, task.0),
            None => self.counts.untracked += 1,
        }
        slot
    }

    fn count_entry(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let now_ns = self.machine.emitter.now_ns();
        let generation = self.machine.emitter.generation();
        if let Some(span) = self.spans.get_mut(slot) {
            span.entries.enter(now_ns);
            span.named = generation;
            if span.carried
                && let Some(flow) = self.machine.current_mut(thread)
            {
                flow.carry_again(slot, span.task, span.key.source);
            }
        }
    }

    /// A flow enters a span that it had not entered, or that it was done with.
    fn enter_first(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let Some(flow) = self.machine.current(thread) else {
            return;
        };
        let is_polled = flow.is_polled();
        let has_left = is_polled && flow.stays.left > 0;
        let is_carried = self.spans.get(slot).is_some_and(|span| span.carried);
        if is_polled && (is_carried || has_left && self.is_concurrent(thread, slot)) {
            self.enter_carried(thread, slot);
        } else {
            self.enter_region(thread, slot);
        }
    }

    fn enter_region(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let Some(region) = self.region_of(slot) else {
            return;
        };
        let first_ns = self.machine.emitter.time_ns();
        if self.open_region(thread, region) {
            self.has_entered(thread, slot, first_ns);
            if let Some(span) = self.spans.get_mut(slot)
                && self
                    .machine
                    .current(thread)
                    .is_some_and(|flow| flow.is_polled())
            {
                span.has_long_region = true;
            }
        }
    }

    fn region_of(&self, slot: SpanSlot) -> Option<OpenRegion> {
        let span = self.spans.get(slot)?;
        let site = self.sites.get(span.site);
        Some(OpenRegion {
            key: RegionKey::Span(slot),
            source: Some(span.key.source),
            task: span.task,
            name: site.name,
            place: Leaf::Place(site.frame),
            suspect: false,
            generation: self.machine.emitter.generation(),
            stay: Stay::default(),
            over: false,
            split: false,
            with_spawned: false,
        })
    }

    /// A span is entered on this thread by a flow that had not entered it.
    fn has_entered(&mut self, thread: ThreadIndex, slot: SpanSlot, first_ns: u64) {
        let now_ns = self.machine.emitter.now_ns();
        let generation = self.machine.emitter.generation();
        let current = self
            .machine
            .thread(thread)
            .and_then(|thread| thread.current);
        let go = self.machine.current(thread).map(|flow| flow.go);
        if let Some(span) = self.spans.get_mut(slot) {
            span.flows += 1;
            span.flow = current;
            span.named = generation;
            span.entries.enter(now_ns);
            if span.entries.first_ns == 0 {
                span.entries.first_ns = first_ns;
                span.entries.first_go = go.unwrap_or_default();
            }
        }
    }

    /// Whether the thread's flow has left a span, and may enter it again, that is no ancestor.
    #[cold]
    fn is_concurrent(&mut self, thread: ThreadIndex, slot: SpanSlot) -> bool {
        let dropping = self
            .machine
            .current(thread)
            .map(|flow| flow.stays.dropping());
        for dropped in dropping.into_iter().flatten() {
            if !self.ancestors(slot).any(|ancestor| ancestor == dropped) {
                self.end_stay(thread, dropped, false);
            }
        }
        let Some(flow) = self.machine.current(thread) else {
            return false;
        };
        let left = self.ancestors(slot);
        let left = left.filter(|&ancestor| flow.left_in(ancestor).is_some());
        flow.stays.left > left.count()
    }

    /// The ancestors of a span that are remembered, nearest first.
    pub(super) fn ancestors(&self, slot: SpanSlot) -> impl Iterator<Item = SpanSlot> {
        let parent = |&slot: &SpanSlot| self.spans.get(slot)?.parent_span;
        std::iter::successors(parent(&slot), parent).take(MAX_ANCESTORS)
    }

    /// A span that is concurrent with another of its flow. It gets a user task, if it is none.
    #[cold]
    fn enter_carried(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let has_room = self
            .machine
            .current(thread)
            .is_some_and(|flow| flow.regions.len() + flow.stays.carried_len() < MAX_OPEN_REGIONS);
        if !has_room {
            self.counts.untracked += 1;
            return;
        }
        let first_ns = self.machine.emitter.time_ns();
        if self.spans.get(slot).is_some_and(|span| !span.owns_task()) {
            self.begin_carrier(thread, slot);
        }
        let Some(span) = self.spans.get(slot) else {
            return;
        };
        let (task, source) = (span.task, span.key.source);
        if let Some(flow) = self.machine.current_mut(thread) {
            flow.carry(slot, task, source);
        }
        self.has_entered(thread, slot, first_ns);
    }

    /// Begins the user task that carries a span.
    fn begin_carrier(&mut self, thread: ThreadIndex, slot: SpanSlot) {
        let task = self.new_task();
        let Some(span) = self.spans.get_mut(slot) else {
            return;
        };
        let parent = std::mem::replace(&mut span.task, task);
        span.parent = parent;
        span.carried = true;
        span.began_ns = self.machine.emitter.time_ns();
        let site = self.sites.get(span.site);
        let name = self.machine.string(site.name);
        let machine = &mut self.machine;
        let leaf = Leaf::Place(site.frame);
        let stack = machine
            .emitter
            .stack(&mut machine.names, leaf, self.concurrent_span);
        let event = Event::UserTaskBegin {
            task,
            parent,
            name,
            stack,
        };
        self.machine.event(thread, event);
    }

    /// `last` says that the thread's next record closes the span or drops a handle.
    pub(super) fn span_exit(&mut self, thread: ThreadIndex, key: SpanKey, last: bool) {
        let Some(slot) = self.spans.find(key) else {
            return;
        };
        if self.machine.current(thread).is_none() {
            if self.spans.get(slot).is_none_or(|span| span.hidden) {
                return;
            }
            // The thread's own code leaves the span in which it has polled tasks.
            self.run(thread);
        }
        let Some(flow) = self.machine.current_mut(thread) else {
            return;
        };
        // If it is not in it, its begin was lost, or was before the recording.
        if !flow.leave_one(slot) {
            return;
        }
        let is_polled = flow.is_polled();
        let now_ns = self.machine.emitter.now_ns();
        let is_ahead = last && self.has_clone_ahead(key);
        let Some(span) = self.spans.get_mut(slot) else {
            return;
        };
        span.entries.leave(now_ns);
        let is_one_region = last
            && !is_ahead
            && span.entries.count == 1
            && span.handles <= 1
            && span.children == 0
            && !span.carried
            && !span.adopted;
        if is_one_region || span.closed || !is_polled {
            self.end_stay(thread, slot, is_one_region);
        } else if let Some(flow) = self.machine.current_mut(thread) {
            flow.keep_left(slot);
        }
    }

    /// Whether a clone of a handle was published but not applied yet.
    pub(super) fn has_clone_ahead(&self, key: SpanKey) -> bool {
        !self.clones_ahead.is_empty() && self.clones_ahead.contains_key(&key)
    }

    /// The flow that runs on the thread is done with a span: its region there ends.
    pub(super) fn end_stay(&mut self, thread: ThreadIndex, slot: SpanSlot, is_one_region: bool) {
        let Some(flow) = self.machine.current_mut(thread) else {
            return;
        };
        if let Some(position) = flow.find(RegionKey::Span(slot)) {
            self.close_region(thread, position, is_one_region);
        } else if flow.forget_carried(slot)
            && let Some(span) = self.spans.get_mut(slot)
        {
            span.flows = span.flows.saturating_sub(1);
        }
    }

    /// After a poll: ends the spans that it did not enter and whose futures were probably dropped.
    pub(super) fn end_dropped_spans(&mut self, thread: ThreadIndex) {
        let Some(flow) = self.machine.current(thread) else {
            return;
        };
        let left_before =
            |slot: &SpanSlot| flow.left_in(*slot).is_some_and(|poll| poll < flow.poll);
        let dropped: Vec<_> = flow
            .stays
            .dropping()
            .into_iter()
            .filter(left_before)
            .collect();
        for slot in dropped {
            self.end_stay(thread, slot, false);
        }
    }

    pub(super) fn flow_task(&self, thread: ThreadIndex) -> exectrace_format::TaskId {
        let flow = self.machine.current(thread);
        flow.and_then(|flow| flow.task(None))
            .unwrap_or(BACKGROUND_TASK)
    }
}
