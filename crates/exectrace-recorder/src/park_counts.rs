//! What the system has counted of a thread when it comes back from a park and when it parks again: the thread asks.
//!
//! The flush thread asks ten times a second for the counts of each thread that records (`flush/thread_times`,
//! `flush/thread_usage`). What a thread was kept waiting between two of its looks may have been in any poll there, or
//! before the thread was awake at all. So a thread asks as well, when it has slept and when it parks next: what it
//! waited for a processor until it was back is apart then from what it waited in the polls since.
//!
//! It does that up to [`PAIRS_A_SECOND`] times a second, as asking is two or three system calls: a look at
//! `/proc/thread-self/schedstat` each time (0.9 µs in a loop of them on two idle cores of an AMD EPYC), and `getrusage` where it
//! parks (0.5 µs). Other parks cost a clock read. Nothing
//! is recorded for it: the counts go through a ring of the thread's own, which the flush thread reads at each pass. Counts
//! that find no room there are left out, and lose nothing but detail, as they are totals.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};

use crate::clock::{self, since_origin_ns};
use crate::errno::Errno;
use crate::flush::thread_usage::Usage;
use crate::ring::Ring;
use crate::thread_buffer::with_buffer;

/// So often a thread asks, at most: by a pair of looks.
const PAIRS_A_SECOND: u64 = 50;
/// Words of a ring: 2 KiB, for more than twice the looks between two passes.
const RING_WORDS: usize = 256;
/// A look that took longer is left out, as its time is not known.
const WIDEST_LOOK_NS: u64 = 100_000;
/// In the place of counts that the system does not have.
const NONE: u64 = u64::MAX;

/// So many ticks lie between two pairs; none is taken before the flush thread has said how long ticks are.
static INTERVAL_TICKS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Says how long a tick is.
pub(crate) fn set_tick(ns_per_tick: f64) {
    let interval = (1_000_000_000 / PAIRS_A_SECOND) as f64 / ns_per_tick;
    // Relaxed: it guards no memory.
    INTERVAL_TICKS.store(interval as u64, Ordering::Relaxed);
}

/// What a thread shares with the flush thread for its counts.
#[derive(Debug, Default)]
pub(crate) struct ParkCounts {
    ring: Ring<RING_WORDS>,
    /// In ticks, when the last pair began. Like the next, the thread's own.
    last: AtomicU64,
    /// The pair has its first look only.
    is_open: AtomicBool,
}

/// What the system had counted of a thread since it began, at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) time_ns: u64,
    /// How long it had a processor, and how long it was ready and waited for one; `None` where that is not counted.
    pub(crate) time: Option<(u64, u64)>,
    /// `None` where the thread came back from its park.
    pub(crate) usage: Option<Usage>,
}

/// The calling thread was parked, and goes on.
#[inline]
pub(crate) fn unparked() {
    let ticks = clock::ticks();
    with_counts(|counts| {
        // Relaxed, here and below: only this thread looks.
        let passed = ticks.wrapping_sub(counts.last.load(Ordering::Relaxed));
        if passed >= INTERVAL_TICKS.load(Ordering::Relaxed) {
            counts.last.store(ticks, Ordering::Relaxed);
            counts.is_open.store(true, Ordering::Relaxed);
            look(counts, false);
        }
    });
}

/// The calling thread is about to park.
#[inline]
pub(crate) fn parks() {
    with_counts(|counts| {
        if counts.is_open.load(Ordering::Relaxed) {
            counts.is_open.store(false, Ordering::Relaxed);
            look(counts, true);
        }
    });
}

#[inline]
fn with_counts(f: impl FnOnce(&ParkCounts)) {
    with_buffer(|buffer| {
        if let Some(shared) = buffer.shared() {
            f(&shared.park_counts);
        }
    });
}

/// Asks for the counts of the calling thread, and hands them over.
///
/// The thread is in a call meanwhile. So what this itself calls is nobody's, and neither does a handler come here
/// between, nor this in the middle of a call.
#[cold]
#[inline(never)]
fn look(counts: &ParkCounts, is_parking: bool) {
    with_buffer(|buffer| {
        if buffer.in_call.replace(true) {
            return;
        }
        compiler_fence(Ordering::SeqCst);
        buffer.do_own_work(|| {
            let errno = Errno::get();
            let before = since_origin_ns();
            let time = system::time();
            let usage = is_parking.then(system::usage).flatten();
            let width = since_origin_ns().saturating_sub(before);
            errno.restore();
            if width <= WIDEST_LOOK_NS {
                counts.put(before + width / 2, time, usage);
            }
        });
        compiler_fence(Ordering::SeqCst);
        buffer.in_call.set(false);
    });
}

impl ParkCounts {
    fn put(&self, time_ns: u64, time: Option<(u64, u64)>, usage: Option<Usage>) {
        let mut entry = self.ring.begin();
        let (cpu_ns, wait_ns) = time.unwrap_or((NONE, NONE));
        let usage = usage.map(|usage| {
            [
                usage.voluntary_switches,
                usage.involuntary_switches,
                usage.minor_faults,
                usage.major_faults,
            ]
        });
        let words = [time_ns, cpu_ns, wait_ns].into_iter();
        if words
            .chain(usage.into_iter().flatten())
            .all(|word| entry.push(word))
        {
            // What it begins with has a place, as what is in it has.
            entry.finish();
        }
    }

    /// The flush thread: takes what the thread has found since the last call.
    pub(crate) fn take(&self, words: &mut Vec<u64>, mut f: impl FnMut(Look)) {
        while self.ring.take(words) {
            let [time_ns, cpu_ns, wait_ns, usage @ ..] = words.as_slice() else {
                continue;
            };
            f(Look {
                time_ns: *time_ns,
                time: (*cpu_ns != NONE).then_some((*cpu_ns, *wait_ns)),
                usage: match usage {
                    &[
                        voluntary_switches,
                        involuntary_switches,
                        minor_faults,
                        major_faults,
                    ] => Some(Usage {
                        voluntary_switches,
                        involuntary_switches,
                        minor_faults,
                        major_faults,
                    }),
                    _ => None,
                },
            });
        }
    }

    /// Makes it ready for another thread.
    pub(crate) fn reset(&self) {
        self.take(&mut Vec::new(), |_| ());
        self.last.store(0, Ordering::Relaxed);
        self.is_open.store(false, Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io::Read as _;

    use crate::flush::thread_times::parse;
    use crate::flush::thread_usage::Usage;

    /// How long the calling thread had a processor and waited for one. Allocates nothing.
    ///
    /// The kernel brings what it counts of a thread that runs up to date at its ticks, so that the file can be some
    /// milliseconds behind; asking for the thread's clock does it at once.
    pub(super) fn time() -> Option<(u64, u64)> {
        let on_cpu_ns = thread_clock_ns()?;
        let mut file = File::open("/proc/thread-self/schedstat").ok()?;
        let mut bytes = [0; 80];
        let length = file.read(&mut bytes).ok()?;
        match parse(std::str::from_utf8(bytes.get(..length)?).ok()?)? {
            // It runs, so it had a processor once: the system does not count.
            [_, _, 0] => None,
            [cpu_ns, wait_ns, _] => Some((cpu_ns.max(on_cpu_ns), wait_ns)),
        }
    }

    /// How long the calling thread has had a processor.
    fn thread_clock_ns() -> Option<u64> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the place is on this stack, and as large as the call's.
        let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let ns = u64::try_from(time.tv_nsec).ok()?;
        (result == 0).then_some(seconds.saturating_mul(1_000_000_000).saturating_add(ns))
    }

    /// How often the calling thread was stopped, and its page faults.
    pub(super) fn usage() -> Option<Usage> {
        // SAFETY: it is a struct of numbers, of which all zeros are one.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the place is on this stack, and as large as the call's.
        let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
        let count = |count: libc::c_long| u64::try_from(count).unwrap_or(0);
        (result == 0).then(|| Usage {
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use crate::flush::thread_usage::Usage;

    pub(super) fn time() -> Option<(u64, u64)> {
        None
    }

    pub(super) fn usage() -> Option<Usage> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(count: u64) -> Option<Usage> {
        Some(Usage {
            voluntary_switches: count,
            involuntary_switches: count + 1,
            minor_faults: count + 2,
            major_faults: count + 3,
        })
    }

    #[test]
    fn looks_come_out_as_they_were_put_in_and_those_without_room_are_left_out() {
        let counts = ParkCounts::default();
        let looks = [
            (1, Some((2, 3)), None),
            (4, None, usage(5)),
            (6, Some((7, 8)), usage(9)),
        ];
        for (time_ns, time, usage) in looks {
            counts.put(time_ns, time, usage);
        }
        let mut taken = Vec::new();
        counts.take(&mut Vec::new(), |look| {
            taken.push((look.time_ns, look.time, look.usage));
        });
        assert_eq!(taken, looks);
        (0..1_000).for_each(|time_ns| counts.put(time_ns, None, usage(0)));
        let mut left = Vec::new();
        counts.take(&mut Vec::new(), |look| left.push(look.time_ns));
        let expected: Vec<u64> = (0..RING_WORDS as u64 / 8).collect();
        assert_eq!(left, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_thread_finds_of_itself_grows_with_what_it_does() {
        let before = (system::time(), system::usage().expect("always there"));
        // So much malloc takes from the system, whatever was freed before.
        let touched = vec![1u8; 40 << 20];
        let after = (system::time(), system::usage().expect("always there"));
        assert!(after.1.minor_faults > before.1.minor_faults);
        if let (Some(before), Some(after)) = (before.0, after.0) {
            assert!(after.0 >= before.0 && after.1 >= before.1);
        }
        drop(touched);
    }
}
