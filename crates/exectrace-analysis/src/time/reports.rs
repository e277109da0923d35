//! When threads had no processor, as the kernel reported it.
//!
//! The kernel reports each time without a processor when it is over, and a thread that records anything has one. So of
//! whatever a thread did up to a record of its own, all such times are known that its reports cover: from the first of
//! them on, as the recorder watches a thread some moments after its first record, but for what the recorder had to leave
//! out. The reports of a generation are read before its events.

use std::collections::VecDeque;

use exectrace_format::SideRecord;
use exectrace_format::conventions::KERNEL_SWITCHES;
use exectrace_replay::{Clip, between};
use rustc_hash::FxHashMap;
use serde::Serialize;

/// So many reports of a thread are kept, for what it did until it recorded again.
const MAX_KEPT: usize = 1 << 15;
/// So many times are kept in which reports were left out. They are few, as they are joined.
const MAX_HOLES: usize = 1 << 10;
/// That reports are left out is said some passes of the recorder later, in this generation or the next.
const HOLE_BEFORE_NS: i64 = 1_000_000_000;

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

/// What the reports say of a part of a thread's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    /// How much of it they cover.
    pub(crate) covered: u64,
    /// How long the thread had no processor in what they cover, as the kernel had taken it away.
    pub(crate) preempted: u64,
    /// As the thread had given it up.
    pub(crate) asleep: u64,
}

/// A time without a processor.
#[derive(Clone, Copy, Debug)]
struct Off {
    begin: i64,
    end: i64,
    is_preempted: bool,
    /// What all before it came to.
    before: Reported,
}

impl Off {
    /// All up to its end.
    fn total(&self) -> Reported {
        let mut total = self.before;
        total.add(self.is_preempted, between(self.begin, self.end));
        total
    }
}

impl Reported {
    fn add(&mut self, is_preempted: bool, duration: u64) {
        let sum = match is_preempted {
            true => &mut self.preempted,
            false => &mut self.asleep,
        };
        *sum = sum.saturating_add(duration);
    }

    fn subtract(&mut self, is_preempted: bool, duration: u64) {
        let sum = match is_preempted {
            true => &mut self.preempted,
            false => &mut self.asleep,
        };
        *sum = sum.saturating_sub(duration);
    }
}

#[derive(Debug, Default)]
struct OfThread {
    /// What lies in the part of the trace that counts.
    sum: Option<OffProcessor>,
    /// The latest, in their order; none begins before the one before it has ended.
    kept: VecDeque<Off>,
    /// From here on all are known.
    known_from: i64,
}

impl OfThread {
    fn keep(&mut self, begin: i64, end: i64, is_preempted: bool) {
        let last = self.kept.back().copied();
        let goes_on = last.is_some_and(|last| begin >= last.end);
        if !goes_on {
            // The first, or another thread has the number now.
            self.kept.clear();
            self.known_from = begin;
        }
        if self.kept.len() == MAX_KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            self.known_from = self.known_from.max(oldest.end);
        }
        self.kept.push_back(Off {
            begin,
            end,
            is_preempted,
            before: last
                .filter(|_| goes_on)
                .map_or_else(Reported::default, |last| last.total()),
        });
    }

    fn within(&self, begin: i64, end: i64) -> Reported {
        let begin = begin.max(self.known_from);
        let covered = between(begin, end);
        let first = self.kept.partition_point(|off| off.end <= begin);
        let behind = self.kept.partition_point(|off| off.begin < end);
        let (first, last) = match (self.kept.get(first), behind.checked_sub(1)) {
            (Some(first), Some(last)) if first.begin < end => (first, &self.kept[last]),
            _ => {
                return Reported {
                    covered,
                    ..Reported::default()
                };
            }
        };
        let mut found = last.total();
        found.covered = covered;
        found.preempted -= first.before.preempted.min(found.preempted);
        found.asleep -= first.before.asleep.min(found.asleep);
        found.subtract(first.is_preempted, between(first.begin, begin));
        found.subtract(last.is_preempted, between(end, last.end));
        found
    }
}

/// The reports of all threads.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    threads: FxHashMap<u64, OfThread>,
    /// When reports were left out, of whatever thread: in their order, and apart.
    holes: Vec<(i64, i64)>,
}

impl Reports {
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// A thread had no processor. The sums leave out what lies outside of the part of the trace that counts.
    pub(crate) fn add(
        &mut self,
        thread: u64,
        (time_ns, duration_ns): (u64, u64),
        is_preempted: bool,
        clip: Clip,
    ) {
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        let (begin, end) = (at(time_ns), at(time_ns.saturating_add(duration_ns)));
        let of_thread = self.threads.entry(thread).or_default();
        of_thread.keep(begin, end, is_preempted);
        if !clip.touches(begin, end) {
            return;
        }
        let inside = clip.between(begin, end);
        let off = of_thread.sum.get_or_insert_default();
        if is_preempted {
            off.preemptions += 1;
            off.preempted_ns = off.preempted_ns.saturating_add(inside);
            off.longest_preempted_ns = off.longest_preempted_ns.max(inside);
        } else {
            off.sleeps += 1;
            off.asleep_ns = off.asleep_ns.saturating_add(inside);
        }
    }

    /// What the recorder says of the reports: that some are left out, or that there are none any more. `now` is when the
    /// generation begins in which it says so.
    pub(crate) fn side_record(&mut self, record: &SideRecord, now: i64) {
        match record {
            SideRecord::Thinned {
                source, time_ns, ..
            } if source == KERNEL_SWITCHES => {
                self.hole(now, i64::try_from(*time_ns).unwrap_or(i64::MAX));
            }
            SideRecord::Capabilities { pairs } => {
                let mut of_reports = pairs.iter().filter(|(key, _)| key == KERNEL_SWITCHES);
                if of_reports.any(|(_, value)| value.starts_with("no")) {
                    self.hole(now, i64::MAX);
                }
            }
            _ => {}
        }
    }

    fn hole(&mut self, now: i64, until: i64) {
        let from = now.saturating_sub(HOLE_BEFORE_NS);
        let is_full = self.holes.len() >= MAX_HOLES;
        match self.holes.last_mut() {
            Some(last) if is_full || from <= last.1 => last.1 = last.1.max(until),
            _ => self.holes.push((from, until)),
        }
    }

    /// The thread of this number is another now.
    pub(crate) fn forget(&mut self, thread: u64) {
        if let Some(of_thread) = self.threads.get_mut(&thread) {
            of_thread.kept.clear();
            of_thread.known_from = i64::MAX;
        }
    }

    /// When the thread had no processor; `None` where the kernel did not report it.
    pub(crate) fn sum_of(&self, thread: u64) -> Option<OffProcessor> {
        self.threads.get(&thread)?.sum
    }

    /// What is known of the time from `begin` to `end`, at which the thread recorded something.
    pub(crate) fn within(&self, thread: u64, begin: i64, end: i64) -> Reported {
        let place = self.holes.partition_point(|hole| hole.1 <= begin);
        let is_whole = self.holes.get(place).is_none_or(|hole| hole.0 >= end);
        match self.threads.get(&thread) {
            Some(of_thread) if is_whole => of_thread.within(begin, end),
            _ => Reported::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn reported(covered: u64, preempted: u64, asleep: u64) -> Reported {
        Reported {
            covered,
            preempted,
            asleep,
        }
    }

    #[test]
    fn a_part_of_a_thread_s_time_has_what_of_the_reports_lies_in_it() {
        let mut reports = Reports::default();
        for (time, duration, is_preempted) in [
            (100, 10, true),
            (120, 5, false),
            (130, 0, true),
            (150, 50, true),
        ] {
            reports.add(7, (time, duration), is_preempted, Clip::ALL);
        }
        for (begin, end, expected) in [
            (100, 200, reported(100, 60, 5)),
            (105, 160, reported(55, 15, 5)),
            (155, 160, reported(5, 5, 0)),
            (121, 123, reported(2, 0, 2)),
            (110, 120, reported(10, 0, 0)),
            (200, 300, reported(100, 0, 0)),
            // Before the first, nobody watched.
            (50, 105, reported(5, 5, 0)),
            (50, 90, reported(0, 0, 0)),
        ] {
            assert_eq!(reports.within(7, begin, end), expected, "{begin} to {end}");
        }
        assert_eq!(reports.within(8, 100, 200), Reported::default());
    }

    #[test]
    fn what_was_left_out_is_covered_by_nothing() {
        let mut reports = Reports::default();
        reports.add(7, (1, 1), true, Clip::ALL);
        let thinned = SideRecord::Thinned {
            time_ns: 6 * SECOND as u64,
            source: KERNEL_SWITCHES.into(),
            records: 3,
        };
        reports.side_record(&thinned, 5 * SECOND);
        let covered = |begin, end| reports.within(7, begin * SECOND, end * SECOND).covered;
        assert_eq!(covered(2, 4), 2 * SECOND as u64);
        assert_eq!(covered(3, 5), 0);
        assert_eq!(covered(6, 9), 3 * SECOND as u64);
    }

    #[test]
    fn reports_that_go_back_are_of_another_thread() {
        let mut reports = Reports::default();
        reports.add(7, (100, 10), true, Clip::ALL);
        reports.add(7, (50, 10), false, Clip::ALL);
        assert_eq!(reports.within(7, 40, 200), reported(150, 0, 10));
    }
}
