//! CPU samples that were taken out of the rings and not applied yet, by time.

use std::collections::VecDeque;

use crate::model::ThreadIndex;

/// Where a walk over the frame pointers of interrupted code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// At the frame that polls the async task.
    Poll = 0,
    /// Where the chain ends: at a null pointer.
    Root = 1,
    /// Elsewhere: the chain left the stack, or was too long, or there was none.
    Open = 2,
}

#[cfg_attr(
    not(any(cpu_samples, feature = "alloc")),
    allow(dead_code, reason = "there is no source of samples in this build")
)]
impl WalkEnd {
    /// From the number that a sample carries.
    pub(crate) fn from_word(word: u64) -> Self {
        match word {
            0 => Self::Poll,
            1 => Self::Root,
            _ => Self::Open,
        }
    }
}

/// A CPU sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) thread: ThreadIndex,
    pub(crate) ticks: u64,
    pub(crate) end: WalkEnd,
    /// Where the thread was, then where its calls return to, innermost first.
    pub(crate) addresses: Box<[u64]>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct PendingSamples {
    /// The earliest first.
    samples: VecDeque<Sample>,
}

impl PendingSamples {
    /// The ticks of the earliest; the greatest number if there is none.
    #[inline]
    pub(crate) fn next_ticks(&self) -> u64 {
        self.samples.front().map_or(u64::MAX, |sample| sample.ticks)
    }

    /// Takes the earliest, if it is no later than this.
    pub(crate) fn take_until(&mut self, ticks: u64) -> Option<Sample> {
        match self.next_ticks() <= ticks {
            true => self.samples.pop_front(),
            false => None,
        }
    }

    /// Takes the earliest of a thread, if it is earlier than this.
    #[cold]
    pub(crate) fn take_of(&mut self, thread: ThreadIndex, before: u64) -> Option<Sample> {
        let mut samples = self.samples.iter();
        let place = samples.position(|sample| sample.thread == thread)?;
        match self.samples.get(place)?.ticks < before {
            true => self.samples.remove(place),
            false => None,
        }
    }
}

/// What the source of samples does, where there is one.
#[cfg_attr(
    not(cpu_samples),
    allow(dead_code, reason = "there is no source of samples in this build")
)]
impl PendingSamples {
    /// Adds samples, in any order.
    pub(crate) fn add(&mut self, samples: Vec<Sample>) {
        self.samples.extend(samples);
        self.samples
            .make_contiguous()
            .sort_by_key(|sample| sample.ticks);
    }

    /// Forgets those of a thread. Returns how many there were.
    pub(crate) fn forget(&mut self, thread: ThreadIndex) -> usize {
        let before = self.samples.len();
        self.samples.retain(|sample| sample.thread != thread);
        before - self.samples.len()
    }
}
