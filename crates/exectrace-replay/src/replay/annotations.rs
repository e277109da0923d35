//! Regions and user tasks.

use exectrace_format::conventions::{CONCURRENT_SPAN, PART_OF_SPAN};
use exectrace_format::{CompactKind, GoId, StringId, TaskId};

use crate::names::Stack;
use crate::observer::{Input, Observer};
use crate::state::{End, EndedRegion, Region, Slot, UserTask};

use super::Replay;

impl Replay {
    pub(super) fn annotation<O: Observer>(
        &mut self,
        input: &Input<'_>,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        match input.event.kind {
            CompactKind::RegionBegin { task, name } => {
                self.begin_region(input, (task, name), observer)
            }
            CompactKind::RegionEnd { task, name } => self.end_region(input, (task, name), observer),
            CompactKind::TaskBegin { task, parent, name } => {
                let user_task = self.user_task(input, (task, parent, name), true);
                self.state.user_tasks.insert(task, user_task);
                observer.user_task_begin(&self.state, &user_task)
            }
            CompactKind::TaskEnd { task, parent, name } => {
                let open = self.state.user_tasks.remove(&task);
                let user_task =
                    open.unwrap_or_else(|| self.user_task(input, (task, parent, name), false));
                observer.user_task_end(&self.state, &user_task, End::Seen)
            }
            _ => Ok(()),
        }
    }

    fn begin_region<O: Observer>(
        &mut self,
        input: &Input<'_>,
        (user_task, name): (TaskId, StringId),
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let Some(slot) = state.goroutines.find(state.goroutine) else {
            return Ok(());
        };
        let region = Region {
            name: state.names.text(input.tables, name),
            user_task,
            stack: state.names.stack(input.tables, input.event.stack),
            begin: state.now,
        };
        state.goroutines.at_mut(slot).regions.push(region);
        observer.region_begin(state, slot)
    }

    /// Regions of a goroutine nest, or the reader refuses them.
    fn end_region<O: Observer>(
        &mut self,
        input: &Input<'_>,
        (user_task, name): (TaskId, StringId),
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let Some(slot) = state.goroutines.find(state.goroutine) else {
            return Ok(());
        };
        let end_stack = state.names.stack(input.tables, input.event.stack);
        let is_part_of_span = state.names.has_leaf(end_stack, PART_OF_SPAN);
        let goroutine = state.goroutines.at_mut(slot);
        let ended = match goroutine.regions.pop() {
            Some(region) => EndedRegion {
                is_part_of_span,
                end_stack,
                ..region.ended(End::Seen)
            },
            None => {
                goroutine.regions_without_begin += 1;
                EndedRegion {
                    name: state.names.text(input.tables, name),
                    user_task,
                    stack: Stack::NONE,
                    begin: None,
                    end: End::Seen,
                    end_stack,
                    is_part_of_span,
                }
            }
        };
        observer.region_end(state, slot, &ended)
    }

    /// Ends all regions of a goroutine, the innermost first.
    pub(super) fn end_regions<O: Observer>(
        &mut self,
        slot: Slot,
        end: End,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        while let Some(region) = self.state.goroutines.at_mut(slot).regions.pop() {
            observer.region_end(&self.state, slot, &region.ended(end))?;
        }
        Ok(())
    }

    /// The user task that an event is about, as one that begins there or, if its begin is not in the trace,
    /// with the trace.
    fn user_task(
        &mut self,
        input: &Input<'_>,
        (id, parent, name): (TaskId, TaskId, StringId),
        begins: bool,
    ) -> UserTask {
        let state = &mut self.state;
        let stack = state.names.stack(input.tables, input.event.stack);
        let root = state.names.root(stack);
        let carries_span =
            root.is_some_and(|root| state.names.get(root.function) == CONCURRENT_SPAN);
        let reported = if begins { state.now } else { state.begin };
        let began_before = match state.began_before.is_empty() {
            true => None,
            false => state.began_before.remove(&id),
        };
        // Of one whose begin is not in the trace, nothing was kept.
        let trace_id = state.trace_id_of(parent).filter(|_| begins);
        UserTask {
            id,
            parent,
            name: state.names.text(input.tables, name),
            stack,
            place: state.names.leaf_alone(stack),
            begin: began_before.filter(|_| begins).unwrap_or(reported),
            reported,
            is_begin_seen: begins,
            goroutine: state.goroutine,
            carries_span,
            trace_id,
            is_trace_id_inherited: trace_id.is_some(),
        }
    }

    /// Ends all user tasks with the trace: children, which have the greater ids, before their parents.
    pub(super) fn end_user_tasks<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        let mut open: Vec<UserTask> = self
            .state
            .user_tasks
            .drain()
            .map(|(_, task)| task)
            .collect();
        open.sort_unstable_by_key(|user_task| std::cmp::Reverse(user_task.id));
        self.state.goroutine = GoId::NONE;
        for user_task in open {
            observer.user_task_end(&self.state, &user_task, End::WithTrace)?;
        }
        Ok(())
    }
}

impl Region {
    fn ended(self, end: End) -> EndedRegion {
        EndedRegion {
            name: self.name,
            user_task: self.user_task,
            stack: self.stack,
            begin: Some(self.begin),
            end,
            end_stack: Stack::NONE,
            is_part_of_span: false,
        }
    }
}
