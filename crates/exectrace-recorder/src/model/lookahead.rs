//! What is known of the records that were published but not applied yet.
//!
//! Records are held for a tenth of a second. In that time they can be looked at, thread by thread,
//! for what the model would like to know earlier: which wake ends a wait that is about to begin.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use super::threads::ThreadIndex;
use crate::calls::{CallResult, DriverResult, Timeout};
use crate::input::{AsyncKey, WakerKey};

/// Who woke a task, as far as that shows what the task waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakerKind {
    /// A worker in its runtime's driver: input, output or a timer.
    Driver,
    /// A worker in its runtime's driver, which had waited in vain for input and output: a timer.
    Timer,
    /// A worker in its runtime's driver, to which input, output or a signal came before any timer's time: that.
    Source,
    /// Another async task.
    Task,
    /// A closure of the blocking pool, or its thread at the closure's end.
    Blocking,
    /// A thread that polls no async tasks.
    Outside,
    /// A thread that polls async tasks, between two polls. It may have ended a task that others join,
    /// asked the driver without parking, or woken those that yielded: which of them is not seen.
    BetweenPolls,
}

/// What a wake names: the task, or what its wakers are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waker {
    Task(u64),
    Known(WakerKey),
}

/// What a thread does, as far as it was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct ThreadView {
    parked: bool,
    polls: Option<u64>,
    /// It has parked or polled a future: a runtime runs on it.
    is_worker: bool,
    /// It runs a closure of the blocking pool, or did last: what it wakes then waited for the closure.
    blocking: bool,
    /// Whom it wakes now that it is parked.
    wakes_by: Option<WakerKind>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lookahead {
    /// By the threads' indices.
    threads: Vec<ThreadView>,
    /// Wakes that were not applied yet: when, and by whom.
    wakes: FxHashMap<Waker, VecDeque<(u64, WakerKind)>>,
    /// Wakes of which only the time is known, by that, and not applied yet.
    timed_wakes: BinaryHeap<Reverse<(u64, u64)>>,
    /// Wakers that will be recorded the next time that their tasks are polled.
    wakers: FxHashMap<WakerKey, u64>,
    /// Closures for the blocking pool that were not run yet.
    blocking: rustc_hash::FxHashSet<u64>,
}

/// Most closures that are kept until they run.
const MAX_CLOSURES: usize = 1 << 16;

impl Lookahead {
    /// What a thread does; nothing yet, if it was not seen before.
    #[inline]
    fn looked(&mut self, thread: ThreadIndex) -> &mut ThreadView {
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize(index + 1, ThreadView::default());
        }
        &mut self.threads[index]
    }

    /// A closure was handed to the blocking pool.
    pub(crate) fn blocking_spawned(&mut self, task: AsyncKey) {
        if self.blocking.len() < MAX_CLOSURES {
            self.blocking.insert(task.task);
        }
    }

    pub(crate) fn poll_begins(&mut self, thread: ThreadIndex, task: AsyncKey) {
        let blocking = !self.blocking.is_empty() && self.blocking.remove(&task.task);
        let looked = self.looked(thread);
        looked.polls = Some(task.task);
        looked.blocking = blocking;
        looked.is_worker |= !blocking;
    }

    pub(crate) fn poll_ends(&mut self, thread: ThreadIndex) {
        let looked = self.looked(thread);
        looked.polls = None;
    }

    pub(crate) fn parks(&mut self, thread: ThreadIndex, parked: bool) {
        let looked = self.looked(thread);
        looked.parked = parked;
        looked.wakes_by = None;
        looked.is_worker = true;
        looked.blocking = false;
    }

    /// The thread has waited for the driver, for so long: what it wakes until it waits again is due to that.
    ///
    /// A driver asks the kernel to wait until the next timer's time, in milliseconds rounded up. Before that, it can
    /// only have been woken by a source; if none was ready, only timers are left. Otherwise it may be both.
    pub(crate) fn driver_waited(&mut self, thread: ThreadIndex, took_ns: u64, result: CallResult) {
        let DriverResult { ready, timeout } = result.driver();
        let passed_ms = took_ns / 1_000_000 + 1;
        self.looked(thread).wakes_by = match (ready, timeout) {
            (_, Timeout::Unknown) => None,
            // It only looked: who is woken next may have yielded before.
            (0, Timeout::Milliseconds(0)) => Some(WakerKind::BetweenPolls),
            (0, _) => Some(WakerKind::Timer),
            (_, Timeout::Never) => Some(WakerKind::Source),
            (_, Timeout::Milliseconds(timeout_ms)) if passed_ms < timeout_ms => {
                Some(WakerKind::Source)
            }
            _ => None,
        };
    }

    pub(crate) fn wake(&mut self, thread: ThreadIndex, time_ns: u64, waker: Waker) {
        let looked = self
            .threads
            .get(thread.0 as usize)
            .copied()
            .unwrap_or_default();
        let kind = match looked {
            ThreadView {
                parked: true,
                wakes_by,
                ..
            } => wakes_by.unwrap_or(WakerKind::Driver),
            ThreadView { blocking: true, .. } => WakerKind::Blocking,
            ThreadView { polls: Some(_), .. } => WakerKind::Task,
            ThreadView {
                is_worker: true, ..
            } => WakerKind::BetweenPolls,
            _ => WakerKind::Outside,
        };
        self.wakes
            .entry(waker)
            .or_default()
            .push_back((time_ns, kind));
    }

    /// The waker will turn out to be this task's.
    pub(crate) fn waker_of(&mut self, waker: WakerKey, task: AsyncKey) {
        self.wakers.entry(waker).or_insert(task.task);
    }

    /// It has turned out.
    pub(crate) fn waker_applied(&mut self, waker: WakerKey) {
        self.wakers.remove(&waker);
    }

    /// Whose waker this will turn out to be. A task that lives does not move, so it was its waker before.
    pub(crate) fn task_of(&self, waker: WakerKey) -> Option<u64> {
        self.wakers.get(&waker).copied()
    }

    /// The runtime says that the task was woken then; perhaps no record says by whom.
    pub(crate) fn woken_at(&mut self, time_ns: u64, task: AsyncKey) {
        self.timed_wakes.push(Reverse((time_ns, task.task)));
    }

    /// The next wake, up to this time, of which only the time is known.
    #[inline]
    pub(crate) fn take_timed_wake(&mut self, until_ns: u64) -> Option<(u64, u64)> {
        let Reverse((time_ns, _)) = *self.timed_wakes.peek()?;
        if time_ns > until_ns {
            return None;
        }
        self.timed_wakes.pop().map(|Reverse(wake)| wake)
    }

    /// Whether there is such a wake.
    #[inline]
    pub(crate) fn has_timed_wake(&self, until_ns: u64) -> bool {
        let next = self.timed_wakes.peek();
        next.is_some_and(|Reverse((time_ns, _))| *time_ns <= until_ns)
    }

    /// A wake was applied: it lies ahead no more. Returns who woke.
    pub(crate) fn wake_applied(&mut self, waker: Waker) -> Option<WakerKind> {
        let ahead = self.wakes.get_mut(&waker)?;
        let applied = ahead.pop_front();
        if ahead.is_empty() {
            self.wakes.remove(&waker);
        }
        applied.map(|(_, kind)| kind)
    }

    /// Who will wake the task that is about to wait, if that can be seen.
    pub(crate) fn next_wake(
        &self,
        task: u64,
        known: [Option<WakerKey>; 2],
        now_ns: u64,
    ) -> Option<WakerKind> {
        let known = known.into_iter().flatten().map(Waker::Known);
        let wakers = std::iter::once(Waker::Task(task)).chain(known);
        let ahead = wakers.filter_map(|waker| self.wakes.get(&waker));
        // The first that is later, not the earliest of all: there may be thousands, in about their
        // order, and those that lie behind were taken out.
        let mut next =
            ahead.filter_map(|ahead| ahead.iter().find(|(time_ns, _)| *time_ns >= now_ns));
        next.next().map(|(_, kind)| *kind)
    }

    /// Forgets a thread.
    pub(crate) fn thread_gone(&mut self, thread: ThreadIndex) {
        if let Some(looked) = self.threads.get_mut(thread.0 as usize) {
            *looked = ThreadView::default();
        }
    }
}
