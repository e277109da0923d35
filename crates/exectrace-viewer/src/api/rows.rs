//! Which rows the time line has, and what is drawn above them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use exectrace_analysis::display::{names, units};
use exectrace_replay::GoroutineKind;
use serde::{Deserialize, Serialize};

use crate::index::{Index, LaneKey, Load, TaskEntry, UserTaskEntry};
use crate::trace::Opened;

use super::{Refusal, blocking};

/// Rows in one answer.
const MAX_ROWS: usize = 1_000;
/// Rows of regions that are shown below a task.
const MAX_DEPTH: u32 = 8;

/// What the page has to know at first.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    label: String,
    /// `None` until the trace was read.
    duration_ns: Option<u64>,
    /// From 0 to 1, until then.
    progress: Option<f64>,
    /// What of the trace is missing.
    missing: Vec<String>,
}

pub(super) async fn trace(State(opened): State<Arc<Opened>>) -> Result<Json<Facts>, Refusal> {
    let progress = opened.progress();
    let label = opened.trace.label().to_owned();
    if progress.is_some() {
        return Ok(Json(Facts {
            label,
            duration_ns: None,
            progress,
            missing: Vec::new(),
        }));
    }
    blocking(move || {
        let index = opened.index().map_err(Refusal::unreadable)?;
        Ok(Json(Facts {
            label,
            duration_ns: Some(index.duration_ns),
            progress: None,
            missing: index.missing(),
        }))
    })
    .await
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// `workers`, `threads`, `tasks` or `usertasks`.
    view: String,
    /// Only those with this text in their names, or the one with the number, as `#42`.
    #[serde(default)]
    search: String,
    #[serde(default)]
    offset: usize,
}

impl Wanted {
    /// The number that is looked for.
    fn id(&self) -> Option<u64> {
        self.search.strip_prefix('#')?.parse().ok()
    }
}

/// Some rows of a view.
#[derive(Debug, Serialize)]
pub(super) struct Rows {
    /// How many there are in all.
    total: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    key: String,
    title: String,
    /// More, in a few words.
    detail: String,
    /// Rows of regions below it.
    below: Vec<String>,
}

pub(super) async fn rows(
    State(opened): State<Arc<Opened>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Rows>, Refusal> {
    blocking(move || {
        let index = opened.index().map_err(Refusal::unreadable)?;
        let rows = match wanted.view.as_str() {
            "workers" => of_names(&index.workers, LaneKey::Worker, &wanted),
            "threads" => of_names(&index.threads, LaneKey::Thread, &wanted),
            "tasks" => of_tasks(index, &wanted),
            "usertasks" => of_user_tasks(index, &wanted),
            _ => {
                let hint = "workers, threads, tasks or usertasks";
                return Err(Refusal::bad("there is no such view", hint));
            }
        };
        Ok(Json(rows))
    })
    .await
}

fn page<T>(all: Vec<T>, wanted: &Wanted, row: impl FnMut(T) -> Row) -> Rows {
    let total = all.len();
    let some = all.into_iter().skip(wanted.offset).take(MAX_ROWS);
    Rows {
        total,
        rows: some.map(row).collect(),
    }
}

fn of_names(names: &[(u64, String)], key: fn(u64) -> LaneKey, wanted: &Wanted) -> Rows {
    let number = wanted.id();
    let found = names.iter().filter(|(id, name)| match number {
        Some(number) => *id == number,
        None => name.contains(&wanted.search),
    });
    page(found.collect(), wanted, |(id, name)| Row {
        key: key(*id).to_string(),
        title: name.clone(),
        detail: String::new(),
        below: Vec::new(),
    })
}

/// Those that have the most runs first: a task that never ran has nothing to show.
fn of_tasks(index: &Index, wanted: &Wanted) -> Rows {
    let id = wanted.id();
    let runs = |number: u32| index.runs.by_task.row(u64::from(number)).len();
    let is_found = |(_, task): &(u32, &TaskEntry)| match id {
        Some(id) => task.id == id,
        None => index.names.get(task.name).contains(&wanted.search),
    };
    let mut found: Vec<_> = (0_u32..).zip(&index.runs.tasks).filter(is_found).collect();
    found.sort_by_key(|&(number, task)| (std::cmp::Reverse(runs(number)), task.id));
    page(found, wanted, |(number, task)| {
        let regions = index.spans.of_task(number);
        let depth = regions.iter().map(|region| region.depth + 1).max();
        let depth = depth.unwrap_or(0).min(MAX_DEPTH);
        let rows = (0..depth).map(|depth| LaneKey::Regions(task.id, depth).to_string());
        let what = match task.kind {
            GoroutineKind::Task => "task",
            GoroutineKind::Thread => "thread's own code",
        };
        Row {
            key: LaneKey::Task(task.id).to_string(),
            title: names::name(index.names.get(task.name)),
            detail: format!(
                "{what} {}, {}",
                task.id,
                units::plural(runs(number) as u64, "run")
            ),
            below: rows.collect(),
        }
    })
}

/// The longest first.
fn of_user_tasks(index: &Index, wanted: &Wanted) -> Rows {
    let tasks = index.spans.user_tasks.iter();
    let id = wanted.id();
    let is_found = |task: &&UserTaskEntry| match id {
        Some(id) => task.id == id,
        None => index.names.get(task.name).contains(&wanted.search),
    };
    let mut found: Vec<_> = tasks.filter(is_found).collect();
    let length = |task: &UserTaskEntry| {
        let end = task.end_ns.unwrap_or(index.duration_ns);
        end.saturating_sub(task.begin_ns.unwrap_or(0))
    };
    found.sort_by_key(|task| (std::cmp::Reverse(length(task)), task.id));
    page(found, wanted, |task| Row {
        key: LaneKey::UserTask(task.id).to_string(),
        title: names::name(index.names.get(task.name)),
        detail: format!("user task {}, {}", task.id, units::duration(length(task))),
        below: Vec::new(),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct Strip {
    t0: u64,
    t1: u64,
    /// Into how many parts the time is divided.
    parts: usize,
}

/// How many tasks were in a state.
#[derive(Debug, Serialize)]
pub(super) struct LoadStrip {
    state: &'static str,
    /// On average in each part.
    average: Vec<f64>,
}

pub(super) async fn loads(
    State(opened): State<Arc<Opened>>,
    Query(strip): Query<Strip>,
) -> Result<Json<Vec<LoadStrip>>, Refusal> {
    if strip.t1 <= strip.t0 || !(1..=4_096).contains(&strip.parts) {
        let hint = "t0 before t1, and 1 to 4096 parts";
        return Err(Refusal::bad("this is no part of the time", hint));
    }
    blocking(move || {
        let index = opened.index().map_err(Refusal::unreadable)?;
        let strips = Load::ALL.map(|load| LoadStrip {
            state: load.name(),
            average: index.loads.average(load, (strip.t0, strip.t1), strip.parts),
        });
        Ok(Json(strips.into()))
    })
    .await
}
