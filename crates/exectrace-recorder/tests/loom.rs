//! Models of the hand-over of a thread's buffer: every interleaving of a producer and the consumer.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p exectrace-recorder --test loom --release`.
#![cfg(loom)]

use exectrace_recorder::{Chunk, Place};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

fn chunk() -> &'static Chunk {
    Box::leak(Box::new(Chunk::new()))
}

/// Stores a record of two words whose second is the complement of the first.
fn put(chunk: &'static Chunk, number: u64) {
    let at = chunk.position();
    chunk.store(at, &[number, !number]);
    chunk.publish(at + 2);
}

/// Reads what is published, and checks that each record is whole.
fn take_all(place: &mut Place, seen: &mut Vec<u64>, mut left: impl FnMut(&'static Chunk)) {
    loop {
        while place.has_word() {
            assert_eq!(place.word(1), !place.word(0), "a record is published whole");
            seen.push(place.word(0));
            place.advance(2);
        }
        match place.leave_chunk() {
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
            put(first, 1);
            put(first, 2);
        });
        let mut place = Place::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut place, &mut seen, |_| ());
        producer.join().unwrap();
        take_all(&mut place, &mut seen, |_| ());
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn nothing_is_lost_when_the_producer_changes_chunks() {
    loom::model(|| {
        let (first, second) = (chunk(), chunk());
        let producer = thread::spawn(move || {
            put(first, 1);
            first.seal(second);
            put(second, 2);
        });
        let mut place = Place::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut place, &mut seen, |_| ());
        producer.join().unwrap();
        take_all(&mut place, &mut seen, |_| ());
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
                    put(chunk, 9);
                }
            })
        };
        let producer = thread::spawn(move || {
            put(first, 1);
            first.seal(second);
        });
        let mut place = Place::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut place, &mut seen, |chunk| {
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
                put(first, 1);
                ended.store(true, Ordering::Release);
            })
        };
        // As `Source::look` does: the end first, then the records.
        let was_ended = ended.load(Ordering::Acquire);
        let mut place = Place::at_start_of(first);
        let mut seen = Vec::new();
        take_all(&mut place, &mut seen, |_| ());
        if was_ended {
            assert_eq!(seen, [1]);
        }
        producer.join().unwrap();
    });
}
