//! What concerns the program as a whole: garbage collection, counters, CPU samples.

use exectrace_format::{RangeScope, ThreadId};
use fxprof_processed_profile::CpuDelta;

use super::markers::Collected;
use super::profile::{Firefox, Row, stamp, timing};
use crate::story::{End, Lane, Scene, Stack, Text};

impl Firefox<'_> {
    pub(super) fn range(
        &mut self,
        (begin, time): (i64, i64),
        scope: RangeScope,
        name: Text,
        end: End,
        scene: &Scene,
    ) {
        let whom = scene.range_title(scope);
        let name = scene.book.text(name);
        let timing = timing(begin, time, end, scene);
        let thread = self.row(Row::Collection, scene, || "Garbage collection".to_owned());
        let category = self.categories.collection;
        self.mark::<Collected>(thread, timing, name, category, [&whom, ""], 0.0);
    }

    pub(super) fn counter(&mut self, time: i64, name: &str, value: f64, scene: &Scene) {
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
            .add_counter_sample(*counter, stamp(time, scene), value - *last, 1);
        *last = value;
    }

    pub(super) fn sample(&mut self, time: i64, id: ThreadId, stack: Stack, scene: &Scene) {
        self.items += 1;
        let lane = Lane::Thread(id);
        let thread = if id == ThreadId::NONE {
            self.row(Row::Samples, scene, || "CPU samples".to_owned())
        } else {
            self.row(Row::Lane(lane), scene, || scene.lane_title(lane))
        };
        let stack = self.stack(thread, &[], stack, self.categories.running, scene);
        self.profile
            .add_sample(thread, stamp(time, scene), stack, CpuDelta::ZERO, 1);
    }
}
