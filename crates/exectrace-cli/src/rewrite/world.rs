//! What is going on in the traced program at an instant: who runs where, what is open.
//!
//! Enough of it to begin a trace there. It is fed with events that the strict reader has accepted.

use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, Metric, ProcId, ProcState, RangeName, RangeScope,
    SideRecord, StateChange, Tables, TaskId, ThreadId,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

use super::texts::{Frames, Stack, Text, Texts};

/// Whom a thread holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thread {
    pub(super) proc: Option<ProcId>,
    pub(super) go: Option<GoId>,
}

/// A lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proc {
    /// The thread that holds it.
    pub(super) holder: Option<ThreadId>,
    pub(super) sweeps: bool,
}

/// A flow.
#[derive(Clone, Debug)]
pub(super) struct Go {
    pub(super) state: GoState,
    /// The thread it runs on or is in a system call on.
    pub(super) thread: Option<ThreadId>,
    /// The first stack that was told of it, whose root names it.
    pub(super) name: Option<Stack>,
    /// Why and where it waits.
    pub(super) wait: Option<(Text, Stack)>,
    pub(super) label: Option<Text>,
    /// Open regions with their places, outermost first.
    pub(super) regions: Vec<Region>,
    pub(super) assists: bool,
    pub(super) stops_the_world: Option<Text>,
}

/// An open region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub(super) task: TaskId,
    pub(super) name: Text,
    pub(super) stack: Stack,
}

/// An open user task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) parent: TaskId,
    pub(super) name: Text,
    pub(super) stack: Stack,
    /// The flow that began it.
    pub(super) by: GoId,
    pub(super) begin_ns: i64,
}

/// The state of the traced program.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    pub(super) procs: BTreeMap<ProcId, Proc>,
    pub(super) goes: BTreeMap<GoId, Go>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) metrics: FxHashMap<Metric, u64>,
    pub(super) marks: bool,
    /// The true beginnings, in nanoseconds, of open user tasks that began before the trace.
    pub(super) began_before: FxHashMap<TaskId, u64>,
    /// What side data tells for good, such as names; the last of each.
    pub(super) facts: Vec<SideRecord>,
}

impl World {
    /// Notes what the event changes.
    pub(super) fn apply<F: Frames>(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        texts: &mut Texts<F>,
    ) {
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { go, from, to },
                reason,
                stack,
                ..
            } => {
                let stack = texts.stack(stack, tables);
                let wait = (from == GoState::Running && to == GoState::Waiting)
                    .then(|| (texts.text(reason, tables), stack));
                self.flow_changes(event.thread, go, to, stack, wait);
            }
            CompactKind::StateTransition {
                change: StateChange::Proc { proc, to, .. },
                ..
            } => self.lane_changes(event.thread, proc, to),
            CompactKind::Metric { metric, value } => {
                self.metrics.insert(metric, value);
            }
            CompactKind::Label { go, label } => {
                let label = texts.text(label, tables);
                if let Some(go) = self.goes.get_mut(&go) {
                    go.label = Some(label);
                }
            }
            CompactKind::TaskBegin { task, parent, name } => {
                let opened = Task {
                    parent,
                    name: texts.text(name, tables),
                    stack: texts.stack(event.stack, tables),
                    by: event.go,
                    begin_ns: event.time.0,
                };
                self.tasks.insert(task, opened);
            }
            CompactKind::TaskEnd { task, .. } => {
                self.tasks.remove(&task);
                self.began_before.remove(&task);
            }
            CompactKind::RegionBegin { task, name } => {
                let region = Region {
                    task,
                    name: texts.text(name, tables),
                    stack: texts.stack(event.stack, tables),
                };
                if let Some(go) = self.goes.get_mut(&event.go) {
                    go.regions.push(region);
                }
            }
            CompactKind::RegionEnd { .. } => {
                if let Some(go) = self.goes.get_mut(&event.go) {
                    go.regions.pop();
                }
            }
            CompactKind::RangeBegin { range, scope }
            | CompactKind::RangeActive { range, scope } => {
                self.range_changes(range, scope, true, tables, texts);
            }
            CompactKind::RangeEnd { range, scope, .. } => {
                self.range_changes(range, scope, false, tables, texts);
            }
            _ => {}
        }
    }

    fn flow_changes(
        &mut self,
        thread: ThreadId,
        id: GoId,
        to: GoState,
        stack: Stack,
        wait: Option<(Text, Stack)>,
    ) {
        if to == GoState::NotExist {
            if let Some(gone) = self.goes.remove(&id) {
                self.leave(gone.thread);
            }
            return;
        }
        let go = self.goes.entry(id).or_insert_with(|| Go {
            state: to,
            thread: None,
            name: None,
            wait: None,
            label: None,
            regions: Vec::new(),
            assists: false,
            stops_the_world: None,
        });
        go.state = to;
        if go.name.is_none() && stack != Stack::default() {
            go.name = Some(stack);
        }
        if to == GoState::Waiting {
            go.wait = wait.or(go.wait);
        } else {
            go.wait = None;
        }
        let is_on_thread = matches!(to, GoState::Running | GoState::Syscall);
        let on = (is_on_thread && thread != ThreadId::NONE).then_some(thread);
        let left = std::mem::replace(&mut go.thread, on);
        if left != on {
            self.leave(left);
        }
        if let Some(thread) = on {
            self.threads.entry(thread).or_default().go = Some(id);
        }
    }

    fn leave(&mut self, thread: Option<ThreadId>) {
        if let Some(thread) = thread.and_then(|thread| self.threads.get_mut(&thread)) {
            thread.go = None;
        }
    }

    fn lane_changes(&mut self, thread: ThreadId, id: ProcId, to: ProcState) {
        let proc = self.procs.entry(id).or_default();
        let holder = (to == ProcState::Running && thread != ThreadId::NONE).then_some(thread);
        let left = std::mem::replace(&mut proc.holder, holder);
        if let Some(left) = left.and_then(|thread| self.threads.get_mut(&thread)) {
            left.proc = None;
        }
        if let Some(thread) = holder {
            self.threads.entry(thread).or_default().proc = Some(id);
        }
    }

    fn range_changes<F: Frames>(
        &mut self,
        range: RangeName,
        scope: RangeScope,
        is_open: bool,
        tables: &Tables,
        texts: &mut Texts<F>,
    ) {
        match (range, scope) {
            (RangeName::Mark, _) => self.marks = is_open,
            (RangeName::Sweep, RangeScope::Proc(proc)) => {
                self.procs.entry(proc).or_default().sweeps = is_open;
            }
            (RangeName::Assist, RangeScope::Go(go)) => {
                if let Some(go) = self.goes.get_mut(&go) {
                    go.assists = is_open;
                }
            }
            (RangeName::StopTheWorld(reason), RangeScope::Go(go)) => {
                let reason = texts.text(reason, tables);
                if let Some(go) = self.goes.get_mut(&go) {
                    go.stops_the_world = is_open.then_some(reason);
                }
            }
            _ => {}
        }
    }

    /// Whether this range of the collector is open.
    pub(super) fn is_open(&self, range: RangeName, scope: RangeScope) -> bool {
        match (range, scope) {
            (RangeName::Mark, _) => self.marks,
            (RangeName::Sweep, RangeScope::Proc(proc)) => {
                self.procs.get(&proc).is_some_and(|proc| proc.sweeps)
            }
            (RangeName::Assist, RangeScope::Go(go)) => {
                self.goes.get(&go).is_some_and(|go| go.assists)
            }
            _ => false,
        }
    }

    /// Notes what a record of side data tells for good.
    pub(super) fn learn(&mut self, record: &SideRecord) {
        match record {
            SideRecord::BeganBefore { task, time_ns } => {
                self.began_before.insert(*task, *time_ns);
            }
            SideRecord::Capabilities { .. } if self.facts.contains(record) => {}
            SideRecord::Capabilities { .. } => self.facts.push(record.clone()),
            _ => {
                let Some(key) = fact_key(record) else { return };
                self.facts.retain(|fact| fact_key(fact) != Some(key));
                self.facts.push(record.clone());
            }
        }
    }

    /// Whether the flow on this thread is in a system call, and with it the thread's lane.
    pub(super) fn is_in_syscall(&self, thread: ThreadId) -> bool {
        self.threads
            .get(&thread)
            .and_then(|thread| self.goes.get(&thread.go?))
            .is_some_and(|go| go.state == GoState::Syscall)
    }
}

/// What a fact is about: kind and number. `None` for what is about an instant.
fn fact_key(record: &SideRecord) -> Option<(u64, u64)> {
    let about = match record {
        SideRecord::ThreadName { thread, .. } => thread.0,
        SideRecord::ProcName { proc, .. } => proc.0,
        SideRecord::RuntimeName { id, .. } => *id,
        SideRecord::GeneratedBy { .. } => 0,
        // What was counted up to here: those to come are more than that.
        SideRecord::ThreadTime { thread, .. } => thread.0,
        _ => return None,
    };
    Some((record.kind(), about))
}

/// A thread that records is sampled at least once in this time.
const BETWEEN_SAMPLES_NS: u64 = 200_000_000;

/// From when to when a record of side data holds, if it is about an instant or a time.
pub(super) fn time_of(record: &SideRecord) -> Option<(u64, u64)> {
    match record {
        SideRecord::Counter { time_ns, .. }
        | SideRecord::Link { time_ns, .. }
        | SideRecord::Inferred { time_ns, .. }
        | SideRecord::Lost { time_ns, .. }
        | SideRecord::LeftOut { time_ns, .. } => Some((*time_ns, *time_ns)),
        // It says something of the time before it.
        SideRecord::ThreadTime { time_ns, .. } => {
            Some((time_ns.saturating_sub(BETWEEN_SAMPLES_NS), *time_ns))
        }
        SideRecord::Span(span) => Some((span.first_ns, span.end_ns)),
        _ => None,
    }
}

/// Moves the times in a record of side data, as those of the events are.
pub(super) fn shift(record: &mut SideRecord, by_ns: u64) {
    let add = |time_ns: &mut u64| *time_ns = time_ns.saturating_add(by_ns);
    match record {
        SideRecord::Counter { time_ns, .. }
        | SideRecord::Link { time_ns, .. }
        | SideRecord::Inferred { time_ns, .. }
        | SideRecord::Lost { time_ns, .. }
        | SideRecord::LeftOut { time_ns, .. }
        | SideRecord::ThreadTime { time_ns, .. }
        | SideRecord::BeganBefore { time_ns, .. } => add(time_ns),
        SideRecord::Span(span) => {
            add(&mut span.first_ns);
            add(&mut span.end_ns);
            // 0 says that there is no such ancestor.
            if span.parent_ns != 0 {
                add(&mut span.parent_ns);
            }
        }
        _ => {}
    }
}
