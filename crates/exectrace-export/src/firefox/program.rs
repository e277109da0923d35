//! What concerns the program as a whole: garbage collection, counters, CPU samples.

use exectrace_format::{RangeScope, ThreadId};
use exectrace_replay::{End, Stack, Text};
use fxprof_processed_profile::CpuDelta;

use super::markers::Collected;
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
