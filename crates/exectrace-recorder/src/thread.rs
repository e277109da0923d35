//! What a recording thread and the flush thread share, from the thread's first record to its end.
//!
//! A description is made once and used by one thread after the other. A thread takes it when it first records:
//! one that is idle, or a new one. The flush thread takes it back when the thread has ended and all its records are
//! read. So there are as many as there were threads between two of its passes at the most. Those that must not
//! allocate take one of a few that the flush thread has put aside.
//!
//! # Protocol
//!
//! 1. From [`register`] until the flush thread has seen that its thread is gone, a description is that
//!    thread's: only it adds to the counts.
//! 2. The flush thread has seen that when `ended` is set, which a thread's last access is; or, of a thread that
//!    could leave no word for its end ([`ThreadShared::is_unguarded`]), when the system knows no thread of that
//!    number.
//! 3. Then the flush thread [resets](ThreadShared::reset) it, and puts it into a queue of idle ones, which orders
//!    this before the next thread's first access.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::calls::CallSums;
use crate::chunk::FirstChunk;
use crate::cpu::{self, SampledThread};
use crate::errno::Errno;
use crate::heap_sums::HeapSums;
use crate::park_counts::ParkCounts;
use crate::process;
use crate::stacks;
use crate::thread_buffer::{self, ThreadBuffer, lose_elsewhere};

thread_local! {
    static GUARD: ExitGuard = const { ExitGuard { is_set: Cell::new(false) } };
}

/// What the flush thread knows of a thread that records.
#[derive(Debug, Default)]
pub(crate) struct ThreadShared {
    /// The system's number of the thread.
    thread: AtomicU64,
    /// The thread's name, if it has one and was asked for it.
    name: Mutex<Option<Box<str>>>,
    /// What the system calls the thread, if it was not.
    system_name: [AtomicU64; 2],
    /// The first chunk, where reading starts. Set once, by the thread, when the pool has one for it.
    pub(crate) first: FirstChunk,
    /// Records dropped so far. Only the thread adds to it.
    pub(crate) dropped: AtomicU64,
    /// Set when the thread has written its last record.
    pub(crate) ended: AtomicBool,
    /// Nothing says when the thread ends: its first record was one that must not allocate.
    is_unguarded: AtomicBool,
    /// The calls of the thread.
    pub(crate) calls: CallSums,
    /// What the thread has allocated and freed.
    pub(crate) heap: HeapSums,
    /// What the thread has for its CPU samples.
    pub(crate) sampled: SampledThread,
    /// What the thread found counted of itself where it parks.
    pub(crate) park_counts: ParkCounts,
}

impl ThreadShared {
    /// Makes this thread known to the flush thread. May allocate.
    fn register() -> &'static Self {
        let process = process::current();
        let idle = process.idle_threads.pop();
        let shared = idle.unwrap_or_else(|| Box::leak(Box::default()));
        shared.begin(false);
        shared.ask_for_name();
        shared.sampled.enter(shared.thread());
        cpu::learn_stack();
        process.new_threads.push(shared);
        shared
    }

    /// As [`register`](Self::register), allocating nothing and using no thread-local with a destructor: for
    /// records that may come at any moment. `None` if there is no spare description, or no room to hand it over.
    fn register_anywhere() -> Option<&'static Self> {
        let errno = Errno::get();
        let shared = Self::register_without_allocating();
        errno.restore();
        shared
    }

    fn register_without_allocating() -> Option<&'static Self> {
        let process = process::existing()?;
        let shared = process.spare_threads.pop()?;
        shared.begin(true);
        for (place, word) in shared.system_name.iter().zip(system_name()) {
            place.store(word, Ordering::Relaxed);
        }
        shared.sampled.enter(shared.thread());
        if process.new_unguarded_threads.push(shared).is_err() {
            // As many are free there as were taken, so there is room.
            cpu::leave();
            shared.sampled.give_back();
            let _ = process.spare_threads.push(shared);
            return None;
        }
        Some(shared)
    }

    /// Sets the name that the thread has in Rust, which may be longer than the system's. Allocates.
    fn ask_for_name(&self) {
        let name = std::thread::current().name().map(Into::into);
        // Locked by the flush thread at most, for a moment; then the system's name has to do.
        if let Ok(mut place) = self.name.try_lock() {
            *place = name;
        }
    }

    fn begin(&self, is_unguarded: bool) {
        self.thread.store(thread_number(), Ordering::Relaxed);
        self.is_unguarded.store(is_unguarded, Ordering::Relaxed);
    }

    /// The system's number of the thread.
    pub(crate) fn thread(&self) -> u64 {
        // Relaxed: a queue handed it over after it was set.
        self.thread.load(Ordering::Relaxed)
    }

    /// The thread's name, if it has one.
    pub(crate) fn name(&self) -> Option<Box<str>> {
        if let Some(name) = self.name.try_lock().ok()?.clone() {
            return Some(name);
        }
        let words = self.system_name.each_ref();
        let words = words.map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let name = words.as_flattened().split(|&byte| byte == 0).next()?;
        (!name.is_empty()).then(|| String::from_utf8_lossy(name).into())
    }

    /// Whether the thread itself cannot say that it ends.
    pub(crate) fn is_unguarded(&self) -> bool {
        self.is_unguarded.load(Ordering::Relaxed)
    }

    pub(crate) fn count_dropped(&self) {
        // Only this thread adds, so no read-modify-write is needed.
        let dropped = self.dropped.load(Ordering::Relaxed);
        self.dropped.store(dropped + 1, Ordering::Relaxed);
    }

    /// Makes the description ready for another thread (rule 3).
    pub(crate) fn reset(&self) {
        self.first.clear();
        self.dropped.store(0, Ordering::Relaxed);
        self.ended.store(false, Ordering::Relaxed);
        self.is_unguarded.store(false, Ordering::Relaxed);
        self.calls.reset();
        self.heap.reset();
        self.park_counts.reset();
        for word in &self.system_name {
            word.store(0, Ordering::Relaxed);
        }
        if let Ok(mut name) = self.name.try_lock() {
            *name = None;
        }
    }

    /// The description of a thread that has this chunk.
    #[cfg(test)]
    pub(crate) fn of_test(thread: u64, chunk: &'static crate::chunk::Chunk) -> &'static Self {
        let shared: &'static Self = Box::leak(Box::default());
        shared.thread.store(thread, Ordering::Relaxed);
        shared.first.set(chunk);
        shared
    }
}

/// Hands the thread's buffer over when the thread ends.
struct ExitGuard {
    /// Whether the thread has recorded, so that there is something to hand over.
    is_set: Cell<bool>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // Before the thread's last record: all its samples are earlier.
        cpu::leave();
        if let Some(shared) = thread_buffer::end() {
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
    f: impl FnOnce(&'static ThreadShared) -> R,
) -> Option<R> {
    let register = |guard: &ExitGuard| {
        let is_new = !guard.is_set.replace(true);
        let known = buffer.shared();
        if let Some(shared) = known.filter(|_| is_new) {
            // Its first record was one that must not ask.
            shared.ask_for_name();
        }
        let shared = known.unwrap_or_else(|| {
            let shared = ThreadShared::register();
            buffer.set_registered(shared);
            shared
        });
        // From now on the guard says that the thread ends.
        shared.is_unguarded.store(false, Ordering::Relaxed);
        cpu::learn_stack();
        shared
    };
    let shared = buffer.do_own_work(|| GUARD.try_with(register));
    if shared.is_err() {
        lose_elsewhere();
    }
    Some(f(shared.ok()?))
}

/// As [`with_shared`], at any moment: allocates nothing, leaves `errno` as it is, and counts no loss. `None` also if the
/// thread is new and its buffer is busy: what it is interrupted in may be its registration.
pub(crate) fn with_shared_anywhere<R>(
    buffer: &ThreadBuffer,
    f: impl FnOnce(&'static ThreadShared) -> R,
) -> Option<R> {
    let shared = match buffer.shared() {
        Some(shared) => shared,
        None => buffer.register_with(ThreadShared::register_anywhere)?,
    };
    Some(f(shared))
}

/// Has known of this thread what its records must not ask for, as they may come where nothing may be allocated: for
/// threads that are sure to record, at their begin. Takes some microseconds, and nothing the next time.
#[doc(hidden)]
pub fn prepare_thread() {
    stacks::learn_bounds();
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

/// Whether the system has no thread of this number in this process.
#[cfg(target_os = "linux")]
pub(crate) fn is_gone(thread: u64) -> bool {
    let Ok(thread) = libc::pid_t::try_from(thread) else {
        return false;
    };
    // SAFETY: the call takes no arguments and cannot fail.
    let process = unsafe { libc::getpid() };
    // Signal 0 is none: it is only looked whether there is a thread. Not in /proc, which may be absent, or have other
    // numbers.
    // SAFETY: sends nothing.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, 0) };
    sent == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Where threads cannot be asked about, none has a description without a guard.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_gone(_thread: u64) -> bool {
    false
}

/// What the system calls this thread, in at most 15 bytes that end with a 0, as words; of the first thread, which
/// has the program's name there, what Rust calls it.
#[cfg(target_os = "linux")]
fn system_name() -> [u64; 2] {
    let mut name = [0_u8; 16];
    // SAFETY: the call takes no arguments and cannot fail.
    let process = unsafe { libc::getpid() };
    if thread_number() == u64::from(process.unsigned_abs()) {
        return [u64::from_le_bytes(*b"main\0\0\0\0"), 0];
    }
    // SAFETY: the call writes at most 16 bytes to the address that it is given (prctl(2), PR_GET_NAME).
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| name[at + byte]));
    [word(0), word(8)]
}

#[cfg(not(target_os = "linux"))]
fn system_name() -> [u64; 2] {
    [0; 2]
}
