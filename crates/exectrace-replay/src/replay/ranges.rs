//! Ranges of garbage collection.

use exectrace_format::{CompactKind, GoId, RangeName, RangeScope};

use crate::names::Text;
use crate::observer::{Input, Observer};
use crate::state::{End, Range};

use super::Replay;

impl Replay {
    pub(super) fn range<O: Observer>(
        &mut self,
        input: &Input<'_>,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let (range, scope, is_active, is_end) = match input.event.kind {
            CompactKind::RangeBegin { range, scope } => (range, scope, false, false),
            CompactKind::RangeActive { range, scope } => (range, scope, true, false),
            CompactKind::RangeEnd { range, scope, .. } => (range, scope, false, true),
            _ => return Ok(()),
        };
        let (name, reason) = self.range_name(range, input);
        let state = &mut self.state;
        let (now, goroutine) = (state.now, state.goroutine);
        let known = match is_end {
            true => state.ranges.remove(&(scope, name)),
            false => state.ranges.get(&(scope, name)).copied(),
        };
        if let Some(known) = known {
            let range = Range { goroutine, ..known };
            return match is_end {
                true => observer.range_end(state, &range, End::Seen),
                false => observer.range_goes_on(state, &range),
            };
        }
        let begin = match (is_end, is_active) {
            (true, _) => state.begin,
            (_, true) => state.generation_begin,
            _ => now,
        };
        let range = Range {
            name,
            reason,
            scope,
            begin,
            is_begin_seen: !is_end && !is_active,
            is_reported: !is_end,
            goroutine,
        };
        if is_end {
            return observer.range_end(state, &range, End::Seen);
        }
        state.ranges.insert((scope, name), range);
        observer.range_begin(state, &range)
    }

    /// The range's name as Go shows it, and for a stop of the world the reason in it.
    fn range_name(&mut self, range: RangeName, input: &Input<'_>) -> (Text, Text) {
        let names = &mut self.state.names;
        match range {
            RangeName::StopTheWorld(reason) => {
                let text = input.tables.text(reason);
                let name = format!("{} ({text})", range.name());
                (names.intern(&name), names.text(input.tables, reason))
            }
            _ => (names.intern(range.name()), Text::EMPTY),
        }
    }

    /// Ends the ranges of a goroutine that ends.
    pub(super) fn end_ranges_of<O: Observer>(
        &mut self,
        goroutine: GoId,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        if self.state.ranges.is_empty() {
            return Ok(());
        }
        let scope = RangeScope::Go(goroutine);
        let of_it = self.state.ranges.keys().filter(|(of, _)| *of == scope);
        let mut of_it: Vec<_> = of_it.copied().collect();
        // A map has no order of its own, and what is written must not differ from run to run.
        of_it.sort_unstable_by_key(|&(_, name)| name);
        for key in of_it {
            if let Some(range) = self.state.ranges.remove(&key) {
                observer.range_end(&self.state, &range, End::WithGoroutine)?;
            }
        }
        Ok(())
    }

    /// Ends all ranges with the trace.
    pub(super) fn end_ranges<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let mut open: Vec<_> = self.state.ranges.drain().map(|(_, range)| range).collect();
        open.sort_unstable_by_key(|range| (range.name, order(range.scope)));
        for range in open {
            observer.range_end(&self.state, &range, End::WithTrace)?;
        }
        Ok(())
    }
}

/// The order of ranges of one name.
fn order(scope: RangeScope) -> (u8, u64) {
    match scope {
        RangeScope::Global => (0, 0),
        RangeScope::Proc(proc) => (1, proc.0),
        RangeScope::Go(go) => (2, go.0),
    }
}
