//! Closures of blocking pools that nothing else reports: known by the calls that they make.

use std::sync::OnceLock;

use crate::kinds::Kind;
use crate::runtime::{AsyncTaskId, Runtime};
use crate::thread_buffer::{ThreadBuffer, record_since, report_sums};
use crate::{clock, epoch};

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
pub(super) fn follow_closure(buffer: &ThreadBuffer) {
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
