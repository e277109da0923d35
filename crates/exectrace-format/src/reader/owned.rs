//! From compact events to [`TraceEvent`]s, which own what they tell.

use std::sync::{Arc, LazyLock};

use crate::ids::{GoId, ProcId, StackId, StringId, ThreadId};
use crate::side::SideRecord;

use super::compact::{CompactEvent, CompactKind, RangeName};
use super::tables::Tables;
use super::trace_event::{StackFrame, TraceEvent, TraceEventKind};

/// The texts and stacks of a generation that were asked for, as shared values.
#[derive(Debug, Default)]
pub(super) struct Shared {
    texts: Vec<Option<Arc<str>>>,
    stacks: Vec<Option<Arc<[StackFrame]>>>,
}

/// The names of ranges, as Go calls them.
static RANGE_NAMES: LazyLock<[Arc<str>; 3]> = LazyLock::new(|| {
    [RangeName::Mark, RangeName::Sweep, RangeName::Assist].map(|range| range.name().into())
});

impl Shared {
    /// The event with its names; `record` is the side data that it tells.
    pub(super) fn own(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        record: Option<SideRecord>,
    ) -> TraceEvent {
        if matches!(event.kind, CompactKind::Sync { .. }) {
            self.texts.clear();
            self.stacks.clear();
        }
        let &CompactEvent {
            thread, proc, go, ..
        } = event;
        TraceEvent {
            time: event.time,
            thread: (thread != ThreadId::NONE).then_some(thread),
            proc: (proc != ProcId::NONE).then_some(proc),
            go: (go != GoId::NONE).then_some(go),
            stack: self.stack(event.stack, tables),
            kind: self.kind(&event.kind, tables, record),
        }
    }

    fn kind(
        &mut self,
        kind: &CompactKind,
        tables: &Tables,
        record: Option<SideRecord>,
    ) -> TraceEventKind {
        use CompactKind as C;
        use TraceEventKind as T;
        let mut text = |id| self.text(id, tables);
        match *kind {
            C::Sync { number, clock } => T::Sync { number, clock },
            C::Metric { metric, value } => T::Metric {
                name: metric.name(),
                value,
            },
            C::Label { go, label } => T::Label {
                go,
                label: text(label),
            },
            C::StackSample => T::StackSample,
            C::RangeBegin { range, scope } => T::RangeBegin {
                name: range_name(range, tables),
                scope,
            },
            C::RangeActive { range, scope } => T::RangeActive {
                name: range_name(range, tables),
                scope,
            },
            C::RangeEnd {
                range,
                scope,
                swept,
            } => T::RangeEnd {
                name: range_name(range, tables),
                scope,
                swept,
            },
            C::TaskBegin { task, parent, name } => T::TaskBegin {
                task,
                parent,
                name: text(name),
            },
            C::TaskEnd { task, parent, name } => T::TaskEnd {
                task,
                parent,
                name: text(name),
            },
            C::RegionBegin { task, name } => T::RegionBegin {
                task,
                name: text(name),
            },
            C::RegionEnd { task, name } => T::RegionEnd {
                task,
                name: text(name),
            },
            C::Log {
                task,
                category,
                message,
            } => T::Log {
                task,
                category: text(category),
                message: text(message),
            },
            C::StateTransition {
                change,
                reason,
                stack,
            } => T::StateTransition {
                change,
                reason: text(reason),
                stack: self.stack(stack, tables),
            },
            C::Experimental { kind, arguments } => T::Experimental { kind, arguments },
            C::SideData => T::SideData(record.unwrap_or(SideRecord::Unknown {
                kind: 0,
                bytes: Vec::new(),
            })),
            C::UnreadableSideData(error) => T::UnreadableSideData(error),
        }
    }

    fn text(&mut self, id: StringId, tables: &Tables) -> Arc<str> {
        let shared = slot(&mut self.texts, id.0);
        shared.get_or_insert_with(|| tables.text(id).into()).clone()
    }

    fn stack(&mut self, id: StackId, tables: &Tables) -> Option<Arc<[StackFrame]>> {
        if id == StackId::NONE {
            return None;
        }
        if let Some(known) = slot(&mut self.stacks, id.0) {
            return Some(known.clone());
        }
        let frames = tables.frames(id).map(|frame| StackFrame {
            pc: frame.pc,
            function: self.text(frame.function_id, tables),
            file: self.text(frame.file_id, tables),
            line: frame.line,
        });
        let made: Arc<[StackFrame]> = frames.collect();
        *slot(&mut self.stacks, id.0) = Some(made.clone());
        Some(made)
    }
}

/// The place of an id, which is one of [`Tables`] and so no larger than their memory.
fn slot<T: Clone>(slots: &mut Vec<Option<T>>, id: u64) -> &mut Option<T> {
    let index = id as usize;
    if index >= slots.len() {
        slots.resize(index + 1, None);
    }
    &mut slots[index]
}

fn range_name(range: RangeName, tables: &Tables) -> Arc<str> {
    let [mark, sweep, assist] = &*RANGE_NAMES;
    match range {
        RangeName::Mark => mark.clone(),
        RangeName::Sweep => sweep.clone(),
        RangeName::Assist => assist.clone(),
        RangeName::StopTheWorld(reason) => {
            format!("{} ({})", range.name(), tables.text(reason)).into()
        }
    }
}
