//! The wrapper around a task's future, which tells what no hook tells.
//!
//! | | hooks see the task | they do not |
//! |---|---|---|
//! | spawn, polls, end | hooks | wrapper |
//! | wakes, and where the task waits | wrapper | wrapper |
//!
//! Whether hooks see the task is known at its spawn, where that is by us and not onto a local set.
//! Else it is looked up at each poll: a hook that has just told of a poll of this very task on this
//! thread has left a mark.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, PollState, is_enabled, observe_poll};
use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::runtimes::{self, RuntimeState};
use crate::told::ToldTask;
use crate::{alive, current, numbers};

pin_project! {
    /// A future that tells the tracer of its polls and wakes: what is made a task of.
    ///
    /// Made by [`instrument`] and [`TracedExt::traced`]. Is `Send`, `Sync` and
    /// `Unpin` as the future in it is.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Traced<F> {
        // Before what tells the task's end: what the future drops belongs to the task.
        #[pin]
        future: F,
        watch: Watch,
    }
}

/// What is known of the task that the future is.
#[derive(Debug)]
struct Watch {
    seen_by: SeenBy,
    /// The runtime, once it is known.
    state: Option<&'static RuntimeState>,
    /// The task's number in Tokio; 0 if it has none. `None` until its first poll tells.
    tokio_number: Option<u64>,
    wakes: PollState,
    place: &'static Location<'static>,
    name: Option<&'static str>,
}

/// Who tells of the task's spawn, polls and end.
#[derive(Debug)]
enum SeenBy {
    /// Hooks.
    Hooks,
    /// The wrapper.
    Wrapper(ToldTask),
    /// It is not known.
    Unknown,
    /// It is known once the task is spawned: the wrapper if something is in it, else hooks.
    #[cfg(tokio_unstable)]
    Later(LaterTold),
}

/// Who tells of a task of which that is known only after its spawn.
#[cfg(tokio_unstable)]
type LaterTold = std::sync::Arc<std::sync::Mutex<Option<ToldTask>>>;

/// Wraps a future that is to be handed, whole, to something that makes a task of it.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let task = tokio::spawn(exectrace_tokio::instrument(async { 6 * 7 }));
/// assert_eq!(task.await?, 42);
/// # Ok::<(), tokio::task::JoinError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The end of the future is taken for the end of the task, so a part of a task should not be wrapped.
/// Where no hook sees the spawn, this call is told as the spawn.
///
/// Costs: see the [crate's page](crate#what-it-costs).
#[track_caller]
pub fn instrument<F: Future>(future: F) -> Traced<F> {
    Traced::of_unknown(future, Location::caller(), None)
}

/// Wraps a future that is to be given to a `block_on`.
///
/// It is told as a task of its own, which begins with this call. [`block_on`](crate::block_on) does
/// this and a little more.
#[track_caller]
pub fn root<F: Future>(future: F) -> Traced<F> {
    let state = state_here();
    Traced::told(future, state, AsyncTaskKind::Root, Location::caller(), None)
}

/// Futures that can be traced as tasks.
pub trait TracedExt: Future + Sized {
    /// As [`instrument`].
    #[track_caller]
    fn traced(self) -> Traced<Self> {
        Traced::of_unknown(self, Location::caller(), None)
    }

    /// As [`instrument`], for a task with a name, which then shows instead of where it is spawned.
    ///
    /// Where a hook tells of the spawn, the name is not known to it; use
    /// [`spawn_named`](crate::spawn_named) there.
    #[track_caller]
    fn traced_as(self, name: &'static str) -> Traced<Self> {
        Traced::of_unknown(self, Location::caller(), Some(name))
    }
}

impl<F: Future> TracedExt for F {}

/// The runtime in whose context the caller is; a stand-in outside of any.
pub(crate) fn state_here() -> &'static RuntimeState {
    match Handle::try_current() {
        Ok(handle) => runtimes::of(&handle),
        Err(_) => runtimes::nowhere(),
    }
}

impl<F> Traced<F> {
    fn new(
        future: F,
        seen_by: SeenBy,
        state: Option<&'static RuntimeState>,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        let watch = Watch {
            seen_by,
            state,
            tokio_number: None,
            wakes: PollState::new(),
            place,
            name,
        };
        Self { future, watch }
    }

    /// A future of whose spawning nothing is known.
    fn of_unknown(
        future: F,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        if cfg!(tokio_unstable) {
            return Self::new(future, SeenBy::Unknown, None, place, name);
        }
        Self::told(future, state_here(), AsyncTaskKind::Future, place, name)
    }

    /// A future that is about to be spawned onto the runtime.
    pub(crate) fn spawned(
        future: F,
        state: &'static RuntimeState,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        if state.has_task_hooks() {
            return Self::new(future, SeenBy::Hooks, Some(state), place, name);
        }
        Self::told(future, state, AsyncTaskKind::Future, place, name)
    }

    /// A future that is about to become a task of a local set.
    pub(crate) fn future(
        future: F,
        state: &'static RuntimeState,
        place: &'static Location<'static>,
    ) -> Self {
        Self::told(future, state, AsyncTaskKind::Future, place, None)
    }

    /// A future that is about to become a task that no hook will see.
    pub(crate) fn told(
        future: F,
        state: &'static RuntimeState,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        let task = ToldTask::spawned(state, AsyncTaskId::unique(), kind, place, name);
        let mut traced = Self::new(future, SeenBy::Wrapper(task), Some(state), place, name);
        if kind == AsyncTaskKind::Root {
            // Tokio would give the number of a task around it, if there is one.
            traced.watch.tokio_number = Some(0);
        }
        traced
    }

    /// Spawns a future onto the local set or the local runtime that is current, by `spawn`.
    ///
    /// Hooks see the tasks of the one and not those of the other.
    pub(crate) fn spawned_locally<S: HasTaskId>(
        future: F,
        place: &'static Location<'static>,
        spawn: impl FnOnce(Self) -> S,
    ) -> S {
        #[cfg(tokio_unstable)]
        {
            let later = LaterTold::default();
            let seen_by = SeenBy::Later(std::sync::Arc::clone(&later));
            let spawned = spawn(Self::new(future, seen_by, None, place, None));
            let number = numbers::of_task(spawned.task_id());
            // No other thread can poll it or drop it meanwhile.
            if !current::spawns::is_last(number)
                && let Ok(mut later) = later.try_lock()
            {
                let (task, kind) = (AsyncTaskId::of_runtime(number), AsyncTaskKind::Future);
                *later = Some(ToldTask::spawned(state_here(), task, kind, place, None));
            }
            spawned
        }
        #[cfg(not(tokio_unstable))]
        spawn(Self::of_unknown(future, place, None))
    }
}

/// What spawning returns.
pub(crate) trait HasTaskId {
    /// The id of the task.
    #[cfg(tokio_unstable)]
    fn task_id(&self) -> tokio::task::Id;
}

impl<T> HasTaskId for tokio::task::JoinHandle<T> {
    #[cfg(tokio_unstable)]
    fn task_id(&self) -> tokio::task::Id {
        self.id()
    }
}

impl HasTaskId for tokio::task::AbortHandle {
    #[cfg(tokio_unstable)]
    fn task_id(&self) -> tokio::task::Id {
        self.id()
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.watch
            .poll(context, |context| this.future.poll(context))
    }
}

impl Watch {
    // One call of `f` for all cases, so that the program's code is compiled once.
    #[inline]
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let number = match self.tokio_number {
            Some(number) => number,
            None => self.ask_number(),
        };
        #[cfg(tokio_unstable)]
        self.settle();
        let state = match self.state {
            Some(state) => state,
            None => self.ask_state(),
        };
        let is_recorded = is_enabled();
        let inside = match is_recorded {
            true => current::depth_if_open(number),
            false => None,
        };
        if is_recorded && inside.is_none() && matches!(self.seen_by, SeenBy::Unknown) {
            self.meet(state, number);
        }
        let (task, mut told) = match &mut self.seen_by {
            SeenBy::Wrapper(told) => match is_recorded && inside.is_none() {
                true => (told.task, Some(told.poll(number))),
                false => (told.task, None),
            },
            _ => (AsyncTaskId::of_runtime(number), None),
        };
        // While nothing records as well: a task may store a waker now, and be woken when something
        // does.
        let result = observe_poll(state.runtime, task, &mut self.wakes, context, f);
        match (&mut told, inside) {
            (Some(told), _) if result.is_pending() => told.waits(self.wakes.stack()),
            (None, Some(depth)) if result.is_pending() => {
                current::set_stack(depth, self.wakes.stack());
            }
            _ => {}
        }
        drop(told);
        if result.is_ready()
            && let SeenBy::Wrapper(task) = &mut self.seen_by
        {
            task.end();
        }
        result
    }

    /// Which task is being polled.
    #[cold]
    fn ask_number(&mut self) -> u64 {
        let number = tokio::task::try_id().map_or(0, numbers::of_task);
        *self.tokio_number.insert(number)
    }

    /// In which runtime the task is.
    #[cold]
    fn ask_state(&mut self) -> &'static RuntimeState {
        self.state.insert(state_here())
    }

    /// Learns who tells of the task, where that is known now.
    #[cfg(tokio_unstable)]
    #[inline]
    fn settle(&mut self) {
        if let SeenBy::Later(later) = &self.seen_by {
            let told = later.try_lock().ok().and_then(|mut told| told.take());
            self.seen_by = told.map_or(SeenBy::Hooks, SeenBy::Wrapper);
        }
    }

    /// Learns who tells of the task, at a poll that nobody has told of.
    #[cold]
    fn meet(&mut self, state: &'static RuntimeState, number: u64) {
        let (task, kind) = match number {
            0 => (AsyncTaskId::unique(), AsyncTaskKind::Root),
            _ => (AsyncTaskId::of_runtime(number), AsyncTaskKind::Future),
        };
        // What is registered was told by hooks. Then records were switched on since the last of them
        // ran, and the next will tell.
        if number == 0 || !alive::contains(task) {
            let (place, name) = (self.place, self.name);
            let told = ToldTask::spawned(state, task, kind, place, name);
            self.seen_by = SeenBy::Wrapper(told);
        }
    }
}
