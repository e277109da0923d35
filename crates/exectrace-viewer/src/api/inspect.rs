//! What is known of one slice, in words and with links.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use exectrace_analysis::display::{names, units};
use serde::{Deserialize, Serialize};

use crate::index::{Class, Index, Lane, LaneKey, Run, RunKind, Slice};
use crate::pages::stack_lines;
use crate::trace::Opened;

use super::{Refusal, blocking};

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    row: String,
    /// An instant; the slice that is there is meant, or the next one.
    t: Option<u64>,
    /// Its number in the row.
    id: Option<u32>,
    /// With a number: 1 for the next one, -1 for the one before.
    step: Option<i8>,
}

/// A slice.
#[derive(Debug, Serialize)]
pub(super) struct Inspected {
    row: String,
    id: u32,
    begin_ns: u64,
    end_ns: u64,
    title: String,
    facts: Vec<Fact>,
    stack: Vec<String>,
    stack_title: &'static str,
}

/// One fact.
#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    /// A page about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// A row and an instant to go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<(String, u64)>,
}

impl Fact {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            link: None,
            to: None,
        }
    }
}

pub(super) async fn slice(
    State(opened): State<Arc<Opened>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Option<Inspected>>, Refusal> {
    let key: LaneKey = wanted
        .row
        .parse()
        .map_err(|message: String| Refusal::bad(message, "a row of /rows"))?;
    blocking(move || {
        let index = opened.index().map_err(Refusal::unreadable)?;
        let lane = index.lane(key);
        let found = match (wanted.id, wanted.t) {
            (Some(id), _) if wanted.step.is_some() => {
                lane.neighbour(id as usize, wanted.step > Some(0))
            }
            (Some(id), _) if (id as usize) < lane.len() => Some(lane.slice(id as usize)),
            (None, Some(t)) => lane.within(t, u64::MAX).next(),
            _ => None,
        };
        Ok(Json(found.map(|slice| inspect(index, &lane, key, slice))))
    })
    .await
}

fn inspect(index: &Index, lane: &Lane<'_>, key: LaneKey, slice: Slice) -> Inspected {
    let mut inspected = Inspected {
        row: key.to_string(),
        id: slice.id,
        begin_ns: slice.begin_ns,
        end_ns: slice.end_ns,
        title: String::new(),
        facts: vec![
            Fact::new("begins at", units::instant(slice.begin_ns)),
            Fact::new("took", units::duration(slice.end_ns - slice.begin_ns)),
        ],
        stack: Vec::new(),
        stack_title: "",
    };
    let number = slice.id as usize;
    if let Some(task) = lane.task().filter(|_| number % 3 != 2) {
        inspect_gap(index, lane, slice, &mut inspected);
        inspected.facts.push(task_fact(index, "async task", task));
    } else if let Some(run) = lane.run(number) {
        inspect_run(index, run, &mut inspected);
        inspected
            .facts
            .push(task_fact(index, "async task", run.task));
    } else if let Some(region) = lane.region(number) {
        inspected.title = names::name(index.names.get(region.name));
        inspected
            .facts
            .push(task_fact(index, "async task", region.task));
        if let Some(user_task) = index.spans.user_task(region.user_task) {
            let mut fact = Fact::new("user task", names::name(index.names.get(user_task.name)));
            fact.link = Some(format!("usertask/{}", user_task.id));
            inspected.facts.push(fact);
        }
        inspected.stack = stack_lines(&index.names, region.stack);
        inspected.stack_title = "it began here";
    } else if let LaneKey::UserTask(id) = key
        && let Some(task) = index.spans.user_task(id)
    {
        inspected.title = names::name(index.names.get(task.name));
        let mut fact = Fact::new("user task", id.to_string());
        fact.link = Some(format!("usertask/{id}"));
        inspected.facts.push(fact);
    }
    inspected
}

fn task_fact(index: &Index, name: &'static str, task: u32) -> Fact {
    let id = index.runs.tasks.get(task as usize).map(|task| task.id);
    let called = names::name(index.task_name(task));
    Fact {
        link: id.map(|id| format!("task/{id}")),
        ..Fact::new(
            name,
            id.map_or(called.clone(), |id| format!("{called} ({id})")),
        )
    }
}

/// Who woke the task for a run, and where that was.
fn waker(index: &Index, run: &Run) -> Option<Fact> {
    let by = index.runs.tasks.get(run.woken_by as usize)?;
    let woken_ns = run.begin_ns.saturating_sub(run.delay_ns.unwrap_or(0));
    Some(Fact {
        to: Some((LaneKey::Task(by.id).to_string(), woken_ns)),
        ..task_fact(index, "woken by", run.woken_by)
    })
}

fn inspect_run(index: &Index, run: &Run, inspected: &mut Inspected) {
    inspected.title = match run.kind {
        RunKind::Run => "running".to_owned(),
        RunKind::Syscall => "in a system call".to_owned(),
        RunKind::OwnCode => "a thread's own code: whether it ran is not in the trace".to_owned(),
    };
    let then = match index.names.get(run.reason) {
        "" => run.next.name().to_owned(),
        reason => format!("{} ({reason})", run.next.name()),
    };
    inspected.facts.push(Fact::new("then", then));
    if run.kind == RunKind::Run {
        let delay = run.delay_ns;
        let delay = delay.map_or_else(|| "-".to_owned(), units::duration);
        inspected.facts.push(Fact::new("ready before for", delay));
    }
    inspected.facts.extend(waker(index, run));
    inspected.stack = stack_lines(&index.names, run.stack);
    inspected.stack_title = match run.kind {
        RunKind::Syscall => "the call was made here",
        _ => "it stopped here",
    };
}

/// A time in which the task did not run: what the run before says of it, and who ended it.
fn inspect_gap(index: &Index, lane: &Lane<'_>, slice: Slice, inspected: &mut Inspected) {
    let number = slice.id as usize;
    inspected.title = match slice.class {
        Class::RUNNABLE => "ready to run, waiting for a worker",
        Class::WAITING => "waiting",
        Class::SYSCALL => "in a system call",
        _ => "not running: more is not in the trace",
    }
    .to_owned();
    let before = number.checked_sub(1).and_then(|number| lane.run(number));
    if let Some(before) = before.filter(|_| slice.class == Class::WAITING) {
        let reason = names::reason(index.names.get(before.reason));
        inspected.facts.push(Fact::new("for", reason));
        inspected.stack = stack_lines(&index.names, before.stack);
        inspected.stack_title = "it waits here";
    }
    match lane.run(number) {
        Some(run) => inspected.facts.extend(waker(index, run)),
        None => inspected
            .facts
            .push(Fact::new("until", "the task ended, or the trace did")),
    }
}
