//! Quantities over time: the heap, the number of workers, the counters of runtimes.

use std::collections::BTreeMap;

use exectrace_format::{CompactEvent, CompactKind, Metric, SideRecord};
use serde::Serialize;

use crate::time::World;

/// A quantity over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counter {
    /// Its name, with Go's unit behind the colon where Go has one.
    pub name: String,
    /// How many values the trace has.
    pub count: u64,
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Values in time, as (nanoseconds since the begin of the trace, value): all of them, or, if
    /// they are many, at most [`MAX_POINTS`], evenly spaced by their number.
    pub points: Vec<(u64, i64)>,
}

/// So many points of a counter are kept.
pub const MAX_POINTS: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct CounterPass {
    counters: BTreeMap<String, Series>,
    /// Those of Go's metrics, which come often.
    metrics: [Series; 3],
}

const METRICS: [Metric; 3] = [Metric::Gomaxprocs, Metric::HeapAlloc, Metric::HeapGoal];

#[derive(Debug, Default)]
struct Series {
    counter: Counter,
    /// One value in so many is kept, less one.
    skip: u64,
}

impl CounterPass {
    #[inline]
    pub(crate) fn event(&mut self, world: &World<'_>, event: &CompactEvent) {
        if let CompactKind::Metric { metric, value } = event.kind
            && let Some(place) = METRICS.iter().position(|known| *known == metric)
        {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            self.metrics[place].add(world, event.time.0, value);
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        if let SideRecord::Counter {
            name,
            time_ns,
            value,
        } = record
        {
            if !self.counters.contains_key(name.as_ref()) {
                self.counters.insert(name.to_string(), Series::default());
            }
            if let Some(series) = self.counters.get_mut(name.as_ref()) {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                series.add(world, time, *value);
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Counter> {
        for (metric, series) in METRICS.iter().zip(self.metrics) {
            if series.counter.count > 0 {
                self.counters.insert(metric.name().to_owned(), series);
            }
        }
        let named = |(name, series): (String, Series)| Counter {
            name,
            ..series.counter
        };
        self.counters.into_iter().map(named).collect()
    }
}

impl Series {
    fn add(&mut self, world: &World<'_>, time: i64, value: i64) {
        if !world.clip.touches(time, time) {
            return;
        }
        let counter = &mut self.counter;
        if counter.count == 0 {
            (counter.min, counter.max, counter.first) = (value, value, value);
        }
        counter.min = counter.min.min(value);
        counter.max = counter.max.max(value);
        counter.last = value;
        if counter.count & self.skip == 0 {
            if counter.points.len() == MAX_POINTS {
                // Every second one goes; of those to come, too.
                let mut number = 0;
                counter.points.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
                self.skip = self.skip * 2 + 1;
            }
            if counter.count & self.skip == 0 {
                counter.points.push((world.since_begin(time), value));
            }
        }
        counter.count += 1;
    }
}
