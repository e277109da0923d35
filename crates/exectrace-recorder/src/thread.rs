//! What a recording thread and the flush thread share, from the thread's first record to its end.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::chunk::Chunk;
use crate::process;
use crate::thread_buffer::{self, ThreadBuffer, lose_elsewhere};

thread_local! {
    static GUARD: ExitGuard = ExitGuard::default();
}

/// What the flush thread knows of a thread that records.
#[derive(Debug)]
pub(crate) struct ThreadShared {
    /// The system's number of the thread.
    pub(crate) thread: u64,
    /// The thread's name, if it has one.
    pub(crate) name: Option<Box<str>>,
    /// The first chunk, where reading starts. Set once, by the thread, when the pool has one for it.
    pub(crate) first: OnceLock<&'static Chunk>,
    /// Records dropped so far. Only the thread adds to it.
    pub(crate) dropped: AtomicU64,
    /// Set when the thread has written its last record.
    pub(crate) ended: AtomicBool,
}

impl ThreadShared {
    /// Makes this thread known to the flush thread. Allocates.
    fn register() -> Arc<Self> {
        let shared = Arc::new(Self {
            thread: thread_number(),
            name: std::thread::current().name().map(Into::into),
            first: OnceLock::new(),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        process::current().new_threads.push(Arc::clone(&shared));
        shared
    }

    pub(crate) fn count_dropped(&self) {
        // Only this thread adds, so no read-modify-write is needed.
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.dropped.store(dropped + 1, Ordering::Relaxed);
    }
}

/// Hands the thread's buffer over when the thread ends.
#[derive(Default)]
struct ExitGuard {
    /// `None` until the thread records.
    shared: RefCell<Option<Arc<ThreadShared>>>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        let shared = self.shared.get_mut().take();
        thread_buffer::end(shared.as_deref());
        if let Some(shared) = shared {
            // Release: the flush thread reads the last record after it has seen this.
            shared.ended.store(true, Ordering::Release);
        }
    }
}

/// Runs `f` with what this thread shares with the flush thread, registering it if it is new. The state
/// of its buffer is busy.
///
/// Returns `None`, and counts a lost record, if the thread is past its end.
pub(crate) fn with_shared<R>(
    buffer: &ThreadBuffer,
    f: impl FnOnce(&ThreadShared) -> R,
) -> Option<R> {
    let result = GUARD.try_with(|guard| {
        let mut shared = guard.shared.borrow_mut();
        if !buffer.is_registered() {
            buffer.set_registered();
            *shared = Some(ThreadShared::register());
        }
        let shared = shared.get_or_insert_with(ThreadShared::register);
        f(shared)
    });
    if result.is_err() {
        lose_elsewhere();
    }
    result.ok()
}

/// The number under which the system knows this thread.
#[cfg(target_os = "linux")]
pub(crate) fn thread_number() -> u64 {
    // SAFETY: the call takes no arguments and cannot fail.
    let thread = unsafe { libc::gettid() };
    u64::from(thread.unsigned_abs())
}

/// A number of our own, where the system's is not known how to be asked for.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
