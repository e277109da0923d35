//! The system stopped processors for the process, as its cgroup had used up its time, while async tasks were ready or in a poll.
//!
//! How long the processes of a cgroup were stopped is sampled, ten times a second, so of a late poll it is known that they were
//! stopped between the samples around it, not that they were at that moment. The time is a sum over the processors, each of which
//! is stopped by itself, so it can be more than the time between the samples.

use exectrace_format::SideRecord;
use exectrace_format::conventions::{
    CGROUP_CPU_LIMIT, CGROUP_CPU_SOME, CGROUP_PERIODS, CGROUP_THROTTLED, CGROUP_THROTTLED_NS,
};
use exectrace_replay::Text;

use crate::time::{Flow, TimeSpan, World};

use super::{Exemplar, Finding, Severity, plural, shown, sum};

/// A task was polled late if it was ready for so long before: what a limit's period leaves of its 100 ms is
/// mostly more.
const LATE_NS: u64 = 10_000_000;
/// A poll stood still if it recorded nothing for so long: as long runs are judged.
const STILL_NS: u64 = 20_000_000;
/// So many late polls are kept, the first of them. They are judged at the end, as the sample after one comes later.
const MAX_LATE: usize = 10_000;
/// So many spans of time in which the process was stopped.
const MAX_STOPS: usize = 100_000;

/// A time between two samples in which the processes of the cgroup were stopped.
#[derive(Clone, Copy, Debug)]
struct Stop {
    begin: i64,
    end: i64,
    /// Summed over the processors.
    throttled_ns: u64,
}

/// A task that was polled late, or whose poll stood still.
#[derive(Clone, Copy, Debug)]
struct Late {
    task: u64,
    name: Text,
    worker: u64,
    begin: i64,
    end: i64,
    duration: u64,
    is_in_poll: bool,
}

/// A counter that only grows: its first value in the part of the trace that counts, and its last.
#[derive(Clone, Copy, Debug, Default)]
struct Growth(Option<(i64, i64)>);

impl Growth {
    fn add(&mut self, value: i64) {
        let first = self.0.map_or(value, |(first, _)| first);
        self.0 = Some((first, value));
    }

    fn value(self) -> Option<u64> {
        let (first, last) = self.0?;
        u64::try_from(last.checked_sub(first)?).ok()
    }
}

#[derive(Debug, Default)]
pub(super) struct ThrottledWatch {
    last: Option<(i64, i64)>,
    stops: Vec<Stop>,
    late: Vec<Late>,
    /// Late polls that were not kept.
    others: u64,
    periods: Growth,
    throttled: Growth,
    pressure: Growth,
    limit: Option<i64>,
}

impl ThrottledWatch {
    pub(super) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        let SideRecord::Counter {
            name,
            time_ns,
            value,
        } = record
        else {
            return;
        };
        let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
        if !world.clip.touches(time, time) {
            return;
        }
        match name.as_ref() {
            CGROUP_THROTTLED_NS => self.sample(time, *value),
            CGROUP_PERIODS => self.periods.add(*value),
            CGROUP_THROTTLED => self.throttled.add(*value),
            CGROUP_CPU_SOME => self.pressure.add(*value),
            CGROUP_CPU_LIMIT => self.limit = Some(*value),
            _ => {}
        }
    }

    fn sample(&mut self, time: i64, value: i64) {
        if let Some((begin, before)) = self.last
            && let Some(throttled) = value.checked_sub(before)
            && let Ok(throttled_ns @ 1..) = u64::try_from(throttled)
            && self.stops.len() < MAX_STOPS
        {
            self.stops.push(Stop {
                begin,
                end: time,
                throttled_ns,
            });
        }
        self.last = Some((time, value));
    }

    /// A task was ready, and runs now.
    #[inline]
    pub(super) fn delay_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, delay: &TimeSpan<'_>) {
        // The worker that it runs on now.
        let worker = world.state.current_proc().0;
        if delay.duration() >= LATE_NS && world.is_shared_lane(worker) {
            self.add(flow, worker, (delay.begin, delay.end), false);
        }
    }

    #[inline]
    pub(super) fn run_ends(&mut self, world: &World<'_>, flow: &Flow<'_>, run: &TimeSpan<'_>) {
        if run.duration() >= STILL_NS
            && let Some(gap) = flow.time.longest_gap.as_deref()
            && gap.duration() >= STILL_NS
            && world.is_shared_lane(run.proc.0)
        {
            let span = (gap.before.time, gap.after.time);
            self.add(flow, run.proc.0, span, true);
        }
    }

    #[cold]
    fn add(&mut self, flow: &Flow<'_>, worker: u64, (begin, end): (i64, i64), is_in_poll: bool) {
        if self.late.len() >= MAX_LATE {
            self.others += 1;
            return;
        }
        self.late.push(Late {
            task: flow.id.0,
            name: flow.name,
            worker,
            begin,
            end,
            duration: exectrace_replay::between(begin, end),
            is_in_poll,
        });
    }

    /// For how long of it some processor was stopped, at most: as long as all of them together between the samples
    /// around it, and no longer than lies between these samples, or than it lasted.
    fn stopped_at_most(&self, late: &Late) -> u64 {
        let first = self.stops.partition_point(|stop| stop.end <= late.begin);
        let stops = self.stops.iter().skip(first);
        let stopped = sum(stops.take_while(|stop| stop.begin < late.end).map(|stop| {
            let between = exectrace_replay::between(stop.begin, stop.end);
            stop.throttled_ns.min(between)
        }));
        stopped.min(late.duration)
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let with_stops = self
            .late
            .iter()
            .map(|late| (self.stopped_at_most(late), late));
        let mut late: Vec<(u64, &Late)> = with_stops.filter(|(stopped, _)| *stopped > 0).collect();
        if late.is_empty() {
            return None;
        }
        late.sort_by_key(|(_, late)| (std::cmp::Reverse(late.duration), late.begin));
        let exemplar = |&(stopped, late): &(u64, &Late)| Exemplar {
            what: format!(
                "{} {} for {}; processors were stopped for up to {} of it",
                world.names().get(late.name),
                match late.is_in_poll {
                    true => "stood still in a poll",
                    false => "was ready",
                },
                shown(late.duration),
                shown(stopped)
            ),
            begin_ns: Some(world.since_begin(late.begin)),
            duration_ns: Some(late.duration),
            async_task: Some(late.task),
            worker: Some(late.worker),
            ..Exemplar::default()
        };
        let limit = self.limit.and_then(|limit| u64::try_from(limit).ok());
        let limit = limit.map_or_else(String::new, |limit| {
            format!(" of {}.{:03} processors", limit / 1_000, limit % 1_000)
        });
        let total_ns = sum(late.iter().map(|(_, late)| late.duration));
        let count = late.len() as u64;
        Some(Finding {
            id: "throttled",
            severity: Severity::Warning,
            message: format!(
                "the limit{limit} of the cgroup stopped processors of it while {} late or stood still, for {} in all",
                match count {
                    1 => "1 poll was".to_owned(),
                    _ => format!("{} were", plural(count, "poll")),
                },
                shown(total_ns)
            ),
            count,
            total_ns,
            exemplars: late
                .iter()
                .take(super::MAX_EXEMPLARS)
                .map(exemplar)
                .collect(),
            rule: "A task was ready for 10 ms or more before a worker polled it, or recorded nothing in a poll for 20 ms \
                   or more, and the cgroup was stopped between the samples around that.",
            help: "Give the container more processor time (`cpu.max`, or a higher CPU limit), or let it \
                   use less at once: as many worker threads as the limit has processors, and no bursts of \
                   work that use a period's time in its first moments.",
            basis: self.basis(),
        })
    }

    fn basis(&self) -> String {
        let stopped = shown(sum(self.stops.iter().map(|stop| stop.throttled_ns)));
        let mut basis =
            format!("the processors of the cgroup, all together, were stopped for {stopped}");
        if let (Some(throttled), Some(periods)) = (self.throttled.value(), self.periods.value()) {
            basis += &format!(", in {throttled} of {periods} periods");
        }
        if let Some(pressure) = self.pressure.value() {
            basis += &format!(
                "; some thread of it waited for a processor for {}",
                shown(pressure)
            );
        }
        if self.others > 0 {
            basis += &format!("; {} late polls more were not looked at", self.others);
        }
        basis
    }
}
