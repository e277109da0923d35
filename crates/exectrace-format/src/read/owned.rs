//! From compact events to [`TraceEvent`]s, which own their texts and stacks.

use std::sync::Arc;

use crate::ids::{GoId, ProcId, StackId, StringId, ThreadId};
use crate::side::SideRecord;

use super::event::{CompactEvent, StackFrame, TraceEvent};
use super::kind::{CompactKind, TraceEventKind};
use super::tables::Tables;

/// The texts and stacks of a generation that were asked for, as shared values.
#[derive(Debug, Default)]
pub(super) struct SharedNames {
    /// How many syncs there had been when the texts and stacks were emptied.
    syncs: u64,
    texts: Vec<Option<Arc<str>>>,
    stacks: Vec<Option<Arc<[StackFrame]>>>,
}

impl SharedNames {
    /// Forgets the texts and stacks of another generation than that which this sync begins.
    pub(super) fn begin(&mut self, syncs: u64) {
        if self.syncs != syncs {
            self.syncs = syncs;
            self.texts.clear();
            self.stacks.clear();
        }
    }

    /// The event with its names; `record` is the side record that it stands for.
    pub(super) fn own(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        record: Option<SideRecord>,
    ) -> TraceEvent {
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
            C::Metric { metric, value } => T::Metric { metric, value },
            C::Label { go, label } => T::Label {
                go,
                label: text(label),
            },
            C::StackSample => T::StackSample,
            C::RangeBegin { range, scope } => T::RangeBegin {
                range: range.map(text),
                scope,
            },
            C::RangeActive { range, scope } => T::RangeActive {
                range: range.map(text),
                scope,
            },
            C::RangeEnd {
                range,
                scope,
                swept,
            } => T::RangeEnd {
                range: range.map(text),
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
                is_status,
                reason,
                stack,
            } => T::StateTransition {
                change,
                is_status,
                reason: text(reason),
                stack: self.stack(stack, tables),
            },
            C::Experimental { kind, arguments } => T::Experimental { kind, arguments },
            C::SideData(()) => T::SideData(record.unwrap_or(SideRecord::Unknown {
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

/// The entry of an id, which is one of [`Tables`] and so no larger than their memory.
fn slot<T: Clone>(slots: &mut Vec<Option<T>>, id: u64) -> &mut Option<T> {
    let index = id as usize;
    if index >= slots.len() {
        slots.resize(index + 1, None);
    }
    &mut slots[index]
}
