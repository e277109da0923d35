//! Rows of the time line: slices that do not overlap, by time.

use std::fmt;
use std::str::FromStr;

use super::cells::Class;
use super::runs::{NextState, Run, RunKind};
use super::{Index, spans::RegionEntry};

/// A span of time in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    /// Which it is in its row.
    pub(crate) id: u32,
    pub(crate) class: Class,
}

/// Which row. In text: `w3`, `m17`, `g42`, `g42r1`, `u7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// What runs on a worker.
    Worker(u64),
    /// What runs on a thread.
    Thread(u64),
    /// The states of an async task, by its id.
    Task(u64),
    /// Its regions, at one depth.
    Regions(u64, u32),
    /// A user task, from its begin to its end.
    UserTask(u64),
}

impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(id) => write!(f, "w{id}"),
            Self::Thread(id) => write!(f, "m{id}"),
            Self::Task(id) => write!(f, "g{id}"),
            Self::Regions(id, depth) => write!(f, "g{id}r{depth}"),
            Self::UserTask(id) => write!(f, "u{id}"),
        }
    }
}

impl FromStr for LaneKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("no row is called {text:?}: rows are w3, m17, g42, g42r1, u7");
        let number = |text: &str| text.parse().map_err(|_| wrong());
        match text.split_at_checked(1) {
            Some(("w", id)) => Ok(Self::Worker(number(id)?)),
            Some(("m", id)) => Ok(Self::Thread(number(id)?)),
            Some(("u", id)) => Ok(Self::UserTask(number(id)?)),
            Some(("g", rest)) => match rest.split_once('r') {
                Some((id, depth)) => {
                    let depth = depth.parse().map_err(|_| wrong())?;
                    Ok(Self::Regions(number(id)?, depth))
                }
                None => Ok(Self::Task(number(rest)?)),
            },
            _ => Err(wrong()),
        }
    }
}

/// A row: its slices by number, whichever arrays they come from.
#[derive(Clone, Debug)]
pub(crate) struct Lane<'a> {
    index: &'a Index,
    slices: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    /// A slice for each run.
    Runs(&'a [u32]),
    /// Three for each run: what was before it, the delay, and the run itself; then two for what comes after the last
    /// run, a state and being ready. Those that are not there have no length.
    States(&'a [u32], u32),
    Regions(Vec<&'a RegionEntry>),
    One(Option<Slice>),
}

impl Index {
    /// A row; one that is not in the trace is empty.
    pub(crate) fn lane(&self, key: LaneKey) -> Lane<'_> {
        let runs = &self.runs;
        let slices = match key {
            LaneKey::Worker(id) => Source::Runs(runs.by_worker.row(id)),
            LaneKey::Thread(id) => Source::Runs(runs.by_thread.row(id)),
            LaneKey::Task(id) => match self.task_number(id) {
                Some(task) => Source::States(runs.by_task.row(u64::from(task)), task),
                None => Source::Runs(&[]),
            },
            LaneKey::Regions(id, depth) => {
                let task = self.task_number(id);
                let regions = task.map_or(&[][..], |task| self.spans.of_task(task));
                let at_depth = regions.iter().filter(|region| region.depth == depth);
                Source::Regions(at_depth.collect())
            }
            LaneKey::UserTask(id) => Source::One(self.spans.user_task(id).map(|task| Slice {
                begin_ns: task.begin_ns.unwrap_or(0),
                end_ns: task.end_ns.unwrap_or(self.duration_ns),
                id: 0,
                class: Class::of_name(self.names.get(task.name)),
            })),
        };
        Lane {
            index: self,
            slices,
        }
    }

    /// The number of the async task with this id: the last, if an id was given twice.
    pub(crate) fn task_number(&self, id: u64) -> Option<u32> {
        self.task_numbers.get(&id).copied()
    }
}

/// What a task is drawn as that does not run: it is in the state that its last run led to.
fn gap(state: NextState) -> Class {
    match state {
        NextState::Waiting => Class::WAITING,
        NextState::Runnable => Class::RUNNABLE,
        NextState::Syscall => Class::SYSCALL,
        _ => Class::UNKNOWN,
    }
}

impl<'a> Lane<'a> {
    /// How many slices it has at most.
    pub(crate) fn len(&self) -> usize {
        match &self.slices {
            Source::Runs(runs) => runs.len(),
            Source::States(runs, _) => runs.len() * 3 + 2,
            Source::Regions(regions) => regions.len(),
            Source::One(slice) => usize::from(slice.is_some()),
        }
    }

    /// A slice by its number. One without length that is no run is not to be drawn.
    pub(crate) fn slice(&self, number: usize) -> Slice {
        let id = number as u32;
        match &self.slices {
            Source::Runs(runs) => self.run_slice(&self.index.runs.all[runs[number] as usize], id),
            Source::States(runs, task) => self.state_slice(runs, *task, number),
            Source::Regions(regions) => {
                let region = regions[number];
                Slice {
                    begin_ns: region.begin_ns,
                    end_ns: region.end_ns,
                    id,
                    class: Class::of_name(self.index.names.get(region.name)),
                }
            }
            Source::One(slice) => slice.unwrap_or(Slice {
                begin_ns: 0,
                end_ns: 0,
                id,
                class: Class::WAITING,
            }),
        }
    }

    fn run_slice(&self, run: &Run, id: u32) -> Slice {
        let class = match run.kind {
            RunKind::Run => self.index.class_of_task(run.task),
            RunKind::Syscall => Class::SYSCALL,
            RunKind::OwnCode => Class::OWN_CODE,
        };
        Slice {
            begin_ns: run.begin_ns,
            end_ns: run.end_ns,
            id,
            class,
        }
    }

    fn state_slice(&self, runs: &[u32], task: u32, number: usize) -> Slice {
        let all = &self.index.runs.all;
        let entry = &self.index.runs.tasks[task as usize];
        let run = runs.get(number / 3).map(|&run| &all[run as usize]);
        let before = (number / 3)
            .checked_sub(1)
            .map(|run| &all[runs[run] as usize]);
        let since = before.map_or(entry.begin_ns, |before| before.end_ns);
        let until = entry.end_ns.unwrap_or(self.index.duration_ns);
        let begin_ns = run.map_or(until, |run| run.begin_ns);
        let delay_ns = match run {
            Some(run) => run.delay_ns.unwrap_or(0),
            None => entry.ready_at_end_ns,
        };
        let ready = begin_ns.saturating_sub(delay_ns).max(since);
        let (begin_ns, end_ns, class) = match (number % 3, run) {
            (2, Some(run)) => return self.run_slice(run, number as u32),
            (1, _) => (ready, begin_ns, Class::RUNNABLE),
            _ => (
                since,
                ready,
                gap(before.map_or(entry.first, |before| before.next)),
            ),
        };
        Slice {
            begin_ns,
            end_ns: end_ns.max(begin_ns),
            id: number as u32,
            class,
        }
    }

    /// The slice after, or before, one of this number that is drawn.
    pub(crate) fn neighbour(&self, number: usize, is_after: bool) -> Option<Slice> {
        let slice = |number| Some(self.slice(number)).filter(|slice| self.is_drawn(slice));
        match is_after {
            true => (number.saturating_add(1)..self.len()).find_map(slice),
            false => (0..number.min(self.len())).rev().find_map(slice),
        }
    }

    /// The number of the first slice that ends after an instant.
    pub(crate) fn first_after(&self, time_ns: u64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.slice(middle).end_ns > time_ns {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        low
    }

    /// The slices that touch a span of time, by their begins.
    pub(crate) fn within(&self, begin_ns: u64, end_ns: u64) -> impl Iterator<Item = Slice> + '_ {
        let numbers = self.first_after(begin_ns)..self.len();
        let slices = numbers.map(|number| self.slice(number));
        slices
            .take_while(move |slice| slice.begin_ns < end_ns)
            .filter(|slice| self.is_drawn(slice))
    }

    fn is_drawn(&self, slice: &Slice) -> bool {
        let is_gap = matches!(self.slices, Source::States(..)) && slice.id % 3 != 2;
        !is_gap || slice.end_ns > slice.begin_ns
    }

    /// The async task whose states these are.
    pub(crate) fn task(&self) -> Option<u32> {
        match self.slices {
            Source::States(_, task) => Some(task),
            _ => None,
        }
    }

    /// The run that a slice is, or that it comes before.
    pub(crate) fn run(&self, number: usize) -> Option<&'a Run> {
        let run = match &self.slices {
            Source::Runs(runs) => runs.get(number)?,
            Source::States(runs, _) => runs.get(number / 3)?,
            Source::Regions(_) | Source::One(_) => return None,
        };
        self.index.runs.all.get(*run as usize)
    }

    /// The region that a slice is.
    pub(crate) fn region(&self, number: usize) -> Option<&'a RegionEntry> {
        match &self.slices {
            Source::Regions(regions) => regions.get(number).copied(),
            _ => None,
        }
    }
}
