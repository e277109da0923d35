//! Functions that block a thread: `spawn_blocking`, `block_in_place`, `block_on`.

use std::panic::Location;

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, is_enabled};
use tokio::runtime::{Handle, LocalRuntime, Runtime, RuntimeFlavor};
use tokio::task::JoinHandle;

use crate::reported::ReportedTask;
use crate::traced::Traced;
use crate::{current, ids, runtimes};

/// Like [`tokio::task::spawn_blocking`], and records how long the closure waits for a thread and how long it
/// runs.
///
/// # Panics
/// Outside of a runtime, like the original.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    spawn_blocking_on(f, &Handle::current())
}

/// Like [`Handle::spawn_blocking`], and records the closure.
#[track_caller]
pub fn spawn_blocking_on<F, R>(f: F, handle: &Handle) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    handle.spawn_blocking(reported(f, handle, Location::caller()))
}

/// Wraps a closure that is about to be passed to the blocking pool.
pub(crate) fn reported<F, R>(
    f: F,
    handle: &Handle,
    place: &'static Location<'static>,
) -> impl FnOnce() -> R + Send + 'static
where
    F: FnOnce() -> R + Send + 'static,
{
    let (state, kind) = (runtimes::of(handle), AsyncTaskKind::Blocking);
    let mut task = ReportedTask::spawned(state, AsyncTaskId::unique(), kind, place, None);
    move || {
        if !is_enabled() {
            let result = f();
            task.end();
            return result;
        }
        let id = tokio::task::try_id().map_or(0, ids::of_task);
        let _run = task.run(id);
        f()
    }
}

/// Like [`tokio::task::block_in_place`], and recorded as a region `block_in_place` of its task.
///
/// # Panics
/// On a current-thread runtime, like the original.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    let _region = exectrace_recorder::region("block_in_place");
    let _forget = ForgetWorker;
    tokio::task::block_in_place(f)
}

/// On drop, has the thread's next poll check which worker the thread runs.
struct ForgetWorker;

impl Drop for ForgetWorker {
    fn drop(&mut self) {
        current::forget_worker();
    }
}

/// Like [`Runtime::block_on`], and records the future as a task.
///
/// # Panics
/// Within an async context, or if the future panics, like the original.
///
/// ```
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let answer = exectrace_tokio::block_on(&runtime, async { 6 * 7 });
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    let (handle, place) = (runtime.handle(), Location::caller());
    let state = runtimes::of(handle);
    let future = Traced::reported(future, state, AsyncTaskKind::Root, place, None);
    let _leave =
        Leave(matches!(handle.runtime_flavor(), RuntimeFlavor::CurrentThread).then_some(state));
    runtime.block_on(future)
}

/// Like [`LocalRuntime::block_on`], and records the future as a task.
///
/// # Panics
/// Within an async context, or if the future panics, like the original.
#[track_caller]
pub fn block_on_local<F: Future>(runtime: &LocalRuntime, future: F) -> F::Output {
    let (state, place) = (runtimes::of(runtime.handle()), Location::caller());
    let future = Traced::reported(future, state, AsyncTaskKind::Root, place, None);
    let _leave = Leave(Some(state));
    runtime.block_on(future)
}

/// Like [`Handle::block_on`], and records the future as a task.
///
/// # Panics
/// Within an async context, or if the future panics, like the original.
#[track_caller]
pub fn block_on_handle<F: Future>(handle: &Handle, future: F) -> F::Output {
    let (state, place) = (runtimes::of(handle), Location::caller());
    handle.block_on(Traced::reported(
        future,
        state,
        AsyncTaskKind::Root,
        place,
        None,
    ))
}

/// On drop, reports that the caller of a current-thread runtime's `block_on` is no longer its worker.
struct Leave(Option<&'static runtimes::RuntimeState>);

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            current::leaves(state);
        }
    }
}
