//! Where the time of a flow, a region or a user task went, by state.

use serde::Serialize;

use crate::names::{Names, Text};

/// Where time went. The parts do not overlap, and add up to `total_ns`.
///
/// These are the columns of `go tool trace`'s goroutine pages, as Go 1.27 computes them, with one
/// difference: a system call that has lost its worker and is still open when the trace ends counts
/// as `syscall_blocked_ns` from there on. (Go's tool counts that time twice, as time in the system
/// call and as waiting for a worker.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// All of it: from the first to the last that the trace knows.
    pub total_ns: u64,
    /// Running on a worker.
    pub running_ns: u64,
    /// Ready to run, waiting for a worker.
    pub runnable_ns: u64,
    /// Waiting for something, by what; the longest first.
    pub waiting: Vec<ReasonTime>,
    /// In system calls, with a worker.
    pub syscall_ns: u64,
    /// In system calls, after the worker was taken away.
    pub syscall_blocked_ns: u64,
    /// Not accounted for.
    pub unknown_ns: u64,
    /// In garbage collection's ranges, by name; these overlap with the states above.
    pub ranges: Vec<ReasonTime>,
}

impl Breakdown {
    /// Waiting for whatever it was.
    pub fn waiting_ns(&self) -> u64 {
        self.waiting.iter().map(|wait| wait.duration_ns).sum()
    }
}

/// Time by a name, such as a reason to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReasonTime {
    /// The name, as the trace gives it; empty where it tells none.
    pub name: String,
    /// How long in all.
    pub duration_ns: u64,
}

/// [`Breakdown`] while it is being made: names as numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) total: u64,
    pub(crate) running: u64,
    pub(crate) runnable: u64,
    pub(crate) syscall: u64,
    pub(crate) syscall_blocked: u64,
    pub(crate) unknown: u64,
    pub(crate) waiting: Vec<(Text, u64)>,
    pub(crate) ranges: Vec<(Text, u64)>,
}

/// Adds to the entry of `name`. Reasons are few, so a search from the front is faster than a map.
pub(crate) fn add(times: &mut Vec<(Text, u64)>, name: Text, duration: u64) {
    match times.iter_mut().find(|(known, _)| *known == name) {
        Some((_, sum)) => *sum += duration,
        None => times.push((name, duration)),
    }
}

impl Sums {
    fn accounted(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().map(|&(_, duration)| duration).sum();
        self.running + self.runnable + self.syscall + self.syscall_blocked + waiting
    }

    /// Sets the total; what is not accounted for is unknown.
    pub(crate) fn close(&mut self, total: u64) {
        self.total = total;
        self.unknown = total.saturating_sub(self.accounted());
    }

    /// Adds all of another's, which is closed.
    pub(crate) fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.running += other.running;
        self.runnable += other.runnable;
        self.syscall += other.syscall;
        self.syscall_blocked += other.syscall_blocked;
        self.unknown += other.unknown;
        for &(reason, duration) in &other.waiting {
            add(&mut self.waiting, reason, duration);
        }
        for &(range, duration) in &other.ranges {
            add(&mut self.ranges, range, duration);
        }
    }

    pub(crate) fn named(&self, names: &Names) -> Breakdown {
        let longest_first = |times: &[(Text, u64)]| {
            let mut named: Vec<ReasonTime> = times
                .iter()
                .filter(|&&(_, duration_ns)| duration_ns > 0)
                .map(|&(name, duration_ns)| ReasonTime {
                    name: names.owned(name),
                    duration_ns,
                })
                .collect();
            named.sort_by(|a, b| {
                b.duration_ns
                    .cmp(&a.duration_ns)
                    .then_with(|| a.name.cmp(&b.name))
            });
            named
        };
        Breakdown {
            total_ns: self.total,
            running_ns: self.running,
            runnable_ns: self.runnable,
            waiting: longest_first(&self.waiting),
            syscall_ns: self.syscall,
            syscall_blocked_ns: self.syscall_blocked,
            unknown_ns: self.unknown,
            ranges: longest_first(&self.ranges),
        }
    }
}
