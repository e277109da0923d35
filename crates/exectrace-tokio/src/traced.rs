//! The wrapper around a task's future, which tells what no hook tells.
//!
//! | | hooks see the task | they do not |
//! |---|---|---|
//! | spawn, polls, end | hooks | wrapper |
//! | wakes, and where the task waits | wrapper | wrapper |
//!
//! Whether hooks see the task is known at its spawn, where that is by us. Else it is learned at the
//! first poll: then hooks have registered the task, or never will.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use exectrace_recorder::{
    AsyncTaskId, AsyncTaskKind, PollState, Runtime, is_enabled, observe_poll,
};
use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::runtimes::{self, RuntimeState};
use crate::told::ToldTask;
use crate::{current, numbers};

pin_project! {
    /// A future that tells the tracer of its polls and wakes: what is made a task of.
    ///
    /// Made by [`instrument`] and [`TracedExt::traced`]. Is `Send`, `Sync` and
    /// `Unpin` as the future in it is.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Traced<F> {
        // Before what tells the task's end: what the future drops belongs to the task. `None` once it
        // has completed, if its end is told here: Tokio would drop it only later.
        #[pin]
        future: Option<F>,
        watch: Watch,
    }
}

/// What is known of the task that the future is.
///
/// Kept small: it makes each task's allocation that much larger.
#[derive(Debug)]
struct Watch {
    seen_by: SeenBy,
    /// The task's number in Tokio; 0 if it has none, [`UNASKED`] before its first poll.
    tokio_number: u64,
    wakes: PollState,
}

const UNASKED: u64 = u64::MAX;

/// Who tells of the task's spawn, polls and end.
#[derive(Debug)]
enum SeenBy {
    /// Hooks, of this runtime.
    Hooks(&'static RuntimeState),
    /// The wrapper.
    Wrapper(ToldTask),
    /// It is known at the first poll. The future was wrapped here.
    Unknown(&'static Location<'static>),
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
    /// With `--cfg tokio_unstable` the name is not used, as a hook that tells of the spawn cannot know
    /// it: use [`spawn_named`](crate::spawn_named) there.
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
    fn new(future: F, seen_by: SeenBy) -> Self {
        let watch = Watch {
            seen_by,
            tokio_number: UNASKED,
            wakes: PollState::new(),
        };
        Self {
            future: Some(future),
            watch,
        }
    }

    /// A future of whose spawning nothing is known.
    fn of_unknown(
        future: F,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        if cfg!(tokio_unstable) {
            return Self::new(future, SeenBy::Unknown(place));
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
            return Self::new(future, SeenBy::Hooks(state));
        }
        Self::told(future, state, AsyncTaskKind::Future, place, name)
    }

    /// A future that is about to become a task of a local set.
    pub(crate) fn local(
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
        let mut traced = Self::new(future, SeenBy::Wrapper(task));
        if kind == AsyncTaskKind::Root {
            // Tokio would give the number of a task around it, if there is one.
            traced.watch.tokio_number = 0;
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
            let spawned = spawn(Self::new(future, seen_by));
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
        let mut this = self.project();
        if this.watch.is_new() {
            this.watch.learn();
        }
        if is_enabled() {
            this.watch.poll_on(context, this.future.as_mut())
        } else {
            this.watch.poll_off(context, this.future.as_mut())
        }
    }
}

/// The program's code, compiled once for all ways to get here.
#[inline(never)]
fn poll_future<F: Future>(
    future: Pin<&mut Option<F>>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    match future.as_pin_mut() {
        Some(future) => future.poll(context),
        // As an `async` block does.
        None => panic!("a future was polled after it had completed"),
    }
}

impl Watch {
    /// Whether the task, or who tells of it, is not known yet.
    #[inline]
    fn is_new(&self) -> bool {
        let is_known = matches!(self.seen_by, SeenBy::Hooks(_) | SeenBy::Wrapper(_));
        self.tokio_number == UNASKED || !is_known
    }

    /// A poll while nothing records. Wakers are substituted still: a task may store one now, and be
    /// woken when something records.
    #[inline]
    fn poll_off<F: Future>(
        &mut self,
        context: &mut Context<'_>,
        mut future: Pin<&mut Option<F>>,
    ) -> Poll<F::Output> {
        let (runtime, task) = self.task();
        let f = |context: &mut Context<'_>| poll_future(future.as_mut(), context);
        let result = observe_poll(runtime, task, &mut self.wakes, context, f);
        if let SeenBy::Wrapper(task) = &mut self.seen_by {
            if result.is_ready() {
                future.set(None);
                task.end();
            } else {
                // A recording may have begun meanwhile, which takes the task for one that waits.
                task.state.runtime.poll_ends(task.task);
            }
        }
        result
    }

    /// A poll while something records.
    #[inline]
    fn poll_on<F: Future>(
        &mut self,
        context: &mut Context<'_>,
        mut future: Pin<&mut Option<F>>,
    ) -> Poll<F::Output> {
        let (number, (runtime, task)) = (self.tokio_number, self.task());
        let ends_here = matches!(self.seen_by, SeenBy::Wrapper(_));
        // A hook, or a wrapper around this one, has told of this poll.
        let inside = current::depth_if_open(number);
        let mut told = match &mut self.seen_by {
            SeenBy::Wrapper(task) if inside.is_none() => Some(task.poll(number)),
            _ => None,
        };
        let f = |context: &mut Context<'_>| poll_future(future.as_mut(), context);
        let result = observe_poll(runtime, task, &mut self.wakes, context, f);
        if result.is_pending() {
            match (&mut told, inside) {
                (Some(told), _) => told.waits(self.wakes.stack()),
                (None, Some(depth)) => current::set_stack(depth, self.wakes.stack()),
                (None, None) => {}
            }
        } else {
            if ends_here {
                // In this poll: its spans are entered and closed while it is dropped.
                future.set(None);
            }
            drop(told);
            if let SeenBy::Wrapper(task) = &mut self.seen_by {
                task.end();
            }
        }
        result
    }

    /// The runtime and the task.
    #[inline]
    fn task(&self) -> (Runtime, AsyncTaskId) {
        let task = AsyncTaskId::of_runtime(self.tokio_number);
        match &self.seen_by {
            SeenBy::Wrapper(told) => (told.state.runtime, told.task),
            SeenBy::Hooks(state) => (state.runtime, task),
            // Not after `learn`.
            _ => (state_here().runtime, task),
        }
    }

    /// Learns at the first poll which task is polled, and who tells of it.
    #[cold]
    fn learn(&mut self) {
        if self.tokio_number == UNASKED {
            self.tokio_number = tokio::task::try_id().map_or(0, numbers::of_task);
        }
        match &self.seen_by {
            SeenBy::Hooks(_) | SeenBy::Wrapper(_) => {}
            SeenBy::Unknown(place) => self.seen_by = Self::meet(self.tokio_number, place),
            #[cfg(tokio_unstable)]
            SeenBy::Later(later) => {
                let told = later.try_lock().ok().and_then(|mut told| told.take());
                self.seen_by = match told {
                    Some(task) => SeenBy::Wrapper(task),
                    None => SeenBy::Hooks(state_here()),
                };
            }
        }
    }

    /// A task of whose spawning the wrapper knows nothing. Hooks told of it if it is registered, or
    /// if nothing else is known of a runtime that has them.
    fn meet(number: u64, place: &'static Location<'static>) -> SeenBy {
        let state = state_here();
        let (task, kind) = match number {
            0 => (AsyncTaskId::unique(), AsyncTaskKind::Root),
            _ => (AsyncTaskId::of_runtime(number), AsyncTaskKind::Future),
        };
        if number != 0 && state.has_task_hooks() && task.is_live() {
            return SeenBy::Hooks(state);
        }
        SeenBy::Wrapper(ToldTask::spawned(state, task, kind, place, None))
    }
}
