//! From events of the old format to those that the new one would have.
//!
//! The whole trace is one generation. What the old format tells at one instant and the new one as
//! a span (a system call) becomes two events; what it tells of the state at the beginning becomes
//! the statuses with which a generation begins.

use std::collections::{BTreeSet, btree_set};

use crate::event::EventKind;
use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
use crate::read::error::{EventError, ReadCause};
use crate::read::event::CompactEvent;
use crate::read::id_map::IdMap;
use crate::read::kind::{CompactKind, Metric, RangeName};
use crate::read::state::{GoState, ProcState, RangeScope, StateChange};
use crate::read::tables::Tables;
use crate::read::time::TraceTime;
use crate::wire::Version;

use super::dense::Dense;
use super::error::V1Error;
use super::event::{Event, GO_ZERO};
use super::kinds::Kind;
use super::names::Named;
use super::wire::numbers_at;

/// What the conversion knows of a lane.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// Whether it was heard of before.
    seen: bool,
    /// The thread that it runs on.
    thread: Option<ThreadId>,
}

/// An open user task.
#[derive(Clone, Copy, Debug)]
struct Task {
    parent: TaskId,
    name: StringId,
}

/// What must follow an event.
#[derive(Clone, Copy, Debug)]
struct Extra {
    event: CompactEvent,
    /// Its time, if nothing before it is later.
    ns: i64,
}

/// What there is to convert, besides the events.
#[derive(Debug)]
pub(super) struct Source {
    /// The file without its header.
    pub(super) bytes: Vec<u8>,
    pub(super) version: Version,
    pub(super) go_numbers: Dense,
    pub(super) lane_numbers: Dense,
    pub(super) named: Named,
    /// Units of the clock per second.
    pub(super) frequency: i64,
}

/// Converts event by event.
#[derive(Debug)]
pub(super) struct Converter {
    source: Source,
    lanes: Vec<Lane>,
    tasks: IdMap<Task>,
    /// The flows that existed when the trace began and whose state it has not told yet; `None`
    /// after the first event that tells the number of lanes.
    existing: Option<BTreeSet<u64>>,
    /// Those of them that are runnable as nothing else was told.
    runnable: btree_set::IntoIter<u64>,
    /// Why the world is stopped.
    stop: StringId,
    extra: Option<Extra>,
    first_time: i64,
    /// The time of the event that is converted.
    ns: i64,
    last_ns: i64,
}

type Converted = Result<Option<CompactEvent>, ReadCause>;

impl Converter {
    pub(super) fn new(source: Source, events: &mut [Event]) -> Self {
        mark_blocking_calls(events, source.go_numbers.len());
        Self {
            lanes: vec![Lane::default(); source.lane_numbers.len()],
            tasks: IdMap::default(),
            existing: Some(BTreeSet::new()),
            runnable: BTreeSet::new().into_iter(),
            stop: StringId::EMPTY,
            extra: None,
            first_time: events.first().map_or(0, |first| first.time),
            ns: 0,
            last_ns: -1,
            source,
        }
    }

    /// The time at the end.
    pub(super) fn last_ns(&self) -> i64 {
        self.last_ns
    }

    /// What follows from the events that were converted, before the next one.
    pub(super) fn next_extra(&mut self) -> Option<CompactEvent> {
        if let Some(Extra { event, ns }) = self.extra.take() {
            return Some(self.at(ns, event));
        }
        let go = GoId(self.runnable.next()?);
        let kind = status(go, GoState::Runnable);
        Some(self.at(self.ns, CompactEvent::bare(TraceTime(0), kind)))
    }

    /// Converts an event; `None` if nothing stands for it.
    pub(super) fn convert(&mut self, event: &Event, tables: &Tables) -> Converted {
        self.ns = self.nanoseconds(event.time);
        let numbers = numbers_at(&self.source.bytes, event.at, event.kind);
        let arguments = numbers.arguments();
        if self.is_silent(event, arguments) {
            return Ok(None);
        }
        // A stack that does not exist is none.
        let stack = tables.stack_id(u64::from(numbers.stack(event.kind)));
        let stack = self.whole(stack.unwrap_or(StackId::NONE))?;
        let context = self.context(event, stack);
        let kind = self.kind(event, arguments, &context, tables)?;
        if event.kind == Kind::ProcStop {
            self.lanes[event.lane as usize].thread = None;
        }
        Ok(Some(self.at(self.ns, CompactEvent { kind, ..context })))
    }

    /// Takes up what an event tells that nothing will stand for.
    fn is_silent(&mut self, event: &Event, [first, ..]: [u64; 3]) -> bool {
        match (event.kind, &mut self.existing) {
            (Kind::GoSysBlock, _) => true,
            (Kind::GoCreate, Some(existing)) => {
                existing.insert(first);
                true
            }
            (Kind::Gomaxprocs, Some(existing)) => {
                self.runnable = std::mem::take(existing).into_iter();
                self.existing = None;
                true
            }
            _ => false,
        }
    }

    /// The event without its kind.
    fn context(&mut self, event: &Event, stack: StackId) -> CompactEvent {
        let proc = ProcId(self.source.lane_numbers.number(event.lane));
        let lane = &mut self.lanes[event.lane as usize];
        if event.kind == Kind::ProcStart {
            let numbers = numbers_at(&self.source.bytes, event.at, event.kind);
            lane.thread = Some(ThreadId(numbers.second()));
        }
        let thread = match (event.kind, lane.thread) {
            // As Go's reader has it for these, if the lane runs on no thread.
            (Kind::GoStartLabel, thread) => thread.unwrap_or(ThreadId(0)),
            (Kind::GoSysCall, thread) if !event.blocks => thread.unwrap_or(ThreadId(0)),
            (Kind::CpuSample, _) | (_, None) => ThreadId::NONE,
            (_, Some(thread)) if proc != ProcId::NONE => thread,
            _ => ThreadId::NONE,
        };
        let go = match event.go {
            GO_ZERO => GoId::NONE,
            go => GoId(self.source.go_numbers.number(go)),
        };
        CompactEvent {
            time: TraceTime(self.ns),
            thread,
            proc,
            go,
            stack,
            kind: CompactKind::StackSample,
        }
    }

    fn kind(
        &mut self,
        event: &Event,
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
            Kind::Gomaxprocs => metric(Metric::Gomaxprocs),
            Kind::HeapAlloc => metric(Metric::HeapAlloc),
            Kind::HeapGoal => metric(Metric::HeapGoal),
            Kind::CpuSample => CompactKind::StackSample,
            Kind::ProcStart | Kind::ProcStop => self.proc(event, context.proc),
            Kind::StwStart => {
                self.stop = self.source.named.texts.stop(first, self.source.version);
                begin(
                    RangeName::StopTheWorld(self.stop),
                    RangeScope::Go(context.go),
                )
            }
            Kind::StwDone => end(
                RangeName::StopTheWorld(self.stop),
                RangeScope::Go(context.go),
                None,
            ),
            Kind::GcStart => begin(RangeName::Mark, RangeScope::Global),
            Kind::GcDone => end(RangeName::Mark, RangeScope::Global, None),
            Kind::GcSweepStart => begin(RangeName::Sweep, RangeScope::Proc(context.proc)),
            Kind::GcSweepDone => {
                let swept = Some((first, second));
                end(RangeName::Sweep, RangeScope::Proc(context.proc), swept)
            }
            Kind::GcMarkAssistStart => begin(RangeName::Assist, RangeScope::Go(context.go)),
            Kind::GcMarkAssistDone => end(RangeName::Assist, RangeScope::Go(context.go), None),
            Kind::UserTaskCreate | Kind::UserTaskEnd | Kind::UserRegion | Kind::UserLog => {
                return self.annotation(event, arguments, tables);
            }
            _ => return self.go(event, arguments, context, tables),
        })
    }

    fn proc(&mut self, event: &Event, proc: ProcId) -> CompactKind {
        let lane = &mut self.lanes[event.lane as usize];
        let seen = std::mem::replace(&mut lane.seen, true);
        let (before, after) = match event.kind {
            Kind::ProcStart => (ProcState::Idle, ProcState::Running),
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

    /// The events that change the state of a flow.
    fn go(
        &mut self,
        event: &Event,
        [first, second, third]: [u64; 3],
        context: &CompactEvent,
        tables: &Tables,
    ) -> Result<CompactKind, ReadCause> {
        use GoState as G;
        let (own, named) = (context.go, GoId(first));
        Ok(match event.kind {
            Kind::GoWaiting => self.status(first, G::Waiting),
            Kind::GoInSyscall => self.status(first, G::Syscall),
            Kind::GoStart | Kind::GoStartLocal if self.existing.is_some() => {
                self.status(first, G::Running)
            }
            Kind::GoStart | Kind::GoStartLocal => go_change(named, G::Runnable, G::Running),
            Kind::GoStartLabel => {
                let label = text(tables, third, EventKind::GoLabel)?;
                let kind = CompactKind::Label { go: own, label };
                self.follow(self.ns, CompactEvent { kind, ..*context });
                go_change(named, G::Runnable, G::Running)
            }
            Kind::GoCreate => {
                let stack = tables.stack_id(second).ok_or(EventError::UnknownStack {
                    id: StackId(second),
                    kind: EventKind::GoCreate,
                })?;
                let change = go_change(named, G::NotExist, G::Runnable);
                with_stack(change, StringId::EMPTY, self.whole(stack)?)
            }
            Kind::GoUnblock | Kind::GoUnblockLocal => go_change(named, G::Waiting, G::Runnable),
            Kind::GoEnd => go_change(own, G::Running, G::NotExist),
            Kind::GoSysExit | Kind::GoSysExitLocal => go_change(own, G::Syscall, G::Runnable),
            Kind::GoSysCall => {
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
            Kind::GoSched | Kind::GoPreempt => {
                let change = go_change(own, G::Running, G::Runnable);
                with_stack(
                    change,
                    self.source.named.texts.reason(event.kind),
                    context.stack,
                )
            }
            kind if kind.is_block() || kind == Kind::GoStop => {
                let change = go_change(own, G::Running, G::Waiting);
                with_stack(change, self.source.named.texts.reason(kind), context.stack)
            }
            kind => return Err(V1Error::Obsolete(kind as u8).into()),
        })
    }

    /// The state of a flow at the beginning.
    fn status(&mut self, go: u64, state: GoState) -> CompactKind {
        if let Some(existing) = &mut self.existing {
            existing.remove(&go);
        }
        status(GoId(go), state)
    }

    fn annotation(
        &mut self,
        event: &Event,
        [first, second, third]: [u64; 3],
        tables: &Tables,
    ) -> Result<CompactKind, ReadCause> {
        let task = TaskId(first);
        Ok(match (event.kind, second) {
            (Kind::UserTaskCreate, _) => {
                let name = text(tables, third, EventKind::UserTaskBegin)?;
                let parent = TaskId(second);
                self.tasks.insert(first, Task { parent, name });
                // Its end tells the parent as it is, as Go's reader has it.
                let parent = match parent {
                    TaskId(0) => TaskId::NONE,
                    parent => parent,
                };
                CompactKind::TaskBegin { task, parent, name }
            }
            (Kind::UserTaskEnd, _) => {
                let unknown = Task {
                    parent: TaskId::NONE,
                    name: StringId::EMPTY,
                };
                let Task { parent, name } = self.tasks.remove(&first).unwrap_or(unknown);
                CompactKind::TaskEnd { task, parent, name }
            }
            (Kind::UserRegion, 0) => CompactKind::RegionBegin {
                task,
                name: text(tables, third, EventKind::UserRegionBegin)?,
            },
            (Kind::UserRegion, _) => CompactKind::RegionEnd {
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

    /// The stack, unless it names strings that do not exist.
    fn whole(&self, stack: StackId) -> Result<StackId, ReadCause> {
        match self.source.named.broken.get(&stack.0) {
            Some(&problem) => Err(problem.into()),
            None => Ok(stack),
        }
    }

    fn follow(&mut self, ns: i64, event: CompactEvent) {
        self.extra = Some(Extra { event, ns });
    }

    /// The event at this time, or just behind the last one.
    fn at(&mut self, ns: i64, event: CompactEvent) -> CompactEvent {
        self.last_ns = ns.max(self.last_ns.saturating_add(1));
        CompactEvent {
            time: TraceTime(self.last_ns),
            ..event
        }
    }

    /// Nanoseconds since the first event, as Go's reader calculates them.
    fn nanoseconds(&self, units: i64) -> i64 {
        let ns_per_unit = 1e9 / self.source.frequency as f64;
        let ns = units.wrapping_sub(self.first_time) as f64 * ns_per_unit;
        // What does not fit becomes the smallest number, as it does on Go's main platform.
        if (-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&ns) {
            ns as i64
        } else {
            i64::MIN
        }
    }
}

/// A system call blocks if the next event of its flow says so.
fn mark_blocking_calls(events: &mut [Event], goes: usize) {
    let mut blocks_next = vec![false; goes];
    for event in events.iter_mut().rev() {
        let blocks = std::mem::replace(
            &mut blocks_next[event.go as usize],
            event.kind == Kind::GoSysBlock,
        );
        event.blocks = blocks && event.kind == Kind::GoSysCall;
    }
}

/// Our id of a string that an event shows.
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

/// The state of a goroutine at the beginning of the trace.
fn status(go: GoId, to: GoState) -> CompactKind {
    let from = GoState::Undetermined;
    CompactKind::StateTransition {
        change: StateChange::Go { go, from, to },
        is_status: true,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

fn transition(change: StateChange) -> CompactKind {
    CompactKind::StateTransition {
        change,
        is_status: false,
        reason: StringId::EMPTY,
        stack: StackId::NONE,
    }
}

/// A transition with the stack of the flow concerned.
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
