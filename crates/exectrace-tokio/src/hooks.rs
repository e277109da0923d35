//! The hooks, and how they are installed on a runtime's builder.
//!
//! Hooks must neither panic nor block: a panic in a hook around a poll ends the worker thread, and its
//! tasks are never polled again.

use exectrace_recorder::is_enabled;
use tokio::runtime::{Builder, Handle};

use crate::options::{Options, ThreadHook};
use crate::runtimes::{self, RuntimeState};
use crate::sealed::Sealed;
use crate::{closures, counters, current};

/// Has a runtime traced, through its builder.
///
/// This trait is sealed: it is implemented for [`Builder`] only.
pub trait BuilderExt: Sealed {
    /// Installs the tracer's hooks, replacing all that were installed before, and names the runtime.
    ///
    /// The name is part of the names of the workers' lanes and of the counters. It is also passed to
    /// [`Builder::name`], so that `Handle::name` returns it. Several runtimes may have the same name.
    ///
    /// Call this once for each runtime, before its [`Builder::build`]. Runtimes that are built after a single
    /// call share their name, their workers' lanes and their counters in the trace. The trace says so under
    /// `tokio.runtimes` (of current-thread runtimes, after the second one has slept).
    ///
    /// Hooks that are installed on the builder afterwards replace the tracer's. Pass yours to
    /// [`exectrace_with`](Self::exectrace_with) instead.
    ///
    /// ```
    /// use exectrace_tokio::BuilderExt;
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread()
    ///     .enable_all()
    ///     .exectrace("main")
    ///     .build()?;
    /// assert_eq!(runtime.handle().name(), Some("main"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn exectrace(&mut self, name: &str) -> &mut Self;

    /// Like [`exectrace`](Self::exectrace), for a program that has hooks of its own.
    ///
    /// ```
    /// use exectrace_tokio::{BuilderExt, Options};
    ///
    /// let options = Options::new().on_thread_start(|| println!("a thread"));
    /// let runtime = tokio::runtime::Builder::new_multi_thread()
    ///     .exectrace_with("main", options)
    ///     .build()?;
    /// # drop(runtime);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn exectrace_with(&mut self, name: &str, options: Options) -> &mut Self;
}

impl Sealed for Builder {}

impl BuilderExt for Builder {
    fn exectrace(&mut self, name: &str) -> &mut Self {
        self.exectrace_with(name, Options::new())
    }

    fn exectrace_with(&mut self, name: &str, options: Options) -> &mut Self {
        let state = runtimes::register(name.to_owned(), true);
        self.name(name);
        install(self, state, options);
        self
    }
}

/// Calls the program's hook, if it has one.
fn run(hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        hook();
    }
}

fn install(builder: &mut Builder, state: &'static RuntimeState, options: Options) {
    let Options {
        thread_start,
        thread_stop,
        thread_park,
        thread_unpark,
        ..
    } = options;
    builder.on_thread_start(move || {
        thread_starts(state);
        run(thread_start.as_ref());
    });
    builder.on_thread_stop(move || {
        run(thread_stop.as_ref());
        current::leaves(state);
        current::stops();
    });
    builder.on_thread_park(move || {
        run(thread_park.as_ref());
        if is_enabled() {
            current::parks(state);
        }
    });
    builder.on_thread_unpark(move || {
        thread_unparks(state);
        run(thread_unpark.as_ref());
    });
    #[cfg(tokio_unstable)]
    on_tasks::install(
        builder,
        state,
        [
            options.task_spawn,
            options.before_task_poll,
            options.after_task_poll,
            options.task_terminate,
        ],
    );
}

/// A thread of the runtime starts: that of a worker, or one of the blocking pool.
fn thread_starts(state: &'static RuntimeState) {
    exectrace_recorder::prepare_thread();
    current::starts(state);
    closures::follow();
    if let Ok(handle) = Handle::try_current() {
        state.identify_in_hook(&handle);
    }
    counters::hold(state);
}

/// A worker has slept. In a current-thread runtime this may be the first hook that runs, because no hook sees
/// its thread start.
fn thread_unparks(state: &'static RuntimeState) {
    if (!state.is_identified() || state.is_current_thread())
        && let Ok(handle) = Handle::try_current()
    {
        state.identify_in_hook(&handle);
    }
    if is_enabled() {
        current::unparks(state);
        counters::hold(state);
    }
}

#[cfg(tokio_unstable)]
mod on_tasks {
    //! The hooks for tasks, which Tokio has with `--cfg tokio_unstable`.

    use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, is_enabled};
    use tokio::runtime::{Builder, TaskMeta};

    use crate::current::{self, HookedEnd, spawns};
    use crate::ids;
    use crate::options::TaskHook;
    use crate::runtimes::RuntimeState;

    pub(super) fn install(
        builder: &mut Builder,
        state: &'static RuntimeState,
        hooks: [Option<TaskHook>; 4],
    ) {
        // Separate closures, so that programs without hooks do not pay for checking whether there is one.
        let [spawn, before_poll, after_poll, terminate] = hooks;
        match spawn {
            None => builder.on_task_spawn(move |meta| spawned(state, meta)),
            Some(hook) => builder.on_task_spawn(move |meta| {
                spawned(state, meta);
                hook(meta);
            }),
        };
        match before_poll {
            None => builder.on_before_task_poll(move |meta| poll_begins(state, meta)),
            Some(hook) => builder.on_before_task_poll(move |meta| {
                poll_begins(state, meta);
                hook(meta);
            }),
        };
        match after_poll {
            None => builder.on_after_task_poll(move |meta| poll_ends(state, meta)),
            Some(hook) => builder.on_after_task_poll(move |meta| {
                hook(meta);
                poll_ends(state, meta);
            }),
        };
        match terminate {
            None => builder.on_task_terminate(move |meta| ended(state, meta)),
            Some(hook) => builder.on_task_terminate(move |meta| {
                hook(meta);
                ended(state, meta);
            }),
        };
    }

    fn spawned(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        let id = ids::of_task(meta.id());
        let name = spawns::take_name();
        spawns::set_last(id);
        let task = AsyncTaskId::of_runtime(id);
        let (kind, place) = (AsyncTaskKind::Future, meta.spawned_at());
        state.runtime.spawned(task, kind, place, name);
    }

    #[inline]
    fn poll_begins(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        if !is_enabled() {
            return;
        }
        let id = ids::of_task(meta.id());
        current::report_worker(state);
        current::open(id);
        let task = AsyncTaskId::of_runtime(id);
        #[cfg(feature = "schedule-latency")]
        if let Some(waited) = meta.schedule_latency() {
            return state.runtime.poll_begins_after(task, waited);
        }
        state.runtime.poll_begins(task);
    }

    #[inline]
    fn poll_ends(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        if !is_enabled() {
            return;
        }
        let id = ids::of_task(meta.id());
        let task = AsyncTaskId::of_runtime(id);
        match current::close(id) {
            HookedEnd::OfOpen(Some(stack)) => state.runtime.poll_ends_at(task, stack),
            HookedEnd::OfOpen(None) | HookedEnd::OfOlder => state.runtime.poll_ends(task),
            HookedEnd::Reported => {}
        }
    }

    /// Also called for tasks of the blocking pool, workers' own loops among them, which no hook has
    /// seen spawned. Those are left to the wrapper.
    fn ended(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        let id = ids::of_task(meta.id());
        state.runtime.ended_if_spawned(AsyncTaskId::of_runtime(id));
    }
}
