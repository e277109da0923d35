//! The live tasks: async tasks that were spawned and have not ended, for recordings that start in the
//! middle of things.
//!
//! Spawns and ends keep the table up also while nothing records: a task that sleeps through the whole of
//! a recording makes no record in it. The table is two arrays of slots, a small one that stays in the
//! processor's cache and a large one behind it. A task's position in each is its number's lowest bits
//! or a little further on; tasks are numbered in turn, so that as many tasks as an array has slots
//! nearly always find one at once. A task that finds none goes to a map behind a lock.
//!
//! A task that is spawned into a runtime while that shuts down may end before its spawn is reported, on
//! another thread or on the same. Then its end finds nothing to remove, and leaves a note, which the
//! insertion looks for. Should both just miss each other, the next recording finds the note.

mod slot;

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::enabled::lock;
use crate::process;
use crate::runtime::{AsyncTaskId, AsyncTaskKind, Runtime};

use slot::{TaskSlot, WORDS};

/// An async task that was spawned and has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveTask {
    pub(crate) runtime: Runtime,
    pub(crate) task: AsyncTaskId,
    pub(crate) kind: AsyncTaskKind,
    /// Where it was spawned.
    pub(crate) place: &'static Location<'static>,
    /// What the program called it.
    pub(crate) name: Option<&'static str>,
}

static IS_KEPT: AtomicBool = AtomicBool::new(true);

/// 256 KiB.
static NEAR: [TaskSlot; 1 << 13] = [const { TaskSlot::new() }; 1 << 13];

/// 8 MiB, of which the system gives what is touched.
static FAR: [TaskSlot; 1 << 18] = [const { TaskSlot::new() }; 1 << 18];

/// Slots of a table that a task is put in or looked for.
const PROBES: usize = 4;

/// How many tasks found no slot, for a look without the lock at [`Process::overflow`](process::Process).
/// In a forked child, which has forgotten those of its parent, they may be fewer.
static OVERFLOWN: AtomicUsize = AtomicUsize::new(0);

/// Tasks whose end found nothing to remove, by their lowest bits: those that ended before they
/// were inserted, and many that never are.
static NOTES: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];

/// Whether tasks that are spawned from now on are kept as live tasks; they are, if this is never called.
///
/// Keeping them costs some 20 ns a task, also while nothing records. Without it, a recording shows the
/// tasks that were alive at its start from their first poll on.
pub fn keep_live_tasks(keep: bool) {
    // Relaxed, here and below: the flag guards no memory.
    IS_KEPT.store(keep, Ordering::Relaxed);
}

/// Whether tasks that are spawned now are kept as live tasks.
#[inline]
#[must_use]
pub fn keeps_live_tasks() -> bool {
    IS_KEPT.load(Ordering::Relaxed)
}

/// Inserts a task. Returns whether its end was noted before: then it is not in the table.
///
/// Costs some ten nanoseconds; past 270,000 live tasks, a lock.
#[inline]
pub(crate) fn insert(live: &LiveTask) -> bool {
    if !keeps_live_tasks() {
        return false;
    }
    let (task, words) = (live.task.get(), words_of(live));
    let is_inserted = slots_of(task).any(|slot| slot.fill(task, words));
    if !is_inserted {
        lock(overflow()).insert(task, *live);
        OVERFLOWN.fetch_add(1, Ordering::Relaxed);
    }
    let is_over = is_noted(live.task);
    if is_over {
        remove(live.task);
    }
    is_over
}

/// Removes a task that has ended. Returns `false` if it was not in the table.
#[inline]
pub(crate) fn remove(task: AsyncTaskId) -> bool {
    let task = task.get();
    slots_of(task).any(|slot| slot.free(task)) || remove_from_overflow(task)
}

fn overflow() -> &'static Mutex<HashMap<u64, LiveTask>> {
    &process::current().overflow
}

fn remove_from_overflow(task: u64) -> bool {
    if OVERFLOWN.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let removed = lock(overflow()).remove(&task);
    if removed.is_some() {
        OVERFLOWN.fetch_sub(1, Ordering::Relaxed);
    }
    removed.is_some()
}

/// As [`remove`], for a task that may be inserted later: its end is noted then. Returns `true` for every task
/// while none are kept.
#[inline]
pub(crate) fn remove_or_note(task: AsyncTaskId) -> bool {
    let was_live = remove(task);
    if !was_live {
        note_of(task).store(task.get(), Ordering::Release);
    }
    was_live || !keeps_live_tasks()
}

/// Whether the end of a task was noted.
#[inline]
fn is_noted(task: AsyncTaskId) -> bool {
    note_of(task).load(Ordering::Acquire) == task.get()
}

/// Whether a task is in the table; `true` for every task while none are kept.
pub(crate) fn has(task: AsyncTaskId) -> bool {
    is_in_table(task) || !keeps_live_tasks()
}

fn is_in_table(task: AsyncTaskId) -> bool {
    let number = task.get();
    let overflows =
        || OVERFLOWN.load(Ordering::Relaxed) > 0 && lock(overflow()).contains_key(&number);
    slots_of(number).any(|slot| slot.is(number)) || overflows()
}

/// Gives all live tasks to `f`. Of those that are inserted or removed meanwhile it may miss some, and
/// give some that have just ended.
pub(crate) fn for_each(f: &mut dyn FnMut(LiveTask)) {
    let mut give = |live: LiveTask| match is_noted(live.task) {
        true => drop(remove(live.task)),
        false => f(live),
    };
    for slot in NEAR.iter().chain(&FAR) {
        if let Some((task, words)) = slot.read() {
            give(task_of(task, words));
        }
    }
    let tasks: Vec<_> = lock(overflow()).values().copied().collect();
    tasks.into_iter().for_each(give);
}

fn note_of(task: AsyncTaskId) -> &'static AtomicU64 {
    &NOTES[task.get() as usize % NOTES.len()]
}

#[inline]
fn slots_of(task: u64) -> impl Iterator<Item = &'static TaskSlot> {
    let start = task as usize;
    let probes = start..start.wrapping_add(PROBES);
    let near = probes.clone().map(|at| &NEAR[at % NEAR.len()]);
    near.chain(probes.map(|at| &FAR[at % FAR.len()]))
}

/// Bits of an address, in a word that holds a text's length above it.
const ADDRESS_BITS: u32 = 48;

/// What is kept of a task: its place's address; its name's address and, above it, length; and the
/// rest, which is the kind (8 bits) and the runtime (16).
///
/// Each word has a meaning by itself, so that words of several tasks, in any mixture, are still of
/// places and texts that exist. A name that does not fit its word is left out: one of 64 KiB, or at an
/// address that no program of today's systems has.
#[inline]
fn words_of(live: &LiveTask) -> [u64; WORDS] {
    let name = live.name.unwrap_or("");
    let (address, length) = (name.as_ptr().expose_provenance() as u64, name.len() as u64);
    let fits = address >> ADDRESS_BITS == 0 && length >> (u64::BITS - ADDRESS_BITS) == 0;
    let (kind, runtime) = (live.kind as u64, u64::from(live.runtime.number()));
    [
        std::ptr::from_ref(live.place).expose_provenance() as u64,
        if fits {
            address | length << ADDRESS_BITS
        } else {
            0
        },
        kind | runtime << 8,
    ]
}

/// A task of words that [`words_of`] made, all of the same task or not.
fn task_of(task: u64, [place, name, rest]: [u64; WORDS]) -> LiveTask {
    let place = std::ptr::with_exposed_provenance::<Location<'static>>(place as usize);
    LiveTask {
        runtime: Runtime::of_number((rest >> 8) as u16),
        task: AsyncTaskId::of_number(task),
        kind: AsyncTaskKind::of_number(rest & 0xff),
        // SAFETY: rule 4 of the slots: the word was stored whole by `words_of`, which took it from a
        // `&'static Location` and exposed its provenance.
        place: unsafe { &*place },
        name: name_of(name),
    }
}

fn name_of(word: u64) -> Option<&'static str> {
    let length = (word >> ADDRESS_BITS) as usize;
    if length == 0 {
        return None;
    }
    let address = word & ((1 << ADDRESS_BITS) - 1);
    let address = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: rule 4 of the slots: address and length are one word, which `words_of` took from one
    // `&'static str`, and exposed its provenance.
    let name = unsafe { std::slice::from_raw_parts(address, length) };
    std::str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks with these numbers; other tests of the process have others.
    fn live(number: u64) -> LiveTask {
        LiveTask {
            runtime: Runtime::of_number(7),
            task: AsyncTaskId::of_runtime(number),
            kind: AsyncTaskKind::Root,
            place: Location::caller(),
            name: number.is_multiple_of(2).then_some("even"),
        }
    }

    #[test]
    fn tasks_are_found_from_their_insertion_to_their_removal_also_where_they_share_a_slot() {
        const FIRST: u64 = 1 << 50;
        // So far apart that all want the same slots of both tables: most overflow.
        let numbers = || (0..100).map(|step| FIRST + (step << 18) + step % 2);
        let all = || {
            let mut found = Vec::new();
            for_each(&mut |live| {
                if live.task.get() >= FIRST {
                    found.push(live);
                }
            });
            found.sort_unstable_by_key(|live| live.task);
            found
        };
        for number in numbers() {
            assert!(!insert(&live(number)));
        }
        let found = all();
        assert_eq!(found.len(), 100);
        for (found, number) in found.iter().zip(numbers()) {
            let inserted = live(number);
            assert_eq!(found.task, inserted.task);
            assert_eq!(found.runtime, inserted.runtime);
            assert_eq!(found.kind, inserted.kind);
            assert_eq!(found.name, inserted.name);
            assert_eq!(found.place.file(), inserted.place.file());
            assert!(is_in_table(found.task));
        }
        for number in numbers() {
            let task = AsyncTaskId::of_runtime(number);
            assert!(
                remove(task) && !remove(task) && !is_in_table(task),
                "{number}"
            );
        }
        assert!(all().is_empty());
    }

    #[test]
    fn words_of_two_tasks_in_any_mixture_are_a_task_with_the_name_of_one_of_them() {
        let names = [None, Some("s"), Some("a name that is longer")];
        let tasks = names.map(|name| LiveTask { name, ..live(1) });
        let all = tasks.map(|task| words_of(&task));
        for mixture in 0..3_usize.pow(WORDS as u32) {
            let words = std::array::from_fn(|at| all[mixture / 3_usize.pow(at as u32) % 3][at]);
            let found = task_of(1, words);
            assert!(names.contains(&found.name), "{:?}", found.name);
            assert_eq!(found.place.file(), file!());
        }
    }

    #[test]
    fn a_name_too_long_for_a_slot_is_left_out() {
        let long: &'static str = "n".repeat(1 << 16).leak();
        let named = |name| {
            words_of(&LiveTask {
                name: Some(name),
                ..live(1)
            })
        };
        assert_eq!(task_of(1, named(long)).name, None);
        let longest = &long[1..];
        assert_eq!(task_of(1, named(longest)).name, Some(longest));
    }

    #[test]
    fn a_task_whose_end_came_before_its_insertion_is_not_inserted() {
        let early = live(1 << 49);
        assert!(!remove_or_note(early.task));
        assert!(insert(&early));
        let mut found = false;
        for_each(&mut |live| found |= live.task == early.task);
        assert!(!found && !is_in_table(early.task));
    }
}
