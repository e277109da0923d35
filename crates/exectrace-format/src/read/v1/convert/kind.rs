//! What each event of the old format is in the newer one.

use crate::event::EventKind;
use crate::ids::{GoId, ProcId, StackId, StringId, TaskId};
use crate::read::error::{EventError, ReadCause};
use crate::read::event::CompactEvent;
use crate::read::kind::{CompactKind, Metric, RangeName};
use crate::read::state::{GoState, ProcState, RangeScope, StateChange};
use crate::read::tables::Tables;

use super::super::error::V1Error;
use super::super::event::V1Event;
use super::super::kinds::V1Kind;
use super::{Converter, V1Task};

impl Converter {
    /// What an event of the newer format would say of it.
    pub(super) fn kind(
        &mut self,
        event: &V1Event,
        arguments: [u64; 3],
        context: &CompactEvent,
        tables: &Tables,
    ) -> Result<CompactKind, ReadCause> {
        let [first, second, _] = arguments;
        let metric = |metric| CompactKind::Metric {
            metric,
            value: first,
        };
        Ok(match event.kind {
            V1Kind::Gomaxprocs => metric(Metric::Gomaxprocs),
            V1Kind::HeapAlloc => metric(Metric::HeapAlloc),
            V1Kind::HeapGoal => metric(Metric::HeapGoal),
            V1Kind::CpuSample => CompactKind::StackSample,
            V1Kind::ProcStart | V1Kind::ProcStop => self.proc(event, context.proc),
            V1Kind::StwStart => {
                self.stop = self.source.named.texts.stop(first, self.source.version);
                begin(
                    RangeName::StopTheWorld(self.stop),
                    RangeScope::Go(context.go),
                )
            }
            V1Kind::StwDone => end(
                RangeName::StopTheWorld(self.stop),
                RangeScope::Go(context.go),
                None,
            ),
            V1Kind::GcStart => begin(RangeName::Mark, RangeScope::Global),
            V1Kind::GcDone => end(RangeName::Mark, RangeScope::Global, None),
            V1Kind::GcSweepStart => begin(RangeName::Sweep, RangeScope::Proc(context.proc)),
            V1Kind::GcSweepDone => {
                let swept = Some((first, second));
                end(RangeName::Sweep, RangeScope::Proc(context.proc), swept)
            }
            V1Kind::GcMarkAssistStart => begin(RangeName::Assist, RangeScope::Go(context.go)),
            V1Kind::GcMarkAssistDone => end(RangeName::Assist, RangeScope::Go(context.go), None),
            V1Kind::UserTaskCreate | V1Kind::UserTaskEnd | V1Kind::UserRegion | V1Kind::UserLog => {
                return self.annotation(event, arguments, tables);
            }
            _ => return self.go(event, arguments, context, tables),
        })
    }

    fn proc(&mut self, event: &V1Event, proc: ProcId) -> CompactKind {
        let lane = &mut self.lanes[event.lane as usize];
        let seen = std::mem::replace(&mut lane.seen, true);
        let (before, after) = match event.kind {
            V1Kind::ProcStart => (ProcState::Idle, ProcState::Running),
            _ => (ProcState::Running, ProcState::Idle),
        };
        let change = StateChange::Proc {
            proc,
            from: if seen {
                before
            } else {
                ProcState::Undetermined
            },
            to: after,
        };
        transition(change)
    }

    /// The events that change the state of a goroutine.
    fn go(
        &mut self,
        event: &V1Event,
        [first, second, third]: [u64; 3],
        context: &CompactEvent,
        tables: &Tables,
    ) -> Result<CompactKind, ReadCause> {
        use GoState as G;
        let (own, named) = (context.go, GoId(first));
        Ok(match event.kind {
            V1Kind::GoWaiting => self.status(first, G::Waiting),
            V1Kind::GoInSyscall => self.status(first, G::Syscall),
            V1Kind::GoStart | V1Kind::GoStartLocal if self.existing.is_some() => {
                self.status(first, G::Running)
            }
            V1Kind::GoStart | V1Kind::GoStartLocal => go_change(named, G::Runnable, G::Running),
            V1Kind::GoStartLabel => {
                let label = text(tables, third, EventKind::GoLabel)?;
                let kind = CompactKind::Label { go: own, label };
                self.follow(self.ns, CompactEvent { kind, ..*context });
                go_change(named, G::Runnable, G::Running)
            }
            V1Kind::GoCreate => {
                let stack = tables.stack_id(second).ok_or(EventError::UnknownStack {
                    id: StackId(second),
                    kind: EventKind::GoCreate,
                })?;
                let change = go_change(named, G::NotExist, G::Runnable);
                with_stack(change, StringId::EMPTY, self.whole(stack)?)
            }
            V1Kind::GoUnblock | V1Kind::GoUnblockLocal => go_change(named, G::Waiting, G::Runnable),
            V1Kind::GoEnd => go_change(own, G::Running, G::NotExist),
            V1Kind::GoSysExit | V1Kind::GoSysExitLocal => go_change(own, G::Syscall, G::Runnable),
            V1Kind::GoSysCall => {
                if !event.blocks {
                    // The shortest of all calls.
                    let kind = go_change(own, G::Syscall, G::Running);
                    let stack = StackId::NONE;
                    let end = CompactEvent {
                        kind,
                        stack,
                        ..*context
                    };
                    self.follow(self.ns.saturating_add(1), end);
                }
                let change = go_change(own, G::Running, G::Syscall);
                with_stack(change, StringId::EMPTY, context.stack)
            }
            V1Kind::GoSched | V1Kind::GoPreempt => {
                let change = go_change(own, G::Running, G::Runnable);
                with_stack(
                    change,
                    self.source.named.texts.reason(event.kind),
                    context.stack,
                )
            }
            kind if kind.is_block() || kind == V1Kind::GoStop => {
                let change = go_change(own, G::Running, G::Waiting);
                with_stack(change, self.source.named.texts.reason(kind), context.stack)
            }
            kind => return Err(V1Error::Obsolete(kind as u8).into()),
        })
    }

    /// The state of a goroutine at the beginning.
    fn status(&mut self, go: u64, state: GoState) -> CompactKind {
        if let Some(existing) = &mut self.existing {
            existing.remove(&go);
        }
        initial_status(GoId(go), state)
    }

    fn annotation(
        &mut self,
        event: &V1Event,
        [first, second, third]: [u64; 3],
        tables: &Tables,
    ) -> Result<CompactKind, ReadCause> {
        let task = TaskId(first);
        Ok(match (event.kind, second) {
            (V1Kind::UserTaskCreate, _) => {
                let name = text(tables, third, EventKind::UserTaskBegin)?;
                let parent = TaskId(second);
                self.tasks.insert(first, V1Task { parent, name });
                // Its end has the parent as it is, as in Go's reader.
                let parent = match parent {
                    TaskId(0) => TaskId::NONE,
                    parent => parent,
                };
                CompactKind::TaskBegin { task, parent, name }
            }
            (V1Kind::UserTaskEnd, _) => {
                let unknown = V1Task {
                    parent: TaskId::NONE,
                    name: StringId::EMPTY,
                };
                let V1Task { parent, name } = self.tasks.remove(&first).unwrap_or(unknown);
                CompactKind::TaskEnd { task, parent, name }
            }
            (V1Kind::UserRegion, 0) => CompactKind::RegionBegin {
                task,
                name: text(tables, third, EventKind::UserRegionBegin)?,
            },
            (V1Kind::UserRegion, _) => CompactKind::RegionEnd {
                task,
                name: text(tables, third, EventKind::UserRegionEnd)?,
            },
            _ => {
                let category = text(tables, second, EventKind::UserLog)?;
                let message = self.source.named.messages.get(&u64::from(event.at));
                let message = message.copied().unwrap_or(StringId::EMPTY);
                CompactKind::Log {
                    task,
                    category,
                    message,
                }
            }
        })
    }
}

/// The state of a goroutine at the beginning of the trace.
pub(super) fn initial_status(go: GoId, to: GoState) -> CompactKind {
    let from = GoState::Undetermined;
    CompactKind::StateTransition {
        change: StateChange::Go { go, from, to },
        is_status: true,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

/// The id in the tables of a string that an event shows.
fn text(tables: &Tables, id: u64, kind: EventKind) -> Result<StringId, EventError> {
    tables.string_id(id).ok_or(EventError::UnknownString {
        id: StringId(id),
        kind,
    })
}

fn begin(range: RangeName, scope: RangeScope) -> CompactKind {
    CompactKind::RangeBegin { range, scope }
}

fn end(range: RangeName, scope: RangeScope, swept: Option<(u64, u64)>) -> CompactKind {
    CompactKind::RangeEnd {
        range,
        scope,
        swept,
    }
}

fn go_change(go: GoId, from: GoState, to: GoState) -> CompactKind {
    transition(StateChange::Go { go, from, to })
}

fn transition(change: StateChange) -> CompactKind {
    CompactKind::StateTransition {
        change,
        is_status: false,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

/// A transition with the stack of the goroutine concerned.
fn with_stack(kind: CompactKind, reason: StringId, stack: StackId) -> CompactKind {
    match kind {
        CompactKind::StateTransition {
            change, is_status, ..
        } => CompactKind::StateTransition {
            change,
            is_status,
            reason,
            stack,
        },
        other => other,
    }
}
