//! From ticks to trace time.
//!
//! The flush thread takes a [`ClockSample`] (ticks and nanoseconds of one moment) at each flush, and converts
//! a record's ticks between the two samples around it. So no start-up stall is needed, and drift is corrected
//! as it happens.

#[cfg(test)]
use std::time::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{since_origin_ns, ticks};

/// One moment in both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockSample {
    pub(crate) ticks: u64,
    /// Trace time: nanoseconds of the monotonic clock since the tracer's first use.
    pub(crate) ns: u64,
}

impl ClockSample {
    /// Takes a sample: the tightest of some brackets of the monotonic clock between two ticks.
    ///
    /// Eight brackets are within some ten nanoseconds on a quiet machine, which is all that a
    /// region's bounds need (a bracket is about 40 ns wide).
    pub(crate) fn now() -> Self {
        let mut best = (u64::MAX, ClockSample { ticks: 0, ns: 0 });
        for _ in 0..8 {
            let before = ticks();
            let ns = since_origin_ns();
            let width = ticks().saturating_sub(before);
            if width < best.0 {
                let ticks = before + width / 2;
                best = (width, ClockSample { ticks, ns });
            }
        }
        best.1
    }
}

/// Measures how long a tick is, in nanoseconds: within some thousandths. Takes 50 µs.
pub(crate) fn measure_tick() -> f64 {
    let first = ClockSample::now();
    loop {
        let last = ClockSample::now();
        if last.ns >= first.ns + 50_000 && last.ticks > first.ticks {
            return slope(first, last);
        }
    }
}

/// A sample, and what the wall clock showed at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) sample: ClockSample,
    /// Since 1970.
    wall: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let sample = ClockSample::now();
        // As for the sample: the tightest of some brackets, so that a thread that loses the processor
        // between the two clocks does not set one against the other.
        let mut best = (u64::MAX, Duration::ZERO);
        for _ in 0..4 {
            let before = since_origin_ns();
            // Before 1970 there was no tracer.
            let wall = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let width = since_origin_ns() - before;
            if width < best.0 {
                let since_point = Duration::from_nanos(before + width / 2 - sample.ns);
                best = (width, wall.saturating_sub(since_point));
            }
        }
        Self {
            sample,
            wall: best.1,
        }
    }

    /// What the wall clock showed, or will show, at trace time `ns`.
    pub(crate) fn wall_at(self, ns: u64) -> Duration {
        let after = Duration::from_nanos(ns.saturating_sub(self.sample.ns));
        let before = Duration::from_nanos(self.sample.ns.saturating_sub(ns));
        (self.wall + after).saturating_sub(before)
    }

    /// The moment at which both clocks show so much more.
    #[cfg(test)]
    pub(crate) fn later_by(mut self, idle: Duration) -> Self {
        self.sample.ns += u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
        self.wall += idle;
        self
    }
}

/// Converts ticks to trace time between the samples that the flush thread took.
///
/// Piecewise linear through the last [`Conversion::KEPT`] samples, so it is continuous and never
/// runs backwards.
#[derive(Debug)]
pub(crate) struct Conversion {
    /// Oldest first; never empty.
    samples: Vec<ClockSample>,
    /// Nanoseconds a tick after each sample: up to the next one, or as before it for the last.
    slopes: Vec<f64>,
}

impl Conversion {
    const KEPT: usize = 16;

    pub(crate) fn starting_at(sample: ClockSample) -> Self {
        Self {
            samples: vec![sample],
            slopes: vec![1.0],
        }
    }

    /// Whether these ticks are not before all samples that are kept.
    pub(crate) fn reaches_to(&self, ticks: u64) -> bool {
        self.samples
            .first()
            .is_some_and(|first| first.ticks <= ticks)
    }

    /// How long a tick is now, in nanoseconds.
    pub(crate) fn ns_per_tick(&self) -> f64 {
        self.slopes.last().copied().unwrap_or(1.0)
    }

    /// Adds a sample later than all others; one that is not later is left out.
    pub(crate) fn add(&mut self, sample: ClockSample) {
        let last = self.last();
        if sample.ticks <= last.ticks || sample.ns <= last.ns {
            return;
        }
        let ns_per_tick = slope(last, sample);
        if let Some(last) = self.slopes.last_mut() {
            *last = ns_per_tick;
        }
        if self.samples.len() == Self::KEPT {
            self.samples.remove(0);
            self.slopes.remove(0);
        }
        self.samples.push(sample);
        self.slopes.push(ns_per_tick);
    }

    pub(crate) fn last(&self) -> ClockSample {
        self.samples[self.samples.len() - 1]
    }

    /// Trace time of `ticks`, in nanoseconds.
    pub(crate) fn to_ns(&self, ticks: u64) -> u64 {
        self.segment_of(ticks).to_ns(ticks)
    }

    /// The segment that `ticks` lie in.
    pub(crate) fn segment_of(&self, ticks: u64) -> Segment {
        let after = self.samples.partition_point(|sample| sample.ticks <= ticks);
        let Some(index) = after.checked_sub(1) else {
            // Older than all that is kept: a thread that slept between its clock and its store.
            return Segment {
                from: ClockSample {
                    ticks: 0,
                    ..self.samples[0]
                },
                length_ticks: self.samples[0].ticks,
                ns_per_tick: 0.0,
            };
        };
        let from = self.samples[index];
        let until = self.samples.get(after);
        Segment {
            from,
            length_ticks: until.map_or(u64::MAX, |until| until.ticks) - from.ticks,
            ns_per_tick: self.slopes[index],
        }
    }
}

/// The span of time between two samples, in which the clocks' speeds are one ratio.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segment {
    from: ClockSample,
    length_ticks: u64,
    ns_per_tick: f64,
}

impl Segment {
    /// Whether the ticks lie in it. An empty segment has none.
    #[inline(always)]
    pub(crate) fn has(&self, ticks: u64) -> bool {
        ticks.wrapping_sub(self.from.ticks) < self.length_ticks
    }

    /// Trace time of ticks that it has.
    #[inline(always)]
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        // Through signed numbers, whose conversions are one instruction each.
        let passed = ticks.wrapping_sub(self.from.ticks).cast_signed() as f64;
        self.from.ns + ((passed * self.ns_per_tick) as i64).cast_unsigned()
    }
}

fn slope(from: ClockSample, to: ClockSample) -> f64 {
    (to.ns - from.ns) as f64 / (to.ticks - from.ticks) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_between_two_points_convert_linearly_and_never_run_backwards() {
        let mut conversion = Conversion::starting_at(ClockSample {
            ticks: 1_000,
            ns: 500,
        });
        conversion.add(ClockSample {
            ticks: 3_000,
            ns: 1_500,
        });
        conversion.add(ClockSample {
            ticks: 4_000,
            ns: 2_500,
        });
        assert_eq!(conversion.to_ns(2_000), 1_000);
        assert_eq!(conversion.to_ns(3_500), 2_000);
        assert_eq!(conversion.to_ns(5_000), 3_500);
        assert_eq!(conversion.to_ns(10), 500);
        let times: Vec<u64> = (0..6_000).map(|ticks| conversion.to_ns(ticks)).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn points_follow_the_monotonic_clock() {
        let first = ClockSample::now();
        let mut conversion = Conversion::starting_at(first);
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 2 {}
        let elapsed_ns = begin.elapsed().as_nanos() as u64;
        conversion.add(ClockSample::now());
        let converted_ns = conversion.last().ns - first.ns;
        assert!(converted_ns >= elapsed_ns, "{converted_ns} of {elapsed_ns}");
    }
}
