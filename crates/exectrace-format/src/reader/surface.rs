//! The top layer of reading: from an event that has happened to what the user sees.

use std::sync::{Arc, LazyLock};

use crate::event::{ArgumentType, EventKind};
use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};

use super::error::{EventError, ReadCause, TableError};
use super::generation::{Generation, Name, Sample};
use super::order::{Before, Context, Extra, NONE, Ordered};
use super::trace_event::{
    GoState, ProcState, RangeScope, StackFrame, StateChange, TraceEvent, TraceEventKind, TraceTime,
};

/// Makes what the user sees of an event; `time` is already corrected.
pub(super) fn surface(
    ordered: Ordered,
    time: TraceTime,
    generation: &mut Generation,
) -> Result<TraceEvent, EventError> {
    check_ids(&ordered, generation)?;
    let Context { thread, proc, go } = ordered.context;
    let stack = own_stack(&ordered, generation);
    let kind = Surfacing {
        ordered,
        generation,
        stack: &stack,
    }
    .kind()?;
    Ok(TraceEvent {
        time,
        thread: (thread != NONE).then_some(ThreadId(thread)),
        proc: (proc != NONE).then_some(ProcId(proc)),
        go: (go != NONE).then_some(GoId(go)),
        stack,
        kind,
    })
}

/// Makes what the user sees of a CPU sample.
pub(super) fn surface_sample(
    sample: Sample,
    time: TraceTime,
    generation: &mut Generation,
) -> Result<TraceEvent, ReadCause> {
    if !generation.has_stack(sample.stack) {
        return Err(TableError::SampleStack(sample.stack).into());
    }
    Ok(TraceEvent {
        time,
        thread: (sample.thread != ThreadId::NONE).then_some(sample.thread),
        proc: (sample.proc != ProcId::NONE).then_some(sample.proc),
        // Samples say 0 for no flow.
        go: (sample.go != GoId::NONE && sample.go.0 != 0).then_some(sample.go),
        stack: generation.stack(sample.stack),
        kind: TraceEventKind::StackSample,
    })
}

/// Checks that the strings and stacks an event names exist.
fn check_ids(ordered: &Ordered, generation: &Generation) -> Result<(), EventError> {
    let kind = ordered.event.kind;
    for (argument, &value) in kind.arguments().iter().zip(&ordered.event.arguments) {
        match argument.ty {
            ArgumentType::String if !generation.has_string(StringId(value)) => {
                return Err(EventError::UnknownString {
                    id: StringId(value),
                    kind,
                });
            }
            ArgumentType::Stack if !generation.has_stack(StackId(value)) => {
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

/// The stack of who did it: an event's last argument, if that is a stack.
fn own_stack(ordered: &Ordered, generation: &mut Generation) -> Option<Arc<[StackFrame]>> {
    let arguments = ordered.event.kind.arguments();
    let last = arguments.len().checked_sub(1)?;
    if arguments[last].ty == ArgumentType::Stack {
        generation.stack(StackId(ordered.event.arguments[last]))
    } else {
        None
    }
}

/// The names of ranges, as Go calls them.
static RANGE_NAMES: LazyLock<[Arc<str>; 3]> = LazyLock::new(|| {
    [
        "GC concurrent mark phase",
        "GC incremental sweep",
        "GC mark assist",
    ]
    .map(Arc::from)
});

struct Surfacing<'a> {
    ordered: Ordered,
    generation: &'a mut Generation,
    stack: &'a Option<Arc<[StackFrame]>>,
}

impl Surfacing<'_> {
    fn kind(&mut self) -> Result<TraceEventKind, EventError> {
        use EventKind as K;
        let [first, second, third, _] = self.ordered.event.arguments;
        let own = self.ordered.context;
        let kind = self.ordered.event.kind;
        Ok(match kind {
            K::ProcsChange => metric("/sched/gomaxprocs:threads", first),
            K::HeapAlloc => metric("/memory/classes/heap/objects:bytes", first),
            K::HeapGoal => metric("/gc/heap/goal:bytes", first),
            K::GoLabel => TraceEventKind::Label {
                go: GoId(own.go),
                label: self.text(0)?,
            },
            K::UserTaskBegin => TraceEventKind::TaskBegin {
                task: TaskId(first),
                parent: TaskId(second),
                name: self.text(2)?,
            },
            K::UserTaskEnd => self.task_end(TaskId(first)),
            K::UserRegionBegin => TraceEventKind::RegionBegin {
                task: TaskId(first),
                name: self.text(1)?,
            },
            K::UserRegionEnd => TraceEventKind::RegionEnd {
                task: TaskId(first),
                name: self.text(1)?,
            },
            K::UserLog => TraceEventKind::Log {
                task: TaskId(first),
                category: self.text(1)?,
                message: self.text(2)?,
            },
            K::ProcStart => self.proc(first, ProcState::Idle, ProcState::Running)?,
            K::ProcStop => self.proc(own.proc, ProcState::Running, ProcState::Idle)?,
            K::ProcSteal => self.proc(first, self.proc_before(), ProcState::Idle)?,
            K::ProcStatus => self.proc(
                first,
                self.proc_before(),
                ProcState::of_status(second as u8),
            )?,
            K::GoStatus | K::GoStatusStack => {
                self.go(first, self.go_before(), GoState::of_status(third as u8))?
            }
            K::GoCreate => self.go(first, GoState::NotExist, GoState::Runnable)?,
            K::GoCreateBlocked => self.go(first, GoState::NotExist, GoState::Waiting)?,
            K::GoCreateSyscall => self.go(first, GoState::NotExist, GoState::Syscall)?,
            K::GoStart => self.go(first, GoState::Runnable, GoState::Running)?,
            K::GoDestroy => self.go(own.go, GoState::Running, GoState::NotExist)?,
            K::GoDestroySyscall => self.go(own.go, GoState::Syscall, GoState::NotExist)?,
            K::GoStop => self.go(own.go, GoState::Running, GoState::Runnable)?,
            K::GoBlock => self.go(own.go, GoState::Running, GoState::Waiting)?,
            K::GoUnblock | K::GoSwitch | K::GoSwitchDestroy => {
                self.go(first, GoState::Waiting, GoState::Runnable)?
            }
            K::GoSyscallBegin => self.go(own.go, GoState::Running, GoState::Syscall)?,
            K::GoSyscallEnd => self.go(own.go, GoState::Syscall, GoState::Running)?,
            K::GoSyscallEndBlocked => self.go(own.go, GoState::Syscall, GoState::Runnable)?,
            _ => return self.range_or_experiment(kind),
        })
    }

    fn range_or_experiment(&mut self, kind: EventKind) -> Result<TraceEventKind, EventError> {
        use EventKind as K;
        let [first, second, ..] = self.ordered.event.arguments;
        let own = self.ordered.context;
        let proc = RangeScope::Proc(ProcId(own.proc));
        let go = RangeScope::Go(GoId(own.go));
        let [mark, sweep, assist] = &*RANGE_NAMES;
        Ok(match kind {
            K::StwBegin => {
                let name = self.name(0)?;
                TraceEventKind::RangeBegin {
                    name: stop_the_world(&name),
                    scope: go,
                }
            }
            K::StwEnd => {
                let name = match &self.ordered.extra {
                    Extra::Kind(name) => stop_the_world(name),
                    _ => stop_the_world(&Name::empty()),
                };
                TraceEventKind::RangeEnd {
                    name,
                    scope: go,
                    swept: None,
                }
            }
            K::GcActive => active(mark, RangeScope::Global),
            K::GcBegin => begin(mark, RangeScope::Global),
            K::GcEnd => end(mark, RangeScope::Global, None),
            K::GcSweepActive => active(sweep, RangeScope::Proc(ProcId(first))),
            K::GcSweepBegin => begin(sweep, proc),
            K::GcSweepEnd => end(sweep, proc, Some((first, second))),
            K::GcMarkAssistActive => active(assist, RangeScope::Go(GoId(first))),
            K::GcMarkAssistBegin => begin(assist, go),
            K::GcMarkAssistEnd => end(assist, go, None),
            _ => TraceEventKind::Experimental {
                kind,
                arguments: self.ordered.event.arguments,
            },
        })
    }

    fn task_end(&mut self, task: TaskId) -> TraceEventKind {
        match &self.ordered.extra {
            Extra::Task { parent, name } => TraceEventKind::TaskEnd {
                task,
                parent: TaskId(*parent),
                name: name.text.clone(),
            },
            _ => TraceEventKind::TaskEnd {
                task,
                parent: TaskId::NONE,
                name: Name::empty().text,
            },
        }
    }

    /// A change of a flow, with the reason and the stack that some events tell.
    fn go(&mut self, go: u64, from: GoState, to: GoState) -> Result<TraceEventKind, EventError> {
        use EventKind as K;
        let reason = match self.ordered.event.kind {
            K::GoStop | K::GoBlock => self.text(0)?,
            _ => self.string(StringId::EMPTY)?.text,
        };
        let stack = match self.ordered.event.kind {
            K::GoCreate | K::GoCreateBlocked => self
                .generation
                .stack(StackId(self.ordered.event.arguments[1])),
            K::GoStop | K::GoBlock | K::GoSyscallBegin | K::GoStatusStack => self.stack.clone(),
            _ => None,
        };
        let change = StateChange::Go {
            go: GoId(go),
            from,
            to,
        };
        Ok(TraceEventKind::StateTransition {
            change,
            reason,
            stack,
        })
    }

    fn proc(
        &mut self,
        proc: u64,
        from: ProcState,
        to: ProcState,
    ) -> Result<TraceEventKind, EventError> {
        let change = StateChange::Proc {
            proc: ProcId(proc),
            from,
            to,
        };
        let reason = self.string(StringId::EMPTY)?.text;
        Ok(TraceEventKind::StateTransition {
            change,
            reason,
            stack: None,
        })
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

    fn text(&mut self, argument: usize) -> Result<Arc<str>, EventError> {
        Ok(self.name(argument)?.text)
    }

    fn name(&mut self, argument: usize) -> Result<Name, EventError> {
        self.string(StringId(self.ordered.event.arguments[argument]))
    }

    fn string(&mut self, id: StringId) -> Result<Name, EventError> {
        let kind = self.ordered.event.kind;
        self.generation
            .string(id)
            .ok_or(EventError::UnknownString { id, kind })
    }
}

fn metric(name: &'static str, value: u64) -> TraceEventKind {
    TraceEventKind::Metric { name, value }
}

fn begin(name: &Arc<str>, scope: RangeScope) -> TraceEventKind {
    TraceEventKind::RangeBegin {
        name: name.clone(),
        scope,
    }
}

fn active(name: &Arc<str>, scope: RangeScope) -> TraceEventKind {
    TraceEventKind::RangeActive {
        name: name.clone(),
        scope,
    }
}

fn end(name: &Arc<str>, scope: RangeScope, swept: Option<(u64, u64)>) -> TraceEventKind {
    TraceEventKind::RangeEnd {
        name: name.clone(),
        scope,
        swept,
    }
}

fn stop_the_world(kind: &Name) -> Arc<str> {
    format!("stop-the-world ({})", kind.text).into()
}
