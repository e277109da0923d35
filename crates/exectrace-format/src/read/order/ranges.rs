//! The rules of ranges: garbage collection, its parts, the world stopped.

use crate::event::EventKind;
use crate::ids::{GoId, ProcId, StackId, StringId};

use super::super::hindrance::Hindrance;
use super::super::kind::{CompactKind, RangeName};
use super::super::order_error::OrderError;
use super::super::state::RangeScope;
use super::names::KeptNameId;
use super::{Change, ITEM_BYTES, May, Must, Order, Outcome, Turn, Wait};

/// An open range of a goroutine or proc.
#[derive(Clone, Debug)]
pub(super) struct KnownRange {
    /// The kind of event that began it, or would have.
    begin: EventKind,
    /// A subtype: ids of strings are compared here, not texts, as Go's reader does.
    subtype: u64,
    pub(super) name: Option<KeptNameId>,
}

/// What is known of garbage collections.
#[derive(Clone, Debug, Default)]
pub(super) struct Collector {
    seq: u64,
    running: Option<bool>,
}

/// Begins a range.
fn begin(ranges: &mut Vec<KnownRange>, range: KnownRange) -> Result<(), OrderError> {
    if is_open(ranges, range.begin, range.subtype) {
        return Err(OrderError::RangeOpen(range.begin));
    }
    ranges.push(range);
    Ok(())
}

/// Takes note of a range said to be open; whether it is new.
fn confirm(
    ranges: &mut Vec<KnownRange>,
    kind: EventKind,
    initial: bool,
) -> Result<bool, OrderError> {
    match (is_open(ranges, kind, 0), initial) {
        (true, true) => Err(OrderError::RangeOpen(kind)),
        (false, false) => Err(OrderError::RangeMissing(kind)),
        (true, false) => Ok(false),
        (false, true) => {
            ranges.push(KnownRange {
                begin: kind,
                subtype: 0,
                name: None,
            });
            Ok(true)
        }
    }
}

/// Ends the first open range of this kind.
fn end(
    ranges: &mut Vec<KnownRange>,
    kind: EventKind,
    by: EventKind,
) -> Result<KnownRange, OrderError> {
    let index = ranges.iter().position(|range| range.begin == kind);
    index
        .map(|index| ranges.swap_remove(index))
        .ok_or(OrderError::RangeNotOpen(by))
}

fn is_open(ranges: &[KnownRange], kind: EventKind, subtype: u64) -> bool {
    ranges
        .iter()
        .any(|range| range.begin == kind && range.subtype == subtype)
}

impl Order {
    pub(super) fn stw_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let string = turn.string(0)?;
        let subtype = turn.argument(0);
        let mut range = KnownRange {
            begin: EventKind::StwBegin,
            subtype,
            name: None,
        };
        if is_open(&self.own_go(turn)?.ranges, range.begin, subtype) {
            return Err(OrderError::RangeOpen(range.begin).into());
        }
        range.name = Some(self.names.keep(string, turn.tables));
        self.own_go(turn)?.ranges.push(range);
        self.state_bytes += ITEM_BYTES;
        let kind = CompactKind::RangeBegin {
            range: RangeName::StopTheWorld(string),
            scope: own_go(turn),
        };
        let stack = turn.stack(1)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn stw_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let kind = turn.event.kind;
        let range = end(&mut self.own_go(turn)?.ranges, EventKind::StwBegin, kind)?;
        self.state_bytes -= ITEM_BYTES;
        let mut reason = StringId::EMPTY;
        if let Some(name) = range.name {
            reason = self.names.string(name, turn.tables);
            self.names.release(name);
        }
        let kind = ended(RangeName::StopTheWorld(reason), own_go(turn));
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn gc_active(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let seq = turn.argument(0);
        if self.is_initial() {
            if self.collector.running.is_some() {
                return Err(gc_problem(
                    turn,
                    "after another GC event in the first generation",
                ));
            }
            return self.collect(turn, seq, true);
        }
        if seq != self.collector.seq.wrapping_add(1) {
            return self.wait(Wait::Gc { seq });
        }
        if self.collector.running != Some(true) {
            return Err(gc_problem(turn, "while GC was not in progress"));
        }
        turn.needs(Must, Must)?;
        self.collect(turn, seq, true)
    }

    pub(super) fn gc_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let seq = turn.argument(0);
        if self.collector.running.is_none() {
            // The first event about collections is not checked.
            return self.collect(turn, seq, true);
        }
        if seq != self.collector.seq.wrapping_add(1) {
            return self.wait(Wait::Gc { seq });
        }
        if self.collector.running == Some(true) {
            return Err(gc_problem(turn, "while GC was already in progress"));
        }
        turn.needs(Must, Must)?;
        self.collect(turn, seq, true)
    }

    pub(super) fn gc_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let seq = turn.argument(0);
        if seq != self.collector.seq.wrapping_add(1) {
            return self.wait(Wait::Gc { seq });
        }
        match self.collector.running {
            Some(true) => {}
            Some(false) => return Err(gc_problem(turn, "when GC was not in progress")),
            None => return Err(gc_problem(turn, "when GC was in an undetermined state")),
        }
        turn.needs(Must, Must)?;
        self.collect(turn, seq, false)
    }

    fn collect(&mut self, turn: &mut Turn<'_>, seq: u64, running: bool) -> Outcome {
        self.collector = Collector {
            seq,
            running: Some(running),
        };
        self.changed(Change::Holds(Wait::Gc {
            seq: seq.wrapping_add(1),
        }));
        let (range, scope) = (RangeName::Mark, RangeScope::Global);
        let (stack, kind) = match turn.event.kind {
            EventKind::GcActive => (StackId::NONE, CompactKind::RangeActive { range, scope }),
            EventKind::GcBegin => (turn.stack(1)?, CompactKind::RangeBegin { range, scope }),
            _ => (StackId::NONE, ended(range, scope)),
        };
        self.emit(turn, stack, kind)
    }

    pub(super) fn sweep_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, May)?;
        let range = KnownRange {
            begin: EventKind::GcSweepBegin,
            subtype: 0,
            name: None,
        };
        begin(&mut self.own_proc(turn)?.ranges, range)?;
        self.state_bytes += ITEM_BYTES;
        let kind = CompactKind::RangeBegin {
            range: RangeName::Sweep,
            scope: RangeScope::Proc(ProcId(turn.context.proc)),
        };
        let stack = turn.stack(0)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn sweep_active(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (initial, kind, id) = (self.is_initial(), turn.event.kind, turn.argument(0));
        let proc = self.procs.get_mut(id).ok_or(OrderError::NoSuchProc {
            kind,
            proc: ProcId(id),
        })?;
        if confirm(&mut proc.ranges, EventKind::GcSweepBegin, initial)? {
            self.state_bytes += ITEM_BYTES;
        }
        let kind = CompactKind::RangeActive {
            range: RangeName::Sweep,
            scope: RangeScope::Proc(ProcId(id)),
        };
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn sweep_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, May)?;
        let kind = turn.event.kind;
        end(
            &mut self.own_proc(turn)?.ranges,
            EventKind::GcSweepBegin,
            kind,
        )?;
        self.state_bytes -= ITEM_BYTES;
        let kind = CompactKind::RangeEnd {
            range: RangeName::Sweep,
            scope: RangeScope::Proc(ProcId(turn.context.proc)),
            swept: Some((turn.argument(0), turn.argument(1))),
        };
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn assist_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let range = KnownRange {
            begin: EventKind::GcMarkAssistBegin,
            subtype: 0,
            name: None,
        };
        begin(&mut self.own_go(turn)?.ranges, range)?;
        self.state_bytes += ITEM_BYTES;
        let kind = CompactKind::RangeBegin {
            range: RangeName::Assist,
            scope: own_go(turn),
        };
        let stack = turn.stack(0)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn assist_active(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (initial, kind, id) = (self.is_initial(), turn.event.kind, turn.argument(0));
        let go = self
            .goroutines
            .get_mut(id)
            .ok_or(OrderError::NoSuchGo { kind, go: GoId(id) })?;
        if confirm(&mut go.ranges, EventKind::GcMarkAssistBegin, initial)? {
            self.state_bytes += ITEM_BYTES;
        }
        let kind = CompactKind::RangeActive {
            range: RangeName::Assist,
            scope: RangeScope::Go(GoId(id)),
        };
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn assist_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let kind = turn.event.kind;
        end(
            &mut self.own_go(turn)?.ranges,
            EventKind::GcMarkAssistBegin,
            kind,
        )?;
        self.state_bytes -= ITEM_BYTES;
        self.emit(turn, StackId::NONE, ended(RangeName::Assist, own_go(turn)))
    }
}

/// The goroutine of this turn as the place of a range.
fn own_go(turn: &Turn<'_>) -> RangeScope {
    RangeScope::Go(GoId(turn.context.go))
}

fn ended(range: RangeName, scope: RangeScope) -> CompactKind {
    CompactKind::RangeEnd {
        range,
        scope,
        swept: None,
    }
}

fn gc_problem(turn: &Turn<'_>, problem: &'static str) -> Hindrance {
    OrderError::Gc {
        kind: turn.event.kind,
        problem,
    }
    .into()
}
