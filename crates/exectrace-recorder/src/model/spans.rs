//! The table of live spans.
//!
//! A span is found by its key while it lives and for a moment after: counters of different cores
//! disagree by up to a microsecond, so a record of another thread that names a span may come just
//! after the record of its end.

use std::cell::Cell;
use std::collections::VecDeque;

use exectrace_format::{GoId, TaskId};
use rustc_hash::FxHashMap;

use super::flow::FlowId;
use super::leaf_span::RecentLeaves;
use super::sites::SiteId;
use crate::input::SpanKey;

/// Most spans that may live at once, some 100 bytes each. Those beyond are counted and left out.
pub(crate) const MAX_SPANS: usize = 1 << 20;

/// How long a span is remembered after its end: far more than counters disagree by, far less than
/// it takes a registry to give its id to another span (8,191 spans on one thread).
pub(super) const REMEMBERED_NS: u64 = 20_000;

/// Set in the index of a slot that is none of the table's, but of the leaf spans.
const LEAF: u32 = 1 << 31;

/// Where a span is kept. Carries a serial, so that it cannot be taken for the next one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpanSlot {
    index: u32,
    serial: u32,
}

/// A span.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) key: SpanKey,
    pub(crate) site: SiteId,
    /// The user task that it is or belongs to.
    pub(crate) task: TaskId,
    /// Whether it is that task.
    pub(crate) is_task: bool,
    /// The task's parent, if it is one.
    pub(crate) parent: TaskId,
    pub(crate) began_ns: u64,
    /// Handles that exist, for span sources that leave the counting to us.
    pub(crate) handles: i64,
    /// Its parent, if it has one.
    pub(crate) parent_span: Option<SpanSlot>,
    /// Its children that live, which keep it alive.
    pub(crate) children: u32,
    /// How many flows have entered it and may do so again.
    pub(crate) flows: u32,
    /// The flow that entered it last.
    pub(crate) flow: Option<FlowId>,
    /// Its entries.
    pub(crate) entries: Entries,
    /// A user task that exists only for it carries it.
    pub(crate) carried: bool,
    /// A region in a polled flow shows it.
    pub(crate) has_long_region: bool,
    /// One region is the whole span, so it needs no record.
    pub(crate) is_one_region: bool,
    /// Its making was not seen.
    pub(crate) adopted: bool,
    pub(crate) closed: bool,
    /// A runtime made it around a task: it is shown nowhere.
    pub(crate) hidden: bool,
    /// How many losses there had been when it was made.
    pub(crate) losses: u64,
    /// The generation that named it last.
    pub(crate) named: u64,
    serial: u32,
}

/// When and for how long a span was entered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entries {
    /// The time of the event that begins it; 0 if it was not entered.
    pub(crate) first_ns: u64,
    /// The flow that entered it first.
    pub(crate) first_go: GoId,
    /// How often it was entered.
    pub(crate) count: u64,
    /// How long, all entries together, up to `settled_ns`.
    pub(crate) busy_ns: u64,
    settled_ns: u64,
    /// How many flows are in it now.
    inside: u32,
}

impl Entries {
    #[inline]
    pub(crate) fn enter(&mut self, now_ns: u64) {
        self.settle(now_ns);
        self.inside += 1;
        self.count += 1;
    }

    #[inline]
    pub(crate) fn leave(&mut self, now_ns: u64) {
        self.settle(now_ns);
        self.inside = self.inside.saturating_sub(1);
    }

    #[inline]
    pub(crate) fn settle(&mut self, now_ns: u64) {
        let since_ns = now_ns.saturating_sub(self.settled_ns);
        self.busy_ns += u64::from(self.inside) * since_ns;
        self.settled_ns = self.settled_ns.max(now_ns);
    }
}

/// Spans by key.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    slots: Vec<Option<Span>>,
    free: Vec<u32>,
    by_key: FxHashMap<SpanKey, SpanSlot>,
    /// The key that was found last: most records name the span of the record before.
    recent: Cell<Option<(SpanKey, SpanSlot)>>,
    next_serial: u32,
    /// Closed spans that are still remembered, oldest first, with the time of their end.
    closed: VecDeque<(u64, SpanSlot)>,
    /// When the first of them is to be forgotten. (0 while there was none yet.)
    forget_from_ns: u64,
    /// Leaf spans, which were never in the table.
    leaves: RecentLeaves,
    /// The latest time that the table heard of.
    latest_ns: u64,
}

impl Spans {
    /// Spans in the table, those just ended included.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Finds a span by its key.
    #[inline]
    pub(crate) fn find(&self, key: SpanKey) -> Option<SpanSlot> {
        match self.recent.get() {
            Some((recent, slot)) if recent == key => Some(slot),
            _ => self.look_up(key),
        }
    }

    fn look_up(&self, key: SpanKey) -> Option<SpanSlot> {
        self.find_in_table(key).or_else(|| self.find_leaf(key))
    }

    /// Finds a span that is no leaf span.
    #[inline]
    pub(crate) fn find_in_table(&self, key: SpanKey) -> Option<SpanSlot> {
        let slot = self.by_key.get(&key).copied()?;
        self.recent.set(Some((key, slot)));
        Some(slot)
    }

    /// Finds a leaf span that ended a moment ago.
    fn find_leaf(&self, key: SpanKey) -> Option<SpanSlot> {
        let index = self.leaves.find(key, self.latest_ns)?;
        Some(SpanSlot {
            index: LEAF | index as u32,
            serial: self.leaves.get(index)?.serial,
        })
    }

    /// The span in a slot, if it is still the same.
    #[inline]
    pub(crate) fn get(&self, slot: SpanSlot) -> Option<&Span> {
        let span = match self.slots.get(slot.index as usize) {
            Some(span) => span.as_ref()?,
            None => self.leaves.get((slot.index & !LEAF) as usize)?,
        };
        (span.serial == slot.serial).then_some(span)
    }

    /// The span in a slot, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: SpanSlot) -> Option<&mut Span> {
        let span = match self.slots.get_mut(slot.index as usize) {
            Some(span) => span.as_mut()?,
            None => self.leaves.get_mut((slot.index & !LEAF) as usize)?,
        };
        (span.serial == slot.serial).then_some(span)
    }

    /// Puts a span in, unless the table is full. Its key must not be in use by a span that lives.
    pub(crate) fn insert(&mut self, mut span: Span) -> Option<SpanSlot> {
        let key = span.key;
        if let Some(remembered) = self.find_in_table(key) {
            self.remove(remembered);
        }
        if self.len() >= MAX_SPANS {
            return None;
        }
        self.next_serial = self.next_serial.wrapping_add(1);
        span.serial = self.next_serial;
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = Some(span);
                index
            }
            None => {
                self.slots.push(Some(span));
                self.slots.len() as u32 - 1
            }
        };
        let slot = SpanSlot {
            index,
            serial: self.next_serial,
        };
        self.by_key.insert(key, slot);
        self.recent.set(Some((key, slot)));
        Some(slot)
    }

    /// Remembers a leaf span for a little.
    pub(crate) fn remember_leaf(&mut self, mut span: Span, ended_ns: u64) {
        self.next_serial = self.next_serial.wrapping_add(1);
        span.serial = self.next_serial;
        span.handles = 0;
        span.closed = true;
        self.leaves.push(span, ended_ns);
    }

    /// Marks a span as ended; it is forgotten a little later.
    pub(crate) fn close(&mut self, slot: SpanSlot, time_ns: u64) {
        if let Some(span) = self.get_mut(slot) {
            span.closed = true;
            if self.closed.is_empty() {
                self.forget_from_ns = time_ns + REMEMBERED_NS;
            }
            self.closed.push_back((time_ns, slot));
        }
    }

    /// Forgets spans that ended long enough ago.
    #[inline(always)]
    pub(crate) fn forget_before(&mut self, now_ns: u64) {
        self.latest_ns = self.latest_ns.max(now_ns);
        if now_ns >= self.forget_from_ns {
            self.forget_some(now_ns);
        }
    }

    #[inline(never)]
    fn forget_some(&mut self, now_ns: u64) {
        while let Some(&(ended_ns, slot)) = self.closed.front() {
            if ended_ns + REMEMBERED_NS > now_ns {
                self.forget_from_ns = ended_ns + REMEMBERED_NS;
                return;
            }
            self.closed.pop_front();
            self.remove(slot);
        }
        self.forget_from_ns = u64::MAX;
    }

    fn remove(&mut self, slot: SpanSlot) {
        if let Some(key) = self.get(slot).map(|span| span.key) {
            self.slots[slot.index as usize] = None;
            self.free.push(slot.index);
            // A newer span may have the key by now.
            if self.by_key.get(&key) == Some(&slot) {
                self.by_key.remove(&key);
                self.recent.set(None);
            }
        }
    }

    /// The spans that have not ended and are `wanted`, in the order of their making.
    pub(crate) fn live_where(&self, wanted: impl Fn(&Span) -> bool) -> Vec<SpanSlot> {
        let live = self.live().filter(|(_, span)| wanted(span));
        let mut slots: Vec<_> = live.map(|(slot, _)| slot).collect();
        slots.sort_unstable_by_key(|slot| slot.serial);
        slots
    }

    /// All spans that have not ended.
    pub(crate) fn live(&self) -> impl Iterator<Item = (SpanSlot, &Span)> {
        self.slots.iter().zip(0..).filter_map(|(span, index)| {
            let span = span.as_ref().filter(|span| !span.closed)?;
            let serial = span.serial;
            Some((SpanSlot { index, serial }, span))
        })
    }
}

impl Span {
    /// Whether a user task is this span.
    pub(crate) fn owns_task(&self) -> bool {
        self.is_task || self.carried
    }

    pub(crate) fn new(key: SpanKey, site: SiteId) -> Self {
        Self {
            key,
            site,
            task: TaskId::BACKGROUND,
            is_task: false,
            parent: TaskId::BACKGROUND,
            began_ns: 0,
            handles: 1,
            parent_span: None,
            children: 0,
            flows: 0,
            flow: None,
            entries: Entries::default(),
            carried: false,
            has_long_region: false,
            is_one_region: false,
            adopted: false,
            closed: false,
            hidden: false,
            losses: 0,
            named: 0,
            serial: 0,
        }
    }
}
