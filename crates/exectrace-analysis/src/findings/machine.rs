//! Whether the machine had processors enough, by what the system counted of the threads' time.
//!
//! On a machine that is full much looks like a mistake of the program: polls are long, as their thread
//! waited for a processor, ready tasks wait beside sleeping workers, timers are late.

use crate::Analysis;
use crate::time::{ThreadTime, World};

use rustc_hash::FxHashMap;

use super::{Exemplar, Finding, Severity, shown};

/// The machine was full where threads waited for a processor for this share, in a hundred, of the time in
/// which they could have run: a fifth ...
const FULL_PERCENT: u64 = 20;
/// ... and for this share of the trace, all threads together: a hundredth ...
const SHARE: u64 = 100;
/// ... and for so long: less excuses nothing.
const MIN_WAIT_NS: u64 = 10_000_000;

/// What is known of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    /// Threads waited for a processor.
    Full(ThreadTime),
    /// There were processors enough.
    Free(ThreadTime),
    /// Threads' time is not in the trace.
    NotRecorded,
}

impl Machine {
    pub(super) fn of(time: Option<ThreadTime>, trace_ns: u64) -> Self {
        match time {
            Some(time)
                if time.wait_percent() >= FULL_PERCENT
                    && time.wait_ns >= MIN_WAIT_NS
                    && time.wait_ns >= trace_ns / SHARE =>
            {
                Self::Full(time)
            }
            Some(time) => Self::Free(time),
            None => Self::NotRecorded,
        }
    }

    pub(super) fn is_full(self) -> bool {
        matches!(self, Self::Full(_))
    }

    pub(super) fn of_analysis(analysis: &Analysis) -> Self {
        let workers = analysis.workers.as_ref();
        // The recorder's own thread waits where others do.
        let times = workers.map(|workers| [workers.thread_time, workers.recorder_time]);
        let mut times = times.into_iter().flatten().flatten();
        let time = times.next().map(|mut all| {
            times.for_each(|time| all.add(time));
            all
        });
        Self::of(time, analysis.overview.duration_ns)
    }

    pub(super) fn of_world(world: &World<'_>) -> Self {
        let trace_ns = world.clip.between(world.begin, world.now);
        Self::of(world.facts.processors.of_all(), trace_ns)
    }

    /// A warning, unless the machine may be to blame.
    pub(super) fn warning(self) -> Severity {
        match self {
            Self::Full(_) => Severity::Info,
            Self::Free(_) | Self::NotRecorded => Severity::Warning,
        }
    }

    /// What to add to a message.
    pub(super) fn doubt(self) -> &'static str {
        match self {
            Self::Full(_) => ", on a machine that was full",
            Self::Free(_) | Self::NotRecorded => "",
        }
    }

    /// What the conclusion rests on.
    pub(super) fn basis(self) -> String {
        match self {
            Self::Full(time) => format!("{}: the machine was full", waited(time)),
            // Of a short trace, or of threads that were sampled once.
            Self::Free(time) if time.cpu_ns.saturating_add(time.wait_ns) < MIN_WAIT_NS => format!(
                "{}: too little to say whether the machine was full",
                waited(time)
            ),
            Self::Free(time) => format!("{}: the machine was not full", waited(time)),
            Self::NotRecorded => NOT_RECORDED.to_owned(),
        }
    }
}

/// What threads' waits for a processor account for already: each accounts for one thing only.
#[derive(Debug, Default)]
pub(super) struct ProcessorWaits {
    /// By thread: since which sample, and how much of it.
    accounted: FxHashMap<u64, (i64, u64)>,
}

impl ProcessorWaits {
    /// Whether the thread may have waited for a processor for so long between two samples, the first of which was at
    /// `since`. If so, that is accounted for.
    pub(super) fn account_for(
        &mut self,
        thread: u64,
        since: i64,
        time: ThreadTime,
        part: u64,
    ) -> bool {
        let accounted = self.accounted.entry(thread).or_insert((since, 0));
        if accounted.0 != since {
            *accounted = (since, 0);
        }
        let is_enough = time.wait_ns.saturating_sub(accounted.1) >= part;
        if is_enough {
            accounted.1 += part;
        }
        is_enough
    }
}

/// What a conclusion does not rest on.
pub(super) const NOT_RECORDED: &str =
    "threads' time on a processor is not in the trace: whether the machine was full is not known";

fn waited(time: ThreadTime) -> String {
    format!(
        "between samples of them, threads were on a processor for {} and waited for one for {}, {} % of the \
         time in which they could have run",
        shown(time.cpu_ns),
        shown(time.wait_ns),
        time.wait_percent()
    )
}

/// That the machine was full, so that what is excused by it is not left unsaid.
pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let machine = Machine::of_analysis(analysis);
    let Machine::Full(time) = machine else {
        return None;
    };
    let threads = analysis.workers.iter().flat_map(|workers| &workers.threads);
    let mut waiting: Vec<(ThreadTime, Exemplar)> = threads
        .filter_map(|thread| {
            let time = thread.time.filter(|time| time.wait_ns > 0)?;
            let name = match thread.name.as_str() {
                "" => format!("thread {}", thread.id),
                name => format!("{name} (thread {})", thread.id),
            };
            let exemplar = Exemplar {
                what: format!(
                    "{name} waited for a processor for {} and was on one for {}",
                    shown(time.wait_ns),
                    shown(time.cpu_ns)
                ),
                duration_ns: Some(time.wait_ns),
                thread_time: Some(time),
                ..Exemplar::default()
            };
            Some((time, exemplar))
        })
        .collect();
    waiting.sort_by_key(|(time, _)| std::cmp::Reverse(time.wait_ns));
    Some(Finding {
        id: "machine_full",
        severity: Severity::Info,
        message: format!(
            "the machine was full: threads waited for a processor for {} in all, {} % of the time in \
             which they could have run",
            shown(time.wait_ns),
            time.wait_percent()
        ),
        count: waiting.len() as u64,
        total_ns: time.wait_ns,
        exemplars: waiting.into_iter().map(|(_, exemplar)| exemplar).collect(),
        rule: "Threads that recorded waited for a processor for a fifth or more of the time in which \
               they were on one or waited for one, and for 10 ms and a hundredth of the trace or more in all.",
        help: "Times in this trace are of a machine with too few processors for what ran on it. Record \
               again with less beside the program; or give it more processors, or fewer threads that \
               compute.",
        basis: machine.basis(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_the_machine_was_not_full_is_said_where_enough_was_sampled() {
        let basis = |cpu_ns| {
            let time = ThreadTime {
                cpu_ns,
                ..ThreadTime::default()
            };
            Machine::of(Some(time), 80_000_000).basis()
        };
        let short = basis(759_000);
        assert!(short.ends_with(": too little to say whether the machine was full"));
        assert!(basis(MIN_WAIT_NS).ends_with(": the machine was not full"));
    }
}
