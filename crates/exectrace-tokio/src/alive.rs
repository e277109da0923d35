//! The registry of tasks alive, for recordings that start in the middle of things.
//!
//! Kept up at spawn and end, also while nothing records: a task that sleeps through the whole of a
//! recording is seen by nothing else. What is known of a task is in a sharded slab. That gives out a
//! key for each, and cannot be walked; beside it, an index of the tasks' numbers has the keys, finds
//! a task by its number, as hooks know no more of it than that, and can be walked.
//!
//! The index is a table of two words an entry, whose position is the number's lowest bits or a little
//! further on. Tasks are numbered in turn, so that as many tasks as the table has places nearly
//! always find one at once. A task that finds none goes to a map behind a lock.
//!
//! A task that is spawned into a runtime while that shuts down may end before the hook on its spawn
//! runs, on another thread or on the same. Then its end finds nothing to remove, and leaves a note,
//! which the hook on the spawn looks for. Should both just miss each other, the next census finds the
//! note.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use exectrace_recorder::{AliveTask, AsyncTaskId, set_census};
use sharded_slab::{Config, Slab};

/// Places of the index: 4 MiB, of which the system gives what is touched.
const PLACES: usize = 1 << 18;

/// Places that a task is put in or looked for.
const PROBES: usize = 8;

struct Place {
    /// The task's number; 0 if the place is free.
    task: AtomicU64,
    /// Its key in the slab plus one; 0 if it is not known yet.
    key: AtomicUsize,
}

static INDEX: [Place; PLACES] = [const {
    Place {
        task: AtomicU64::new(0),
        key: AtomicUsize::new(0),
    }
}; PLACES];

static SLAB: LazyLock<Slab<AliveTask, ManyThreads>> =
    LazyLock::new(Slab::new_with_config::<ManyThreads>);

/// Tasks that found no place in the index.
static OVERFLOW: Mutex<Option<HashMap<u64, usize>>> = Mutex::new(None);

/// How many they are, for a look without the lock.
static OVERFLOWN: AtomicUsize = AtomicUsize::new(0);

/// Tasks whose end found nothing to remove, by their lowest bits: those that ended before they were
/// registered, and many that never are.
static NOTES: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];

static IS_KEPT: AtomicBool = AtomicBool::new(true);

/// A slab for programs of very many threads: the default panics at the 4,097th.
struct ManyThreads;

impl Config for ManyThreads {
    const MAX_THREADS: usize = 1 << 15;
    const MAX_PAGES: usize = 24;
}

/// Whether tasks spawned from now on are registered.
pub(crate) fn set_kept(is_kept: bool) {
    IS_KEPT.store(is_kept, Ordering::Relaxed);
}

/// Whether tasks are registered.
pub(crate) fn is_kept() -> bool {
    IS_KEPT.load(Ordering::Relaxed)
}

/// Registers a task, if that is wanted.
#[inline]
pub(crate) fn insert(task: AliveTask) {
    if is_kept()
        && let Some(key) = SLAB.insert(task)
    {
        index(task.task.get(), key);
    }
}

#[inline]
fn index(task: u64, key: usize) {
    for place in places_of(task) {
        let free = place.task.load(Ordering::Relaxed) == 0;
        // Relaxed: who looks a task up has got its number from the one who put it here, or checks
        // what it finds in the slab.
        let claim = || {
            let (old, new) = (Ordering::Relaxed, Ordering::Relaxed);
            place.task.compare_exchange(0, task, old, new).is_ok()
        };
        if free && claim() {
            place.key.store(key + 1, Ordering::Release);
            return;
        }
    }
    let mut overflow = overflow();
    overflow.get_or_insert_default().insert(task, key);
    OVERFLOWN.fetch_add(1, Ordering::Relaxed);
}

/// Removes a task that has ended. False if it was not registered.
#[inline]
pub(crate) fn remove(task: AsyncTaskId) -> bool {
    let task = task.get();
    let is_it = |place: &&Place| place.task.load(Ordering::Relaxed) == task;
    let found = places_of(task).find(is_it);
    let key = match found {
        Some(place) => match place.key.load(Ordering::Acquire) {
            // It is being registered at this moment.
            0 => return false,
            key => {
                place.key.store(0, Ordering::Relaxed);
                place.task.store(0, Ordering::Release);
                key - 1
            }
        },
        None if OVERFLOWN.load(Ordering::Relaxed) > 0 => {
            let removed = overflow().as_mut().and_then(|tasks| tasks.remove(&task));
            let Some(key) = removed else {
                return false;
            };
            OVERFLOWN.fetch_sub(1, Ordering::Relaxed);
            key
        }
        None => return false,
    };
    SLAB.remove(key)
}

/// As [`remove`], for a task whose spawn may not have been seen yet. Notes it then.
#[cfg(tokio_unstable)]
pub(crate) fn remove_or_note(task: AsyncTaskId) -> bool {
    let is_removed = remove(task);
    if !is_removed {
        note_of(task.get()).store(task.get(), Ordering::Release);
    }
    is_removed
}

/// Whether the end of a task was noted.
#[inline]
pub(crate) fn has_note(task: AsyncTaskId) -> bool {
    note_of(task.get()).load(Ordering::Acquire) == task.get()
}

fn note_of(task: u64) -> &'static AtomicU64 {
    &NOTES[task as usize % NOTES.len()]
}

/// Whether a task is registered.
pub(crate) fn contains(task: AsyncTaskId) -> bool {
    let task = task.get();
    places_of(task).any(|place| place.task.load(Ordering::Relaxed) == task)
        || OVERFLOWN.load(Ordering::Relaxed) > 0
            && overflow()
                .as_ref()
                .is_some_and(|tasks| tasks.contains_key(&task))
}

fn places_of(task: u64) -> impl Iterator<Item = &'static Place> {
    let start = task as usize;
    (start..start.wrapping_add(PROBES)).map(|at| &INDEX[at % PLACES])
}

fn overflow() -> MutexGuard<'static, Option<HashMap<u64, usize>>> {
    OVERFLOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells every task registered.
fn tell(f: &mut dyn FnMut(AliveTask)) {
    let mut tell_one = |task: u64, key: usize| {
        // A task may end, and its place be another's, at any moment.
        if let Some(alive) = SLAB.get(key).map(|entry| *entry)
            && alive.task.get() == task
        {
            match has_note(alive.task) {
                true => drop(remove(alive.task)),
                false => f(alive),
            }
        }
    };
    for place in &INDEX {
        let task = place.task.load(Ordering::Relaxed);
        if task != 0
            && let Some(key) = place.key.load(Ordering::Acquire).checked_sub(1)
        {
            tell_one(task, key);
        }
    }
    let overflow: Vec<_> = match overflow().as_ref() {
        Some(tasks) => tasks.iter().map(|(&task, &key)| (task, key)).collect(),
        None => Vec::new(),
    };
    for (task, key) in overflow {
        tell_one(task, key);
    }
}

/// Has the recorder ask here which tasks are alive.
pub(crate) fn answer_census() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_census(tell));
}
