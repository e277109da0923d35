//! The share of its workers' time that a program gets beside its garbage collector, and the least
//! that it gets in any window of a given length (minimum mutator utilisation).
//!
//! What counts is what counts in Go's `internal/trace`: the world stopped for the collector (all
//! workers), sweeps, assists and mark workers (one worker each, while they execute). Mark workers
//! are known by their label. Unlike there, a label that is reported again, as with each run it is,
//! counts once, and a run that marks only what nobody else needs the time for (`GC (idle)`) does
//! not count. Go's curve sinks with each such label, and ends where it has come to nothing.

use exectrace_format::{CompactEvent, CompactKind, Metric, ProcId, RangeName, RangeScope, Tables};
use exectrace_replay::State;
use rustc_hash::FxHashMap;

use crate::time::{Flow, Flows};

use super::Utilization;

/// Lengths of windows: 1, 2 and 5 of each power of ten from a microsecond to a second.
const WINDOWS_NS: [u64; 19] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

#[derive(Debug, Default)]
pub(super) struct Utilizations {
    /// The number of workers; 0 until it is known. Nothing counts before.
    workers: u64,
    /// How often collecting is under way on each worker.
    collecting: FxHashMap<u64, i64>,
    /// How many workers have more than none of it.
    taken: u64,
    stops: u64,
    syncs: u64,
    /// When the share changed, and to what.
    curve: Vec<(i64, f64)>,
    /// When the number of workers changed.
    worker_changes: Vec<(i64, u64)>,
}

/// What a flow does for the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collecting {
    assists: bool,
    /// It is a mark worker.
    marks: bool,
    /// Its worker is taken by it now.
    counts: bool,
}

impl Collecting {
    #[inline]
    pub(crate) fn does_something(self) -> bool {
        self.assists || self.marks || self.counts
    }
}

impl Utilizations {
    /// A sync, a range or a new value of a quantity.
    pub(super) fn event(&mut self, event: &CompactEvent, tables: &Tables, flows: &mut Flows) {
        match event.kind {
            CompactKind::Sync { number, .. } => self.syncs = number,
            CompactKind::Metric {
                metric: Metric::Gomaxprocs,
                value,
            } => self.workers_change(event.time.0, value),
            _ if self.workers == 0 => return,
            CompactKind::RangeActive { range, scope } if self.syncs <= 1 => {
                self.was_active(event, range, flows);
                self.range(event.proc, (range, scope), true, tables, flows);
            }
            CompactKind::RangeBegin { range, scope } => {
                self.range(event.proc, (range, scope), true, tables, flows);
            }
            CompactKind::RangeEnd { range, scope, .. } => {
                self.range(event.proc, (range, scope), false, tables, flows);
            }
            _ => return,
        }
        self.note(event.time.0);
    }

    /// A flow begins to execute, or leaves its thread.
    #[inline]
    pub(super) fn executes(&mut self, state: &State, flow: &mut Flow<'_>, executes: bool) {
        self.count(flow, state.current_proc(), executes);
        self.note(state.now());
    }

    /// A mark worker is known by its label, which it has just after it has started.
    pub(super) fn label(&mut self, state: &State, flow: &mut Flow<'_>) {
        let label = state.names().get(flow.label);
        if self.workers == 0 || !label.starts_with("GC ") {
            return;
        }
        let is_idle = label == "GC (idle)";
        flow.time.collecting.marks |= !is_idle;
        let counts = !is_idle || flow.time.collecting.assists;
        self.count(flow, state.current_proc(), counts);
        self.note(state.now());
    }

    /// The flow takes its worker for the collector, or no longer does.
    fn count(&mut self, flow: &mut Flow<'_>, worker: ProcId, counts: bool) {
        if std::mem::replace(&mut flow.time.collecting.counts, counts) != counts {
            self.collect(worker, if counts { 1 } else { -1 });
        }
    }

    fn workers_change(&mut self, time: i64, workers: u64) {
        if self.curve.is_empty() {
            self.curve.push((time, 1.0));
        }
        if workers < self.workers {
            self.collecting.retain(|&worker, _| worker < workers);
            self.taken = self.collecting.values().filter(|&&count| count > 0).count() as u64;
        }
        if self.workers != workers {
            self.worker_changes.push((time, workers));
        }
        self.workers = workers;
    }

    /// A range that has lasted since before the trace: what was noted so far did not know of it.
    ///
    /// An assist counts by the flow on which its event happens, not by the one that it is of: that is the
    /// rule of Go's `gc.go`, copied so that the figures are the same.
    fn was_active(&mut self, event: &CompactEvent, range: RangeName, flows: &Flows) {
        let counts = match range {
            RangeName::Sweep => true,
            RangeName::Assist => flows
                .get(event.go)
                .is_some_and(|flow| flow.state.has_thread()),
            _ => false,
        };
        if !counts {
            return;
        }
        let mut changes = self.worker_changes.iter().peekable();
        let mut workers = 0;
        for (time, share) in &mut self.curve {
            while let Some(&(_, next)) = changes.next_if(|&&(at, _)| workers == 0 || at < *time) {
                workers = next;
            }
            *share = (*share - 1.0 / workers.max(1) as f64).max(0.0);
        }
    }

    fn range(
        &mut self,
        worker: ProcId,
        (range, scope): (RangeName, RangeScope),
        begins: bool,
        tables: &Tables,
        flows: &mut Flows,
    ) {
        let change = if begins { 1 } else { -1 };
        match (range, scope) {
            (RangeName::StopTheWorld(reason), _) if tables.text(reason).contains("GC") => {
                self.stops = self.stops.saturating_add_signed(change);
            }
            (RangeName::Sweep, _) => self.collect(worker, change),
            (RangeName::Assist, RangeScope::Go(go)) => {
                if let Some(mut flow) = flows.get_mut(go) {
                    flow.time.collecting.assists = begins;
                    let counts = flow.state.has_thread() && (begins || flow.time.collecting.marks);
                    self.count(&mut flow, worker, counts);
                }
            }
            _ => {}
        }
    }

    fn collect(&mut self, worker: ProcId, change: i64) {
        let count = self.collecting.entry(worker.0).or_default();
        let before = *count > 0;
        *count = count.saturating_add(change);
        match (before, *count > 0) {
            (false, true) => self.taken += 1,
            (true, false) => self.taken -= 1,
            _ => {}
        }
    }

    fn note(&mut self, time: i64) {
        if self.workers == 0 {
            return;
        }
        let taken = if self.stops > 0 {
            self.workers
        } else {
            self.taken
        };
        let share = 1.0 - taken as f64 / self.workers as f64;
        if self.curve.last().is_some_and(|&(_, last)| last != share) {
            self.curve.push((time, share));
        }
    }

    pub(super) fn finish(mut self, end: i64) -> Vec<Utilization> {
        if self.curve.last().is_none_or(|&(last, _)| last >= end) {
            return Vec::new();
        }
        self.curve.push((end, 0.0));
        let curve = Curve::new(&self.curve);
        let utilization = |&window_ns: &u64| Utilization {
            window_ns,
            share: curve.minimum(window_ns),
        };
        WINDOWS_NS.iter().map(utilization).collect()
    }
}

/// A step function, with its integral up to each step.
struct Curve<'a> {
    steps: &'a [(i64, f64)],
    sums: Vec<f64>,
}

impl<'a> Curve<'a> {
    fn new(steps: &'a [(i64, f64)]) -> Self {
        let mut sum = 0.0;
        let mut last: Option<(i64, f64)> = None;
        let mut sums = Vec::with_capacity(steps.len());
        for &(time, share) in steps {
            if let Some((last_time, last_share)) = last {
                sum += last_share * time.abs_diff(last_time) as f64;
            }
            sums.push(sum);
            last = Some((time, share));
        }
        Self { steps, sums }
    }

    /// The least mean of the function over windows of this length that lie inside.
    ///
    /// The mean is piecewise linear in the window's place, so its least value is where one of the
    /// window's edges meets a step.
    fn minimum(&self, window_ns: u64) -> f64 {
        let (Some(&(begin, _)), Some(&(end, _))) = (self.steps.first(), self.steps.last()) else {
            return 1.0;
        };
        let window = i64::try_from(window_ns)
            .unwrap_or(i64::MAX)
            .min(end.saturating_sub(begin));
        let mut least = f64::INFINITY;
        for edge in [0, window] {
            let (mut left, mut right) = (Cursor(0), Cursor(0));
            for &(time, _) in self.steps {
                // The window that begins or ends at this step, if it lies inside.
                let inside = time
                    .checked_sub(edge)
                    .filter(|&from| from >= begin)
                    .and_then(|from| Some((from, from.checked_add(window)?)))
                    .filter(|&(_, to)| to <= end);
                if let Some((from, to)) = inside {
                    let sum = right.integral(self, to) - left.integral(self, from);
                    least = least.min(sum / window as f64);
                }
            }
        }
        least
    }
}

/// The last step not behind a time that only rises.
struct Cursor(usize);

impl Cursor {
    /// The integral up to `time`, which lies behind that of the last call.
    fn integral(&mut self, curve: &Curve<'_>, time: i64) -> f64 {
        while curve
            .steps
            .get(self.0 + 1)
            .is_some_and(|&(next, _)| next <= time)
        {
            self.0 += 1;
        }
        let (step, share) = curve.steps[self.0];
        curve.sums[self.0] + share * (time - step) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Curve;

    #[test]
    fn the_least_mean_is_found_wherever_the_window_stands() {
        let steps = [
            (0, 1.0),
            (40, 0.25),
            (45, 0.75),
            (60, 0.0),
            (61, 1.0),
            (90, 0.5),
            (100, 0.0),
        ];
        let share = |time: i64| {
            steps
                .iter()
                .rev()
                .find(|step| step.0 <= time)
                .map_or(0.0, |step| step.1)
        };
        let curve = Curve::new(&steps);
        for window in 1..=100_u64 {
            let mean =
                |begin: i64| (begin..begin + window as i64).map(share).sum::<f64>() / window as f64;
            let least = (0..=100 - window as i64)
                .map(mean)
                .fold(f64::INFINITY, f64::min);
            assert!(
                (curve.minimum(window) - least).abs() < 1e-12,
                "window {window}"
            );
        }
        assert_eq!(
            curve.minimum(1_000),
            curve.minimum(100),
            "a longer one is as long as the trace"
        );
    }
}
