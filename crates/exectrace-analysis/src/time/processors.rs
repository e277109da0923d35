//! What the system counted of threads' time: on a processor, waiting for one, and blocked.
//!
//! The counts are sampled, ten times a second, so of a shorter time only bounds are known: what the thread
//! waited for a processor between the sample before it and the one after it is the most that it can have
//! waited within. The samples of a generation are read before its events.

use std::collections::VecDeque;

use exectrace_replay::{Clip, between};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::reports::{Reported, Reports};
use super::seconds::Seconds;
use crate::kernel_wait::{RunPart, Sampled};

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
        ] {
            *sum = sum.saturating_add(more);
        }
        // The system counts a wait when it is over. So what a time lacks that ended in one, the next has too much.
        let ready_ns = self.cpu_ns.saturating_add(self.wait_ns);
        self.blocked_ns = self.sampled_ns.saturating_sub(ready_ns);
    }

    /// How much of the time in which a thread could have run it waited for a processor, in a hundred.
    pub fn wait_percent(&self) -> u64 {
        let ready = u128::from(self.cpu_ns) + u128::from(self.wait_ns);
        let percent = u128::from(self.wait_ns) * 100 / ready.max(1);
        u64::try_from(percent).unwrap_or(100)
    }
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
    pub(crate) reports: Reports,
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
                self.reports.forget(thread);
            }
        }
        if samples.kept.len() == MAX_KEPT {
            samples.kept.pop_front();
        }
        samples.kept.push_back(sample);
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

    /// Whether anything is known of any thread.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty() && self.reports.is_empty()
    }

    /// What is known of the time from `begin` to `end` in which a thread ran a task, and at whose end it recorded something.
    pub(crate) fn run_part(&self, thread: u64, (begin, end): (i64, i64), clip: Clip) -> RunPart {
        let running = clip.between(begin, end);
        let inside = (begin.max(clip.begin), end.min(clip.end));
        let reported = match self.reports.is_empty() || running == 0 {
            true => Reported::default(),
            false => self.reports.within(thread, inside.0, inside.1),
        };
        RunPart {
            running,
            reported: reported.covered,
            preempted: reported.preempted,
            asleep: reported.asleep,
            sampled: self.sampled(thread, (begin, end), running),
        }
    }

    /// What the samples around a run say of it, of which so much counts.
    fn sampled(&self, thread: u64, (begin, end): (i64, i64), running: u64) -> Option<Sampled> {
        let kept = &self.threads.get(&thread)?.kept;
        let place = kept.partition_point(|sample| sample.time <= begin);
        let before = kept.get(place.checked_sub(1)?)?;
        let after = match kept.get(place)? {
            // Most runs end before the next sample.
            next if next.time >= end => next,
            _ => kept.get(kept.partition_point(|sample| sample.time < end))?,
        };
        let wait = after.wait_ns - before.wait_ns;
        // What is counted when it is over may have begun before the sample, but not before the thread last had a
        // processor: after the sample before, if it had one since.
        let earlier = place.checked_sub(2).and_then(|place| kept.get(place));
        let earlier = earlier.filter(|earlier| earlier.cpu_ns < before.cpu_ns);
        let at_least = earlier.map_or(0, |earlier| {
            let outside = between(earlier.time, after.time).saturating_sub(running);
            wait.saturating_sub(outside)
        });
        Some(Sampled {
            thread,
            since: before.time,
            wait,
            at_least,
        })
    }

    /// What the thread did in the part of the trace that counts, as far as it was sampled.
    pub(crate) fn of(&self, thread: u64) -> Option<ThreadTime> {
        self.threads.get(&thread)?.sum
    }

    /// The sum over all threads; `None` where none was sampled.
    pub(crate) fn of_all(&self) -> Option<ThreadTime> {
        self.of_those(|_| true)
    }

    /// The sum over these threads; `None` where none of them was sampled.
    pub(crate) fn of_those(&self, are: impl Fn(u64) -> bool) -> Option<ThreadTime> {
        let those = self.threads.iter().filter(|&(&thread, _)| are(thread));
        let mut sums = those.filter_map(|(_, samples)| samples.sum);
        let mut all = sums.next()?;
        sums.for_each(|sum| all.add(sum));
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_counted_when_it_is_over_was_no_time_blocked() {
        let mut processors = Processors::default();
        // From 10 on it waits, which is counted at 180.
        for sample in [(0, 0, 0), (100, 10, 0), (200, 30, 170)] {
            processors.sample(7, sample, 0, Clip::ALL);
        }
        let time = processors.of(7).expect("it was sampled");
        assert_eq!((time.sampled_ns, time.blocked_ns), (200, 0));
    }
}
