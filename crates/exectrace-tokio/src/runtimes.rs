//! The runtimes that the tracer knows: what it keeps of each, and how that is found.
//!
//! The states of all runtimes are in a registry, whose map has the state for each id of a runtime. Each thread
//! caches the last entry that it found, so spawning does not take the registry's lock unless a thread
//! alternates between runtimes.
//!
//! A state is leaked, as the recorder never reuses the number of a runtime: some 2 KiB for each of the first
//! thousand runtimes. All later ones share two states.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use exectrace_recorder::{Runtime, epoch};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{capabilities, counters, ids};

/// How many workers of a runtime have a claim. Further workers are assumed to stay on their threads.
pub(crate) const MAX_CLAIMS: usize = 256;

/// How many runtimes have a state of their own: one less than the recorder can distinguish.
const MAX_RUNTIMES: usize = 1_022;

/// How many ids the map may have. At this size it forgets those that a state had before its current one.
const MAX_IDS: usize = 4 * MAX_RUNTIMES;

/// What is kept of a runtime.
#[derive(Debug)]
pub(crate) struct RuntimeState {
    pub(crate) runtime: Runtime,
    pub(crate) name: String,
    /// Whether the runtime was built with the tracer's hooks.
    pub(crate) is_hooked: bool,
    /// The runtime's id in Tokio; 0 until it is known.
    tokio_id: AtomicU64,
    /// The id of the runtime in which one of this state's hooks ran last; 0 before the first.
    hooked_id: AtomicU64,
    /// Whether hooks of several runtimes have this state, because their builder was used more than once.
    is_shared: AtomicBool,
    /// Whether a hook has run in a current-thread runtime.
    is_current_thread: AtomicBool,
    /// For each worker the thread that runs it, by the number that `current` gives threads.
    claims: [AtomicU32; MAX_CLAIMS],
    /// For each worker the epoch in which it unparked last; 0 while it is parked.
    busy: [AtomicU32; MAX_CLAIMS],
}

impl RuntimeState {
    fn new(name: String, is_hooked: bool) -> Self {
        Self {
            runtime: Runtime::register(name.as_str()),
            name,
            is_hooked,
            tokio_id: AtomicU64::new(0),
            hooked_id: AtomicU64::new(0),
            is_shared: AtomicBool::new(false),
            is_current_thread: AtomicBool::new(false),
            claims: [const { AtomicU32::new(0) }; MAX_CLAIMS],
            busy: [const { AtomicU32::new(0) }; MAX_CLAIMS],
        }
    }

    /// Whether hooks report its tasks.
    #[inline]
    pub(crate) fn has_task_hooks(&self) -> bool {
        cfg!(tokio_unstable) && self.is_hooked
    }

    /// Whether the thread is still the one that runs the worker.
    #[inline]
    pub(crate) fn is_claimed_by(&self, worker: u32, thread: u32) -> bool {
        // Relaxed: a thread takes a worker over from another thread through a lock of Tokio's.
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

    /// The worker has unparked, or parks.
    pub(crate) fn set_busy(&self, worker: u32, is_busy: bool) {
        if let Some(busy) = self.busy.get(worker as usize) {
            let since = if is_busy { epoch() } else { 0 };
            busy.store(since, Ordering::Relaxed);
        }
    }

    /// How many workers were seen in this epoch and are not parked.
    pub(crate) fn busy_workers(&self) -> usize {
        let now = epoch();
        let is_busy = |busy: &&AtomicU32| busy.load(Ordering::Relaxed) == now;
        self.busy.iter().filter(is_busy).count()
    }

    /// Whether it is known which runtime this is the state of.
    pub(crate) fn is_identified(&self) -> bool {
        self.tokio_id.load(Ordering::Relaxed) != 0
    }

    /// Whether several runtimes of one builder have it.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// Whether it is known to be of a current-thread runtime.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.is_current_thread.load(Ordering::Relaxed)
    }

    /// Learns from a hook that runs in the runtime which runtime this is the state of.
    pub(crate) fn identify_in_hook(&'static self, handle: &Handle) {
        let id = ids::of_runtime(handle.id());
        if !cached(id).is_some_and(|state| std::ptr::eq(state, self)) {
            registry().identify(id, self);
        }
        let before = self.hooked_id.swap(id, Ordering::Relaxed);
        if before == id {
            return;
        }
        if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            self.is_current_thread.store(true, Ordering::Relaxed);
        }
        if before != 0 && !self.is_shared.swap(true, Ordering::Relaxed) {
            let _registering = registering();
            capabilities::announce_runtimes();
        }
    }
}

/// All runtimes. Its lock is held for look-ups and changes only, never while something else is called.
struct Registry {
    /// In the order in which they were registered.
    states: Vec<&'static RuntimeState>,
    by_id: BTreeMap<u64, &'static RuntimeState>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    states: Vec::new(),
    by_id: BTreeMap::new(),
});

/// How often the map has changed; changed under the registry's lock. Whatever a thread has cached is valid until
/// the next change.
static MAP_CHANGES: AtomicU64 = AtomicU64::new(0);

/// Held while a runtime is registered, so that no runtime is registered twice, and no older list of runtimes is
/// announced after a newer one.
static REGISTERING: Mutex<()> = Mutex::new(());

/// The states of the runtimes past the limit, without and with hooks.
static OTHERS: [OnceLock<&'static RuntimeState>; 2] = [const { OnceLock::new() }; 2];

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn registering() -> MutexGuard<'static, ()> {
    REGISTERING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// The runtime of this id has this state.
    fn identify(&mut self, id: u64, state: &'static RuntimeState) {
        state.tokio_id.store(id, Ordering::Relaxed);
        let known = self.by_id.get(&id);
        if known.is_some_and(|known| std::ptr::eq(*known, state)) {
            // A change would make all threads look up again, and each of them would do the same to this one.
            return cache(id, state);
        }
        if self.by_id.len() >= MAX_IDS {
            self.by_id
                .retain(|&id, state| state.tokio_id.load(Ordering::Relaxed) == id);
        }
        self.by_id.insert(id, state);
        // Release: a thread that sees the change no longer uses what it has cached.
        MAP_CHANGES.fetch_add(1, Ordering::Release);
        cache(id, state);
    }

    /// The runtimes that were registered from a builder, with this name, and of which no hook has run yet.
    fn unidentified(&self, name: &str) -> Vec<&'static RuntimeState> {
        let states = self.states.iter().copied();
        states
            .filter(|state| state.is_hooked && !state.is_identified() && state.name == name)
            .collect()
    }
}

/// An entry of the map that a thread has found, and the count of changes at which it found it.
#[derive(Clone, Copy)]
struct Found {
    id: u64,
    state: Option<&'static RuntimeState>,
    changes: u64,
}

thread_local! {
    static FOUND: Cell<Found> = const { Cell::new(Found { id: 0, state: None, changes: 0 }) };
}

/// Keeps an entry of the map for the calling thread, which holds the registry's lock.
fn cache(id: u64, state: &'static RuntimeState) {
    FOUND.set(Found {
        id,
        state: Some(state),
        changes: MAP_CHANGES.load(Ordering::Relaxed),
    });
}

/// The state of the runtime with this id, if the calling thread has it in its cache.
#[inline]
fn cached(id: u64) -> Option<&'static RuntimeState> {
    let found = FOUND.get();
    let is_valid = found.id == id && found.changes == MAP_CHANGES.load(Ordering::Acquire);
    found.state.filter(|_| is_valid)
}

/// The states of all runtimes that have one of their own.
pub(crate) fn all() -> Vec<&'static RuntimeState> {
    registry().states.clone()
}

/// Registers a new runtime.
pub(crate) fn register(name: String, is_hooked: bool) -> &'static RuntimeState {
    announce_tracer();
    let _registering = registering();
    add(name, is_hooked)
}

/// Has the recorder sample counters, and traces say what this build sees.
fn announce_tracer() {
    counters::register_sampler();
    capabilities::announce();
}

/// Adds a state, for a caller that holds `REGISTERING`.
fn add(name: String, is_hooked: bool) -> &'static RuntimeState {
    let make = |name| &*Box::leak(Box::new(RuntimeState::new(name, is_hooked)));
    if registry().states.len() >= MAX_RUNTIMES {
        return OTHERS[usize::from(is_hooked)].get_or_init(|| make("others".to_owned()));
    }
    let state = make(name);
    registry().states.push(state);
    capabilities::announce_runtimes();
    state
}

/// The state that stands for the runtime of a future that was wrapped outside of any runtime.
pub(crate) fn nowhere() -> &'static RuntimeState {
    static NOWHERE: OnceLock<&'static RuntimeState> = OnceLock::new();
    NOWHERE.get_or_init(|| register("tokio".to_owned(), false))
}

/// Returns the state of this runtime, which is registered if it is new.
///
/// Takes 1 ns for the runtime that the thread asked for last, and 5 ns for another one while no other thread takes
/// the lock.
#[inline]
pub(crate) fn of(handle: &Handle) -> &'static RuntimeState {
    let id = ids::of_runtime(handle.id());
    cached(id).unwrap_or_else(|| find_or_register(handle, id))
}

#[inline(never)]
fn find_or_register(handle: &Handle, id: u64) -> &'static RuntimeState {
    {
        let registry = registry();
        if let Some(&state) = registry.by_id.get(&id) {
            cache(id, state);
            return state;
        }
    }
    register_unknown(handle, id)
}

/// Identifies or registers a runtime in which no hook has run yet, or which has none of the tracer's.
#[cold]
fn register_unknown(handle: &Handle, id: u64) -> &'static RuntimeState {
    announce_tracer();
    let _registering = registering();
    // Another thread may have registered it meanwhile.
    if let Some(&state) = registry().by_id.get(&id) {
        return state;
    }
    // `BuilderExt::exectrace` gives the builder the runtime's name.
    let name = handle.name();
    let unidentified = name.map_or(Vec::new(), |name| registry().unidentified(name));
    let state = match unidentified[..] {
        [] => add(name.unwrap_or("tokio").to_owned(), false),
        [state] => state,
        // Which of them it is becomes known when one of its own hooks runs. Until then the first stands for
        // it: they have the same name and the same hooks.
        [first, ..] => return first,
    };
    registry().identify(id, state);
    state
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
                .all(|state| all().iter().any(|known| std::ptr::eq(*known, *state)))
        );
        assert_eq!(all().iter().filter(|state| state.name == "twin").count(), 2);
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

    #[test]
    fn naming_a_runtime_again_lets_all_threads_keep_what_they_have_cached() {
        let leaked = |name: &str| &*Box::leak(Box::new(RuntimeState::new(name.to_owned(), true)));
        let (one, other) = (leaked("one"), leaked("other"));
        let (first, second) = (u64::MAX - 1, u64::MAX);
        // No other test changes the map while this one has its lock.
        let mut registry = registry();
        registry.identify(first, one);
        registry.identify(second, other);
        let changes = MAP_CHANGES.load(Ordering::Relaxed);
        for _ in 0..3 {
            registry.identify(first, one);
            registry.identify(second, other);
        }
        assert_eq!(MAP_CHANGES.load(Ordering::Relaxed), changes);
        assert!(cached(second).is_some_and(|state| std::ptr::eq(state, other)));
    }
}
