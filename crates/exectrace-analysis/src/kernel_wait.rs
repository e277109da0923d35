//! "Waited for the kernel": for how long async tasks that ran had a thread without a processor.
//!
//! A task runs from the begin of a poll to its end, as the program sees it; the kernel may run other threads meanwhile.
//! Where it reported that, it is known to the nanosecond. Elsewhere there are the counts of each thread, sampled ten
//! times a second. A thread that records has a processor, so the waits within a poll begin and end between the last
//! sample before the poll and the first after it: all that was counted there is the most that the poll can have waited, and
//! the most that all polls between the same samples can have waited together. Of the counts of a long poll a part is
//! its own for certain, as there was not so much time outside of it.

use serde::Serialize;

use crate::sums::add_ns;

/// For how long, of the time that async tasks ran, their thread was ready and had no processor, as the kernel ran others.
///
/// Both bounds are the same where the kernel reported it all (`Settings::kernel_switches` of the recorder) and the thread
/// gave its processor up in no poll. Neither is more than the running time. Bounds that rest on the system's counts are as
/// exact as these, which may be off by some milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KernelWait {
    /// At least so long.
    pub at_least_ns: u64,
    /// At most so long.
    pub at_most_ns: u64,
    /// So much of the running time the kernel's reports cover.
    pub reported_ns: u64,
    /// Of that, how long the thread had no processor because the kernel had given it to another; `None` where it reported
    /// nothing.
    pub preempted_ns: Option<u64>,
    /// Of that, how long the thread had none because it had given it up, to wait for something that the trace does not
    /// show, as a page of memory. That it was ready again before it got one is a part of it. `None` as above.
    pub asleep_ns: Option<u64>,
}

/// A span of time in which a thread ran an async task, up to a record of that thread; what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunPart {
    /// How much of it counts.
    pub(crate) running: u64,
    /// How much the kernel's reports cover.
    pub(crate) reported: u64,
    pub(crate) preempted: u64,
    pub(crate) asleep: u64,
    pub(crate) sampled: Option<Sampled>,
}

/// What the samples around a span of time say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled {
    pub(crate) thread: u64,
    /// When the last sample before it was taken.
    pub(crate) since: i64,
    /// All waits between the samples.
    pub(crate) wait: u64,
    /// What of them lies in the span of time for certain.
    pub(crate) at_least: u64,
}

/// [`KernelWait`] while it is being made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelSums {
    /// Running time of which something is known.
    known: u64,
    at_least: u64,
    at_most: u64,
    reported: u64,
    preempted: u64,
    asleep: u64,
    between: Between,
}

/// What has a bound together: all since the same sample of a thread.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    /// The thread and the time of the sample.
    sample: Option<(u64, i64)>,
    /// How long it may have been waited, by what is known of the parts.
    maybe: u64,
    /// How much of that is in the sum.
    given: u64,
}

impl KernelSums {
    /// Adds a part of the time of what this is the sum of; parts come in their order, and do not overlap.
    pub(crate) fn add_part(&mut self, part: &RunPart) {
        add_ns(&mut self.reported, part.reported);
        add_ns(&mut self.preempted, part.preempted);
        add_ns(&mut self.asleep, part.asleep);
        let Some(sampled) = &part.sampled else {
            add_ns(&mut self.known, part.reported);
            add_ns(&mut self.at_least, part.preempted);
            let at_most = part.preempted.saturating_add(part.asleep);
            add_ns(&mut self.at_most, at_most.min(part.reported));
            return;
        };
        let unreported = part.running.saturating_sub(part.reported);
        let maybe = part.asleep.saturating_add(unreported);
        let sample = Some((sampled.thread, sampled.since));
        if self.between.sample != sample {
            self.between = Between {
                sample,
                ..Between::default()
            };
        }
        let between = &mut self.between;
        add_ns(&mut between.maybe, maybe);
        let more = between.maybe.min(sampled.wait);
        let more = more.saturating_sub(between.given).min(maybe);
        between.given += more;
        let at_most = part.preempted.saturating_add(more).min(part.running);
        // Counts that are off by some milliseconds contradict what was reported.
        let at_least = part.preempted.max(sampled.at_least).min(at_most);
        add_ns(&mut self.known, part.running);
        add_ns(&mut self.at_least, at_least);
        add_ns(&mut self.at_most, at_most);
    }

    /// From now on parts have bounds of their own.
    pub(crate) fn begin_parts(&mut self) {
        self.between = Between::default();
    }

    /// Adds all of another's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.each(other, add_ns);
    }

    /// Takes away what there was at an earlier moment.
    pub(crate) fn subtract(&mut self, before: &Self) {
        self.each(before, |sum, part| *sum = sum.saturating_sub(part));
    }

    fn each(&mut self, other: &Self, change: impl Fn(&mut u64, u64)) {
        for (sum, part) in [
            (&mut self.known, other.known),
            (&mut self.at_least, other.at_least),
            (&mut self.at_most, other.at_most),
            (&mut self.reported, other.reported),
            (&mut self.preempted, other.preempted),
            (&mut self.asleep, other.asleep),
        ] {
            change(sum, part);
        }
        self.begin_parts();
    }

    /// What is known of tasks that ran for so long; `None` if nothing is.
    pub(crate) fn of_running(&self, running: u64) -> Option<KernelWait> {
        if self.known == 0 {
            return None;
        }
        let unknown = running.saturating_sub(self.known);
        let reported = |part: u64| (self.reported > 0).then_some(part.min(running));
        Some(KernelWait {
            at_least_ns: self.at_least.min(running),
            at_most_ns: self.at_most.saturating_add(unknown).min(running),
            reported_ns: self.reported.min(running),
            preempted_ns: reported(self.preempted),
            asleep_ns: reported(self.asleep),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(since: i64, wait: u64) -> Option<Sampled> {
        Some(Sampled {
            thread: 1,
            since,
            wait,
            at_least: 0,
        })
    }

    fn unreported(running: u64, sampled: Option<Sampled>) -> RunPart {
        RunPart {
            running,
            sampled,
            ..RunPart::default()
        }
    }

    fn bounds(sums: &KernelSums, running: u64) -> (u64, u64) {
        let wait = sums.of_running(running).expect("something is known");
        (wait.at_least_ns, wait.at_most_ns)
    }

    #[test]
    fn polls_between_the_same_samples_have_waited_no_longer_together_than_was_counted() {
        let mut sums = KernelSums::default();
        for _ in 0..10 {
            sums.add_part(&unreported(20, sampled(0, 50)));
        }
        assert_eq!(bounds(&sums, 200), (0, 50));
        sums.add_part(&unreported(20, sampled(100, 15)));
        assert_eq!(bounds(&sums, 220), (0, 65));
        // What may be waited in a later poll was not waited in one that ended before.
        let mut sums = KernelSums::default();
        sums.add_part(&unreported(20, sampled(0, 5)));
        sums.add_part(&unreported(3, sampled(0, 50)));
        assert_eq!(bounds(&sums, 23), (0, 8));
    }

    #[test]
    fn a_part_that_begins_anew_has_all_that_was_counted_for_its_bound() {
        let mut sums = KernelSums::default();
        sums.add_part(&unreported(50, sampled(0, 50)));
        let before = sums;
        sums.begin_parts();
        sums.add_part(&unreported(20, sampled(0, 50)));
        let mut region = sums;
        region.subtract(&before);
        assert_eq!(bounds(&region, 20), (0, 20));
    }

    #[test]
    fn what_the_kernel_reported_needs_no_bounds_unless_the_thread_slept() {
        let reported = |asleep, sampled| RunPart {
            running: 100,
            reported: 100,
            preempted: 10,
            asleep,
            sampled,
        };
        for (asleep, sampled, expected) in [
            (0, None, (10, 10)),
            (0, sampled(0, 90), (10, 10)),
            (30, None, (10, 40)),
            (30, sampled(0, 12), (10, 22)),
        ] {
            let mut sums = KernelSums::default();
            sums.add_part(&reported(asleep, sampled));
            assert_eq!(bounds(&sums, 100), expected);
            let wait = sums.of_running(100).expect("something is known");
            let parts = (wait.preempted_ns, wait.asleep_ns);
            assert_eq!(parts, (Some(10), Some(asleep)));
        }
    }

    #[test]
    fn of_what_is_not_known_all_may_have_been_waited_and_of_nothing_known_nothing_is_said() {
        let mut sums = KernelSums::default();
        sums.add_part(&unreported(20, None));
        assert_eq!(sums.of_running(20), None);
        sums.add_part(&unreported(20, sampled(0, 0)));
        assert_eq!(bounds(&sums, 40), (0, 20));
    }

    #[test]
    fn counts_that_contradict_each_other_give_no_more_than_the_running_time() {
        let mut sums = KernelSums::default();
        sums.add_part(&RunPart {
            running: 10,
            reported: 10,
            preempted: u64::MAX,
            asleep: u64::MAX,
            sampled: Some(Sampled {
                thread: 1,
                since: 0,
                wait: u64::MAX,
                at_least: u64::MAX,
            }),
        });
        assert_eq!(bounds(&sums, 10), (10, 10));
    }
}
