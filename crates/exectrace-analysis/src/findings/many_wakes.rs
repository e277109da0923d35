//! Async tasks whose runs do little but wake others.
//!
//! Counted are the wakes that a run makes, by worker while it lasts. How often one task was woken
//! before it ran is not in a trace: a task that is ready already is not woken again.

use crate::names::Places;
use crate::time::{Flow, TimeSpan, World};
use exectrace_replay::{Index, Location, Text};

use super::watch::{Wake, of_lane};
use super::{Exemplar, Finding, Severity, shown, sum, tasks_of};

/// From so many wakes to a run on, on average ...
const MIN_PER_RUN: u64 = 8;
/// ... over so many runs, so that a task that runs once and wakes its workers is not meant ...
const MIN_RUNS: u64 = 100;
/// ... with a wake at least each so many nanoseconds: a wake costs some microseconds if a worker
/// sleeps.
const MAX_APART_NS: u64 = 20_000;

#[derive(Debug, Default)]
pub(super) struct ManyWakesWatch {
    /// The wakes of the run that is on each lane.
    lanes: Vec<u64>,
    kinds: Vec<Kind>,
    kind_of_name: Index,
}

/// Tasks of one name.
#[derive(Debug, Default)]
struct Kind {
    name: Text,
    root: Option<Location>,
    runs: u64,
    running: u64,
    wakes: u64,
    /// The run with the most wakes.
    most: u64,
    task: u64,
    begin: i64,
    duration: u64,
    lane: u64,
}

impl ManyWakesWatch {
    #[inline]
    pub(super) fn woken(&mut self, wake: &Wake<'_>) {
        if let Some(lane) = wake.lane {
            *of_lane(&mut self.lanes, lane) += 1;
        }
    }

    #[inline]
    pub(super) fn run_ends(&mut self, flow: &Flow<'_>, run: &TimeSpan<'_>, lane: usize) {
        let wakes = std::mem::take(of_lane(&mut self.lanes, lane));
        if wakes == 0 {
            return;
        }
        let kind = self.kind(flow.name);
        kind.wakes += wakes;
        if wakes > kind.most {
            (kind.most, kind.task) = (wakes, flow.id.0);
            if let Some(poll) = &run.poll {
                (kind.begin, kind.duration) = (poll.begin, poll.duration);
            }
            kind.lane = run.proc.0;
        }
    }

    #[inline]
    fn kind(&mut self, name: Text) -> &mut Kind {
        let known = self.kind_of_name.get(name.index() as u64);
        let place = known.unwrap_or_else(|| {
            let place = self.kinds.len() as u32;
            self.kind_of_name.insert(name.index() as u64, place);
            self.kinds.push(Kind {
                name,
                ..Kind::default()
            });
            place
        });
        &mut self.kinds[place as usize]
    }

    pub(super) fn flow_ends(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        // A thread's own flow may run for as long as it likes, and wake as many as it likes: its
        // runs do not count.
        if !world.is_shared_lane(flow.time.last_lane) {
            return;
        }
        let kind = self.kind(flow.name);
        kind.root = kind.root.or(flow.root);
        kind.runs += flow.time.runs;
        kind.running = kind.running.saturating_add(flow.time.sums.running);
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let is_busy_waking = |kind: &Kind| {
            kind.runs >= MIN_RUNS
                && kind.wakes >= kind.runs * MIN_PER_RUN
                && kind.running <= kind.wakes * MAX_APART_NS
        };
        let name = |kind: &Kind| world.names().get(kind.name);
        let mut kinds: Vec<&Kind> = self
            .kinds
            .iter()
            .filter(|kind| is_busy_waking(kind))
            .collect();
        kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.wakes), name(kind)));
        let worst = *kinds.first()?;
        let exemplar = |kind: &&Kind| Exemplar {
            what: format!(
                "{}: {} wakes in {} runs, {} in one of {}",
                name(kind),
                kind.wakes,
                kind.runs,
                kind.most,
                shown(kind.duration)
            ),
            begin_ns: Some(world.since_begin(kind.begin)),
            duration_ns: Some(kind.duration),
            async_task: Some(kind.task),
            worker: Some(kind.lane),
            place: kind.root.map(|root| world.names().place(&root)),
            ..Exemplar::default()
        };
        Some(Finding {
            id: "many_wakes",
            severity: Severity::Info,
            message: format!(
                "{} wake others many times in a run, {} {} times on average",
                tasks_of(kinds.len()),
                name(worst),
                worst.wakes / worst.runs
            ),
            count: kinds.iter().map(|kind| kind.wakes).sum(),
            total_ns: sum(kinds.iter().map(|kind| kind.running)),
            exemplars: kinds.iter().map(exemplar).collect(),
            rule: "100 runs or more on shared workers that wake other tasks 8 times or more on \
                   average, each 20 µs or more often.",
            help: "Hand over more at once: send batches, wake after a whole batch.",
            basis: String::new(),
        })
    }
}
