//! Functions that spawn a task like Tokio's, and have it traced.

use std::panic::Location;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet, LocalSet};

use crate::sealed::Sealed;
use crate::traced::{Traced, state_here};
use crate::{blocking, runtimes};

/// Like [`tokio::spawn`], and has the task traced.
///
/// # Panics
/// Outside of a runtime, like the original.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here(future, &Handle::current(), None)
}

/// Like [`spawn`], for a task with a name, which is shown in place of where it was spawned.
///
/// # Panics
/// Outside of a runtime.
#[track_caller]
pub fn spawn_named<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here(future, &Handle::current(), Some(name))
}

/// Like [`Handle::spawn`], and has the task traced.
#[track_caller]
pub fn spawn_on<F>(future: F, handle: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_here(future, handle, None)
}

#[track_caller]
fn spawn_here<F>(future: F, handle: &Handle, name: Option<&'static str>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let state = runtimes::of(handle);
    let _name = Naming::begin(state.has_task_hooks(), name);
    handle.spawn(Traced::spawned(future, state, Location::caller(), name))
}

/// Passes a name to the spawn hook for as long as this exists.
struct Naming {
    is_named: bool,
}

impl Naming {
    fn begin(has_hooks: bool, name: Option<&'static str>) -> Self {
        let is_named = has_hooks && name.is_some();
        if is_named {
            set_name(name);
        }
        Self { is_named }
    }
}

impl Drop for Naming {
    fn drop(&mut self) {
        if self.is_named {
            set_name(None);
        }
    }
}

fn set_name(_name: Option<&'static str>) {
    #[cfg(tokio_unstable)]
    crate::current::spawns::set_name(_name);
}

/// Like [`tokio::task::spawn_local`], and has the task traced.
///
/// # Panics
/// Outside of a `LocalSet` and of a `LocalRuntime`, like the original.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let place = Location::caller();
    Traced::spawned_locally(future, place, tokio::task::spawn_local)
}

/// Like [`LocalSet::spawn_local`], and has the task traced.
#[track_caller]
pub fn spawn_local_on<F>(future: F, set: &LocalSet) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    set.spawn_local(Traced::local(future, state_here(), Location::caller()))
}

/// The methods of [`JoinSet`] that spawn, with the task traced.
///
/// This trait is sealed: it is implemented for [`JoinSet`] only.
pub trait JoinSetExt<T>: Sealed {
    /// Like [`JoinSet::spawn`].
    ///
    /// # Panics
    /// Outside of a runtime, like the original.
    #[track_caller]
    fn spawn_traced<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send;

    /// Like [`JoinSet::spawn_on`].
    #[track_caller]
    fn spawn_traced_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send;

    /// Like [`JoinSet::spawn_local`].
    ///
    /// # Panics
    /// Outside of a `LocalSet` and of a `LocalRuntime`, like the original.
    #[track_caller]
    fn spawn_local_traced<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static;

    /// Like [`JoinSet::spawn_local_on`].
    #[track_caller]
    fn spawn_local_traced_on<F>(&mut self, future: F, set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static;

    /// Like [`JoinSet::spawn_blocking`].
    ///
    /// # Panics
    /// Outside of a runtime, like the original.
    #[track_caller]
    fn spawn_blocking_traced<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send;

    /// Like [`JoinSet::spawn_blocking_on`].
    #[track_caller]
    fn spawn_blocking_traced_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send;
}

impl<T> Sealed for JoinSet<T> {}

impl<T: 'static> JoinSetExt<T> for JoinSet<T> {
    #[track_caller]
    fn spawn_traced<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.spawn_traced_on(future, &Handle::current())
    }

    #[track_caller]
    fn spawn_traced_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let state = runtimes::of(handle);
        self.spawn_on(
            Traced::spawned(future, state, Location::caller(), None),
            handle,
        )
    }

    #[track_caller]
    fn spawn_local_traced<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let place = Location::caller();
        Traced::spawned_locally(future, place, |future| self.spawn_local(future))
    }

    #[track_caller]
    fn spawn_local_traced_on<F>(&mut self, future: F, set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let future = Traced::local(future, state_here(), Location::caller());
        self.spawn_local_on(future, set)
    }

    #[track_caller]
    fn spawn_blocking_traced<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.spawn_blocking_traced_on(f, &Handle::current())
    }

    #[track_caller]
    fn spawn_blocking_traced_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.spawn_blocking_on(blocking::reported(f, handle, Location::caller()), handle)
    }
}
