//! The clock of the record path: raw ticks, as cheap as the machine has them.
//!
//! On x86-64 Linux whose kernel trusts the time stamp counter, a tick is one count of it (`rdtsc`,
//! about 9 ns in a virtual machine and less on bare metal); on AArch64 it is one count of
//! `cntvct_el0`; elsewhere it is one nanosecond of `Instant`. Nothing is calibrated at the start:
//! `conversion` turns ticks into nanoseconds.
//!
//! Counters of different cores agree within about a microsecond when read without a fence; the
//! merge restores the order where it matters.

mod conversion;

use crate::process;
use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) use conversion::{ClockSample, Conversion, Moment, Segment, measure_tick};

/// How ticks are read. Undecided until the first recording starts.
static SOURCE: AtomicU8 = AtomicU8::new(COUNTER_UNKNOWN);
const COUNTER_UNKNOWN: u8 = 0;
const COUNTER: u8 = 1;
const INSTANT: u8 = 2;

/// Reads the clock, in ticks.
#[inline(always)]
#[must_use]
#[cfg_attr(
    not(feature = "__bench"),
    expect(unreachable_pub, reason = "benches compare with it")
)]
pub fn ticks() -> u64 {
    // Relaxed: the value is decided once, before the enabled flag is set, and a thread that still
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

/// Trace time of the tracer's first moment in this process. Not zero, so that a preamble (one nanosecond
/// an event) has room before it.
const ORIGIN_NS: u64 = 10_000_000;

/// Trace time, by the system's clock.
pub(crate) fn since_origin_ns() -> u64 {
    let elapsed = process::current().origin.elapsed();
    // 584 years fit.
    ORIGIN_NS + u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX - ORIGIN_NS)
}
