//! The rules of user tasks and regions.

use crate::ids::{GoId, StringId, TaskId};

use super::super::error::{EventError, OrderError};
use super::super::generation::Name;
use super::{ENTRY_BYTES, Extra, Must, NONE, Order, Outcome, Task, Turn, region_bytes};

impl Turn<'_> {
    /// The string that an argument names.
    pub(super) fn name(&mut self, index: usize) -> Result<Name, EventError> {
        let id = StringId(self.argument(index));
        self.strings.string(id).ok_or(EventError::UnknownString {
            id,
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
        let name = turn.name(2)?;
        self.state_bytes += task_bytes(&name);
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
                self.state_bytes -= task_bytes(&name);
                Extra::Task { parent, name }
            }
            None => Extra::Task {
                parent: NONE,
                name: Name::empty(),
            },
        };
        self.emit(turn, extra)
    }

    pub(super) fn region_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let name = turn.name(1)?;
        let bytes = region_bytes(&name);
        let task = turn.argument(0);
        self.own_go(turn)?.regions.push((task, name));
        self.state_bytes += bytes;
        self.emit(turn, Extra::None)
    }

    pub(super) fn region_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        let region = (turn.argument(0), turn.name(1)?);
        let regions = &mut self.own_go(turn)?.regions;
        // Without any open region, it began before the trace.
        if let Some(open) = regions.pop() {
            if open != region {
                return Err(OrderError::RegionMisuse {
                    go: GoId(turn.context.go),
                    task: TaskId(region.0),
                    name: region.1.text.to_string(),
                    open_task: TaskId(open.0),
                    open_name: open.1.text.to_string(),
                }
                .into());
            }
            self.state_bytes -= region_bytes(&open.1);
        }
        self.emit(turn, Extra::None)
    }
}

fn task_bytes(name: &Name) -> u64 {
    ENTRY_BYTES + name.text.len() as u64
}
