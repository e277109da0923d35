//! The rules of user tasks and regions.

use crate::ids::{GoId, StringId, TaskId};

use super::super::error::{EventError, OrderError};
use super::{ENTRY_BYTES, Extra, Must, NONE, Order, Outcome, Task, Turn};

impl Turn<'_> {
    /// The string that an argument names.
    pub(super) fn string(&self, index: usize) -> Result<StringId, EventError> {
        let id = self.argument(index);
        self.tables.string_id(id).ok_or(EventError::UnknownString {
            id: StringId(id),
            kind: self.event.kind,
        })
    }
}

impl Order {
    pub(super) fn task_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let id = turn.argument(0);
        if self.tasks.contains_key(&id) {
            return Err(OrderError::TaskConflict(TaskId(id)).into());
        }
        if turn.argument(1) == TaskId::BACKGROUND.0 {
            turn.event.arguments[1] = NONE;
        }
        let name = self.names.keep(turn.string(2)?, turn.tables);
        self.state_bytes += ENTRY_BYTES + self.names.text_bytes(name);
        self.tasks.insert(
            id,
            Task {
                parent: turn.argument(1),
                name,
            },
        );
        self.emit(turn, Extra::None)
    }

    /// Ends are never wrong: the begin may be older than the trace, or the end told twice.
    pub(super) fn task_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let extra = match self.tasks.remove(&turn.argument(0)) {
            Some(Task { parent, name }) => {
                self.state_bytes -= ENTRY_BYTES + self.names.text_bytes(name);
                let string = self.names.string(name, turn.tables);
                self.names.release(name);
                let name = string;
                Extra::Task { parent, name }
            }
            None => Extra::Task {
                parent: NONE,
                name: StringId::EMPTY,
            },
        };
        self.emit(turn, extra)
    }

    pub(super) fn region_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let string = turn.string(1)?;
        self.own_go(turn)?;
        let name = self.names.keep(string, turn.tables);
        self.state_bytes += self.region_bytes(name);
        let task = turn.argument(0);
        self.own_go(turn)?.regions.push((task, name));
        self.emit(turn, Extra::None)
    }

    pub(super) fn region_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let (task, string) = (turn.argument(0), turn.string(1)?);
        // Without any open region, it began before the trace.
        if let Some((open_task, name)) = self.own_go(turn)?.regions.pop() {
            if open_task != task || !self.names.is(name, string, turn.tables) {
                return Err(OrderError::RegionMisuse {
                    go: GoId(turn.context.go),
                    task: TaskId(task),
                    name: turn.tables.text(string).to_string(),
                    open_task: TaskId(open_task),
                    open_name: self.names.text(name),
                }
                .into());
            }
            self.state_bytes -= self.region_bytes(name);
            self.names.release(name);
        }
        self.emit(turn, Extra::None)
    }
}
