//! Closures of the blocking pool that no wrapper has seen, such as those of `tokio::fs`: known by their calls.
//!
//! Inside such a closure Tokio knows the task's id. So whoever records a call of the C library asks here
//! whether a closure makes it.

use exectrace_recorder::AsyncTaskId;
use exectrace_recorder::calls::{Closure, set_closure};

use crate::runtimes::RuntimeState;
use crate::{current, ids};

/// Has the calls of closures belong to them.
pub(crate) fn follow() {
    set_closure(running);
}

/// The closure that the calling thread runs.
///
/// Asks Tokio on threads of hooked runtimes alone, whose thread-local values are there already: on others, this
/// would make them, which allocates.
fn running() -> Closure {
    let Some(state) = current::pool_of_thread() else {
        return Closure::Elsewhere;
    };
    // A worker's loop is a closure of the pool as well, to Tokio.
    if tokio::runtime::worker_index().is_some() {
        return Closure::Elsewhere;
    }
    match tokio::task::try_id() {
        Some(id) => closure_of(state, ids::of_task(id)),
        None => Closure::None,
    }
}

fn closure_of(state: &'static RuntimeState, id: u64) -> Closure {
    Closure::Of(state.runtime, AsyncTaskId::of_runtime(id))
}
