//! Spans whose whole life lies between two records of others.
//!
//! A span around a piece of work that records nothing else makes four records in a row: it is made,
//! entered, left and dropped. Hardly ever is such a span named again, so it is told at once and never
//! put in the table, which is less than half of the work. What is written is what the four records
//! would write one by one: a region from its entry to its exit, which is the whole span. It is still found for a moment after: `a.follows_from(b)` drops `b` before it
//! names it.

use exectrace_format::{Event, StackId};

use super::Model;
use super::names::Leaf;
use super::threads::{Machine, ThreadIndex};
use crate::input::NewSpan;
use crate::span_source::CallsiteKind;

impl Model {
    /// Applies the four records of a span's life, made at these times, if nothing stands against it.
    ///
    /// Returns `false`, having told nothing of the span, if they must be applied one by one.
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
            || self.polls.lookahead.has_timed_wake(closed_ns)
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
        self.counts.records += 4;
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
        }
        self.spans.remember_leaf(span, emitter.time_ns());
        self.spans.forget_before(closed_ns);
        true
    }
}
