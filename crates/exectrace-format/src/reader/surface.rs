//! The top layer of reading: from an event that has happened to what the user sees.

use crate::event::{ArgumentType, EventKind};
use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};

use super::compact::{CompactEvent, CompactKind, Metric, RangeName};
use super::error::{EventError, ReadCause, TableError};
use super::generation::Sample;
use super::order::{Before, Extra, Ordered};
use super::tables::Tables;
use super::trace_event::{GoState, ProcState, RangeScope, StateChange, TraceTime};

/// Makes what the user sees of an event; `time` is already corrected.
pub(super) fn surface(
    ordered: Ordered,
    time: TraceTime,
    tables: &Tables,
) -> Result<CompactEvent, EventError> {
    check_ids(&ordered, tables)?;
    let surfacing = Surfacing { ordered, tables };
    Ok(CompactEvent {
        time,
        thread: ThreadId(ordered.context.thread),
        proc: ProcId(ordered.context.proc),
        go: GoId(ordered.context.go),
        stack: surfacing.own_stack(),
        kind: surfacing.kind(),
    })
}

/// Makes what the user sees of a CPU sample.
pub(super) fn surface_sample(
    sample: Sample,
    time: TraceTime,
    tables: &Tables,
) -> Result<CompactEvent, ReadCause> {
    let stack = tables
        .stack_id(sample.stack.0)
        .ok_or(TableError::SampleStack(sample.stack))?;
    Ok(CompactEvent {
        time,
        thread: sample.thread,
        proc: sample.proc,
        // Samples say 0 for no flow.
        go: if sample.go.0 == 0 {
            GoId::NONE
        } else {
            sample.go
        },
        stack,
        kind: CompactKind::StackSample,
    })
}

/// Checks that the strings and stacks an event names exist.
fn check_ids(ordered: &Ordered, tables: &Tables) -> Result<(), EventError> {
    let kind = ordered.event.kind;
    for (argument, &value) in kind.arguments().iter().zip(&ordered.event.arguments) {
        match argument.ty {
            ArgumentType::String if tables.string_id(value).is_none() => {
                return Err(EventError::UnknownString {
                    id: StringId(value),
                    kind,
                });
            }
            ArgumentType::Stack if tables.stack_id(value).is_none() => {
                return Err(EventError::UnknownStack {
                    id: StackId(value),
                    kind,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

struct Surfacing<'a> {
    ordered: Ordered,
    tables: &'a Tables,
}

impl Surfacing<'_> {
    fn kind(&self) -> CompactKind {
        use EventKind as K;
        let [first, second, third, _] = self.ordered.event.arguments;
        let own = self.ordered.context;
        let kind = self.ordered.event.kind;
        match kind {
            K::ProcsChange => metric(Metric::Gomaxprocs, first),
            K::HeapAlloc => metric(Metric::HeapAlloc, first),
            K::HeapGoal => metric(Metric::HeapGoal, first),
            K::GoLabel => CompactKind::Label {
                go: GoId(own.go),
                label: self.string(0),
            },
            K::UserTaskBegin => CompactKind::TaskBegin {
                task: TaskId(first),
                parent: TaskId(second),
                name: self.string(2),
            },
            K::UserTaskEnd => self.task_end(TaskId(first)),
            K::UserRegionBegin => CompactKind::RegionBegin {
                task: TaskId(first),
                name: self.string(1),
            },
            K::UserRegionEnd => CompactKind::RegionEnd {
                task: TaskId(first),
                name: self.string(1),
            },
            K::UserLog => CompactKind::Log {
                task: TaskId(first),
                category: self.string(1),
                message: self.string(2),
            },
            K::ProcStart => self.proc(first, ProcState::Idle, ProcState::Running),
            K::ProcStop => self.proc(own.proc, ProcState::Running, ProcState::Idle),
            K::ProcSteal => self.proc(first, self.proc_before(), ProcState::Idle),
            K::ProcStatus => self.proc(
                first,
                self.proc_before(),
                ProcState::of_status(second as u8),
            ),
            K::GoStatus | K::GoStatusStack => {
                self.go(first, self.go_before(), GoState::of_status(third as u8))
            }
            K::GoCreate => self.go(first, GoState::NotExist, GoState::Runnable),
            K::GoCreateBlocked => self.go(first, GoState::NotExist, GoState::Waiting),
            K::GoCreateSyscall => self.go(first, GoState::NotExist, GoState::Syscall),
            K::GoStart => self.go(first, GoState::Runnable, GoState::Running),
            K::GoDestroy => self.go(own.go, GoState::Running, GoState::NotExist),
            K::GoDestroySyscall => self.go(own.go, GoState::Syscall, GoState::NotExist),
            K::GoStop => self.go(own.go, GoState::Running, GoState::Runnable),
            K::GoBlock => self.go(own.go, GoState::Running, GoState::Waiting),
            K::GoUnblock | K::GoSwitch | K::GoSwitchDestroy => {
                self.go(first, GoState::Waiting, GoState::Runnable)
            }
            K::GoSyscallBegin => self.go(own.go, GoState::Running, GoState::Syscall),
            K::GoSyscallEnd => self.go(own.go, GoState::Syscall, GoState::Running),
            K::GoSyscallEndBlocked => self.go(own.go, GoState::Syscall, GoState::Runnable),
            _ => self.range_or_experiment(kind),
        }
    }

    fn range_or_experiment(&self, kind: EventKind) -> CompactKind {
        use EventKind as K;
        use RangeName::{Assist, Mark, StopTheWorld, Sweep};
        let [first, second, ..] = self.ordered.event.arguments;
        let own = self.ordered.context;
        let proc = RangeScope::Proc(ProcId(own.proc));
        let go = RangeScope::Go(GoId(own.go));
        match kind {
            K::StwBegin => begin(StopTheWorld(self.string(0)), go),
            K::StwEnd => match self.ordered.extra {
                Extra::Kind(reason) => end(StopTheWorld(reason), go, None),
                _ => end(StopTheWorld(StringId::EMPTY), go, None),
            },
            K::GcActive => active(Mark, RangeScope::Global),
            K::GcBegin => begin(Mark, RangeScope::Global),
            K::GcEnd => end(Mark, RangeScope::Global, None),
            K::GcSweepActive => active(Sweep, RangeScope::Proc(ProcId(first))),
            K::GcSweepBegin => begin(Sweep, proc),
            K::GcSweepEnd => end(Sweep, proc, Some((first, second))),
            K::GcMarkAssistActive => active(Assist, RangeScope::Go(GoId(first))),
            K::GcMarkAssistBegin => begin(Assist, go),
            K::GcMarkAssistEnd => end(Assist, go, None),
            _ => CompactKind::Experimental {
                kind,
                arguments: self.ordered.event.arguments,
            },
        }
    }

    fn task_end(&self, task: TaskId) -> CompactKind {
        match self.ordered.extra {
            Extra::Task { parent, name } => CompactKind::TaskEnd {
                task,
                parent: TaskId(parent),
                name,
            },
            _ => CompactKind::TaskEnd {
                task,
                parent: TaskId::NONE,
                name: StringId::EMPTY,
            },
        }
    }

    /// A change of a flow, with the reason and the stack that some events tell.
    fn go(&self, go: u64, from: GoState, to: GoState) -> CompactKind {
        use EventKind as K;
        let reason = match self.ordered.event.kind {
            K::GoStop | K::GoBlock => self.string(0),
            _ => StringId::EMPTY,
        };
        let stack = match self.ordered.event.kind {
            K::GoCreate | K::GoCreateBlocked => self.stack(1),
            K::GoStop | K::GoBlock | K::GoSyscallBegin | K::GoStatusStack => self.own_stack(),
            _ => StackId::NONE,
        };
        let go = GoId(go);
        CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            reason,
            stack,
        }
    }

    fn proc(&self, proc: u64, from: ProcState, to: ProcState) -> CompactKind {
        let proc = ProcId(proc);
        CompactKind::StateTransition {
            change: StateChange::Proc { proc, from, to },
            reason: StringId::EMPTY,
            stack: StackId::NONE,
        }
    }

    fn go_before(&self) -> GoState {
        match self.ordered.extra {
            Extra::From(Before::Status(status)) => GoState::of_status(status),
            Extra::From(Before::NotExist) => GoState::NotExist,
            _ => GoState::Undetermined,
        }
    }

    fn proc_before(&self) -> ProcState {
        match self.ordered.extra {
            Extra::From(Before::Status(status)) => ProcState::of_status(status),
            Extra::From(Before::NotExist) => ProcState::NotExist,
            _ => ProcState::Undetermined,
        }
    }

    /// The stack of who did it: an event's last argument, if that is a stack.
    fn own_stack(&self) -> StackId {
        match self.ordered.event.kind.arguments() {
            [before @ .., last] if last.ty == ArgumentType::Stack => self.stack(before.len()),
            _ => StackId::NONE,
        }
    }

    fn string(&self, argument: usize) -> StringId {
        let id = self.ordered.event.arguments[argument];
        self.tables.string_id(id).unwrap_or(StringId::EMPTY)
    }

    fn stack(&self, argument: usize) -> StackId {
        let id = self.ordered.event.arguments[argument];
        self.tables.stack_id(id).unwrap_or(StackId::NONE)
    }
}

fn metric(metric: Metric, value: u64) -> CompactKind {
    CompactKind::Metric { metric, value }
}

fn begin(range: RangeName, scope: RangeScope) -> CompactKind {
    CompactKind::RangeBegin { range, scope }
}

fn active(range: RangeName, scope: RangeScope) -> CompactKind {
    CompactKind::RangeActive { range, scope }
}

fn end(range: RangeName, scope: RangeScope, swept: Option<(u64, u64)>) -> CompactKind {
    CompactKind::RangeEnd {
        range,
        scope,
        swept,
    }
}
