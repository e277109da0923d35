//! Rows of the events as they were read.

use exectrace_format::{
    CompactEvent, CompactKind, GoState, ProcState, RangeScope, StateChange, Tables,
};

use super::rows::id;
use super::table::Cell;

/// What an event says beyond its time and place.
struct EventCells<'a> {
    kind: &'static str,
    subject: Cell<'a>,
    states: [Cell<'a>; 2],
    value: Cell<'a>,
    text: Cell<'a>,
}

impl<'a> EventCells<'a> {
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

    fn of(kind: &'static str, subject: u64, text: &'a str) -> Self {
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
    let about = about_event(event, tables);
    let [from, to] = about.states;
    [
        Cell::Int(event.time.0),
        Cell::Text(about.kind),
        id(event.thread.0),
        id(event.proc.0),
        id(event.go.0),
        about.subject,
        from,
        to,
        about.value,
        about.text,
        stack,
    ]
}

fn about_event<'a>(event: &CompactEvent, tables: &'a Tables) -> EventCells<'a> {
    match event.kind {
        CompactKind::Sync { number, .. } => EventCells {
            value: id(number),
            ..EventCells::bare("sync")
        },
        CompactKind::Metric { metric, value } => EventCells {
            value: id(value),
            text: Cell::Text(metric.name()),
            ..EventCells::bare("metric")
        },
        CompactKind::Label { go, label } => EventCells::of("label", go.0, tables.text(label)),
        CompactKind::StackSample => EventCells::bare("sample"),
        CompactKind::RangeBegin { range, scope } => of_range("range_begin", range.name(), scope),
        CompactKind::RangeActive { range, scope } => of_range("range_active", range.name(), scope),
        CompactKind::RangeEnd { range, scope, .. } => of_range("range_end", range.name(), scope),
        CompactKind::TaskBegin { task, name, .. } => {
            EventCells::of("user_task_begin", task.0, tables.text(name))
        }
        CompactKind::TaskEnd { task, name, .. } => {
            EventCells::of("user_task_end", task.0, tables.text(name))
        }
        CompactKind::RegionBegin { task, name } => {
            EventCells::of("region_begin", task.0, tables.text(name))
        }
        CompactKind::RegionEnd { task, name } => {
            EventCells::of("region_end", task.0, tables.text(name))
        }
        CompactKind::Log { task, message, .. } => {
            EventCells::of("log", task.0, tables.text(message))
        }
        CompactKind::StateTransition { change, reason, .. } => {
            of_transition(change, tables.text(reason))
        }
        CompactKind::SideData(()) | CompactKind::UnreadableSideData(_) => {
            EventCells::bare("side_data")
        }
        _ => EventCells::bare("other"),
    }
}

fn of_range(kind: &'static str, name: &'static str, scope: RangeScope) -> EventCells<'static> {
    let subject = match scope {
        RangeScope::Global => u64::MAX,
        RangeScope::Proc(worker) => worker.0,
        RangeScope::Go(task) => task.0,
    };
    EventCells::of(kind, subject, name)
}

fn of_transition(change: StateChange, reason: &str) -> EventCells<'_> {
    let text = if reason.is_empty() {
        Cell::Null
    } else {
        Cell::Text(reason)
    };
    match change {
        StateChange::Go { go, from, to } => EventCells {
            subject: id(go.0),
            states: [go_state(from), go_state(to)],
            text,
            ..EventCells::bare("task_state")
        },
        StateChange::Proc { proc, from, to } => EventCells {
            subject: id(proc.0),
            states: [proc_state(from), proc_state(to)],
            text,
            ..EventCells::bare("worker_state")
        },
    }
}

fn go_state(state: GoState) -> Cell<'static> {
    Cell::Text(match state {
        GoState::Undetermined => "unknown",
        state => state.name(),
    })
}

fn proc_state(state: ProcState) -> Cell<'static> {
    Cell::Text(match state {
        ProcState::Undetermined => "unknown",
        state => state.name(),
    })
}
