//! Calls while a thread exits, by destructors of its variables.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::counted::{fails, made};

const THREADS: usize = 50;

static DROPPED: AtomicU32 = AtomicU32::new(0);

struct CallsWhenDropped;

impl Drop for CallsWhenDropped {
    fn drop(&mut self) {
        // SAFETY: it has no condition.
        fails("fsync", libc::EBADF, || unsafe { libc::fsync(-1) });
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    static FIRST: RefCell<Option<CallsWhenDropped>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<CallsWhenDropped>> = const { RefCell::new(None) };
}

pub fn check() {
    for _ in 0..THREADS {
        // One is dropped after what the tracer keeps for the thread, and one before.
        let thread = thread::spawn(|| {
            FIRST.set(Some(CallsWhenDropped));
            // SAFETY: it has no condition.
            fails("fsync", libc::EBADF, || unsafe { libc::fsync(-1) });
            LAST.set(Some(CallsWhenDropped));
        });
        thread.join().unwrap();
        made("pthread_join", 0);
    }
    assert_eq!(DROPPED.load(Ordering::Relaxed), 2 * THREADS as u32);
}
