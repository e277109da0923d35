//! Calls of the C library that can block: which there are, and what of them is recorded.
//!
//! Whoever stands in for a function of the C library says that a call [begins](begin), makes the call, and
//! says how it [ended](OpenCall::end). A call is recorded when it has ended; while it lasts, the flush thread
//! sees it in a word that it shares with the thread. A call that took less than a threshold is counted, and
//! so are calls on sockets, which mostly do not block.
//!
//! # Calls inside of calls
//!
//! A signal handler may make calls at any moment, also in the middle of what is done here. So a thread first says
//! that it is in a call, and who finds that said counts its call in atomics of the process and does nothing else.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};

use crate::budget::Source;
use crate::kinds::Kind;
use crate::runtime::{AsyncTaskId, Runtime};
use crate::settings::CallSettings;
use crate::thread::{ThreadShared, with_shared_anywhere};
use crate::thread_buffer::{ThreadBuffer, record_since, report_sums, with_buffer};
use crate::{clock, epoch, is_enabled, stacks};

/// How a call shows in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallClass {
    /// A system call: whoever made it is in the call.
    Syscall,
    /// Whoever made it waits for an instant.
    Sleep,
    /// Whoever made it waits for another thread: for a lock, a notification, a thread's end.
    Futex,
    /// A thread waits for sockets, timers and signals, mostly as the driver of an async runtime.
    Driver,
    /// A call on a socket that mostly does not block: counted, unless the settings say otherwise.
    Socket,
}

macro_rules! calls {
    ($($call:ident = $number:literal, $name:literal, $class:ident;)*) => {
        /// A function of the C library that can block.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Call {
            $(
                #[doc = concat!("`", $name, "`")]
                $call = $number,
            )*
        }

        impl Call {
            /// All calls, by their numbers, which begin with 0.
            pub const ALL: &[Self] = &[$(Self::$call),*];

            /// The function's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$call => $name,)*
                }
            }

            /// How it shows in a trace.
            #[must_use]
            pub const fn class(self) -> CallClass {
                match self {
                    $(Self::$call => CallClass::$class,)*
                }
            }
        }
    };
}

calls! {
    Open = 0, "open", Syscall;
    Openat = 1, "openat", Syscall;
    Read = 2, "read", Syscall;
    Write = 3, "write", Syscall;
    Readv = 4, "readv", Syscall;
    Writev = 5, "writev", Syscall;
    Pread = 6, "pread", Syscall;
    Pwrite = 7, "pwrite", Syscall;
    Preadv = 8, "preadv", Syscall;
    Pwritev = 9, "pwritev", Syscall;
    Fsync = 10, "fsync", Syscall;
    Fdatasync = 11, "fdatasync", Syscall;
    SyncFileRange = 12, "sync_file_range", Syscall;
    Stat = 13, "stat", Syscall;
    Fstat = 14, "fstat", Syscall;
    Lstat = 15, "lstat", Syscall;
    Fstatat = 16, "fstatat", Syscall;
    Statx = 17, "statx", Syscall;
    Access = 18, "access", Syscall;
    Rename = 19, "rename", Syscall;
    Renameat = 20, "renameat", Syscall;
    Unlink = 21, "unlink", Syscall;
    Unlinkat = 22, "unlinkat", Syscall;
    Mkdir = 23, "mkdir", Syscall;
    Rmdir = 24, "rmdir", Syscall;
    Link = 25, "link", Syscall;
    Symlink = 26, "symlink", Syscall;
    Readlink = 27, "readlink", Syscall;
    Ftruncate = 28, "ftruncate", Syscall;
    Fallocate = 29, "fallocate", Syscall;
    CopyFileRange = 30, "copy_file_range", Syscall;
    Sendfile = 31, "sendfile", Syscall;
    Splice = 32, "splice", Syscall;
    Flock = 33, "flock", Syscall;
    Fcntl = 34, "fcntl", Syscall;
    Ioctl = 35, "ioctl", Syscall;
    Close = 36, "close", Syscall;
    Opendir = 37, "opendir", Syscall;
    Getaddrinfo = 38, "getaddrinfo", Syscall;
    Connect = 39, "connect", Syscall;
    Poll = 40, "poll", Syscall;
    Select = 41, "select", Syscall;
    Waitpid = 42, "waitpid", Syscall;
    Waitid = 43, "waitid", Syscall;
    Accept = 44, "accept", Socket;
    Recv = 45, "recv", Socket;
    Recvfrom = 46, "recvfrom", Socket;
    Recvmsg = 47, "recvmsg", Socket;
    Send = 48, "send", Socket;
    Sendto = 49, "sendto", Socket;
    Sendmsg = 50, "sendmsg", Socket;
    Shutdown = 51, "shutdown", Socket;
    Nanosleep = 52, "nanosleep", Sleep;
    ClockNanosleep = 53, "clock_nanosleep", Sleep;
    Usleep = 54, "usleep", Sleep;
    Sleep = 55, "sleep", Sleep;
    FutexWait = 56, "futex", Futex;
    PthreadJoin = 57, "pthread_join", Futex;
    SemWait = 58, "sem_wait", Futex;
    PthreadCondWait = 59, "pthread_cond_wait", Futex;
    EpollWait = 60, "epoll_wait", Driver;
    EpollCtl = 61, "epoll_ctl", Socket;
    Msync = 62, "msync", Syscall;
}

impl Call {
    /// The call of a number.
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// Numbers of calls, with room for more: they are bits of a word.
pub(crate) const CALLS: usize = 64;

const _: () = assert!(Call::ALL.len() < CALLS);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// It succeeded; what it returned.
    Done(u64),
    /// It failed, with this number of an error.
    Failed(u16),
}

impl CallResult {
    const FAILED: u64 = 1 << 63;

    /// A wait of the class [`Driver`](CallClass::Driver) has ended: so many sources were ready, and it meant to wait
    /// for `timeout_ms` milliseconds at most, or for ever if that is negative.
    #[must_use]
    pub const fn of_driver(ready: u32, timeout_ms: i32) -> Self {
        // 0 is left for who does not say it.
        let timeout = if timeout_ms < 0 {
            1
        } else {
            timeout_ms as u64 + 2
        };
        Self::Done(ready as u64 | timeout << 32)
    }

    fn to_word(self) -> u64 {
        match self {
            Self::Done(value) => value & !Self::FAILED,
            Self::Failed(errno) => Self::FAILED | u64::from(errno),
        }
    }

    /// What a wait for the driver came to.
    pub(crate) fn driver(self) -> DriverResult {
        let Self::Done(value) = self else {
            // A signal came.
            return DriverResult {
                ready: 0,
                timeout: Timeout::Unknown,
            };
        };
        let timeout = match value >> 32 {
            0 => Timeout::Unknown,
            1 => Timeout::Never,
            more => Timeout::Milliseconds(more - 2),
        };
        let ready = value & u64::from(u32::MAX);
        DriverResult { ready, timeout }
    }

    pub(crate) fn of_word(word: u64) -> Self {
        match word & Self::FAILED {
            0 => Self::Done(word),
            _ => Self::Failed(word as u16),
        }
    }
}

/// What a wait for the driver came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverResult {
    /// So many sources were ready.
    pub(crate) ready: u64,
    pub(crate) timeout: Timeout,
}

/// How long a wait for the driver was to last at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Unknown,
    Never,
    Milliseconds(u64),
}

/// Calls that took fewer ticks than this are counted and not recorded.
static THRESHOLD_TICKS: AtomicU64 = AtomicU64::new(0);

/// The same in nanoseconds, as it was set.
static THRESHOLD_NS: AtomicU64 = AtomicU64::new(0);

/// Calls that took so many ticks (some hundred microseconds and more of any clock in use) are recorded whatever the
/// budget: there cannot be many of them.
const ALWAYS_TICKS: u64 = 1_000_000;

/// A call that took so many ticks (six hours of a 3 GHz counter) is counted: half a day ago is the earliest that a
/// record's head can name.
const TOO_LONG_TICKS: u64 = 1 << 46;

/// How long the thread has to be in a call for the flush thread to take it for one that will be recorded.
pub(crate) fn ticks_of_open_calls() -> u64 {
    ALWAYS_TICKS.max(THRESHOLD_TICKS.load(Ordering::Relaxed))
}

/// Calls that are counted and neither timed nor recorded, as bits.
static ONLY_COUNTED: AtomicU64 = AtomicU64::new(socket_calls());

const fn socket_calls() -> u64 {
    let (mut bits, mut index) = (0, 0);
    while index < Call::ALL.len() {
        if matches!(Call::ALL[index].class(), CallClass::Socket) {
            bits |= 1 << index;
        }
        index += 1;
    }
    bits
}

/// Takes settings into use.
pub(crate) fn apply(settings: CallSettings) {
    let threshold_ns = u64::try_from(settings.threshold.as_nanos()).unwrap_or(u64::MAX);
    let only_counted = match settings.with_sockets {
        true => 0,
        false => socket_calls(),
    };
    // Relaxed: they guard no memory.
    THRESHOLD_NS.store(threshold_ns, Ordering::Relaxed);
    ONLY_COUNTED.store(only_counted, Ordering::Relaxed);
}

/// Says how long a tick is, which the threshold is compared in.
pub(crate) fn set_tick(ns_per_tick: f64) {
    let threshold_ns = THRESHOLD_NS.load(Ordering::Relaxed) as f64;
    THRESHOLD_TICKS.store((threshold_ns / ns_per_tick) as u64, Ordering::Relaxed);
}

/// Whether anything stands in for functions of the C library.
static IS_LINKED: AtomicBool = AtomicBool::new(false);

/// What gives keys and values of what is seen of calls.
type Capabilities = fn() -> Vec<(&'static str, String)>;

static CAPABILITIES: OnceLock<Capabilities> = OnceLock::new();

/// Says that something stands in for functions of the C library, so that the flush thread keeps what threads need
/// whose first record is of a call. When a recording starts, `capabilities` is called on the flush thread, for what
/// the trace says of them.
///
/// Allocates nothing, and may be called before `main`.
pub fn announce(capabilities: fn() -> Vec<(&'static str, String)>) {
    // Who comes second is the same: a program has one definition of each function.
    let _ = CAPABILITIES.set(capabilities);
    IS_LINKED.store(true, Ordering::Relaxed);
}

/// What a trace says of the calls that are seen.
pub(crate) fn capabilities() -> Vec<(&'static str, String)> {
    CAPABILITIES.get().map_or_else(Vec::new, |values| values())
}

/// Whether [`announce`] was called.
pub(crate) fn is_linked() -> bool {
    IS_LINKED.load(Ordering::Relaxed)
}

/// What was counted of the calls of a thread, since it was registered, and the call that it is in.
///
/// Only the thread adds, so it needs no atomic read-modify-write; the flush thread reads.
#[derive(Debug)]
pub(crate) struct CallSums {
    /// The ticks of the begin of the call that the thread is in, and the call: see [`CallSums::open`].
    open: AtomicU64,
    counts: [AtomicU64; CALLS],
    ticks: [AtomicU64; CALLS],
}

impl Default for CallSums {
    fn default() -> Self {
        Self {
            open: AtomicU64::new(0),
            counts: [const { AtomicU64::new(0) }; CALLS],
            ticks: [const { AtomicU64::new(0) }; CALLS],
        }
    }
}

const CALL_BITS: u32 = 6;

impl CallSums {
    fn add(&self, call: Call, ticks: u64) {
        let add = |place: &AtomicU64, value: u64| {
            // Release: who finds the sum finds the records before it.
            place.store(place.load(Ordering::Relaxed) + value, Ordering::Release);
        };
        add(&self.counts[call as usize], 1);
        add(&self.ticks[call as usize], ticks);
    }

    /// The call that the thread is in, and the ticks of its begin. If it has ended meanwhile, its record was
    /// published before this returns `None` or a later call.
    pub(crate) fn open(&self) -> Option<(u64, Call)> {
        // Acquire, with the Release in `OpenCall::end`.
        let word = self.open.load(Ordering::Acquire);
        let call = Call::of_number(word & ((1 << CALL_BITS) - 1))?;
        (word != 0).then_some((word >> CALL_BITS, call))
    }

    /// How many calls of this kind were counted so far, and their ticks.
    pub(crate) fn sum(&self, call: Call) -> Sum {
        let index = call as usize;
        Sum {
            calls: self.counts[index].load(Ordering::Acquire),
            ticks: self.ticks[index].load(Ordering::Acquire),
        }
    }

    /// Records the sums of the calls whose bits are set.
    pub(crate) fn report(&self, mut changed: u64) {
        while changed != 0 {
            let number = changed.trailing_zeros();
            changed &= changed - 1;
            if let Some(call) = Call::of_number(u64::from(number)) {
                let Sum { calls, ticks } = self.sum(call);
                record_since(Kind::CallSum, number as u16, clock::ticks(), [calls, ticks]);
            }
        }
    }

    pub(crate) fn reset(&self) {
        let sums = self.counts.iter().chain(&self.ticks);
        for place in sums.chain([&self.open]) {
            place.store(0, Ordering::Relaxed);
        }
    }
}

/// What closure of a runtime's blocking pool the calling thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closure {
    /// It runs this one, which nothing else reports.
    Of(Runtime, AsyncTaskId),
    /// It runs none.
    None,
    /// That is reported by somebody else, or the thread is of no blocking pool.
    Elsewhere,
}

static CLOSURE: OnceLock<fn() -> Closure> = OnceLock::new();

/// Has `closure` called at the begin of each call, so that calls belong to the closures which make them. A closure
/// begins in the trace with its first call, and ends with the first call that it does not make. The first such
/// function is kept.
///
/// `closure` must be quick, allocate nothing and take no lock, at any moment of any thread's life.
pub fn set_closure(closure: fn() -> Closure) {
    let _ = CLOSURE.set(closure);
}

/// The closure that a thread ran when it made its last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastClosure {
    /// 0 for none.
    task: u64,
    runtime: u16,
    /// When that was.
    epoch: u32,
}

impl LastClosure {
    pub(crate) const NONE: Self = Self {
        task: 0,
        runtime: 0,
        epoch: 0,
    };
}

/// Records that the thread runs another closure than at its last call, if it does.
#[inline(always)]
fn follow_closure(buffer: &ThreadBuffer) {
    let Some(closure) = CLOSURE.get() else { return };
    let (task, runtime) = match closure() {
        Closure::Of(runtime, task) => (task.get(), runtime.number()),
        Closure::None => (0, 0),
        Closure::Elsewhere => return,
    };
    let epoch = epoch();
    let now = LastClosure {
        task,
        runtime,
        epoch,
    };
    let last = buffer.closure.replace(now);
    let last_task = if last.epoch == epoch { last.task } else { 0 };
    if last_task != task {
        change_closure(
            LastClosure {
                task: last_task,
                ..last
            },
            now,
        );
    }
}

#[cold]
fn change_closure(last: LastClosure, now: LastClosure) {
    report_sums();
    if last.task != 0 {
        record_since(Kind::AsyncEnd, last.runtime, clock::ticks(), [last.task]);
        record_since(Kind::PollEnd, last.runtime, clock::ticks(), [last.task]);
    }
    if now.task != 0 {
        record_since(Kind::ClosureBegin, now.runtime, clock::ticks(), [now.task]);
    }
}

/// How many calls were counted, and how many ticks they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    pub(crate) ticks: u64,
}

/// Calls that no thread's sums have: made inside other calls, by signal handlers mostly, or by threads that cannot
/// be registered.
static ELSEWHERE: [AtomicU64; CALLS] = [const { AtomicU64::new(0) }; CALLS];

/// How many calls of this kind no thread's sums have.
pub(crate) fn counted_elsewhere(call: Call) -> u64 {
    ELSEWHERE[call as usize].load(Ordering::Relaxed)
}

#[cold]
fn count_elsewhere(call: Call) {
    ELSEWHERE[call as usize].fetch_add(1, Ordering::Relaxed);
}

/// A call that is under way.
///
/// It has no destructor, so that a thread may be cancelled in the call: then it is the thread's last.
#[derive(Debug)]
#[must_use = "a call that begins must end"]
pub struct OpenCall {
    call: Call,
    /// In ticks.
    began: u64,
}

/// A call begins on this thread. `None` if nothing more of it is to be recorded: nothing records, the thread is the
/// tracer's own or is in a call already, or the call is only counted.
///
/// Allocates nothing, takes no lock, and leaves `errno` as it is; may be called at any moment of a thread's life,
/// and in signal handlers. Costs a load and a branch while nothing records, and a clock read otherwise.
#[inline(always)]
pub fn begin(call: Call) -> Option<OpenCall> {
    if is_enabled() {
        begin_enabled(call)
    } else {
        None
    }
}

#[inline]
fn begin_enabled(call: Call) -> Option<OpenCall> {
    with_buffer(|buffer| {
        if buffer.in_call.get() {
            count_elsewhere(call);
            return None;
        }
        buffer.in_call.set(true);
        compiler_fence(Ordering::SeqCst);
        let open = match buffer.shared() {
            Some(shared) => begin_on(buffer, shared, call),
            None => begin_on_new(buffer, call),
        };
        if open.is_none() {
            compiler_fence(Ordering::SeqCst);
            buffer.in_call.set(false);
        }
        open
    })
}

#[inline(always)]
fn begin_on(buffer: &ThreadBuffer, shared: &ThreadShared, call: Call) -> Option<OpenCall> {
    follow_closure(buffer);
    if ONLY_COUNTED.load(Ordering::Relaxed) & 1 << call as u64 != 0 {
        count(buffer, shared, call, 0);
        return None;
    }
    let began = clock::ticks();
    let word = began << CALL_BITS | call as u64;
    shared.calls.open.store(word, Ordering::Relaxed);
    Some(OpenCall { call, began })
}

/// A thread that is not registered: it is new, the tracer's own, or past its end.
#[cold]
fn begin_on_new(buffer: &ThreadBuffer, call: Call) -> Option<OpenCall> {
    if buffer.is_the_tracers() {
        return None;
    }
    let open = match buffer.is_past_its_end() {
        true => None,
        false => with_shared_anywhere(buffer, |shared| begin_on(buffer, shared, call)),
    };
    if open.is_none() {
        count_elsewhere(call);
    }
    open.flatten()
}

#[inline(always)]
fn count(buffer: &ThreadBuffer, shared: &ThreadShared, call: Call, ticks: u64) {
    shared.calls.add(call, ticks);
    let changed = &buffer.changed_sums;
    changed.set(changed.get() | 1 << call as u64);
}

impl OpenCall {
    /// The call has ended. As [`begin`], it leaves `errno` as it is.
    #[inline]
    pub fn end(self, result: CallResult) {
        // Counters of different cores may disagree.
        let took = clock::ticks().saturating_sub(self.began);
        with_buffer(|buffer| {
            // There is none in a child that was forked inside the call.
            if let Some(shared) = buffer.shared() {
                if took < THRESHOLD_TICKS.load(Ordering::Relaxed)
                    || took >= TOO_LONG_TICKS
                    || (took < ALWAYS_TICKS && !buffer.share_of_calls.takes(Source::Calls))
                {
                    count(buffer, shared, self.call, took);
                } else if is_enabled() {
                    let stack = stacks::of_call(self.began, took);
                    let operands = [took, result.to_word(), stack];
                    record_since(Kind::Call, self.call as u16, self.began, operands);
                }
                // Release: who finds the call over finds its record.
                shared.calls.open.store(0, Ordering::Release);
            }
            compiler_fence(Ordering::SeqCst);
            buffer.in_call.set(false);
        });
    }
}

#[cfg(test)]
mod tests {
    use exectrace_format::conventions::WAITING_CALLS;

    use super::*;

    #[test]
    fn readers_know_the_calls_in_which_one_waits() {
        let waits = |call: &&Call| matches!(call.class(), CallClass::Sleep | CallClass::Futex);
        let names: Vec<_> = Call::ALL
            .iter()
            .filter(waits)
            .map(|call| call.name())
            .collect();
        assert_eq!(names, WAITING_CALLS);
    }
}
