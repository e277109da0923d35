//! The rules of user tasks, regions, logs and labels.

use crate::ids::{GoId, StackId, StringId, TaskId};

use super::super::kind::CompactKind;
use super::super::order_error::OrderError;
use super::{ENTRY_BYTES, Must, OpenTask, Order, Outcome, Turn};

impl Order {
    pub(super) fn task_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let task = TaskId(turn.argument(0));
        if self.tasks.contains_key(&task.0) {
            return Err(OrderError::TaskConflict(task).into());
        }
        let parent = match TaskId(turn.argument(1)) {
            TaskId::BACKGROUND => TaskId::NONE,
            parent => parent,
        };
        let string = turn.string(2)?;
        let name = self.names.keep(string, turn.tables);
        self.state_bytes += ENTRY_BYTES + self.names.text_bytes(name);
        self.tasks.insert(task.0, OpenTask { parent, name });
        let kind = CompactKind::TaskBegin {
            task,
            parent,
            name: string,
        };
        let stack = turn.stack(3)?;
        self.emit(turn, stack, kind)
    }

    /// Ends are never wrong: the begin may be older than the trace, or the end written twice.
    pub(super) fn task_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let task = TaskId(turn.argument(0));
        let (mut parent, mut string) = (TaskId::NONE, StringId::EMPTY);
        if let Some(open) = self.tasks.remove(&task.0) {
            self.state_bytes -= ENTRY_BYTES + self.names.text_bytes(open.name);
            parent = open.parent;
            string = self.names.string(open.name, turn.tables);
            self.names.release(open.name);
        }
        let kind = CompactKind::TaskEnd {
            task,
            parent,
            name: string,
        };
        let stack = turn.stack(1)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn region_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let task = turn.argument(0);
        let string = turn.string(1)?;
        let name = self.names.keep(string, turn.tables);
        self.own_go(turn)?.regions.push((task, name));
        self.state_bytes += self.region_bytes(name);
        let kind = CompactKind::RegionBegin {
            task: TaskId(task),
            name: string,
        };
        let stack = turn.stack(2)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn region_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let (task, string) = (TaskId(turn.argument(0)), turn.string(1)?);
        // Without any open region, it began before the trace.
        if let Some((open_task, name)) = self.own_go(turn)?.regions.pop() {
            if open_task != task.0 || !self.names.is(name, string, turn.tables) {
                return Err(OrderError::RegionMisuse {
                    go: GoId(turn.context.go),
                    task,
                    name: turn.tables.text(string).to_string(),
                    open_task: TaskId(open_task),
                    open_name: self.names.text(name),
                }
                .into());
            }
            self.state_bytes -= self.region_bytes(name);
            self.names.release(name);
        }
        let kind = CompactKind::RegionEnd { task, name: string };
        let stack = turn.stack(2)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn log(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let kind = CompactKind::Log {
            task: TaskId(turn.argument(0)),
            category: turn.string(1)?,
            message: turn.string(2)?,
        };
        let stack = turn.stack(3)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn label(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let kind = CompactKind::Label {
            go: GoId(turn.context.go),
            label: turn.string(0)?,
        };
        self.emit(turn, StackId::NONE, kind)
    }
}
