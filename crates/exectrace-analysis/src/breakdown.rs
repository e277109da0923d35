//! Where the time of a flow, a region or a user task went, by state.

use exectrace_format::conventions::WaitSource;
use exectrace_replay::Text;
use serde::Serialize;

use crate::kernel_wait::{KernelSums, KernelWait};
use crate::names::Places;
use crate::sums::{SumNs, add_ns};
use crate::time::World;

/// Where time went. The parts do not overlap, and add up to `total_ns`. A part that the trace cannot
/// show is `None`: [`Sight`](crate::Sight) says why, and its time is in `unknown_ns` or in another part.
///
/// These are the columns of `go tool trace`'s goroutine pages, as Go 1.27 computes them, with one
/// difference: a system call that has lost its worker and is still open when the trace ends counts
/// as `syscall_blocked_ns` from there on. (Go's tool counts that time twice, as time in the system
/// call and as waiting for a worker.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Breakdown {
    /// All of it: from the first to the last that the trace knows.
    pub total_ns: u64,
    /// Running on a worker.
    pub running_ns: Option<u64>,
    /// Of the running time, how long the thread was ready and the kernel ran others; `None` where nothing is known of it:
    /// it is a part of `running_ns` all the same.
    pub kernel: Option<KernelWait>,
    /// Ready to run, waiting for a worker.
    pub runnable_ns: Option<u64>,
    /// Waiting for something, by what; the longest first.
    pub waiting: Option<Vec<ReasonTime>>,
    /// In system calls, with a worker.
    pub syscall_ns: Option<u64>,
    /// In system calls, after the worker was taken away.
    pub syscall_blocked_ns: Option<u64>,
    /// Not accounted for.
    pub unknown_ns: u64,
    /// In garbage collection's ranges, by name; these overlap with the states above.
    pub ranges: Vec<ReasonTime>,
}

impl Breakdown {
    /// Waiting for whatever it was.
    pub fn waiting_ns(&self) -> Option<u64> {
        let waiting = self.waiting.as_ref()?;
        Some(waiting.iter().map(|wait| wait.duration_ns).sum_ns())
    }

    /// What was waited for the longest.
    pub fn longest_wait(&self) -> Option<&ReasonTime> {
        self.waiting.as_ref()?.first()
    }

    /// In system calls, with a worker and without.
    pub fn all_syscalls_ns(&self) -> Option<u64> {
        Some(self.syscall_ns? + self.syscall_blocked_ns?)
    }
}

/// Time by a name, such as a reason to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReasonTime {
    /// The name, as the trace gives it; empty where it has none.
    pub name: String,
    /// Of a reason to wait, how it is known: `seen`, `concluded` (from who ended the wait) or `unknown`.
    pub source: &'static str,
    /// How long in all.
    pub duration_ns: u64,
}

/// How a reason to wait is known, in a word.
pub(crate) fn source(reason: &str) -> &'static str {
    match WaitSource::of(reason) {
        // Statuses give none.
        _ if reason.is_empty() => "unknown",
        WaitSource::Seen => "seen",
        WaitSource::Concluded => "concluded",
        WaitSource::Unknown => "unknown",
    }
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
    /// A thread's own code had its thread: a part of what is unknown.
    pub(crate) own_code: u64,
    /// Wakes whose delay until the run is in `runnable`.
    pub(crate) wakes_seen: u64,
    /// Wakes whose delay was not seen: it is in `waiting`.
    pub(crate) wakes_concluded: u64,
    /// For how long tasks that ran waited for the kernel: a part of `running`.
    pub(crate) kernel: KernelSums,
    pub(crate) waiting: Vec<(Text, u64)>,
    pub(crate) ranges: Vec<(Text, u64)>,
}

/// Adds to the entry of `name`. Reasons are few, so a search from the front is faster than a map.
pub(crate) fn add(times: &mut Vec<(Text, u64)>, name: Text, duration: u64) {
    match times.iter_mut().find(|(known, _)| *known == name) {
        Some((_, sum)) => add_ns(sum, duration),
        None => times.push((name, duration)),
    }
}

impl Sums {
    fn accounted(&self) -> u64 {
        let waiting = self.waiting.iter().map(|&(_, duration)| duration);
        let others = [
            self.running,
            self.runnable,
            self.syscall,
            self.syscall_blocked,
        ];
        waiting.chain(others).sum_ns()
    }

    /// Sets the total; what is not accounted for is unknown.
    pub(crate) fn close(&mut self, total: u64) {
        self.total = total;
        self.unknown = total.saturating_sub(self.accounted());
    }

    /// Sets the total of what a filter let through of it.
    pub(crate) fn close_narrowed(&mut self) {
        self.total = self.accounted().saturating_add(self.own_code);
        self.unknown = self.own_code;
    }

    /// Makes the waits for this reason a part of what is not known of a thread's own code. After `close`.
    pub(crate) fn forget_waits(&mut self, reason: Text) {
        if let Some((_, waited)) = self.waiting.iter_mut().find(|(known, _)| *known == reason) {
            let waited = std::mem::take(waited);
            add_ns(&mut self.own_code, waited);
            add_ns(&mut self.unknown, waited);
        }
    }

    /// Adds all of another's, which is closed.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, duration) in [
            (&mut self.total, other.total),
            (&mut self.running, other.running),
            (&mut self.runnable, other.runnable),
            (&mut self.syscall, other.syscall),
            (&mut self.syscall_blocked, other.syscall_blocked),
            (&mut self.unknown, other.unknown),
            (&mut self.own_code, other.own_code),
        ] {
            add_ns(sum, duration);
        }
        self.kernel.add(&other.kernel);
        self.wakes_seen += other.wakes_seen;
        self.wakes_concluded += other.wakes_concluded;
        for &(reason, duration) in &other.waiting {
            add(&mut self.waiting, reason, duration);
        }
        for &(range, duration) in &other.ranges {
            add(&mut self.ranges, range, duration);
        }
    }

    pub(crate) fn named(&self, world: &World<'_>) -> Breakdown {
        let names = &world.names();
        let longest_first = |times: &[(Text, u64)]| {
            let mut named: Vec<ReasonTime> = times
                .iter()
                .filter(|&&(_, duration_ns)| duration_ns > 0)
                .map(|&(name, duration_ns)| ReasonTime {
                    name: names.owned(name),
                    source: source(names.get(name)),
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
        // Of a thread's own code it is not known whether it ran, waited for a CPU or for anything else.
        let known = |part: u64| (self.own_code == 0 || part > 0).then_some(part);
        let waiting = longest_first(&self.waiting);
        let has_delays = self.wakes_concluded == 0 || self.wakes_seen > 0;
        let syscall = |part: u64| (world.sees_syscalls() || part > 0).then_some(part);
        let running_ns = known(self.running);
        Breakdown {
            total_ns: self.total,
            running_ns,
            kernel: running_ns.and_then(|running_ns| match running_ns {
                0 if !world.facts.processors.is_empty() => Some(KernelWait::default()),
                _ => self.kernel.of_running(running_ns),
            }),
            runnable_ns: known(self.runnable).filter(|_| has_delays),
            waiting: (self.own_code == 0 || !waiting.is_empty()).then_some(waiting),
            syscall_ns: syscall(self.syscall),
            syscall_blocked_ns: syscall(self.syscall_blocked),
            unknown_ns: self.unknown,
            ranges: longest_first(&self.ranges),
        }
    }
}
