//! Leaf spans: those with nothing inside, whose four records stand in a row.
//!
//! Most spans are around a piece of work that records nothing else: such a span is made, entered, left and
//! dropped with no record of its thread between, nor, up to the last of the four, of another thread. Hardly
//! ever is it named again. So it is written at once and never put in the table of spans, which is less than
//! half of the work (1,417 instructions of the flush thread instead of 3,175 for a span of the Subscriber).
//! What is written is what the four records would write one by one: a region from its entry to its exit, which
//! is the whole span. It can still be found for a moment after: `a.follows_from(b)` drops `b` before it names it.
//!
//! All that knows of this way is in this file: how the records are recognised, how they are handled, and
//! how the last of them are remembered.

use exectrace_format::{Event, StackId};

use super::Model;
use super::flow::{Flow, MAX_OPEN_REGIONS};
use super::names::Leaf;
use super::spans::{REMEMBERED_NS, Span};
use super::threads::{Machine, ThreadIndex};
use crate::decode::{Cursor, Peek};
use crate::input::{NewSpan, SpanKey};
use crate::kinds::Kind;
use crate::record::{is_head_of, source_of_head, ticks_of_head};
use crate::span_source::CallsiteKind;

/// The four records of a leaf span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafRecords {
    /// When it was made, entered, left and dropped.
    pub(crate) ticks: [u64; 4],
    /// Words of all four.
    pub(crate) words: usize,
}

impl LeafRecords {
    /// The records here, the making of a span being the first, if they are those of a leaf span.
    ///
    /// They must stand in the same chunk, and before `end` if that is in it too.
    #[inline(always)]
    pub(crate) fn at(cursor: &Cursor, new: &Peek, end: Option<&Cursor>) -> Option<Self> {
        if new.kind != Kind::SpanNew {
            return None;
        }
        // Each of the three others is its head and the span.
        let at = [new.length, new.length + 2, new.length + 4];
        let words = new.length + 6;
        if !cursor.has_words(words, end) {
            return None;
        }
        let heads = [cursor.word(at[0]), cursor.word(at[1]), cursor.word(at[2])];
        let source = source_of_head(new.head);
        let span = cursor.word(1);
        let is = |index: usize, kind| is_head_of(heads[index], kind, source);
        let is_leaf = is(0, Kind::SpanEnter)
            && is(1, Kind::SpanExit)
            && (is(2, Kind::SpanDrop) || is(2, Kind::SpanClose))
            && cursor.word(at[0] + 1) == span
            && cursor.word(at[1] + 1) == span
            && cursor.word(at[2] + 1) == span;
        let ticks = |index: usize| ticks_of_head(heads[index], new.ticks);
        is_leaf.then(|| Self {
            ticks: [new.ticks, ticks(0), ticks(1), ticks(2)],
            words,
        })
    }
}

/// Leaf spans that are remembered: more than a thread can make in the microsecond by which counters disagree.
const REMEMBERED: usize = 64;

/// The last leaf spans, and the times of their ends.
#[derive(Debug, Default)]
pub(super) struct RecentLeaves {
    leaves: Vec<(u64, Span)>,
    /// Where the next one goes.
    next: usize,
}

impl RecentLeaves {
    pub(super) fn get(&self, index: usize) -> Option<&Span> {
        Some(&self.leaves.get(index)?.1)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Span> {
        Some(&mut self.leaves.get_mut(index)?.1)
    }

    /// Finds one that ended not long before `now_ns`.
    #[cold]
    pub(super) fn find(&self, key: SpanKey, now_ns: u64) -> Option<usize> {
        let newest_first = (0..self.next)
            .rev()
            .chain((self.next..self.leaves.len()).rev());
        let is_remembered = |&index: &usize| self.leaves[index].0 + REMEMBERED_NS > now_ns;
        let mut remembered = newest_first.take_while(is_remembered);
        remembered.find(|&index| self.leaves[index].1.key == key)
    }

    pub(super) fn push(&mut self, span: Span, ended_ns: u64) {
        match self.leaves.get_mut(self.next) {
            Some(oldest) => *oldest = (ended_ns, span),
            None => self.leaves.push((ended_ns, span)),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

impl Flow {
    /// Whether a region can begin and end here with nothing else to be done.
    #[inline]
    fn can_take_leaf(&self) -> bool {
        self.stays.left == 0
            && self.regions.len() < MAX_OPEN_REGIONS
            && self.regions.last().is_none_or(|region| !region.over)
    }
}

impl Model {
    /// Handles the four records of a leaf span, made at these times, if nothing stands against it.
    ///
    /// Returns `false`, having written nothing of the span, if they must be handled one by one.
    #[inline]
    pub(crate) fn apply_leaf_span(
        &mut self,
        times_ns: [u64; 4],
        thread: ThreadIndex,
        new: &NewSpan<'_>,
    ) -> bool {
        let [made_ns, entered_ns, left_ns, closed_ns] = times_ns;
        let must_be_found = self.spans.find_in_table(new.span).is_some()
            || (!self.clones_ahead.is_empty() && self.clones_ahead.contains_key(&new.span))
            || self.has_timed(closed_ns)
            || self.machine.call_of(thread).is_some()
            || self.earlier.is_named_by(new);
        let site_id = self.sites.id_of(new.site, &mut self.machine.names);
        let site = self.sites.get(site_id);
        let (name, place) = (site.name, site.frame);
        if must_be_found || site.callsite.kind != CallsiteKind::Span {
            return false;
        }
        self.machine.emitter.advance(made_ns);
        self.run(thread);
        let Some(stream) = self.machine.stream(thread) else {
            return false;
        };
        match self.machine.current_mut(thread) {
            // Where some span may be entered again, this one could be concurrent with it.
            Some(flow) if flow.can_take_leaf() => {
                flow.stays.just_left = None;
            }
            _ => return false,
        }
        self.leaf_spans += 1;
        self.spans.forget_before(made_ns);

        let mut span = self.made_span(thread, new, site_id);
        let (task, is_task) = (span.task, span.is_task);
        if is_task {
            self.write_task_begin(thread, task, span.parent, name, Leaf::Place(place));
        }
        if !new.fields.values.is_empty() {
            self.write_fields(thread, site_id, task, new.fields);
        }

        let Machine { emitter, names, .. } = &mut self.machine;
        let name = emitter.name(names, name);
        // As `OpenRegion::stack` has it.
        let stack = emitter.stack(names, Leaf::None, place);
        emitter.advance(entered_ns);
        span.entries.first_ns = emitter.time_ns();
        emitter.event(stream, Event::UserRegionBegin { task, name, stack });
        let stack = StackId::NONE;
        emitter.advance(left_ns);
        emitter.event(stream, Event::UserRegionEnd { task, name, stack });
        emitter.advance(closed_ns);
        if is_task {
            emitter.event(stream, Event::UserTaskEnd { task, stack });
            self.trace_ids.forget(task);
        }
        self.spans.remember_leaf(span, emitter.time_ns());
        self.spans.forget_before(closed_ns);
        true
    }
}
