//! What a thread has for its CPU samples: a ring, a timer, and the bounds of its stack.
//!
//! # Protocol
//!
//! A [`SampledThread`] is a part of what its thread shares with the flush thread (`thread`), which is never
//! freed, and the signal handler finds it by a pointer that is local to the thread.
//!
//! 1. The pointer is null, or points to the `SampledThread` of its thread. It is set by the thread when it is
//!    enrolled, and cleared by it when it ends, as far as it can notice that, and in a forked child.
//! 2. `ring` is null or points to a mapping of the size of a [`Ring`], which the system has zeroed. The thread
//!    sets it before the pointer of rule 1. It is unmapped when the thread has cleared that pointer, or when the
//!    system has no such thread any more. No handler of the thread runs then, and nobody else but the flush thread,
//!    which unmaps it, looks for it.
//! 3. `timer` is 0, or one more than the number of the thread's timer in this process. It is set as `ring` is, and
//!    the timer is deleted when the ring is unmapped. The thread stops the timer when it clears the pointer.

use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::timer::Timer;
use super::{Rate, signal};
use crate::budget::{Share, Source};
use crate::ring;
use crate::stacks;

/// Of 16 KiB: some seventy samples of thirty frames: those of two thirds of a second at 99 Hz, where the flush thread
/// comes every tenth of a second.
type Ring = ring::Ring<RING_WORDS>;
const RING_WORDS: usize = 2048;

/// A sample that is being written to a ring.
pub(super) type SampleEntry<'a> = ring::Entry<'a, RING_WORDS>;

/// Most threads that have a ring at a time: 64 MiB, if all of them use a processor.
const MAX_SAMPLED_THREADS: usize = 4096;

/// Threads that have a ring.
static RINGS: AtomicUsize = AtomicUsize::new(0);

/// Threads that could not be given a ring or a timer.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread leaves out when there are too many samples.
    static SHARE: Share = const { Share::new() };
    static THIS_THREAD: AtomicPtr<SampledThread> = const { AtomicPtr::new(null_mut()) };
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct SampledThread {
    ring: AtomicPtr<Ring>,
    timer: AtomicI32,
    /// Samples that found no room in the ring.
    lost: AtomicU64,
    /// Those of them that the flush thread has seen.
    reported: AtomicU64,
}

/// How many threads are not sampled as there was no ring or timer for them, since the process began.
pub(super) fn threads_left_out() -> u64 {
    // Relaxed: a count that guards nothing.
    LEFT_OUT.load(Ordering::Relaxed)
}

impl SampledThread {
    /// Enrols the calling thread, whose number this is, and whose description has this.
    ///
    /// The thread makes its timer itself: one that lives for less than the tenth of a second in which the flush
    /// thread comes would have no sample otherwise. Takes a few system calls, and may be called at any moment. Samples
    /// have stacks once the bounds of the thread's stack are known: [`learn_stack`].
    pub(crate) fn enter(&'static self, thread: u64) {
        let Some(rate) = super::rate() else {
            return;
        };
        if !self.provide(thread) {
            // Relaxed: a count that guards nothing.
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
            return;
        }
        THIS_THREAD.with(|this| {
            // Release, which is for the compiler here: the handler finds all of the above.
            this.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
        });
        if crate::is_enabled() && signal::is_installed() {
            self.arm(thread, rate);
        }
    }

    /// Gets a ring and a timer. Returns whether there are both.
    fn provide(&self, thread: u64) -> bool {
        // Relaxed: counts that guard nothing.
        if RINGS.fetch_add(1, Ordering::Relaxed) >= MAX_SAMPLED_THREADS {
            RINGS.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let Some(number) = signal::number() else {
            RINGS.fetch_sub(1, Ordering::Relaxed);
            return false;
        };
        let Some(ring) = map_ring() else {
            RINGS.fetch_sub(1, Ordering::Relaxed);
            return false;
        };
        // Release: the flush thread finds a ring that is mapped. It also gets `self` by a way that orders memory.
        self.ring.store(ring, Ordering::Release);
        match Timer::create(thread, number, signal::token()) {
            Ok(Timer(timer)) => {
                self.timer.store(timer + 1, Ordering::Release);
                true
            }
            Err(_) => false,
        }
    }

    fn timer(&self) -> Option<Timer> {
        // Acquire: as for the ring.
        let timer = self.timer.load(Ordering::Acquire);
        (timer > 0).then(|| Timer(timer - 1))
    }

    /// The ring, while the flush thread has not given it back.
    fn ring(&self) -> Option<&Ring> {
        let ring = self.ring.load(Ordering::Acquire);
        // SAFETY: rule 2: it is null, or a zeroed mapping of a ring's size, which is a valid ring, and is not unmapped
        // while a handler of the thread or the flush thread uses it.
        unsafe { ring.as_ref() }
    }

    /// Has samples taken from now on.
    pub(super) fn arm(&self, thread: u64, rate: Rate) {
        if let Some(timer) = self.timer() {
            timer.set(rate.first_of(thread), rate.period());
        }
    }

    /// Has no more samples taken.
    pub(super) fn disarm(&self) {
        if let Some(timer) = self.timer() {
            timer.unset();
        }
    }

    /// Handler: takes a sample of what it has interrupted.
    pub(super) fn take(&self, interrupted: &signal::Interrupted) {
        if !SHARE.with(|share| share.takes(Source::Cpu)) {
            return;
        }
        let is_taken = self.ring().is_some_and(|ring| {
            // SAFETY: the bounds are those of this thread's stack, and the registers its own. It stands still, so
            // what lies between its stack pointer and the end of the stack is in use by its calls.
            unsafe { interrupted.write(stacks::bounds(), ring.begin()) }
        });
        if !is_taken {
            // Relaxed: only handlers of this thread add, and it is a count that guards nothing.
            let lost = self.lost.load(Ordering::Relaxed);
            self.lost.store(lost + 1, Ordering::Relaxed);
        }
    }

    /// Flush thread: gives each entry of the ring to `f`.
    pub(super) fn take_entries(&self, entry: &mut Vec<u64>, mut f: impl FnMut(&[u64])) {
        if let Some(ring) = self.ring() {
            while ring.take(entry) {
                f(entry);
            }
        }
    }

    /// Flush thread: samples that were lost since the last call.
    pub(super) fn take_lost(&self) -> u64 {
        // Relaxed: what is added meanwhile is seen the next time.
        let lost = self.lost.load(Ordering::Relaxed);
        lost - self.reported.swap(lost, Ordering::Relaxed)
    }

    /// Gives back what the thread had, which is gone or takes no samples any more. Not in a forked child, whose timers
    /// are others.
    pub(crate) fn give_back(&self) {
        if let Some(timer) = self.timer() {
            timer.delete();
            self.timer.store(0, Ordering::Relaxed);
        }
        let ring = self.ring.swap(null_mut(), Ordering::AcqRel);
        if !ring.is_null() {
            RINGS.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: rule 2: it was mapped with this size, and nobody finds it any more.
            unsafe { libc::munmap(ring.cast(), size_of::<Ring>()) };
        }
        for count in [&self.lost, &self.reported] {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// Asks for the bounds of the calling thread's stack, if they are not known yet. May allocate, so a thread that was
/// enrolled where it must not does so later.
pub(crate) fn learn_stack() {
    if super::rate().is_some() {
        stacks::learn_bounds();
    }
}

/// The calling thread ends: nothing of it is sampled from now on.
pub(crate) fn leave() {
    let this = THIS_THREAD.with(|this| this.swap(null_mut(), Ordering::AcqRel));
    // SAFETY: rule 1, and descriptions are never freed.
    if let Some(this) = unsafe { this.as_ref() } {
        this.disarm();
    }
}

/// In a forked child, which has no timers: nothing of this thread is sampled until it is enrolled again.
pub(crate) fn forget() {
    THIS_THREAD.with(|this| this.store(null_mut(), Ordering::Release));
    // The mappings of the parent's rings stay, and are not the child's.
    RINGS.store(0, Ordering::Relaxed);
}

/// Handler: gives what this thread has for its samples to `f`, if it is enrolled.
pub(super) fn with_this(f: impl FnOnce(&SampledThread)) {
    THIS_THREAD.with(|this| {
        let this = this.load(Ordering::Acquire);
        // SAFETY: rule 1, and descriptions are never freed.
        if let Some(this) = unsafe { this.as_ref() } {
            f(this);
        }
    });
}

/// Memory for a ring, zeroed. The system provides it page by page, as it is used.
fn map_ring() -> Option<*mut Ring> {
    const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
    const OWN: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, at a place that the system chooses.
    let memory = unsafe { libc::mmap(null_mut(), size_of::<Ring>(), READ_WRITE, OWN, -1, 0) };
    (memory != libc::MAP_FAILED).then(|| memory.cast())
}

impl Rate {
    /// When the first sample of a thread is due: anywhere in the first period, so that a thread that uses less
    /// than a period of processor time has its chance of a sample as well, and threads are not in step.
    fn first_of(self, thread: u64) -> Duration {
        /// Odd, with no pattern: the golden ratio's fraction in 64 bits (Knuth, section 6.4).
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (thread ^ crate::clock::ticks()).wrapping_mul(MULTIPLIER) >> 32;
        let period = self.period().as_nanos() as u64;
        // At most 2³² times a second of nanoseconds: fits.
        Duration::from_nanos(((mixed * period) >> 32).max(1))
    }
}
