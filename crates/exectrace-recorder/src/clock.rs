//! The clock of the record path: raw ticks, as cheap as the machine has them.
//!
//! On x86-64 Linux whose kernel trusts the time stamp counter, a tick is one count of it (`rdtsc`,
//! about 9 ns in a virtual machine and less on bare metal); on AArch64 it is one count of
//! `cntvct_el0`; elsewhere it is one nanosecond of `Instant`. Nothing is calibrated here: the
//! flush thread takes a [`ClockSample`] (ticks, nanoseconds) at each flush and converts between the two
//! around a record, so no start-up stall is needed and drift is corrected as it happens.
//!
//! Counters of different cores agree within about a microsecond when read without a fence; the
//! merge repairs the order where it matters.

use std::sync::atomic::{AtomicU8, Ordering};
#[cfg(test)]
use std::time::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::process;

/// How ticks are read. Undecided until the first recording starts.
static SOURCE: AtomicU8 = AtomicU8::new(COUNTER_UNKNOWN);
const COUNTER_UNKNOWN: u8 = 0;
const COUNTER: u8 = 1;
const INSTANT: u8 = 2;

/// Reads the clock, in ticks.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // Relaxed: the value is decided once, before records are switched on, and a thread that still
    // sees "unknown" takes the slow way, which decides the same.
    if SOURCE.load(Ordering::Relaxed) == COUNTER {
        counter()
    } else {
        ticks_without_counter()
    }
}

/// Whether the clock is the processor's counter, and known to be.
#[inline(always)]
pub(crate) fn is_counter() -> bool {
    // Relaxed: as above.
    SOURCE.load(Ordering::Relaxed) == COUNTER
}

#[cold]
fn ticks_without_counter() -> u64 {
    match decide() {
        COUNTER => counter(),
        _ => since_origin_ns(),
    }
}

/// Chooses the source of ticks, once for the process.
pub(crate) fn decide() -> u8 {
    let known = SOURCE.load(Ordering::Relaxed);
    if known != COUNTER_UNKNOWN {
        return known;
    }
    let source = if counter_is_trusted() {
        COUNTER
    } else {
        INSTANT
    };
    SOURCE.store(source, Ordering::Relaxed);
    source
}

/// Whether the counter runs at one rate on all cores and through sleep states.
///
/// The kernel tests that for us: it lists `tsc` as a clock source only while it holds.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn counter_is_trusted() -> bool {
    const SOURCES: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    std::fs::read_to_string(SOURCES)
        .is_ok_and(|sources| sources.split_whitespace().any(|source| source == "tsc"))
}

#[cfg(target_arch = "aarch64")]
fn counter_is_trusted() -> bool {
    true
}

#[cfg(not(any(
    all(target_arch = "x86_64", target_os = "linux"),
    target_arch = "aarch64"
)))]
fn counter_is_trusted() -> bool {
    false
}

/// Reads the counter.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; it only reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Reads the counter.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: the virtual counter is readable from user space on every system Rust supports; the
    // instruction touches neither memory nor flags.
    unsafe {
        core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags));
    }
    ticks
}

/// In the place of a counter, which is not known here.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(crate) fn counter() -> u64 {
    since_origin_ns()
}

/// Trace time of the tracer's first moment in this process. Not zero, so that what a preamble tells (one nanosecond
/// an event) has room before it.
const ORIGIN_NS: u64 = 10_000_000;

/// Trace time, by the system's clock.
pub(crate) fn since_origin_ns() -> u64 {
    let elapsed = process::current().origin.elapsed();
    // 584 years fit.
    ORIGIN_NS + u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX - ORIGIN_NS)
}

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

/// A stretch of time between two samples, in which the clocks' speeds are one ratio.
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
