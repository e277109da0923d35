//! What the tracer has once in a process, and what becomes of it when the process forks.
//!
//! A forked child has a copy of all memory and one thread: of the flush thread it has what was in its
//! memory, in whatever state, and of every lock and queue too, perhaps held by a thread that is not
//! there. So nothing of that is used again. What belongs to a process is behind one pointer, which the
//! child clears: then it has no pool, no flush thread and no recordings, and can start its own.
//!
//! # Protocol
//!
//! 1. The pointer is null or points to a [`Process`] that is never freed.
//! 2. It is set from null only, and becomes null only in a forked child, where one thread exists.
//! 3. The handler that runs in a child stores to atomics, and to cells of the only thread there is. It
//!    takes no lock and allocates nothing: it may run at any moment of any other thread's life.
//!
//! Tables that a child keeps using, such as the span sources, are behind no lock: see `table`.

use std::collections::{HashMap, HashSet};
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::Thread;
use std::time::Instant;

use crossbeam_queue::{ArrayQueue, SegQueue};

use crate::control::Command;
use crate::cpu;
use crate::enabled;
use crate::live_tasks::LiveTask;
use crate::pool::Pool;
use crate::status::Published;
use crate::thread::ThreadShared;
use crate::thread_buffer;

/// What the tracer has in one process.
pub(crate) struct Process {
    /// What trace time is counted from.
    pub(crate) origin: Instant,
    /// From the first start on.
    pub(crate) pool: OnceLock<Pool>,
    /// Threads that recorded for the first time and are not yet known to the flush thread.
    pub(crate) new_threads: SegQueue<&'static ThreadShared>,
    /// The same, of threads whose first record must not allocate: pushing here does not.
    pub(crate) new_unguarded_threads: ArrayQueue<&'static ThreadShared>,
    /// Descriptions of threads that have ended, for threads to come.
    pub(crate) idle_threads: SegQueue<&'static ThreadShared>,
    /// The same, for threads whose first record must not allocate: taking one from here does not.
    pub(crate) spare_threads: ArrayQueue<&'static ThreadShared>,
    /// What the flush thread is asked to do.
    pub(crate) commands: Mutex<Vec<Command>>,
    /// Held by who makes pool and flush thread.
    pub(crate) starting: Mutex<()>,
    /// The flush thread, once it runs.
    pub(crate) flush_thread: OnceLock<Thread>,
    /// Whether the flush thread was asked to come before its time.
    pub(crate) is_woken: AtomicBool,
    /// Names that were made at run time.
    pub(crate) names: Mutex<HashSet<&'static str>>,
    /// What the flush thread leaves for those who ask for the status.
    pub(crate) published: Mutex<Published>,
    /// Live tasks that found no slot.
    pub(crate) overflow: Mutex<HashMap<u64, LiveTask>>,
}

/// Descriptions of threads that are kept for those whose first record must not allocate, some 3.3 KB each.
pub(crate) const SPARE_THREADS: usize = 128;

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(null_mut());

/// How many forks led to this process from the one whose program was loaded.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Which of the processes that share this memory's history this is.
pub(crate) fn number() -> u32 {
    // Relaxed: it changes only while there is one thread.
    FORKS.load(Ordering::Relaxed)
}

/// What the tracer has in this process.
pub(crate) fn current() -> &'static Process {
    existing().unwrap_or_else(create)
}

/// What the tracer has in this process, if it was of use here.
pub(crate) fn existing() -> Option<&'static Process> {
    // Acquire: who finds the pointer finds what it points to.
    let process = CURRENT.load(Ordering::Acquire);
    // SAFETY: rule 1; all access is through shared references.
    unsafe { process.as_ref() }
}

#[cold]
fn create() -> &'static Process {
    // Before anybody can find it.
    watch_forks();
    let process = Box::leak(Box::new(Process {
        origin: Instant::now(),
        pool: OnceLock::new(),
        new_threads: SegQueue::new(),
        new_unguarded_threads: ArrayQueue::new(SPARE_THREADS),
        idle_threads: SegQueue::new(),
        spare_threads: ArrayQueue::new(SPARE_THREADS),
        commands: Mutex::new(Vec::new()),
        starting: Mutex::new(()),
        flush_thread: OnceLock::new(),
        is_woken: AtomicBool::new(false),
        names: Mutex::new(HashSet::new()),
        published: Mutex::new(Published::default()),
        overflow: Mutex::new(HashMap::new()),
    }));
    // Release and Acquire: as in `existing`, for whoever comes second. What a slower one has made is
    // some hundred bytes, once.
    let (new, old) = (ptr::from_mut(process), null_mut());
    let _ = CURRENT.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
    existing().unwrap_or(process)
}

impl Process {
    /// Asks the flush thread to come before its time.
    pub(crate) fn wake(&self) {
        // The flag keeps this to one system call for each time the flush thread comes.
        if !self.is_woken.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.flush_thread.get()
        {
            thread.unpark();
        }
    }
}

/// Has forked children forget what they cannot go on with.
#[cfg(unix)]
fn watch_forks() {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        enabled::forget();
        FORKS.fetch_add(1, Ordering::Relaxed);
        CURRENT.store(null_mut(), Ordering::Release);
        thread_buffer::forget();
        cpu::forget();
    }
    if !IS_WATCHED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handler lives as long as the program, and does only what a forked child may
        // (rule 3).
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

#[cfg(not(unix))]
fn watch_forks() {}
