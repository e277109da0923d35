//! An event as it is shown: an object for programs, and, in `line`, a line for people.

mod line;

use std::io::Read;

use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, ProcId, ProcState, RangeName, RangeScope, Reader,
    SideRecord, StackId, StateChange, Tables, TaskId, ThreadId,
};
use serde::Serialize;

/// An event with its names.
#[derive(Debug, Serialize)]
pub(crate) struct ShownEvent<'a> {
    /// Since the trace's beginning.
    pub(crate) time_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lane: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flow: Option<u64>,
    #[serde(flatten)]
    pub(crate) what: What<'a>,
    /// Where in the program, leaf first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stack: Vec<Frame<'a>>,
}

/// A place in the program.
#[derive(Debug, Serialize)]
pub(crate) struct Frame<'a> {
    pub(crate) function: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: u64,
}

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum What<'a> {
    Sync {
        number: u64,
    },
    Metric {
        name: &'static str,
        value: u64,
    },
    Label {
        of_flow: u64,
        label: &'a str,
    },
    Sample,
    Range {
        phase: Phase,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        of_flow: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        of_lane: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        swept_bytes: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimed_bytes: Option<u64>,
    },
    UserTask {
        phase: Phase,
        user_task: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        parent: Option<u64>,
        name: &'a str,
    },
    Region {
        phase: Phase,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_task: Option<u64>,
        name: &'a str,
    },
    Log {
        #[serde(skip_serializing_if = "Option::is_none")]
        user_task: Option<u64>,
        category: &'a str,
        message: &'a str,
    },
    Flow {
        of_flow: u64,
        from: &'static str,
        to: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
        /// The flow's name, as far as events have told it: the root frame of its first stack.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// The stack that the event tells of the flow, if it is another than that of the event.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        flow_stack: Vec<Frame<'a>>,
    },
    Lane {
        of_lane: u64,
        from: &'static str,
        to: &'static str,
    },
    Experimental {
        name: &'static str,
        arguments: Vec<u64>,
    },
    Side {
        record: String,
    },
}

/// Which end of something that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Begin,
    /// Goes on, and began before.
    Active,
    End,
}

/// The event with the names of its generation; `begin_ns` is the trace's beginning.
pub(crate) fn show<'a, R: Read>(
    event: &CompactEvent,
    reader: &'a Reader<R>,
    begin_ns: i64,
) -> ShownEvent<'a> {
    let tables = reader.tables();
    ShownEvent {
        time_ns: event.time.0.saturating_sub(begin_ns).max(0) as u64,
        thread: (event.thread != ThreadId::NONE).then_some(event.thread.0),
        lane: (event.proc != ProcId::NONE).then_some(event.proc.0),
        flow: (event.go != GoId::NONE).then_some(event.go.0),
        what: what(event, tables, reader.side_record()),
        stack: frames(event.stack, tables),
    }
}

fn frames(stack: StackId, tables: &Tables) -> Vec<Frame<'_>> {
    let frames = tables.frames(stack);
    frames
        .map(|frame| Frame {
            function: frame.function,
            file: frame.file,
            line: frame.line,
        })
        .collect()
}

fn what<'a>(event: &CompactEvent, tables: &'a Tables, record: Option<&SideRecord>) -> What<'a> {
    use CompactKind as K;
    let task = |task: TaskId| (task != TaskId::BACKGROUND).then_some(task.0);
    match event.kind {
        K::Sync { number, .. } => What::Sync { number },
        K::Metric { metric, value } => What::Metric {
            name: metric.name(),
            value,
        },
        K::Label { go, label } => What::Label {
            of_flow: go.0,
            label: tables.text(label),
        },
        K::StackSample => What::Sample,
        K::RangeBegin { range: name, scope } => range(Phase::Begin, name, scope, None, tables),
        K::RangeActive { range: name, scope } => range(Phase::Active, name, scope, None, tables),
        K::RangeEnd {
            range: name,
            scope,
            swept,
        } => range(Phase::End, name, scope, swept, tables),
        K::TaskBegin { task, parent, name } => {
            user_task(Phase::Begin, task, parent, tables.text(name))
        }
        K::TaskEnd { task, parent, name } => user_task(Phase::End, task, parent, tables.text(name)),
        K::RegionBegin { task: id, name } => What::Region {
            phase: Phase::Begin,
            user_task: task(id),
            name: tables.text(name),
        },
        K::RegionEnd { task: id, name } => What::Region {
            phase: Phase::End,
            user_task: task(id),
            name: tables.text(name),
        },
        K::Log {
            task: id,
            category,
            message,
        } => What::Log {
            user_task: task(id),
            category: tables.text(category),
            message: tables.text(message),
        },
        K::StateTransition {
            change: StateChange::Go { go, from, to },
            reason,
            stack,
            ..
        } => What::Flow {
            of_flow: go.0,
            from: go_state(from),
            to: go_state(to),
            reason: tables.text(reason),
            name: tables.frames(stack).next_back().map(|root| root.function),
            flow_stack: match stack == event.stack {
                true => Vec::new(),
                false => frames(stack, tables),
            },
        },
        K::StateTransition {
            change: StateChange::Proc { proc, from, to },
            ..
        } => What::Lane {
            of_lane: proc.0,
            from: proc_state(from),
            to: proc_state(to),
        },
        K::Experimental { kind, arguments } => What::Experimental {
            name: kind.name(),
            arguments: arguments[..kind.arguments().len().min(arguments.len())].to_vec(),
        },
        K::SideData(()) => What::Side {
            record: record.map_or_else(String::new, |record| format!("{record:?}")),
        },
        K::UnreadableSideData(error) => What::Side {
            record: error.to_string(),
        },
        // Kinds of later versions of the reader.
        _ => What::Side {
            record: format!("{:?}", event.kind),
        },
    }
}

fn user_task<'a>(phase: Phase, task: TaskId, parent: TaskId, name: &'a str) -> What<'a> {
    let has_parent = parent != TaskId::NONE && parent != TaskId::BACKGROUND;
    What::UserTask {
        phase,
        user_task: task.0,
        parent: has_parent.then_some(parent.0),
        name,
    }
}

fn range<'a>(
    phase: Phase,
    range: RangeName,
    scope: RangeScope,
    swept: Option<(u64, u64)>,
    tables: &Tables,
) -> What<'a> {
    let name = match range {
        RangeName::StopTheWorld(reason) => format!("{} ({})", range.name(), tables.text(reason)),
        _ => range.name().to_owned(),
    };
    let (of_flow, of_lane) = match scope {
        RangeScope::Global => (None, None),
        RangeScope::Proc(proc) => (None, Some(proc.0)),
        RangeScope::Go(go) => (Some(go.0), None),
    };
    What::Range {
        phase,
        name,
        of_flow,
        of_lane,
        swept_bytes: swept.map(|(swept, _)| swept),
        reclaimed_bytes: swept.map(|(_, reclaimed)| reclaimed),
    }
}

fn go_state(state: GoState) -> &'static str {
    match state {
        GoState::Undetermined => "undetermined",
        GoState::NotExist => "none",
        GoState::Runnable => "runnable",
        GoState::Running => "running",
        GoState::Waiting => "waiting",
        GoState::Syscall => "syscall",
    }
}

fn proc_state(state: ProcState) -> &'static str {
    match state {
        ProcState::Undetermined => "undetermined",
        ProcState::NotExist => "none",
        ProcState::Running => "running",
        ProcState::Idle => "idle",
    }
}
