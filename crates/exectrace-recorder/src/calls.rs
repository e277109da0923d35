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

mod closure;
mod result;
mod sums;
mod table;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use crate::budget::Source;
use crate::kinds::Kind;
use crate::settings::CallSettings;
use crate::thread::{ThreadShared, with_shared_anywhere};
use crate::thread_buffer::{ThreadBuffer, record_since, with_buffer};
use crate::{clock, is_enabled, stacks};

pub(crate) use closure::LastClosure;
pub use closure::{Closure, set_closure};
pub use result::CallResult;
pub(crate) use result::{DriverResult, Timeout};
pub(crate) use sums::{CallSums, Sum};
pub(crate) use table::CALLS;
pub use table::{Call, CallClass};

use closure::follow_closure;

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
}

/// What a trace says of the calls that are seen.
pub(crate) fn capabilities() -> Vec<(&'static str, String)> {
    CAPABILITIES.get().map_or_else(Vec::new, |values| values())
}

/// Whether anything stands in for functions of the C library.
pub(crate) fn is_linked() -> bool {
    CAPABILITIES.get().is_some()
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
            // Unless it is the tracer's own, made while it asks for a thread's counts.
            if !buffer.is_in_own_work() {
                count_elsewhere(call);
            }
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
    shared.calls.set_open(began, call);
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
                shared.calls.set_over();
            }
            compiler_fence(Ordering::SeqCst);
            buffer.in_call.set(false);
        });
    }
}
