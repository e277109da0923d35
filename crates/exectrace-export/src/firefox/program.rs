//! What concerns the program as a whole: garbage collection, counters, CPU samples.

use exectrace_format::{RangeScope, ThreadId};
use exectrace_replay::{End, Stack, Text};
use fxprof_processed_profile::CpuDelta;

use super::markers::{Collected, OffProcessor};
use super::profile::{Firefox, Row, stamp, timing};
use crate::tracks::{Lane, Picture};

impl Firefox<'_> {
    pub(super) fn range(
        &mut self,
        (begin, time): (i64, i64),
        scope: RangeScope,
        name: Text,
        end: End,
        picture: &Picture<'_>,
    ) {
        let whom = picture.range_title(scope);
        let name = picture.text(name);
        let timing = timing(begin, time, end, picture);
        let thread = self.row(Row::Collection, picture, || "Garbage collection".to_owned());
        let category = self.categories.collection;
        self.mark::<Collected>(thread, timing, name, category, [&whom, ""], 0.0);
    }

    pub(super) fn counter(&mut self, time: i64, name: &str, value: f64, picture: &Picture<'_>) {
        self.items += 1;
        let (profile, process) = (&mut self.profile, self.process);
        let (counter, last) = self.counters.entry(name.to_owned()).or_insert_with(|| {
            let category = if name.ends_with("bytes") {
                "Memory"
            } else {
                "Counter"
            };
            (profile.add_counter(process, name, category, name), 0.0)
        });
        self.profile
            .add_counter_sample(*counter, stamp(time, picture), value - *last, 1);
        *last = value;
    }

    /// A thread had no processor: on the row of its CPU samples and of its own code.
    pub(super) fn off_processor(
        &mut self,
        id: ThreadId,
        (begin_ns, duration_ns): (u64, u64),
        is_preempted: bool,
        picture: &Picture<'_>,
    ) {
        if !self.options.threads {
            return;
        }
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        let (begin, end) = (at(begin_ns), at(begin_ns.saturating_add(duration_ns)));
        let timing = timing(begin, end, End::Seen, picture);
        let lane = Lane::Thread(id);
        let thread = self.row(Row::Lane(lane), picture, || picture.lane_title(lane));
        let (name, category) = match is_preempted {
            true => ("preempted", self.categories.runnable),
            false => ("asleep", self.categories.waiting),
        };
        self.mark::<OffProcessor>(thread, timing, name, category, ["", ""], 0.0);
    }

    pub(super) fn sample(&mut self, time: i64, id: ThreadId, stack: Stack, picture: &Picture<'_>) {
        self.items += 1;
        let lane = Lane::Thread(id);
        let thread = if id == ThreadId::NONE {
            self.row(Row::Samples, picture, || "CPU samples".to_owned())
        } else {
            self.row(Row::Lane(lane), picture, || picture.lane_title(lane))
        };
        let stack = self.stack(thread, &[], stack, self.categories.running, picture);
        self.profile
            .add_sample(thread, stamp(time, picture), stack, CpuDelta::ZERO, 1);
    }
}
