//! What the system counted of threads' time: on a processor, waiting for one, and blocked.
//!
//! The counts are sampled, ten times a second, so of a shorter time only bounds are known: what the thread
//! waited for a processor between the sample before it and the one after it is the most that it can have
//! waited within. The samples of a generation are read before its events.

use std::collections::VecDeque;

use exectrace_replay::{Clip, between};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::seconds::Seconds;

/// So many samples of a thread are kept, for what is judged when it ends: two minutes of them.
const MAX_KEPT: usize = 1_200;

/// How long a thread did what, by the system's counts, which may be some milliseconds off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadTime {
    /// The time between the samples that the rest is of.
    pub sampled_ns: u64,
    /// On a processor.
    pub cpu_ns: u64,
    /// Ready, and waiting for a processor.
    pub wait_ns: u64,
    /// Neither: it slept, waited for something else, or was parked.
    pub blocked_ns: u64,
}

impl ThreadTime {
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.sampled_ns, other.sampled_ns),
            (&mut self.cpu_ns, other.cpu_ns),
            (&mut self.wait_ns, other.wait_ns),
            (&mut self.blocked_ns, other.blocked_ns),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// How much of the time in which a thread could have run it waited for a processor, in a hundred.
    pub fn wait_percent(&self) -> u64 {
        let ready = u128::from(self.cpu_ns) + u128::from(self.wait_ns);
        let percent = u128::from(self.wait_ns) * 100 / ready.max(1);
        u64::try_from(percent).unwrap_or(100)
    }
}

/// When a thread had no processor, exactly, as the kernel reported it: the times that were over in the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OffProcessor {
    /// How often the kernel took the processor away, although the thread could have run on.
    pub preemptions: u64,
    /// How long it had none then: ready, and waiting for the kernel.
    pub preempted_ns: u64,
    /// The longest of these times.
    pub longest_preempted_ns: u64,
    /// How often it gave its processor up, to wait for something.
    pub sleeps: u64,
    /// How long it had none then. That it was ready again before it got one is a part of it.
    pub asleep_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    time: i64,
    cpu_ns: u64,
    wait_ns: u64,
}

impl Sample {
    fn until(&self, later: &Self) -> ThreadTime {
        let sampled_ns = between(self.time, later.time);
        let cpu_ns = later.cpu_ns - self.cpu_ns;
        let wait_ns = later.wait_ns - self.wait_ns;
        ThreadTime {
            sampled_ns,
            cpu_ns,
            wait_ns,
            blocked_ns: sampled_ns.saturating_sub(cpu_ns.saturating_add(wait_ns)),
        }
    }
}

#[derive(Debug, Default)]
struct Samples {
    /// The latest, in their order; none is less than the one before.
    kept: VecDeque<Sample>,
    /// What lies in the part of the trace that counts.
    sum: Option<ThreadTime>,
}

/// The samples of all threads.
#[derive(Debug, Default)]
pub(crate) struct Processors {
    threads: FxHashMap<u64, Samples>,
    pub(crate) seconds: Seconds,
    off: FxHashMap<u64, OffProcessor>,
}

impl Processors {
    /// Of a time that began before the trace, at `begin`, only bounds are known: it is in no sum.
    pub(crate) fn sample(
        &mut self,
        thread: u64,
        (time_ns, cpu_ns, wait_ns): (u64, u64, u64),
        begin: i64,
        clip: Clip,
    ) {
        let sample = Sample {
            time: i64::try_from(time_ns).unwrap_or(i64::MAX),
            cpu_ns,
            wait_ns,
        };
        let samples = self.threads.entry(thread).or_default();
        if let Some(last) = samples.kept.back() {
            let goes_on =
                last.time < sample.time && last.cpu_ns <= cpu_ns && last.wait_ns <= wait_ns;
            if goes_on {
                let is_in_clip =
                    clip.between(last.time, sample.time) == between(last.time, sample.time);
                // A cut keeps the last sample before its begin, however old: how much of what was counted
                // since lies in the trace is not known.
                if is_in_clip && last.time >= begin {
                    let time = last.until(&sample);
                    samples.sum.get_or_insert_default().add(time);
                    self.seconds.add(thread, between(begin, sample.time), time);
                }
            } else {
                // Another thread has the number now.
                samples.kept.clear();
            }
        }
        if samples.kept.len() == MAX_KEPT {
            samples.kept.pop_front();
        }
        samples.kept.push_back(sample);
    }

    /// A thread had no processor. What lies outside of the part of the trace that counts is left out.
    pub(crate) fn off(
        &mut self,
        thread: u64,
        (time_ns, duration_ns): (u64, u64),
        is_preempted: bool,
        clip: Clip,
    ) {
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        let (begin, end) = (at(time_ns), at(time_ns.saturating_add(duration_ns)));
        if !clip.touches(begin, end) {
            return;
        }
        let inside = clip.between(begin, end);
        let off = self.off.entry(thread).or_default();
        if is_preempted {
            off.preemptions += 1;
            off.preempted_ns = off.preempted_ns.saturating_add(inside);
            off.longest_preempted_ns = off.longest_preempted_ns.max(inside);
        } else {
            off.sleeps += 1;
            off.asleep_ns = off.asleep_ns.saturating_add(inside);
        }
    }

    /// When the thread had no processor; `None` where the kernel did not report it.
    pub(crate) fn off_of(&self, thread: u64) -> Option<OffProcessor> {
        self.off.get(&thread).copied()
    }

    /// What the thread did between the last sample before `begin` and the first after `end`.
    /// The first of the two is returned as well.
    pub(crate) fn around(&self, thread: u64, begin: i64, end: i64) -> Option<(i64, ThreadTime)> {
        let kept = &self.threads.get(&thread)?.kept;
        let before = kept.partition_point(|sample| sample.time <= begin);
        let before = kept.get(before.checked_sub(1)?)?;
        let after = kept.get(kept.partition_point(|sample| sample.time < end))?;
        Some((before.time, before.until(after)))
    }

    /// What the thread did in the part of the trace that counts, as far as it was sampled.
    pub(crate) fn of(&self, thread: u64) -> Option<ThreadTime> {
        self.threads.get(&thread)?.sum
    }

    /// The sum over all threads; `None` where none was sampled.
    pub(crate) fn of_all(&self) -> Option<ThreadTime> {
        let mut sums = self.threads.values().filter_map(|samples| samples.sum);
        let mut all = sums.next()?;
        sums.for_each(|sum| all.add(sum));
        Some(all)
    }
}
