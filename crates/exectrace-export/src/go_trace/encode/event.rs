//! The event on the wire that says what an event of the reader says.

use exectrace_format::{
    CompactEvent, CompactKind, Event, GoId, GoState, Metric, ProcId, ProcState, RangeName,
    RangeScope, StackId, StateChange, StringId, TaskId,
};

use exectrace_replay::{Range, State};

use crate::go_trace::names::Context;
use crate::go_trace::symbolizer::Symbolizer;

use super::Encoder;

impl Encoder {
    /// The event that says what this one does, apart from samples and statuses; `None` if there is
    /// none.
    pub(super) fn event<S: Symbolizer>(
        &mut self,
        event: &CompactEvent,
        context: &mut Context<'_, '_, S>,
    ) -> Option<Event> {
        let writer = &mut self.writer;
        let stack = context.stack(event.stack, writer);
        let mut text = |id: StringId| context.text(id, writer);
        Some(match event.kind {
            CompactKind::Metric { metric, value } => metric_event(metric, value, stack)?,
            CompactKind::Label { label, .. } => Event::GoLabel { label: text(label) },
            CompactKind::TaskBegin { task, parent, name } => Event::UserTaskBegin {
                task,
                parent: parent_on_the_wire(parent),
                name: text(name),
                stack,
            },
            CompactKind::TaskEnd { task, .. } => Event::UserTaskEnd { task, stack },
            CompactKind::RegionBegin { task, name } => Event::UserRegionBegin {
                task,
                name: text(name),
                stack,
            },
            CompactKind::RegionEnd { task, name } => Event::UserRegionEnd {
                task,
                name: text(name),
                stack,
            },
            CompactKind::Log {
                task,
                category,
                message,
            } => Event::UserLog {
                task,
                category: text(category),
                // Free text is not kept.
                message: self.writer.message(context.tables.text(message)),
                stack,
            },
            CompactKind::StateTransition {
                change: StateChange::Go { go, from, to },
                reason,
                stack: go_stack,
                ..
            } => {
                let reason = text(reason);
                let go_stack = context.stack(go_stack, &mut self.writer);
                let stacks = (stack, go_stack);
                self.goroutine_event(event, (go, from, to), reason, stacks, context.state)?
            }
            CompactKind::StateTransition {
                change: StateChange::Proc { proc, to, .. },
                ..
            } => self.proc_event(event, proc, to, context.state)?,
            CompactKind::RangeBegin { range, .. } => {
                let kind = match range {
                    RangeName::StopTheWorld(kind) => text(kind),
                    _ => StringId::EMPTY,
                };
                self.range_begin(range, kind, stack)?
            }
            CompactKind::RangeActive { range, scope }
                if self.is_first_generation && is_open(context.state, range, scope) =>
            {
                return None;
            }
            CompactKind::RangeActive { range, scope } => self.range_active(range, scope)?,
            CompactKind::RangeEnd { range, swept, .. } => self.range_end(range, swept)?,
            CompactKind::Experimental { kind, arguments } => {
                Event::from_arguments(kind, &arguments)?
            }
            _ => return None,
        })
    }

    /// `kind` is that of a stop of the world.
    fn range_begin(&mut self, range: RangeName, kind: StringId, stack: StackId) -> Option<Event> {
        Some(match range {
            RangeName::StopTheWorld(_) => Event::StwBegin { kind, stack },
            RangeName::Mark => Event::GcBegin {
                seq: self.collector_seq(),
                stack,
            },
            RangeName::Sweep => Event::GcSweepBegin { stack },
            RangeName::Assist => Event::GcMarkAssistBegin { stack },
            _ => return None,
        })
    }

    fn range_active(&mut self, range: RangeName, scope: RangeScope) -> Option<Event> {
        Some(match (range, scope) {
            (RangeName::Mark, _) => Event::GcActive {
                seq: self.collector_seq(),
            },
            (RangeName::Sweep, RangeScope::Proc(proc)) => Event::GcSweepActive { proc },
            (RangeName::Assist, RangeScope::Go(go)) => Event::GcMarkAssistActive { go },
            _ => return None,
        })
    }

    fn range_end(&mut self, range: RangeName, swept: Option<(u64, u64)>) -> Option<Event> {
        Some(match range {
            RangeName::StopTheWorld(_) => Event::StwEnd,
            RangeName::Mark => Event::GcEnd {
                seq: self.collector_seq(),
            },
            RangeName::Sweep => {
                let (swept, reclaimed) = swept.unwrap_or_default();
                Event::GcSweepEnd { swept, reclaimed }
            }
            RangeName::Assist => Event::GcMarkAssistEnd,
            _ => return None,
        })
    }

    fn goroutine_event(
        &mut self,
        event: &CompactEvent,
        (go, from, to): (GoId, GoState, GoState),
        reason: StringId,
        (stack, go_stack): (StackId, StackId),
        state: &State,
    ) -> Option<Event> {
        use GoState as S;
        Some(match (from, to) {
            (S::NotExist, S::Runnable) => {
                self.go_seqs.insert(go, 0);
                Event::GoCreate {
                    go,
                    go_stack,
                    stack,
                }
            }
            (S::NotExist, S::Waiting) => {
                self.go_seqs.insert(go, 0);
                Event::GoCreateBlocked {
                    go,
                    go_stack,
                    stack,
                }
            }
            (S::NotExist, S::Syscall) => {
                self.go_seqs.insert(go, 0);
                Event::GoCreateSyscall { go }
            }
            (S::Runnable, S::Running) => Event::GoStart {
                go,
                seq: self.go_seq(go),
            },
            (S::Waiting, S::Runnable) => Event::GoUnblock {
                go,
                seq: self.go_seq(go),
                stack,
            },
            (S::Running, S::NotExist) => Event::GoDestroy,
            (S::Syscall, S::NotExist) => Event::GoDestroySyscall,
            (S::Running, S::Runnable) => Event::GoStop { reason, stack },
            (S::Running, S::Waiting) => Event::GoBlock { reason, stack },
            (S::Running, S::Syscall) => {
                let proc = state.thread(event.thread)?.proc?;
                Event::GoSyscallBegin {
                    proc_seq: self.proc_seq(proc),
                    stack,
                }
            }
            (S::Syscall, S::Running) => Event::GoSyscallEnd,
            (S::Syscall, S::Runnable) => Event::GoSyscallEndBlocked,
            _ => return None,
        })
    }

    fn proc_event(
        &mut self,
        event: &CompactEvent,
        proc: ProcId,
        to: ProcState,
        state: &State,
    ) -> Option<Event> {
        Some(match to {
            ProcState::Running => Event::ProcStart {
                proc,
                seq: self.proc_seq(proc),
            },
            ProcState::Idle if event.proc == proc => Event::ProcStop,
            ProcState::Idle => Event::ProcSteal {
                proc,
                seq: self.proc_seq(proc),
                thread: state.procs().get(proc)?.holder?,
            },
            ProcState::Undetermined | ProcState::NotExist => return None,
        })
    }
}

/// Whether this range is open, of those that a generation reports as active.
fn is_open(state: &State, range: RangeName, scope: RangeScope) -> bool {
    let names = state.names();
    let is_it = |open: &Range| open.scope == scope && names.get(open.name) == range.name();
    state.ranges().any(is_it)
}

/// The event for a new value; `None` for quantities that the format has no event for.
pub(in crate::go_trace) fn metric_event(
    metric: Metric,
    value: u64,
    stack: StackId,
) -> Option<Event> {
    Some(match metric {
        Metric::Gomaxprocs => Event::ProcsChange {
            procs: value,
            stack,
        },
        Metric::HeapAlloc => Event::HeapAlloc { bytes: value },
        Metric::HeapGoal => Event::HeapGoal { bytes: value },
        _ => return None,
    })
}

/// The reader yields the parent 0 as none.
pub(in crate::go_trace) fn parent_on_the_wire(parent: TaskId) -> TaskId {
    if parent == TaskId::NONE {
        TaskId::BACKGROUND
    } else {
        parent
    }
}
