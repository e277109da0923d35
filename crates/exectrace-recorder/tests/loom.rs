//! Models of the hand-over of a thread's buffer: every interleaving of a producer and the consumer.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p exectrace-recorder --test loom --release`.
#![cfg(loom)]

use exectrace_recorder::{About, Chunk, FREE, Place, ReadPosition, Ring, TaskSlot};
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

fn chunk() -> &'static Chunk {
    Box::leak(Box::new(Chunk::new()))
}

/// Stores a record of two words whose second is the complement of the first.
///
/// Where it goes is said by the model: of the accesses to an atomic, loom keeps the last, so a
/// producer that loaded what it is about to store would hide the consumer's load before it, and only
/// one of the two orders would be tried.
fn put(chunk: &'static Chunk, at: usize, number: u64) {
    chunk.store(at, &[number, !number]);
    chunk.publish(at + 2);
}

/// Reads what is published, and checks that each record is whole.
fn take_all(
    position: &mut ReadPosition,
    seen: &mut Vec<u64>,
    mut left: impl FnMut(&'static Chunk),
) {
    loop {
        while position.has_word() {
            assert_eq!(
                position.word(1),
                !position.word(0),
                "a record is published whole"
            );
            seen.push(position.word(0));
            position.advance(2);
        }
        match position.leave_chunk() {
            Some(chunk) => left(chunk),
            None => return,
        }
    }
}

#[test]
fn the_consumer_sees_whole_records_in_order_while_the_producer_writes() {
    loom::model(|| {
        let first = chunk();
        let producer = thread::spawn(move || {
            put(first, 0, 1);
            put(first, 2, 2);
        });
        let mut position = ReadPosition::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut position, &mut seen, |_| ());
        producer.join().unwrap();
        take_all(&mut position, &mut seen, |_| ());
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn nothing_is_lost_when_the_producer_changes_chunks() {
    loom::model(|| {
        let (first, second) = (chunk(), chunk());
        let producer = thread::spawn(move || {
            put(first, 0, 1);
            first.seal(second);
            put(second, 0, 2);
        });
        let mut position = ReadPosition::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut position, &mut seen, |_| ());
        producer.join().unwrap();
        take_all(&mut position, &mut seen, |_| ());
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn a_chunk_that_was_read_can_be_another_threads_next() {
    loom::model(|| {
        let (first, second) = (chunk(), chunk());
        // The pool, which orders a chunk's reset before its next use.
        let pool = Arc::new(Mutex::new(None::<&'static Chunk>));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let taken = pool.lock().unwrap().take();
                if let Some(chunk) = taken {
                    assert_eq!(chunk.position(), 0, "a chunk of the pool is empty");
                    put(chunk, 0, 9);
                }
            })
        };
        let producer = thread::spawn(move || {
            put(first, 0, 1);
            first.seal(second);
        });
        let mut position = ReadPosition::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut position, &mut seen, |chunk| {
            chunk.reset();
            *pool.lock().unwrap() = Some(chunk);
        });
        producer.join().unwrap();
        other.join().unwrap();
        // If the chunk was left before, it is no longer ours to read.
        assert!(seen.iter().all(|&number| number == 1), "{seen:?}");
    });
}

#[test]
fn the_last_records_of_a_thread_are_seen_after_its_end_is() {
    loom::model(|| {
        let first = chunk();
        let ended = Arc::new(AtomicBool::new(false));
        let producer = {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                put(first, 0, 1);
                ended.store(true, Ordering::Release);
            })
        };
        // As `ThreadReader::look` does: the end first, then the records.
        let was_ended = ended.load(Ordering::Acquire);
        let mut position = ReadPosition::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut position, &mut seen, |_| ());
        if was_ended {
            assert_eq!(seen, [1]);
        }
        producer.join().unwrap();
    });
}

#[test]
fn who_reads_a_slot_finds_nothing_or_the_words_of_one_task() {
    loom::model(|| {
        let slot = Arc::new(TaskSlot::new());
        let spawner = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                assert!(slot.fill(1, [1; 3]));
                assert!(slot.free(1));
                assert!(slot.fill(2, [2; 3]));
            })
        };
        if let Some((task, words)) = slot.read() {
            assert_eq!(words, [task; 3]);
        }
        spawner.join().unwrap();
        assert_eq!(slot.read(), Some((2, [2; 3])));
    });
}

#[test]
fn a_slot_is_one_tasks_and_is_freed_once() {
    loom::model(|| {
        let slot = Arc::new(TaskSlot::new());
        let others: Vec<_> = [1, 2]
            .into_iter()
            .map(|task| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || slot.fill(task, [task; 3]) && slot.free(task))
            })
            .collect();
        let freed_here = slot.free(1);
        let freed = others.into_iter().map(|other| other.join().unwrap());
        let freed = usize::from(freed_here) + freed.filter(|&freed| freed).count();
        assert!((1..=2).contains(&freed));
        assert_eq!(slot.read(), None);
    });
}

/// Writes an entry of one word and its complement, which with its length is three of a ring's four words.
fn put_sample(ring: &Ring<4>, number: u64) -> bool {
    let mut entry = ring.begin();
    entry.push(number) && entry.push(!number) && entry.finish()
}

fn take_samples(ring: &Ring<4>, seen: &mut Vec<u64>) {
    let mut entry = Vec::new();
    while ring.take(&mut entry) {
        assert_eq!(entry[1], !entry[0], "an entry is published whole");
        assert_eq!(entry.len(), 2);
        seen.push(entry[0]);
    }
}

#[test]
fn a_ring_hands_over_whole_samples_in_order_and_what_found_no_room_is_known() {
    loom::model(|| {
        let ring = Arc::new(Ring::<4>::default());
        let handler = {
            let ring = Arc::clone(&ring);
            // The second overwrites words of the first, so only if that was read.
            thread::spawn(move || [1, 2].map(|number| put_sample(&ring, number)))
        };
        let mut seen = Vec::new();
        take_samples(&ring, &mut seen);
        take_samples(&ring, &mut seen);
        let is_taken = handler.join().unwrap();
        take_samples(&ring, &mut seen);
        let numbers = [1, 2].into_iter().zip(is_taken);
        let taken: Vec<u64> = numbers
            .filter_map(|(number, taken)| taken.then_some(number))
            .collect();
        assert_eq!(seen, taken);
        assert!(is_taken[0]);
    });
}

#[test]
fn a_place_s_allocation_is_ended_with_its_own_ticks_also_where_another_takes_the_place() {
    loom::model(|| {
        let place = Arc::new((AtomicUsize::new(FREE), About::new()));
        // Two threads that allocate and free, at addresses of their own.
        let threads: Vec<_> = [1, 2]
            .into_iter()
            .map(|number| {
                let place = Arc::clone(&place);
                thread::spawn(move || {
                    let (key, about) = &*place;
                    let (place, address) = (Place { key, about }, 0x1000 * number as usize);
                    let is_taken = place.take(address, number);
                    if is_taken {
                        assert!(place.hold(address), "nobody else holds it");
                        place.end(10 * number);
                    }
                    is_taken
                })
            })
            .collect();
        let (key, about) = &*place;
        let whole = Place { key, about };
        let mut ended = Vec::new();
        ended.extend(whole.take_ended());
        let taken = threads.into_iter().map(|thread| thread.join().unwrap());
        let taken = taken.filter(|&is_taken| is_taken).count();
        ended.extend(whole.take_ended());
        assert_eq!(ended.len(), taken);
        assert!(ended.iter().all(|&(number, ticks)| ticks == 10 * number));
    });
}

#[test]
fn a_place_is_freed_by_its_holder_or_emptied_and_not_both() {
    loom::model(|| {
        let place = Arc::new((AtomicUsize::new(FREE), About::new()));
        let of = |place: &(AtomicUsize, About), f: fn(Place<'_>) -> bool| {
            f(Place {
                key: &place.0,
                about: &place.1,
            })
        };
        assert!(of(&place, |place| place.take(0x1000, 1)));
        let freer = {
            let place = Arc::clone(&place);
            thread::spawn(move || of(&place, |place| place.hold(0x1000)))
        };
        let is_emptied = of(&place, |place| place.hold(0x1000));
        assert!(is_emptied != freer.join().unwrap());
    });
}
