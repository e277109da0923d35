//! What the tests share: runs a program under the Layer or the Subscriber while a recording runs, has
//! both strict readers check the trace, and answers questions about what is in it.

// Each test binary uses a part of this, from a module that none of them exports.
#![allow(dead_code, unreachable_pub)]

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exectrace_format::{GoId, Reader, TaskId, TraceEventKind};
use exectrace_recorder::{Recording, RecordingOptions, Report};
use exectrace_tracing::{Builder, Handle};
use tracing::Dispatch;
use tracing_subscriber::prelude::*;

/// A process has one tracer, so tests that record take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the program's spans and events go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Layer,
    Subscriber,
}

pub const WAYS: [Way; 2] = [Way::Layer, Way::Subscriber];

impl Way {
    pub fn dispatch(self, builder: Builder) -> (Dispatch, Handle) {
        match self {
            Way::Layer => {
                let (layer, handle) = builder.layer();
                (tracing_subscriber::registry().with(layer).into(), handle)
            }
            Way::Subscriber => {
                let (subscriber, handle) = builder.subscriber();
                (subscriber.into(), handle)
            }
        }
    }
}

/// A sink whose bytes can be looked at.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    pub fn start(&self) -> Recording {
        let started = RecordingOptions::new().start_writer(self.clone());
        started.expect("a recording in memory starts")
    }

    /// Reads the finished trace.
    pub fn trace(&self, report: Report) -> Trace {
        Trace::read(&self.0.lock().unwrap(), report)
    }
}

/// Records what `program` does; the caller has its turn.
pub fn record(program: impl FnOnce()) -> Trace {
    let sink = Sink::default();
    let recording = sink.start();
    program();
    let report = recording.stop().expect("a recording in memory stops");
    sink.trace(report)
}

/// Records what `program` does under each of them, with default settings.
pub fn record_each_way(program: impl Fn()) -> Vec<(Way, Trace)> {
    let record = |way| (way, record_with(way, Builder::new(), &program));
    WAYS.into_iter().map(record).collect()
}

/// Records what `program` does under one of them, with these settings.
pub fn record_with(way: Way, builder: Builder, program: impl FnOnce()) -> Trace {
    let _turn = turn();
    let (dispatch, _handle) = way.dispatch(builder);
    tracing::dispatcher::with_default(&dispatch, || record(program))
}

/// A user task in a trace.
#[derive(Clone, Debug)]
pub struct UserTask {
    pub id: TaskId,
    pub parent: TaskId,
    pub name: String,
    pub begin_ns: i64,
    pub end_ns: Option<i64>,
}

/// A region in a trace.
#[derive(Clone, Debug)]
pub struct Interval {
    pub task: TaskId,
    pub name: String,
    pub go: GoId,
    pub begin_ns: i64,
    pub end_ns: Option<i64>,
    /// Names of the regions around it, outermost first.
    pub inside: Vec<String>,
}

/// A log in a trace.
#[derive(Clone, Debug)]
pub struct Message {
    pub task: TaskId,
    pub category: String,
    pub text: String,
    pub go: Option<GoId>,
    pub time_ns: i64,
}

/// What is in a trace that both readers accept.
#[derive(Debug)]
pub struct Trace {
    pub report: Report,
    pub tasks: Vec<UserTask>,
    pub regions: Vec<Interval>,
    pub logs: Vec<Message>,
}

impl Trace {
    fn read(bytes: &[u8], report: Report) -> Self {
        exectrace_referee::assert_bytes_accepted(bytes);
        let mut trace = Trace {
            report,
            tasks: Vec::new(),
            regions: Vec::new(),
            logs: Vec::new(),
        };
        // Indices of the open regions of each flow.
        let mut open: HashMap<GoId, Vec<usize>> = HashMap::new();
        for event in Reader::new(bytes).expect("a header") {
            let event = event.expect("a valid trace");
            let time_ns = event.time.0;
            match event.kind {
                TraceEventKind::TaskBegin { task, parent, name } => trace.tasks.push(UserTask {
                    id: task,
                    parent,
                    name: name.to_string(),
                    begin_ns: time_ns,
                    end_ns: None,
                }),
                TraceEventKind::TaskEnd { task, .. } => {
                    let ended = trace.tasks.iter_mut().rfind(|begun| begun.id == task);
                    ended.expect("a task that began").end_ns = Some(time_ns);
                }
                TraceEventKind::RegionBegin { task, name } => {
                    let go = event.go.expect("regions have a flow");
                    let open = open.entry(go).or_default();
                    let inside = open.iter().map(|&at| trace.regions[at].name.clone());
                    let region = Interval {
                        task,
                        name: name.to_string(),
                        go,
                        begin_ns: time_ns,
                        end_ns: None,
                        inside: inside.collect(),
                    };
                    open.push(trace.regions.len());
                    trace.regions.push(region);
                }
                TraceEventKind::RegionEnd { .. } => {
                    let go = event.go.expect("regions have a flow");
                    let ended = open.get_mut(&go).and_then(Vec::pop);
                    trace.regions[ended.expect("a region that began")].end_ns = Some(time_ns);
                }
                TraceEventKind::Log {
                    task,
                    category,
                    message,
                } => trace.logs.push(Message {
                    task,
                    category: category.to_string(),
                    text: message.to_string(),
                    go: event.go,
                    time_ns,
                }),
                _ => {}
            }
        }
        trace
    }

    /// The user tasks of this name, in the order of their begins.
    pub fn tasks(&self, name: &str) -> Vec<&UserTask> {
        self.tasks.iter().filter(|task| task.name == name).collect()
    }

    /// The one user task of this name.
    #[track_caller]
    pub fn task(&self, name: &str) -> &UserTask {
        let tasks = self.tasks(name);
        assert_eq!(tasks.len(), 1, "user tasks {name}: {:?}", self.tasks);
        tasks[0]
    }

    /// The regions of this name, in the order of their begins.
    pub fn regions(&self, name: &str) -> Vec<&Interval> {
        let named = self.regions.iter().filter(|region| region.name == name);
        named.collect()
    }

    /// The one region of this name.
    #[track_caller]
    pub fn region(&self, name: &str) -> &Interval {
        let regions = self.regions(name);
        assert_eq!(regions.len(), 1, "regions {name}: {:?}", self.regions);
        regions[0]
    }

    /// The logs whose text contains this.
    pub fn logs(&self, part: &str) -> Vec<&Message> {
        let containing = self.logs.iter().filter(|log| log.text.contains(part));
        containing.collect()
    }

    /// The one log whose text contains this.
    #[track_caller]
    pub fn log(&self, part: &str) -> &Message {
        let logs = self.logs(part);
        assert_eq!(logs.len(), 1, "logs with {part}: {:?}", self.logs);
        logs[0]
    }

    /// What of the program is in the trace: all but the tracer's own user tasks.
    pub fn is_empty_but_for_the_tracer(&self) -> bool {
        let own = |id| ["exectrace", "background"].contains(&self.task_name(id));
        self.tasks.iter().all(|task| own(task.id))
            && self.regions.is_empty()
            && self.logs.iter().all(|log| own(log.task))
    }

    /// The name of a user task; empty if it is not in the trace.
    pub fn task_name(&self, id: TaskId) -> &str {
        let task = self.tasks.iter().find(|task| task.id == id);
        task.map_or("", |task| &task.name)
    }
}
