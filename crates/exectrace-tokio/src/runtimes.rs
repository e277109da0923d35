//! The runtimes that we know: what is kept of each, and how one is found again.
//!
//! What is kept is leaked, as the recorder's numbers of runtimes are never given back either: some
//! 2 KiB each, for the first thousand; later ones share two.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use exectrace_recorder::{Runtime, epoch};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{capabilities, counters, numbers};

/// Workers of a runtime whose threads are remembered. Of further ones it is assumed.
pub(crate) const MAX_CLAIMS: usize = 256;

/// Runtimes that get an entry of their own, one less than the recorder can tell apart.
const MAX_RUNTIMES: usize = 1_022;

/// What is kept of a runtime.
#[derive(Debug)]
pub(crate) struct RuntimeState {
    pub(crate) runtime: Runtime,
    pub(crate) name: String,
    /// Whether it was built with our hooks.
    pub(crate) is_hooked: bool,
    /// Its number in Tokio; 0 while no hook has run.
    tokio_number: AtomicU64,
    /// The number that a hook of its own gave it last; 0 before the first.
    hooked_number: AtomicU64,
    /// Hooks of several runtimes have it: their builder was used more than once.
    is_shared: AtomicBool,
    /// A hook has run in a current-thread runtime.
    is_current_thread: AtomicBool,
    /// For each worker the thread that runs it, by a number of ours.
    claims: [AtomicU32; MAX_CLAIMS],
    /// For each worker the epoch in which it was last seen to unpark; 0 once it parks.
    busy: [AtomicU32; MAX_CLAIMS],
}

impl RuntimeState {
    fn new(name: String, is_hooked: bool) -> Self {
        Self {
            runtime: Runtime::register(name.as_str()),
            name,
            is_hooked,
            tokio_number: AtomicU64::new(0),
            hooked_number: AtomicU64::new(0),
            is_shared: AtomicBool::new(false),
            is_current_thread: AtomicBool::new(false),
            claims: [const { AtomicU32::new(0) }; MAX_CLAIMS],
            busy: [const { AtomicU32::new(0) }; MAX_CLAIMS],
        }
    }

    /// Whether hooks tell of its tasks.
    #[inline]
    pub(crate) fn has_task_hooks(&self) -> bool {
        cfg!(tokio_unstable) && self.is_hooked
    }

    /// Whether the thread still is the one that runs the worker.
    #[inline]
    pub(crate) fn is_claimed_by(&self, worker: u32, thread: u32) -> bool {
        // Relaxed: a thread that polls for a worker has got the worker from its last thread by a
        // lock of Tokio's.
        self.claims
            .get(worker as usize)
            .is_none_or(|claim| claim.load(Ordering::Relaxed) == thread)
    }

    /// The thread runs the worker from now on.
    pub(crate) fn claim(&self, worker: u32, thread: u32) {
        if let Some(claim) = self.claims.get(worker as usize) {
            claim.store(thread, Ordering::Relaxed);
        }
    }

    /// The worker looks for work, or has parked.
    pub(crate) fn set_busy(&self, worker: u32, is_busy: bool) {
        if let Some(busy) = self.busy.get(worker as usize) {
            let since = if is_busy { epoch() } else { 0 };
            busy.store(since, Ordering::Relaxed);
        }
    }

    /// Workers that were seen in this epoch and are not parked.
    pub(crate) fn busy_workers(&self) -> usize {
        let now = epoch();
        let is_busy = |busy: &&AtomicU32| busy.load(Ordering::Relaxed) == now;
        self.busy.iter().filter(is_busy).count()
    }

    /// Its number in Tokio; 0 if it is not known yet.
    pub(crate) fn tokio_number(&self) -> u64 {
        self.tokio_number.load(Ordering::Acquire)
    }

    /// Whether several runtimes of one builder have it.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// Whether it is known to be of a current-thread runtime.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.is_current_thread.load(Ordering::Relaxed)
    }

    /// Learns which runtime this is the state of, where a hook runs in it.
    pub(crate) fn identify_in_hook(&'static self, handle: &Handle) {
        self.identify(handle);
        let number = numbers::of_runtime(handle.id());
        let before = self.hooked_number.swap(number, Ordering::Relaxed);
        if before == number {
            return;
        }
        if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            self.is_current_thread.store(true, Ordering::Relaxed);
        }
        if before != 0 && !self.is_shared.swap(true, Ordering::Relaxed) {
            // The lock, so that no older text is said after a newer one.
            let _one_at_a_time = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
            capabilities::tell_runtimes();
        }
    }

    /// Learns which runtime this is the state of.
    fn identify(&'static self, handle: &Handle) {
        let number = numbers::of_runtime(handle.id());
        if self.tokio_number() != number {
            self.tokio_number.store(number, Ordering::Release);
        }
        let slot = slot_of(number);
        let index = index_of(self);
        let entry = number.wrapping_mul(ENTRIES) | index;
        if index != 0 && slot.load(Ordering::Relaxed) != entry {
            slot.store(entry, Ordering::Release);
        }
    }
}

/// All states, in the order of their making.
static STATES: [OnceLock<&'static RuntimeState>; MAX_RUNTIMES] =
    [const { OnceLock::new() }; MAX_RUNTIMES];

/// How many of them are set; also serialises the setting, and what is said of them.
static COUNT: Mutex<usize> = Mutex::new(0);

/// Where the state of a runtime is, by the low bits of its number in Tokio: its index plus one, and the
/// number as the multiple of [`ENTRIES`], by which a stranger with the same low bits is known.
static BY_NUMBER: [AtomicU64; ENTRIES as usize] = [const { AtomicU64::new(0) }; ENTRIES as usize];

/// More than there are states.
const ENTRIES: u64 = 1_024;

/// For the runtimes past the limit, without and with our hooks.
static OTHERS: [OnceLock<&'static RuntimeState>; 2] = [const { OnceLock::new() }; 2];

/// Stands for the runtime of a future that was wrapped outside of any.
pub(crate) fn nowhere() -> &'static RuntimeState {
    static NOWHERE: OnceLock<&'static RuntimeState> = OnceLock::new();
    NOWHERE.get_or_init(|| register("tokio".to_owned(), false))
}

fn slot_of(number: u64) -> &'static AtomicU64 {
    &BY_NUMBER[number as usize % BY_NUMBER.len()]
}

/// The state that an entry is of.
fn state_of(entry: u64) -> Option<&'static RuntimeState> {
    let index = (entry % ENTRIES) as usize;
    STATES.get(index.wrapping_sub(1))?.get().copied()
}

/// The index of a state plus one; 0 for one that several runtimes share.
fn index_of(state: &'static RuntimeState) -> u64 {
    let is_it = |known: &&'static RuntimeState| std::ptr::eq(*known, state);
    let position = all().position(|known| is_it(&known));
    position.map_or(0, |index| index as u64 + 1)
}

/// All states that are not shared.
pub(crate) fn all() -> impl Iterator<Item = &'static RuntimeState> {
    STATES.iter().map_while(|state| state.get().copied())
}

/// Makes the state of a new runtime.
pub(crate) fn register(name: String, is_hooked: bool) -> &'static RuntimeState {
    counters::answer_sampler();
    capabilities::tell();
    let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    let make = |name| &*Box::leak(Box::new(RuntimeState::new(name, is_hooked)));
    let Some(place) = STATES.get(*count) else {
        return OTHERS[usize::from(is_hooked)].get_or_init(|| make("others".to_owned()));
    };
    *count += 1;
    let state = place.get_or_init(|| make(name));
    // Under the lock, so that no older text is said after a newer one.
    capabilities::tell_runtimes();
    state
}

/// The state of this runtime, which is made if there is none.
///
/// 3 ns for a runtime that was seen before.
#[inline]
pub(crate) fn of(handle: &Handle) -> &'static RuntimeState {
    let number = numbers::of_runtime(handle.id());
    find(number).unwrap_or_else(|| meet(handle, number))
}

#[inline]
fn find(number: u64) -> Option<&'static RuntimeState> {
    let entry = slot_of(number).load(Ordering::Acquire);
    if entry / ENTRIES == number {
        state_of(entry)
    } else {
        None
    }
}

/// A runtime of which no hook has run yet, or one without our hooks.
#[cold]
fn meet(handle: &Handle, number: u64) -> &'static RuntimeState {
    // One at a time: two that meet a runtime at once would register it twice.
    static MEETING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MEETING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(state) = all().find(|state| state.tokio_number() == number && !is_stale(state)) {
        state.identify(handle);
        return state;
    }
    // `exectrace` gives the runtime's builder its name.
    let name = handle.name();
    let is_it = |state: &&'static RuntimeState| {
        state.is_hooked && state.tokio_number() == 0 && Some(state.name.as_str()) == name
    };
    let mut candidates = all().filter(is_it);
    let state = match (candidates.next(), candidates.next()) {
        // Which of them it is, only a hook of its own knows, and identifies it. Until then one stands
        // for another: they have the same name and the same hooks.
        (Some(state), Some(_)) => return state,
        (Some(state), None) => state,
        (None, _) => register(name.unwrap_or("tokio").to_owned(), false),
    };
    state.identify(handle);
    state
}

/// Whether another runtime has taken over the number that this one had.
fn is_stale(state: &'static RuntimeState) -> bool {
    let number = state.tokio_number();
    let entry = slot_of(number).load(Ordering::Acquire);
    let taker = state_of(entry).filter(|_| entry / ENTRIES == number);
    taker.is_some_and(|taker| !std::ptr::eq(taker, state))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;
    use crate::BuilderExt;

    #[test]
    fn runtimes_of_one_name_are_not_confused_before_their_hooks_have_run() {
        let states = [(); 2].map(|()| register("twin".to_owned(), true));
        let build = || Builder::new_current_thread().name("twin").build();
        let runtimes = [build(), build()].map(Result::unwrap);
        // The hooks of both have not run when the second is asked for, and then run.
        assert!(of(runtimes[1].handle()).is_hooked);
        states[1].identify_in_hook(runtimes[1].handle());
        states[0].identify_in_hook(runtimes[0].handle());
        for (state, runtime) in states.iter().zip(&runtimes) {
            assert!(std::ptr::eq(*state, of(runtime.handle())));
        }
        assert!(
            states
                .iter()
                .all(|state| all().any(|known| std::ptr::eq(known, *state)))
        );
        assert_eq!(all().filter(|state| state.name == "twin").count(), 2);
    }

    #[test]
    fn current_thread_runtimes_of_one_builder_are_known_once_the_second_has_slept() {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().exectrace("single");
        let mut sleep = || {
            let runtime = builder.build().unwrap();
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
            runtime
        };
        let first = sleep();
        assert!(!of(first.handle()).is_shared());
        let second = sleep();
        assert!(of(second.handle()).is_shared());
        let said = capabilities::runtimes();
        assert!(said.contains("single (several"), "{said}");
    }

    #[test]
    fn a_runtime_that_is_hooked_is_named() {
        // The tests of this binary have fewer runtimes than are named.
        register("called so".to_owned(), true);
        let named = capabilities::runtimes();
        assert!(named.starts_with("hooked: "), "{named}");
        assert!(named.contains("called so"), "{named}");
    }

    #[test]
    fn runtimes_of_one_builder_share_their_state_and_the_trace_says_so() {
        let shares =
            || capabilities::runtimes().contains("again (several runtimes of one builder)");
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).exectrace("again");
        // A task on each has run after the hook on its thread's start.
        let run = |runtime: &tokio::runtime::Runtime| runtime.block_on(runtime.spawn(async {}));
        let first = builder.build().unwrap();
        run(&first).unwrap();
        assert!(!shares());
        let second = builder.build().unwrap();
        run(&second).unwrap();
        assert!(shares());
        assert!(std::ptr::eq(of(first.handle()), of(second.handle())));
        // After another call the next runtime has hooks of its own.
        let third = builder.exectrace("own").build().unwrap();
        run(&third).unwrap();
        assert!(!std::ptr::eq(of(first.handle()), of(third.handle())));
    }
}
