//! Wakes: who woke which async task, by whatever name the task is called in them.
//!
//! A wake names the task, the address that the task's wakers carry, or the span that the runtime made
//! around the task. Of some wakes only the time is known; those are written if no record of a wake comes before.

use rustc_hash::FxHashMap;

use super::Model;
use super::flow::FlowState;
use super::lookahead::{Waker, WakerKind};
use super::names::{Leaf, NameId};
use super::sites::SiteId;
use super::spans::{Span, SpanSlot};
use super::threads::ThreadIndex;
use crate::input::{AsyncKey, FieldValues, SpanKey, WakerKey};
use crate::span_source::CallsiteKind;
use crate::values::Value;

/// Most wakers that are remembered, some 50 bytes each.
const MAX_WAKERS: usize = 1 << 21;

/// Which task each waker wakes.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    tasks: FxHashMap<WakerKey, u64>,
    /// Spans around tasks, by task; recorded before the task's spawn, and forgotten with the span.
    spans: FxHashMap<u64, TaskSpan>,
}

/// A span that a runtime made around a task.
#[derive(Clone, Copy, Debug)]
struct TaskSpan {
    key: SpanKey,
    /// What the program called the task.
    name: Option<NameId>,
}

impl Wakers {
    fn insert(&mut self, waker: WakerKey, task: u64) {
        if self.tasks.len() < MAX_WAKERS {
            self.tasks.insert(waker, task);
        }
    }

    /// Forgets a waker of this task, unless it is another's by now.
    pub(super) fn forget(&mut self, waker: WakerKey, task: u64) {
        if self.tasks.get(&waker) == Some(&task) {
            self.tasks.remove(&waker);
        }
    }

    /// The span around a task.
    pub(super) fn span_of(&self, task: u64) -> Option<SpanKey> {
        if self.spans.is_empty() {
            return None;
        }
        self.spans.get(&task).map(|span| span.key)
    }

    /// What the program called a task, as far as its span says.
    pub(super) fn name_of(&self, task: u64) -> Option<NameId> {
        self.spans.get(&task)?.name
    }

    fn insert_span(&mut self, task: u64, span: TaskSpan) {
        if self.spans.len() < MAX_WAKERS {
            self.spans.insert(task, span);
            self.insert(span.key, task);
        }
    }

    fn forget_span(&mut self, key: SpanKey) {
        let Some(&task) = self.tasks.get(&key) else {
            return;
        };
        self.forget(key, task);
        if self.spans.get(&task).is_some_and(|span| span.key == key) {
            self.spans.remove(&task);
        }
    }
}

impl Model {
    /// Takes in a span if a runtime made it around a task. It is no region anywhere.
    pub(super) fn is_task_span(
        &mut self,
        key: SpanKey,
        site: SiteId,
        fields: FieldValues<'_>,
    ) -> bool {
        let site_data = self.sites.get(site);
        if site_data.callsite.kind != CallsiteKind::AsyncTask {
            return false;
        }
        let (mut task, mut name) = (None, None);
        for (index, value) in fields.values {
            match (site_data.field(index), value) {
                ("task.id", Value::U64(number)) => task = Some(number),
                ("task.name", Value::Text(text) | Value::Formatted(text)) if !text.is_empty() => {
                    name = Some(self.machine.names.intern(text));
                }
                _ => {}
            }
        }
        let mut span = Span::new(key, site);
        span.hidden = true;
        span.losses = self.losses;
        let is_kept = self.spans.insert(span).is_some();
        if let Some(task) = task.filter(|_| is_kept) {
            self.polls.wakers.insert_span(task, TaskSpan { key, name });
        }
        true
    }

    /// Ends the span in this slot if it is one around a task.
    pub(super) fn end_task_span(&mut self, slot: SpanSlot) -> bool {
        let hidden = self.spans.get(slot).filter(|span| span.hidden);
        let Some((key, closed)) = hidden.map(|span| (span.key, span.closed)) else {
            return false;
        };
        if closed {
            return true;
        }
        self.polls.wakers.forget_span(key);
        let time_ns = self.machine.emitter.time_ns();
        self.spans.close(slot, time_ns);
        true
    }

    pub(super) fn waker_of(&mut self, key: AsyncKey, address: u64) {
        let waker = WakerKey::of_address(address);
        self.polls.lookahead.waker_applied(waker);
        if let Some(task) = self.polls.tasks.get_mut(&key.task) {
            task.waker = Some(waker);
            self.polls.wakers.insert(waker, key.task);
        }
    }

    pub(super) fn wake_by(&mut self, thread: ThreadIndex, waker: WakerKey) {
        let kind = self.polls.lookahead.wake_applied(Waker::Known(waker));
        let known = self.polls.wakers.tasks.get(&waker).copied();
        // A task that was polled before the recording says only at its next poll what its wakers carry.
        if let Some(task) = known.or_else(|| self.polls.lookahead.task_of(waker)) {
            self.woken(thread, task, kind);
        }
    }

    pub(super) fn wake(&mut self, thread: ThreadIndex, key: AsyncKey) {
        let kind = self.polls.lookahead.wake_applied(Waker::Task(key.task));
        self.woken(thread, key.task, kind);
    }

    fn woken(&mut self, thread: ThreadIndex, number: u64, kind: Option<WakerKind>) {
        let Some(task) = self.polls.tasks.get_mut(&number) else {
            return;
        };
        let flow = task.flow;
        if matches!(
            self.machine.flows.get(flow).map(|flow| flow.state),
            Some(FlowState::Running(_) | FlowState::InCall(_))
        ) {
            task.woken = true;
            return;
        }
        let inside = self
            .machine
            .current(thread)
            .and_then(|flow| flow.regions.last());
        let leaf = inside.map_or(Leaf::None, |region| region.place);
        if self.machine.unblock(thread, flow, leaf)
            && let Some(flow) = self.machine.flows.get(flow)
            && let (Leaf::Chain(chain), Some(kind)) = (flow.wait.1, kind)
        {
            self.polls.waits.learn(chain, flow.root, kind);
        }
    }

    /// Writes what happened up to this time and has no record of that time: wakes of which only the time is known,
    /// and begins and ends of calls.
    #[inline]
    pub(super) fn apply_timed(&mut self, until_ns: u64) {
        loop {
            let call_ns = self.calls.next_due(until_ns);
            let wakes_until_ns = call_ns.unwrap_or(until_ns);
            if let Some((time_ns, task)) = self.polls.lookahead.take_timed_wake(wakes_until_ns) {
                self.woken_by_unknown(time_ns, task);
            } else if call_ns.is_some() {
                self.change_call();
            } else {
                return;
            }
        }
    }

    /// Whether there is such a thing.
    #[inline]
    pub(super) fn has_timed(&self, until_ns: u64) -> bool {
        self.polls.lookahead.has_timed_wake(until_ns) || self.calls.next_due(until_ns).is_some()
    }

    #[inline(never)]
    fn woken_by_unknown(&mut self, time_ns: u64, number: u64) {
        let Some(task) = self.polls.tasks.get_mut(&number) else {
            return;
        };
        match self.machine.flows.get(task.flow).map(|flow| flow.state) {
            Some(FlowState::Running(_) | FlowState::InCall(_)) => task.woken = true,
            Some(FlowState::Waiting) => {
                let flow = task.flow;
                self.machine.emitter.advance(time_ns);
                self.counts.inferred += 1;
                let waker = Leaf::Place(self.polls.texts.wake_not_seen);
                self.machine.unblock_by_unknown(flow, waker);
            }
            _ => {}
        }
    }
}
