//! An event as it is shown: an object for programs, and, in `line`, a line for people.

mod line;

use std::io::Read;

use exectrace_format::{
    CompactEvent, CompactKind, GoId, ProcId, RangeName, RangeScope, Reader, SideRecord, StackId,
    StateChange, Tables, TaskId, ThreadId,
};
use schemars::JsonSchema;
use serde::Serialize;

/// An event, as `exectrace events` prints one a line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShownEvent<'a> {
    /// When, since the trace's beginning.
    pub(crate) time_ns: u64,
    /// The thread on which it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<u64>,
    /// The lane that the thread held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lane: Option<u64>,
    /// The flow that ran there: an async task, or a thread's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flow: Option<u64>,
    #[serde(flatten)]
    pub(crate) what: What<'a>,
    /// Where in the program, leaf first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stack: Vec<ShownFrame<'a>>,
}

/// A place in the program.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShownFrame<'a> {
    /// The function.
    pub(crate) function: &'a str,
    /// The source file.
    pub(crate) file: &'a str,
    /// The line.
    pub(crate) line: u64,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum What<'a> {
    /// A generation of the file begins, or the trace ends.
    Sync {
        /// Counts them from 1.
        number: u64,
    },
    /// A quantity has a new value.
    Metric {
        /// Which, as Go names it.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// A flow has a new label.
    Label {
        /// The flow.
        of_flow: u64,
        /// The label.
        label: &'a str,
    },
    /// A CPU sample.
    Sample,
    /// Garbage collection, its parts, the world stopped.
    Range {
        /// Whether it begins, goes on or ends.
        phase: Phase,
        /// Which.
        name: String,
        /// The flow concerned.
        #[serde(skip_serializing_if = "Option::is_none")]
        of_flow: Option<u64>,
        /// The lane concerned.
        #[serde(skip_serializing_if = "Option::is_none")]
        of_lane: Option<u64>,
        /// Of sweeps, at the end: bytes swept.
        #[serde(skip_serializing_if = "Option::is_none")]
        swept_bytes: Option<u64>,
        /// Of these, reclaimed.
        #[serde(skip_serializing_if = "Option::is_none")]
        reclaimed_bytes: Option<u64>,
    },
    /// A user task begins or ends.
    UserTask {
        /// Whether it begins, goes on or ends.
        phase: Phase,
        /// Its number.
        user_task: u64,
        /// Its parent.
        #[serde(skip_serializing_if = "Option::is_none")]
        parent: Option<u64>,
        /// Its name.
        name: &'a str,
    },
    /// A region begins or ends.
    Region {
        /// Whether it begins, goes on or ends.
        phase: Phase,
        /// The user task it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_task: Option<u64>,
        /// Its name.
        name: &'a str,
    },
    /// A message.
    Log {
        /// The user task it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_task: Option<u64>,
        /// Its category.
        category: &'a str,
        /// Its text.
        message: &'a str,
    },
    /// A flow changes its state, or the trace says which it is in.
    Flow {
        /// The flow.
        of_flow: u64,
        /// `undetermined`, `none`, `runnable`, `running`, `waiting` or `syscall`.
        from: &'static str,
        /// Likewise.
        to: &'static str,
        /// Why, where the trace says so.
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
        /// The flow's name, if an event so far had it: the root frame of its first stack.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// The flow's own stack, where that is another than the event's.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        flow_stack: Vec<ShownFrame<'a>>,
    },
    /// A lane changes its state, or the trace says which it is in.
    Lane {
        /// The lane.
        of_lane: u64,
        /// `undetermined`, `none`, `running` or `idle`.
        from: &'static str,
        /// Likewise.
        to: &'static str,
    },
    /// An event of Go's allocation experiment.
    Experimental {
        /// Its name in the table of events.
        name: &'static str,
        /// Its arguments.
        arguments: Vec<u64>,
    },
    /// What exectrace records beside the events.
    Side {
        /// The record, for people.
        record: String,
    },
}

/// Which end of something that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It begins.
    Begin,
    /// Goes on, and began before.
    Active,
    /// It ends.
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

fn frames(stack: StackId, tables: &Tables) -> Vec<ShownFrame<'_>> {
    let frames = tables.frames(stack);
    frames
        .map(|frame| ShownFrame {
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
            from: from.name(),
            to: to.name(),
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
            from: from.name(),
            to: to.name(),
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
