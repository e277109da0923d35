//! Rows of the events as they were read.

use exectrace_format::{
    CompactEvent, CompactKind, GoState, ProcState, RangeScope, StateChange, Tables,
};

use super::rows::id;
use super::table::Cell;

/// What an event tells beyond its time and place.
struct Told<'a> {
    kind: &'static str,
    subject: Cell<'a>,
    states: [Cell<'a>; 2],
    value: Cell<'a>,
    text: Cell<'a>,
}

impl<'a> Told<'a> {
    fn bare(kind: &'static str) -> Self {
        let states = [Cell::Null; 2];
        Self {
            kind,
            subject: Cell::Null,
            states,
            value: Cell::Null,
            text: Cell::Null,
        }
    }

    fn about(kind: &'static str, subject: u64, text: &'a str) -> Self {
        Self {
            subject: id(subject),
            text: Cell::Text(text),
            ..Self::bare(kind)
        }
    }
}

/// The cells of the table `events`, but for the first column.
pub(super) fn event_row<'a>(
    event: &CompactEvent,
    tables: &'a Tables,
    stack: Cell<'a>,
) -> [Cell<'a>; 11] {
    let told = told(event, tables);
    let [from, to] = told.states;
    [
        Cell::Int(event.time.0),
        Cell::Text(told.kind),
        id(event.thread.0),
        id(event.proc.0),
        id(event.go.0),
        told.subject,
        from,
        to,
        told.value,
        told.text,
        stack,
    ]
}

fn told<'a>(event: &CompactEvent, tables: &'a Tables) -> Told<'a> {
    match event.kind {
        CompactKind::Sync { number, .. } => Told {
            value: id(number),
            ..Told::bare("sync")
        },
        CompactKind::Metric { metric, value } => Told {
            value: id(value),
            text: Cell::Text(metric.name()),
            ..Told::bare("metric")
        },
        CompactKind::Label { go, label } => Told::about("label", go.0, tables.text(label)),
        CompactKind::StackSample => Told::bare("sample"),
        CompactKind::RangeBegin { range, scope } => range_told("range_begin", range.name(), scope),
        CompactKind::RangeActive { range, scope } => {
            range_told("range_active", range.name(), scope)
        }
        CompactKind::RangeEnd { range, scope, .. } => range_told("range_end", range.name(), scope),
        CompactKind::TaskBegin { task, name, .. } => {
            Told::about("user_task_begin", task.0, tables.text(name))
        }
        CompactKind::TaskEnd { task, name, .. } => {
            Told::about("user_task_end", task.0, tables.text(name))
        }
        CompactKind::RegionBegin { task, name } => {
            Told::about("region_begin", task.0, tables.text(name))
        }
        CompactKind::RegionEnd { task, name } => {
            Told::about("region_end", task.0, tables.text(name))
        }
        CompactKind::Log { task, message, .. } => Told::about("log", task.0, tables.text(message)),
        CompactKind::StateTransition { change, reason, .. } => {
            transition_told(change, tables.text(reason))
        }
        CompactKind::SideData(()) | CompactKind::UnreadableSideData(_) => Told::bare("side_data"),
        _ => Told::bare("other"),
    }
}

fn range_told(kind: &'static str, name: &'static str, scope: RangeScope) -> Told<'static> {
    let subject = match scope {
        RangeScope::Global => u64::MAX,
        RangeScope::Proc(worker) => worker.0,
        RangeScope::Go(task) => task.0,
    };
    Told::about(kind, subject, name)
}

fn transition_told(change: StateChange, reason: &str) -> Told<'_> {
    let text = if reason.is_empty() {
        Cell::Null
    } else {
        Cell::Text(reason)
    };
    match change {
        StateChange::Go { go, from, to } => Told {
            subject: id(go.0),
            states: [go_state(from), go_state(to)],
            text,
            ..Told::bare("task_state")
        },
        StateChange::Proc { proc, from, to } => Told {
            subject: id(proc.0),
            states: [proc_state(from), proc_state(to)],
            text,
            ..Told::bare("worker_state")
        },
    }
}

fn go_state(state: GoState) -> Cell<'static> {
    Cell::Text(match state {
        GoState::Undetermined => "unknown",
        GoState::NotExist => "none",
        GoState::Runnable => "runnable",
        GoState::Running => "running",
        GoState::Waiting => "waiting",
        GoState::Syscall => "syscall",
    })
}

fn proc_state(state: ProcState) -> Cell<'static> {
    Cell::Text(match state {
        ProcState::Undetermined => "unknown",
        ProcState::NotExist => "none",
        ProcState::Running => "running",
        ProcState::Idle => "idle",
    })
}
