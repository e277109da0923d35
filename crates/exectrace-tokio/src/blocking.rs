//! What blocks a thread: `spawn_blocking`, `block_in_place`, `block_on`.

use std::panic::Location;

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, is_enabled};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::task::JoinHandle;

use crate::told::ToldTask;
use crate::traced::Traced;
use crate::{current, numbers, runtimes};

/// As [`tokio::task::spawn_blocking`], and has the closure traced: how long it waits for a thread, and
/// how long it runs.
///
/// # Panics
/// Outside of a runtime, as the original.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    spawn_blocking_on(f, &Handle::current())
}

/// As [`Handle::spawn_blocking`], and has the closure traced.
#[track_caller]
pub fn spawn_blocking_on<F, R>(f: F, handle: &Handle) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    handle.spawn_blocking(told(f, handle, Location::caller()))
}

/// A closure that is about to be given to the blocking pool, and tells of itself.
pub(crate) fn told<F, R>(
    f: F,
    handle: &Handle,
    place: &'static Location<'static>,
) -> impl FnOnce() -> R + Send + 'static
where
    F: FnOnce() -> R + Send + 'static,
{
    let (state, kind) = (runtimes::of(handle), AsyncTaskKind::Blocking);
    let mut task = ToldTask::spawned(state, AsyncTaskId::unique(), kind, place, None);
    move || {
        if !is_enabled() {
            let result = f();
            task.end();
            return result;
        }
        let number = tokio::task::try_id().map_or(0, numbers::of_task);
        let _run = task.run(number);
        f()
    }
}

/// As [`tokio::task::block_in_place`], and shows as a region `block_in_place` of its task.
///
/// # Panics
/// On a current-thread runtime, as the original.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    let _region = exectrace_recorder::region("block_in_place");
    let _doubt = Doubt;
    tokio::task::block_in_place(f)
}

/// Has this thread asked anew which worker it is.
struct Doubt;

impl Drop for Doubt {
    fn drop(&mut self) {
        current::doubt_worker();
    }
}

/// As [`Runtime::block_on`], with the future traced as a task.
///
/// # Panics
/// Within an async context, or if the future panics, as the original.
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
    let future = Traced::told(future, state, AsyncTaskKind::Root, place, None);
    let _leave =
        Leave(matches!(handle.runtime_flavor(), RuntimeFlavor::CurrentThread).then_some(state));
    runtime.block_on(future)
}

/// As [`Handle::block_on`], with the future traced as a task.
///
/// # Panics
/// Within an async context, or if the future panics, as the original.
#[track_caller]
pub fn block_on_handle<F: Future>(handle: &Handle, future: F) -> F::Output {
    let (state, place) = (runtimes::of(handle), Location::caller());
    handle.block_on(Traced::told(
        future,
        state,
        AsyncTaskKind::Root,
        place,
        None,
    ))
}

/// Tells that the caller of a current-thread runtime's `block_on` is its worker no longer.
struct Leave(Option<&'static runtimes::RuntimeState>);

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            current::leaves(state);
        }
    }
}
