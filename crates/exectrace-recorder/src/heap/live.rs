//! The sampled allocations that are alive, by their addresses: a free has to know whether it frees one.
//!
//! Nearly no free does. So a byte of a filter, which the address chooses, says how many sampled allocations of such
//! addresses there are: if it is 0, which is one load, the free goes on. Otherwise the address is looked for in a
//! table of sets of eight.
//!
//! # Protocol
//!
//! 1. The places are handed over as `place` says. A set with a place that has ended is marked after that, with
//!    Release; the flush thread looks at marked sets, with Acquire.
//! 2. Who has changed a key from an address counts it out of the filter, once. So the filter never says that there are
//!    none where there is one. A count that has reached the greatest number stays there.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use super::place::{About, FREE, Place};

/// Places of a set: their keys are a cache line.
const WAYS: usize = 8;
/// Sets of the table.
const SETS: usize = 1 << 13;
/// Most sampled allocations that are followed at a time, at the usual 512 KiB those of 32 GiB. The table takes
/// 1.5 MiB of address space; the system provides memory for as much of it as is used.
#[cfg(test)]
const MAX_LIVE_SAMPLES: usize = SETS * WAYS;
/// Bytes of the filter: a program with 1 GiB in use has 2,048 samples, and asks the table for one free in sixteen.
const FILTER_BYTES: usize = 1 << 15;

#[repr(align(64))]
struct Keys([AtomicUsize; WAYS]);

/// See the module.
pub(super) struct Table {
    keys: [Keys; SETS],
    about: [About; SETS * WAYS],
    /// Sets in which an allocation was freed: a bit for each.
    marked: [AtomicU64; SETS / 64],
    filter: [AtomicU8; FILTER_BYTES],
}

/// The one of the process.
pub(super) static LIVE: Table = Table::new();

/// The place of an address, which is held.
pub(super) struct Held {
    table: &'static Table,
    place: usize,
    address: usize,
}

/// The two sets in which an address may be.
fn sets(address: usize) -> [usize; 2] {
    // The golden ratio's fraction in 64 bits, as elsewhere.
    let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [(hash >> 51) as usize % SETS, (hash >> 32) as usize % SETS]
}

/// The places of a set.
fn places(set: usize) -> impl Iterator<Item = usize> {
    set * WAYS..(set + 1) * WAYS
}

impl Table {
    const fn new() -> Self {
        Self {
            keys: [const { Keys([const { AtomicUsize::new(FREE) }; WAYS]) }; SETS],
            about: [const { About::new() }; SETS * WAYS],
            marked: [const { AtomicU64::new(0) }; SETS / 64],
            filter: [const { AtomicU8::new(0) }; FILTER_BYTES],
        }
    }

    /// The byte of the filter for an address. Addresses near each other have bytes near each other, as they are often
    /// freed together; those of large allocations, which differ in higher bits only, are spread.
    #[inline(always)]
    fn filter(&self, address: usize) -> &AtomicU8 {
        &self.filter[(address >> 4 ^ address >> 19) % FILTER_BYTES]
    }

    fn place(&self, number: usize) -> Place<'_> {
        Place {
            key: &self.keys[number / WAYS].0[number % WAYS],
            about: &self.about[number],
        }
    }

    /// How many places of a set are free.
    fn room(&self, set: usize) -> usize {
        places(set)
            .filter(|&number| self.place(number).is_free())
            .count()
    }

    /// Whether there may be a sampled allocation at an address.
    #[inline(always)]
    pub(super) fn may_have(&self, address: usize) -> bool {
        // Relaxed: rule 1 of `place`, and rule 2 here.
        self.filter(address).load(Ordering::Relaxed) != 0
    }

    /// Follows an allocation that was sampled. `false` if there is no place for it.
    pub(super) fn insert(&'static self, address: usize, sample: u64) -> bool {
        if let Some(held) = self.hold(address) {
            // Another was there that was freed while nothing recorded.
            held.end(0);
        }
        // Into the one with more room, so that hardly a set is full before nearly all are.
        let mut sets = sets(address);
        if self.room(sets[0]) < self.room(sets[1]) {
            sets.swap(0, 1);
        }
        let is_followed = sets
            .into_iter()
            .flat_map(places)
            .any(|number| self.place(number).take(address, sample));
        if is_followed {
            self.count(address, |count| count.checked_add(1));
        }
        is_followed
    }

    /// Takes the place of an address that is about to be freed, if there is one.
    #[cold]
    #[inline(never)]
    pub(super) fn hold(&'static self, address: usize) -> Option<Held> {
        let place = sets(address)
            .into_iter()
            .flat_map(places)
            .find(|&number| self.place(number).hold(address))?;
        Some(Held {
            table: self,
            place,
            address,
        })
    }

    /// Changes the filter's count for an address.
    fn count(&self, address: usize, change: impl Fn(u8) -> Option<u8>) {
        let changed = |count| match count {
            u8::MAX => None,
            count => change(count),
        };
        // Relaxed: rule 1 of `place`, and rule 2 here.
        let _ = self
            .filter(address)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }

    /// Flush thread: gives number and ticks of each allocation that was freed to `f`.
    pub(super) fn take_ended(&self, mut f: impl FnMut(u64, u64)) {
        for (word, marked) in self.marked.iter().enumerate() {
            if marked.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // Acquire: rule 1.
            let mut bits = marked.swap(0, Ordering::Acquire);
            while bits != 0 {
                let set = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                for number in places(set) {
                    if let Some((sample, ticks)) = self.place(number).take_ended() {
                        f(sample, ticks);
                    }
                }
            }
        }
    }

    /// Flush thread, while nothing records: follows none of them any longer.
    pub(super) fn clear(&'static self) {
        self.take_ended(|_, _| ());
        for place in 0..SETS * WAYS {
            if let Some(address) = self.place(place).address()
                && self.place(place).hold(address)
            {
                let held = Held {
                    table: self,
                    place,
                    address,
                };
                held.forget();
            }
        }
    }
}

impl Held {
    fn place(&self) -> Place<'static> {
        self.table.place(self.place)
    }

    fn count_out(&self) {
        self.table.count(self.address, |count| count.checked_sub(1));
    }

    /// The number of the sample.
    pub(super) fn number(&self) -> u64 {
        self.place().number()
    }

    /// The allocation was freed at these ticks.
    pub(super) fn end(self, ticks: u64) {
        self.count_out();
        self.place().end(ticks);
        let set = self.place / WAYS;
        // Release: rule 1.
        self.table.marked[set / 64].fetch_or(1 << (set % 64), Ordering::Release);
    }

    /// It was not freed.
    pub(super) fn give_back(self) {
        self.place().give_back(self.address);
    }

    /// It is not to be followed, and nothing is to be said of it.
    pub(super) fn forget(self) {
        self.count_out();
        self.place().forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each test has a table of its own, as the flush thread of other tests empties that of the process.
    macro_rules! table {
        () => {{
            static TABLE: Table = Table::new();
            &TABLE
        }};
    }

    fn ended(table: &Table) -> Vec<(u64, u64)> {
        let mut ended = Vec::new();
        table.take_ended(|number, ticks| ended.push((number, ticks)));
        ended.sort_unstable();
        ended
    }

    /// Addresses as allocators give them out: small and near, and large.
    fn address(index: usize) -> usize {
        match index % 2 {
            0 => 0x5555_0000_0010 + index * 48,
            _ => 0x7f00_0000_0010 + (index << 20),
        }
    }

    #[test]
    fn what_was_inserted_is_found_once_and_comes_out_with_its_number() {
        let table = table!();
        for index in 0..1_000 {
            assert!(table.insert(address(index), index as u64));
        }
        assert!(table.may_have(address(7)));
        assert_eq!(ended(table), []);
        let held = table.hold(address(7)).expect("inserted");
        assert!(table.hold(address(7)).is_none());
        held.give_back();
        table.hold(address(7)).expect("given back").end(70);
        table.hold(address(9)).expect("inserted").forget();
        assert_eq!(ended(table), [(7, 70)]);
        assert!(table.hold(address(7)).is_none() && table.hold(address(9)).is_none());
        table.clear();
        assert!((0..1_000).all(|index| table.hold(address(index)).is_none()));
        assert!(
            table
                .filter
                .iter()
                .all(|count| count.load(Ordering::Relaxed) == 0)
        );
    }

    #[test]
    fn an_address_that_comes_again_stands_for_the_later_sample() {
        let table = table!();
        assert!(table.insert(address(1), 1) && table.insert(address(1), 2));
        table.hold(address(1)).expect("inserted").end(5);
        assert_eq!(ended(table), [(1, 0), (2, 5)]);
    }

    #[test]
    fn a_table_takes_most_of_what_it_has_places_for_and_refuses_the_rest() {
        let table = table!();
        let inserted = (0..2 * MAX_LIVE_SAMPLES).filter(|&index| table.insert(address(index), 1));
        let inserted = inserted.count();
        assert!(
            (MAX_LIVE_SAMPLES * 9 / 10..=MAX_LIVE_SAMPLES).contains(&inserted),
            "{inserted}"
        );
        let found = (0..2 * MAX_LIVE_SAMPLES).filter(|&index| {
            let is_there = table.may_have(address(index));
            table.hold(address(index)).is_some_and(|held| {
                held.forget();
                is_there
            })
        });
        assert_eq!(found.count(), inserted);
    }

    #[test]
    fn a_table_that_is_half_full_refuses_nothing() {
        let table = table!();
        assert!((0..MAX_LIVE_SAMPLES / 2).all(|index| table.insert(address(index), 1)));
    }

    #[test]
    fn threads_that_free_what_others_have_inserted_lose_none() {
        const THREADS: usize = 4;
        const EACH: usize = 5_000;
        let table = table!();
        let (give, take): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| std::sync::mpsc::channel()).unzip();
        let mut seen = std::thread::scope(|scope| {
            for (thread, take) in take.into_iter().enumerate() {
                let give = give[(thread + 1) % THREADS].clone();
                scope.spawn(move || {
                    for index in 0..EACH {
                        let index = thread * EACH + index;
                        assert!(table.insert(address(index), index as u64));
                        give.send(index).unwrap();
                    }
                    drop(give);
                    for index in take {
                        table.hold(address(index)).expect("inserted").end(1);
                    }
                });
            }
            drop(give);
            // Meanwhile and, below, afterwards.
            let mut seen = Vec::new();
            for _ in 0..100 {
                table.take_ended(|number, _| seen.push(number));
                std::thread::yield_now();
            }
            seen
        });
        table.take_ended(|number, _| seen.push(number));
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..(THREADS * EACH) as u64));
    }
}
