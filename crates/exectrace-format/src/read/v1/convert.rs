//! From events of the old format to those that the new one would have.
//!
//! The whole trace is one generation. What is one event in the old format and a span of time
//! in the new one (a system call) becomes two events; what it says of the state at the beginning becomes
//! the statuses with which a generation begins.

mod kind;

use std::collections::{BTreeSet, btree_set};

use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
use crate::read::error::ReadCause;
use crate::read::event::CompactEvent;
use crate::read::id_map::IdMap;
use crate::read::kind::CompactKind;
use crate::read::state::GoState;
use crate::read::tables::Tables;
use crate::read::time::TraceTime;
use crate::wire::Version;

use super::dense::Dense;
use super::event::{GO_ZERO, V1Event};
use super::kinds::V1Kind;
use super::names::Named;
use super::wire::numbers_at;
use kind::initial_status;

/// What the conversion knows of a lane.
#[derive(Clone, Copy, Debug, Default)]
struct KnownLane {
    /// Whether an event named it before.
    seen: bool,
    /// The thread that it runs on.
    thread: Option<ThreadId>,
}

/// An open user task.
#[derive(Clone, Copy, Debug)]
struct V1Task {
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
pub(super) struct OldTrace {
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
    source: OldTrace,
    lanes: Vec<KnownLane>,
    tasks: IdMap<V1Task>,
    /// The goroutines that existed when the trace began and whose state no event has given yet; `None`
    /// after the first event that gives the number of procs.
    existing: Option<BTreeSet<u64>>,
    /// Those of them that are runnable, as no event said otherwise.
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
    pub(super) fn new(source: OldTrace, events: &mut [V1Event]) -> Self {
        mark_blocking_calls(events, source.go_numbers.len());
        Self {
            lanes: vec![KnownLane::default(); source.lane_numbers.len()],
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
        let kind = initial_status(go, GoState::Runnable);
        Some(self.at(self.ns, CompactEvent::bare(TraceTime(0), kind)))
    }

    /// Converts an event; `None` if nothing stands for it.
    pub(super) fn convert(&mut self, event: &V1Event, tables: &Tables) -> Converted {
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
        if event.kind == V1Kind::ProcStop {
            self.lanes[event.lane as usize].thread = None;
        }
        Ok(Some(self.at(self.ns, CompactEvent { kind, ..context })))
    }

    /// Takes up what an event says for which no event of the newer format stands.
    fn is_silent(&mut self, event: &V1Event, [first, ..]: [u64; 3]) -> bool {
        match (event.kind, &mut self.existing) {
            (V1Kind::GoSysBlock, _) => true,
            (V1Kind::GoCreate, Some(existing)) => {
                existing.insert(first);
                true
            }
            (V1Kind::Gomaxprocs, Some(existing)) => {
                self.runnable = std::mem::take(existing).into_iter();
                self.existing = None;
                true
            }
            _ => false,
        }
    }

    /// The event without its kind.
    fn context(&mut self, event: &V1Event, stack: StackId) -> CompactEvent {
        let proc = ProcId(self.source.lane_numbers.number(event.lane));
        let lane = &mut self.lanes[event.lane as usize];
        if event.kind == V1Kind::ProcStart {
            let numbers = numbers_at(&self.source.bytes, event.at, event.kind);
            lane.thread = Some(ThreadId(numbers.second()));
        }
        let thread = match (event.kind, lane.thread) {
            // As Go's reader has it for these, if the lane runs on no thread.
            (V1Kind::GoStartLabel, thread) => thread.unwrap_or(ThreadId(0)),
            (V1Kind::GoSysCall, thread) if !event.blocks => thread.unwrap_or(ThreadId(0)),
            (V1Kind::CpuSample, _) | (_, None) => ThreadId::NONE,
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

/// A system call blocks if the next event of its goroutine says so.
fn mark_blocking_calls(events: &mut [V1Event], goroutines: usize) {
    let mut blocks_next = vec![false; goroutines];
    for event in events.iter_mut().rev() {
        let blocks = std::mem::replace(
            &mut blocks_next[event.go as usize],
            event.kind == V1Kind::GoSysBlock,
        );
        event.blocks = blocks && event.kind == V1Kind::GoSysCall;
    }
}
