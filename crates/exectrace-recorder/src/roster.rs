//! The async tasks alive, for recordings that start in the middle of things.
//!
//! Kept up at spawn and end, also while nothing records: a task that sleeps through the whole of a
//! recording is seen by nothing else. The roster is two tables of slots, a small one that stays in the
//! processor's cache and a large one behind it. A task's position in each is its number's lowest bits
//! or a little further on; tasks are numbered in turn, so that as many tasks as a table has slots
//! nearly always find one at once. A task that finds none goes to a map behind a lock.
//!
//! A task that is spawned into a runtime while that shuts down may end before its spawn is told, on
//! another thread or on the same. Then its end finds nothing to remove, and leaves a note, which the
//! spawn looks for. Should both just miss each other, the next recording finds the note.

mod slot;

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::process;
use crate::schedule::{AliveTask, AsyncTaskId, AsyncTaskKind, Runtime};
use crate::switch::lock;

use slot::{Slot, WORDS};

/// 256 KiB.
static NEAR: [Slot; 1 << 13] = [const { Slot::new() }; 1 << 13];

/// 8 MiB, of which the system gives what is touched.
static FAR: [Slot; 1 << 18] = [const { Slot::new() }; 1 << 18];

/// Slots of a table that a task is put in or looked for.
const PROBES: usize = 4;

/// How many tasks found no slot, for a look without the lock at [`Process::overflow`](process::Process).
/// In a forked child, which has forgotten those of its parent, they may be fewer.
static OVERFLOWN: AtomicUsize = AtomicUsize::new(0);

/// Tasks whose end found nothing to remove, by their lowest bits: those that ended before they
/// entered, and many that never do.
static NOTES: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];

/// Enters a task. Costs some ten nanoseconds; past 270,000 tasks alive, a lock.
#[inline]
pub fn enter(alive: &AliveTask) {
    let (task, words) = (alive.task.get(), words_of(alive));
    let is_entered = slots_of(task).any(|slot| slot.fill(task, words));
    if !is_entered {
        lock(overflow()).insert(task, *alive);
        OVERFLOWN.fetch_add(1, Ordering::Relaxed);
    }
}

/// Removes a task that has ended. False if it never entered, or was removed.
#[inline]
pub fn leave(task: AsyncTaskId) -> bool {
    let task = task.get();
    slots_of(task).any(|slot| slot.free(task)) || leave_overflow(task)
}

fn overflow() -> &'static Mutex<HashMap<u64, AliveTask>> {
    &process::current().overflow
}

fn leave_overflow(task: u64) -> bool {
    if OVERFLOWN.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let removed = lock(overflow()).remove(&task);
    if removed.is_some() {
        OVERFLOWN.fetch_sub(1, Ordering::Relaxed);
    }
    removed.is_some()
}

/// As [`leave`], for a task that may not have entered yet: its end is noted then.
#[inline]
pub fn leave_or_note(task: AsyncTaskId) -> bool {
    let has_left = leave(task);
    if !has_left {
        note_of(task).store(task.get(), Ordering::Release);
    }
    has_left
}

/// Whether the end of a task was noted.
#[inline]
#[must_use]
pub fn is_noted(task: AsyncTaskId) -> bool {
    note_of(task).load(Ordering::Acquire) == task.get()
}

/// Whether a task has entered and not left.
#[must_use]
pub fn has(task: AsyncTaskId) -> bool {
    let number = task.get();
    let overflows =
        || OVERFLOWN.load(Ordering::Relaxed) > 0 && lock(overflow()).contains_key(&number);
    slots_of(number).any(|slot| slot.is(number)) || overflows()
}

/// Tells all tasks. Misses some and tells some too many of those that enter or leave meanwhile.
pub(crate) fn tell(f: &mut dyn FnMut(AliveTask)) {
    let mut tell_one = |alive: AliveTask| match is_noted(alive.task) {
        true => drop(leave(alive.task)),
        false => f(alive),
    };
    for slot in NEAR.iter().chain(&FAR) {
        if let Some((task, words)) = slot.read() {
            tell_one(task_of(task, words));
        }
    }
    let tasks: Vec<_> = lock(overflow()).values().copied().collect();
    tasks.into_iter().for_each(tell_one);
}

fn note_of(task: AsyncTaskId) -> &'static AtomicU64 {
    &NOTES[task.get() as usize % NOTES.len()]
}

#[inline]
fn slots_of(task: u64) -> impl Iterator<Item = &'static Slot> {
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
fn words_of(alive: &AliveTask) -> [u64; WORDS] {
    let name = alive.name.unwrap_or("");
    let (address, length) = (name.as_ptr().expose_provenance() as u64, name.len() as u64);
    let fits = address >> ADDRESS_BITS == 0 && length >> (u64::BITS - ADDRESS_BITS) == 0;
    let (kind, runtime) = (alive.kind as u64, u64::from(alive.runtime.number()));
    [
        std::ptr::from_ref(alive.place).expose_provenance() as u64,
        if fits {
            address | length << ADDRESS_BITS
        } else {
            0
        },
        kind | runtime << 8,
    ]
}

/// A task of words that [`words_of`] made, all of the same task or not.
fn task_of(task: u64, [place, name, rest]: [u64; WORDS]) -> AliveTask {
    let place = std::ptr::with_exposed_provenance::<Location<'static>>(place as usize);
    AliveTask {
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
    fn alive(number: u64) -> AliveTask {
        AliveTask {
            runtime: Runtime::of_number(7),
            task: AsyncTaskId::of_runtime(number),
            kind: AsyncTaskKind::Root,
            place: Location::caller(),
            name: number.is_multiple_of(2).then_some("even"),
        }
    }

    #[test]
    fn tasks_are_told_from_when_they_enter_until_they_leave_also_where_they_have_one_slot() {
        const FIRST: u64 = 1 << 50;
        // So far apart that all want the same slots of both tables: most overflow.
        let numbers = || (0..100).map(|step| FIRST + (step << 18) + step % 2);
        let told = || {
            let mut told = Vec::new();
            tell(&mut |alive| {
                if alive.task.get() >= FIRST {
                    told.push(alive);
                }
            });
            told.sort_unstable_by_key(|alive| alive.task);
            told
        };
        numbers().for_each(|number| enter(&alive(number)));
        let found = told();
        assert_eq!(found.len(), 100);
        for (found, number) in found.iter().zip(numbers()) {
            let entered = alive(number);
            assert_eq!(found.task, entered.task);
            assert_eq!(found.runtime, entered.runtime);
            assert_eq!(found.kind, entered.kind);
            assert_eq!(found.name, entered.name);
            assert_eq!(found.place.file(), entered.place.file());
            assert!(has(found.task));
        }
        for number in numbers() {
            let task = AsyncTaskId::of_runtime(number);
            assert!(leave(task) && !leave(task) && !has(task), "{number}");
        }
        assert!(told().is_empty());
    }

    #[test]
    fn words_of_two_tasks_in_any_mixture_are_a_task_with_the_name_of_one_of_them() {
        let names = [None, Some("s"), Some("a name that is longer")];
        let tasks = names.map(|name| AliveTask { name, ..alive(1) });
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
            words_of(&AliveTask {
                name: Some(name),
                ..alive(1)
            })
        };
        assert_eq!(task_of(1, named(long)).name, None);
        let longest = &long[1..];
        assert_eq!(task_of(1, named(longest)).name, Some(longest));
    }

    #[test]
    fn a_task_whose_end_came_before_it_entered_is_not_told() {
        let early = alive(1 << 49);
        assert!(!leave_or_note(early.task));
        assert!(is_noted(early.task));
        enter(&early);
        let mut told = false;
        tell(&mut |alive| told |= alive.task == early.task);
        assert!(!told && !has(early.task));
    }
}
