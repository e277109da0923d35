//! The wrapper around a task's future, which reports what no hook reports.
//!
//! | reported by | if hooks see the task | otherwise |
//! |---|---|---|
//! | spawn, polls, end | hooks | wrapper |
//! | wakes, and where the task waits | wrapper | wrapper |
//!
//! Whether hooks see the task is known at its spawn, if a function of this crate spawns it. Otherwise the wrapper
//! finds out at the first poll: by then hooks have reported the spawn, or never will.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use exectrace_recorder::{
    AsyncTaskId, AsyncTaskKind, PollState, Runtime, is_enabled, observe_poll,
};
use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::reported::ReportedTask;
use crate::runtimes::{self, RuntimeState};
use crate::{current, ids};

pin_project! {
    /// A future whose polls and wakes are recorded, to be spawned as a task.
    ///
    /// Made by [`TracedExt::traced`] and [`root`]. It is `Send`, `Sync` and `Unpin` if the wrapped future is.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Traced<F> {
        // Dropped before `task`, which reports the task's end: what the future drops belongs to the task. `None`
        // after the future has completed, if the end is reported here, because Tokio drops it only later.
        #[pin]
        future: Option<F>,
        task: TracedTask,
    }
}

/// What the wrapper knows of the task.
///
/// Kept small, because it makes the allocation of each task larger.
#[derive(Debug)]
struct TracedTask {
    reporter: Reporter,
    /// The task's id in Tokio; 0 if it has none, [`UNASKED`] before its first poll.
    tokio_id: u64,
    wakes: PollState,
}

const UNASKED: u64 = u64::MAX;

/// What reports the task's spawn, polls and end.
#[derive(Debug)]
enum Reporter {
    /// The hooks of this runtime.
    Hooks(&'static RuntimeState),
    /// The wrapper.
    Wrapper(ReportedTask),
    /// Known at the first poll. The future was wrapped at this place.
    Unknown(&'static Location<'static>),
    /// Known after the spawn: the wrapper if there is a task in it, otherwise hooks.
    #[cfg(tokio_unstable)]
    Later(LaterReported),
}

/// The task that the wrapper reports, if that becomes known only after the spawn.
#[cfg(tokio_unstable)]
type LaterReported = std::sync::Arc<std::sync::Mutex<Option<ReportedTask>>>;

/// Wraps a future that is passed to a `block_on`.
///
/// The future is recorded as a task of its own, which begins with this call. Where possible use
/// [`block_on`](crate::block_on) instead, which also reports when the calling thread stops being a worker.
#[track_caller]
pub fn root<F: Future>(future: F) -> Traced<F> {
    let state = state_here();
    Traced::reported(future, state, AsyncTaskKind::Root, Location::caller(), None)
}

/// Has futures traced as tasks, where none of this crate's functions can spawn them.
///
/// Implemented for all futures.
pub trait TracedExt: Future + Sized {
    /// Wraps a future that is passed, as a whole, to something that makes a task of it.
    ///
    /// ```
    /// use exectrace_tokio::TracedExt;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let task = tokio::spawn(async { 6 * 7 }.traced());
    /// assert_eq!(task.await?, 42);
    /// # Ok::<(), tokio::task::JoinError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The end of the future is recorded as the end of the task, so do not wrap a part of a task. If no hook
    /// sees the spawn, this call is recorded as the spawn.
    ///
    /// For the costs see the [crate's page](crate#what-it-costs).
    #[track_caller]
    fn traced(self) -> Traced<Self> {
        Traced::of_unknown(self, Location::caller(), None)
    }

    /// Like [`traced`](Self::traced), for a task with a name, which is shown in place of where it is spawned.
    ///
    /// With `--cfg tokio_unstable` the name is not used, because hooks report the spawn and do not know the
    /// name. Use [`spawn_named`](crate::spawn_named) there.
    #[track_caller]
    fn traced_as(self, name: &'static str) -> Traced<Self> {
        Traced::of_unknown(self, Location::caller(), Some(name))
    }
}

impl<F: Future> TracedExt for F {}

/// The state of the runtime in whose context the caller is, or a stand-in outside of any.
pub(crate) fn state_here() -> &'static RuntimeState {
    match Handle::try_current() {
        Ok(handle) => runtimes::of(&handle),
        Err(_) => runtimes::nowhere(),
    }
}

impl<F> Traced<F> {
    fn new(future: F, reporter: Reporter) -> Self {
        let task = TracedTask {
            reporter,
            tokio_id: UNASKED,
            wakes: PollState::new(),
        };
        Self {
            future: Some(future),
            task,
        }
    }

    /// Wraps a future that something else spawns.
    fn of_unknown(
        future: F,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        if cfg!(tokio_unstable) {
            return Self::new(future, Reporter::Unknown(place));
        }
        Self::reported(future, state_here(), AsyncTaskKind::Future, place, name)
    }

    /// Wraps a future that is about to be spawned onto the runtime.
    pub(crate) fn spawned(
        future: F,
        state: &'static RuntimeState,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        if state.has_task_hooks() {
            return Self::new(future, Reporter::Hooks(state));
        }
        Self::reported(future, state, AsyncTaskKind::Future, place, name)
    }

    /// Wraps a future that is about to become a task of a local set.
    pub(crate) fn local(
        future: F,
        state: &'static RuntimeState,
        place: &'static Location<'static>,
    ) -> Self {
        Self::reported(future, state, AsyncTaskKind::Future, place, None)
    }

    /// Wraps a future that is about to become a task which no hook sees.
    pub(crate) fn reported(
        future: F,
        state: &'static RuntimeState,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) -> Self {
        let task = ReportedTask::spawned(state, AsyncTaskId::unique(), kind, place, name);
        let mut traced = Self::new(future, Reporter::Wrapper(task));
        if kind == AsyncTaskKind::Root {
            // Inside another task Tokio would return the id of that one.
            traced.task.tokio_id = 0;
        }
        traced
    }

    /// Spawns a future by `spawn`, onto the current local set or local runtime.
    ///
    /// Hooks see the tasks of a local runtime, but not those of a local set.
    pub(crate) fn spawned_locally<S: HasTaskId>(
        future: F,
        place: &'static Location<'static>,
        spawn: impl FnOnce(Self) -> S,
    ) -> S {
        #[cfg(tokio_unstable)]
        {
            let later = LaterReported::default();
            let reporter = Reporter::Later(std::sync::Arc::clone(&later));
            let spawned = spawn(Self::new(future, reporter));
            let id = ids::of_task(spawned.task_id());
            // No other thread can poll or drop the task meanwhile.
            if !current::spawns::is_last(id)
                && let Ok(mut later) = later.try_lock()
            {
                let (task, kind) = (AsyncTaskId::of_runtime(id), AsyncTaskKind::Future);
                *later = Some(ReportedTask::spawned(state_here(), task, kind, place, None));
            }
            spawned
        }
        #[cfg(not(tokio_unstable))]
        spawn(Self::of_unknown(future, place, None))
    }
}

/// What a function that spawns returns.
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
        if this.task.is_new() {
            this.task.learn();
        }
        if is_enabled() {
            this.task.poll_on(context, this.future.as_mut())
        } else {
            this.task.poll_off(context, this.future.as_mut())
        }
    }
}

/// Polls the program's future. Not inlined, so that its code is compiled once.
#[inline(never)]
fn poll_future<F: Future>(
    future: Pin<&mut Option<F>>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    match future.as_pin_mut() {
        Some(future) => future.poll(context),
        // An `async` block panics too.
        None => panic!("a future was polled after it had completed"),
    }
}

impl TracedTask {
    /// Whether the task, or what reports it, is not known yet.
    #[inline]
    fn is_new(&self) -> bool {
        let is_known = matches!(self.reporter, Reporter::Hooks(_) | Reporter::Wrapper(_));
        self.tokio_id == UNASKED || !is_known
    }

    /// A poll while nothing records. The waker is wrapped all the same: the task may store it now and be
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
        if let Reporter::Wrapper(task) = &mut self.reporter {
            if result.is_ready() {
                future.set(None);
                task.end();
            } else {
                // A recording may have begun meanwhile, in which the task is waiting.
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
        let (id, (runtime, task)) = (self.tokio_id, self.task());
        let ends_here = matches!(self.reporter, Reporter::Wrapper(_));
        // Set if a hook, or a wrapper around this one, has reported this poll.
        let inside = current::depth_if_open(id);
        let mut reported = match &mut self.reporter {
            Reporter::Wrapper(task) if inside.is_none() => Some(task.poll(id)),
            _ => None,
        };
        let f = |context: &mut Context<'_>| poll_future(future.as_mut(), context);
        let result = observe_poll(runtime, task, &mut self.wakes, context, f);
        if result.is_pending() {
            match (&mut reported, inside) {
                (Some(reported), _) => reported.waits(self.wakes.stack()),
                (None, Some(depth)) => current::set_stack(depth, self.wakes.stack()),
                (None, None) => {}
            }
        } else {
            if ends_here {
                // Within this poll, as dropping the future may enter and close spans.
                future.set(None);
            }
            drop(reported);
            if let Reporter::Wrapper(task) = &mut self.reporter {
                task.end();
            }
        }
        result
    }

    /// The runtime and the task.
    #[inline]
    fn task(&self) -> (Runtime, AsyncTaskId) {
        let task = AsyncTaskId::of_runtime(self.tokio_id);
        match &self.reporter {
            Reporter::Wrapper(reported) => (reported.state.runtime, reported.task),
            Reporter::Hooks(state) => (state.runtime, task),
            // Not after `learn`.
            _ => (state_here().runtime, task),
        }
    }

    /// Finds out, at the first poll, which task this is and what reports it.
    #[cold]
    fn learn(&mut self) {
        if self.tokio_id == UNASKED {
            self.tokio_id = tokio::task::try_id().map_or(0, ids::of_task);
        }
        match &self.reporter {
            Reporter::Hooks(_) | Reporter::Wrapper(_) => {}
            Reporter::Unknown(place) => self.reporter = Self::reporter_of(self.tokio_id, place),
            #[cfg(tokio_unstable)]
            Reporter::Later(later) => {
                let reported = later.try_lock().ok().and_then(|mut later| later.take());
                self.reporter = match reported {
                    Some(task) => Reporter::Wrapper(task),
                    None => Reporter::Hooks(state_here()),
                };
            }
        }
    }

    /// What reports a task that something else has spawned. Hooks do if they have reported its spawn. If live
    /// tasks are not kept, they are assumed to have done so in a runtime that has them.
    fn reporter_of(tokio_id: u64, place: &'static Location<'static>) -> Reporter {
        let state = state_here();
        let (task, kind) = match tokio_id {
            0 => (AsyncTaskId::unique(), AsyncTaskKind::Root),
            _ => (AsyncTaskId::of_runtime(tokio_id), AsyncTaskKind::Future),
        };
        if tokio_id != 0 && state.has_task_hooks() && task.is_live() {
            return Reporter::Hooks(state);
        }
        Reporter::Wrapper(ReportedTask::spawned(state, task, kind, place, None))
    }
}
