//! The spans that a flow has entered and that are alive: which it is in, and which it has left and
//! may enter again.
//!
//! Most are regions of the flow. A span that is concurrent with another of them is carried by a user
//! task instead, and kept in a table of its own: there may be thousands in one flow.

use exectrace_format::TaskId;
use rustc_hash::FxHashMap;

use super::flow::{Flow, RegionKey};
use super::spans::SpanSlot;

/// Whether a flow is in a span or has left it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stay {
    /// It was left in the poll of this number.
    pub(crate) left_in: Option<u64>,
    /// How often it was entered again inside itself.
    depth: u32,
    /// It was left, and entered again with nothing between: its future was probably dropped.
    dropping: bool,
}

/// A carried span that the flow is in.
#[derive(Clone, Copy, Debug)]
struct Carried {
    slot: SpanSlot,
    task: TaskId,
    source: u16,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    carried: FxHashMap<SpanSlot, Stay>,
    /// The carried ones that the flow is in, outermost first.
    carried_inside: Vec<Carried>,
    /// How many were left, and may be entered again.
    pub(crate) left: usize,
    /// Those of them that were left while their future was probably being dropped.
    dropping: Vec<SpanSlot>,
    /// The span that the flow left last, if it has done nothing since.
    pub(crate) just_left: Option<SpanSlot>,
}

impl Stays {
    /// The spans that the flow has left while their futures were probably being dropped.
    pub(crate) fn dropping(&self) -> Vec<SpanSlot> {
        self.dropping.clone()
    }

    /// How many of the spans are carried.
    pub(crate) fn carried_len(&self) -> usize {
        self.carried.len()
    }

    /// The carried ones, whether the flow is in each.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (SpanSlot, bool)> {
        let carried = self.carried.iter();
        carried.map(|(&slot, stay)| (slot, stay.left_in.is_none()))
    }

    /// The span is not entered again as it was.
    pub(crate) fn settle(&mut self, slot: SpanSlot, stay: Stay) {
        if stay.left_in.is_some() {
            self.left -= 1;
            if stay.dropping {
                self.dropping.retain(|&dropping| dropping != slot);
            }
        }
    }
}

/// What entering a span is to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It had not entered the span, or is done with it.
    First,
    /// It had left the span.
    Again,
    /// It is in the span.
    Inside,
}

impl Flow {
    fn stay_mut(&mut self, slot: SpanSlot) -> Option<&mut Stay> {
        match self.find(RegionKey::Span(slot)) {
            Some(position) => Some(&mut self.regions[position].stay),
            None if self.stays.carried.is_empty() => None,
            None => self.stays.carried.get_mut(&slot),
        }
    }

    /// In which poll the span was left; `None` if the flow is in it, or never was.
    pub(crate) fn left_in(&self, slot: SpanSlot) -> Option<u64> {
        match self.find(RegionKey::Span(slot)) {
            Some(position) => self.regions[position].stay.left_in,
            None => self.stays.carried.get(&slot)?.left_in,
        }
    }

    /// Enters a span that the flow may have entered before.
    pub(crate) fn enter_again(&mut self, slot: SpanSlot) -> Entry {
        let just_left = self.stays.just_left.take() == Some(slot);
        let poll = self.poll;
        let Some(stay) = self.stay_mut(slot) else {
            return Entry::First;
        };
        let before = *stay;
        match stay.left_in.take() {
            Some(left_in) => {
                stay.dropping = just_left && left_in == poll;
                self.stays.settle(slot, before);
                Entry::Again
            }
            None => {
                stay.depth += 1;
                Entry::Inside
            }
        }
    }

    /// Adds a span that a user task carries.
    pub(crate) fn carry(&mut self, slot: SpanSlot, task: TaskId, source: u16) {
        self.stays.just_left = None;
        self.stays.carried.insert(slot, Stay::default());
        self.stays
            .carried_inside
            .push(Carried { slot, task, source });
    }

    /// Adds a carried span, which was left, to those that the flow is in.
    pub(crate) fn carry_again(&mut self, slot: SpanSlot, task: TaskId, source: u16) {
        if self.stays.carried.contains_key(&slot) {
            self.stays
                .carried_inside
                .push(Carried { slot, task, source });
        }
    }

    /// Leaves one entry of a span. Returns whether the flow is no longer in it.
    pub(crate) fn leave_one(&mut self, slot: SpanSlot) -> bool {
        match self.stay_mut(slot) {
            Some(stay) if stay.depth > 0 => {
                stay.depth -= 1;
                false
            }
            Some(stay) => stay.left_in.is_none(),
            None => false,
        }
    }

    /// Keeps a span that the flow is no longer in, to be entered again.
    pub(crate) fn keep_left(&mut self, slot: SpanSlot) {
        let poll = self.poll;
        let Some(stay) = self.stay_mut(slot) else {
            return;
        };
        stay.left_in = Some(poll);
        let dropping = stay.dropping;
        let stays = &mut self.stays;
        stays.left += 1;
        if dropping {
            stays.dropping.push(slot);
        }
        stays.just_left = Some(slot);
        stays.carried_inside.retain(|inside| inside.slot != slot);
    }

    /// The region at `position` is not entered again.
    pub(crate) fn settle_region(&mut self, position: usize) {
        let region = &mut self.regions[position];
        if let RegionKey::Span(slot) = region.key {
            let stay = std::mem::take(&mut region.stay);
            self.stays.settle(slot, stay);
        }
    }

    /// A carried span is not entered again. Returns `false` if it is not there.
    pub(crate) fn forget_carried(&mut self, slot: SpanSlot) -> bool {
        let Some(stay) = self.stays.carried.remove(&slot) else {
            return false;
        };
        self.stays.settle(slot, stay);
        self.stays
            .carried_inside
            .retain(|inside| inside.slot != slot);
        true
    }

    /// The task of the innermost span or region that the flow is in; of the spans only those of this
    /// source, if one is given.
    pub(crate) fn task(&self, source: Option<u16>) -> Option<TaskId> {
        let is_wanted = |of: Option<u16>| source.is_none() || of.is_none() || of == source;
        let mut carried = self.stays.carried_inside.iter().rev();
        if let Some(inside) = carried.find(|inside| is_wanted(Some(inside.source))) {
            return Some(inside.task);
        }
        let mut inside = self.regions.iter().rev();
        let innermost = inside.find(|region| {
            region.stay.left_in.is_none() && !region.over && is_wanted(region.source)
        })?;
        Some(innermost.task)
    }
}
