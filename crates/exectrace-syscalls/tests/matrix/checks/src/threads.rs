//! Calls by several threads at once, and locks that they wait for.

use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;

use crate::counted::{done, fails, made};
use crate::device;

const THREADS: usize = 4;
const TURNS: usize = 1_000;

pub fn check() {
    let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(some_calls)).collect();
    for thread in threads {
        thread.join().unwrap();
        made("pthread_join", 0);
    }
    locks();
}

fn some_calls() {
    let zero = device(c"/dev/zero", libc::O_RDONLY);
    let null = device(c"/dev/null", libc::O_WRONLY);
    let mut byte = 1_u8;
    let byte = &raw mut byte;
    for _ in 0..TURNS {
        // SAFETY: the byte is there.
        assert_eq!(
            done("read", || unsafe {
                libc::read(zero, byte.cast(), 1) as i64
            }),
            1
        );
        // SAFETY: the byte is there.
        assert_eq!(
            done("write", || unsafe {
                libc::write(null, byte.cast(), 1) as i64
            }),
            1
        );
        // SAFETY: it has no condition.
        fails("fsync", libc::EBADF, || unsafe { libc::fsync(-1) });
    }
}

/// What the standard library waits with goes through `syscall`.
fn locks() {
    let shared = Arc::new((Mutex::new(0_usize), Condvar::new(), Barrier::new(THREADS)));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (count, changed, barrier) = &*shared;
                for turn in 1..=TURNS / 10 {
                    *count.lock().unwrap() += 1;
                    changed.notify_all();
                    let all = |count: &mut usize| *count < turn * THREADS;
                    drop(changed.wait_while(count.lock().unwrap(), all).unwrap());
                    barrier.wait();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
        made("pthread_join", 0);
    }
    assert_eq!(*shared.0.lock().unwrap(), TURNS / 10 * THREADS);
}
