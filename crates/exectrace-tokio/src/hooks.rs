//! The hooks, and their installation on a builder of Tokio's.
//!
//! They must neither panic nor wait: a panic in a hook around a poll ends the worker thread, and its
//! tasks hang for good.

use exectrace_recorder::is_enabled;
use tokio::runtime::{Builder, Handle};

use crate::options::{Options, ThreadHook};
use crate::runtimes::{self, RuntimeState};
use crate::{counters, current};

/// Has a runtime traced, from its builder.
pub trait BuilderExt {
    /// Installs the tracer's hooks, in the place of any installed before, and names the runtime.
    ///
    /// The name shows in the names of its workers' lanes and of its counters; it is also given to
    /// [`Builder::name`], where `Handle::name` finds it. Several runtimes may have the same.
    ///
    /// A builder is for one runtime: call this again before each further [`Builder::build`]. Runtimes that
    /// are built after one call share their name, their workers' lanes and their counters in the trace, which
    /// says so under `tokio.runtimes`; of current-thread runtimes, once the second has slept.
    ///
    /// Hooks that the builder is given afterwards take the place of the tracer's: give yours to
    /// [`exectrace_with`](Self::exectrace_with).
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

    /// As [`exectrace`](Self::exectrace), for a program that has hooks of its own.
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

/// Runs the program's hook, if it has one.
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

/// A thread starts: a worker's, or one of the blocking pool.
fn thread_starts(state: &'static RuntimeState) {
    if let Ok(handle) = Handle::try_current() {
        state.identify_in_hook(&handle);
    }
    counters::hold(state);
}

/// A worker has slept. It may be the first hook that runs in a current-thread runtime, on whose thread no
/// hook sees the start.
fn thread_unparks(state: &'static RuntimeState) {
    if (state.tokio_number() == 0 || state.is_current_thread())
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
    //! The hooks on tasks, which Tokio has with `--cfg tokio_unstable`.

    use exectrace_recorder::{AsyncTaskId, AsyncTaskKind, is_enabled};
    use tokio::runtime::{Builder, TaskMeta};

    use crate::current::{self, HookedEnd, spawns};
    use crate::numbers;
    use crate::options::TaskHook;
    use crate::runtimes::RuntimeState;

    pub(super) fn install(
        builder: &mut Builder,
        state: &'static RuntimeState,
        hooks: [Option<TaskHook>; 4],
    ) {
        // A closure of its own for each case, so that a program without hooks does not ask for them.
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
        let number = numbers::of_task(meta.id());
        let name = spawns::take_name();
        spawns::set_last(number);
        let task = AsyncTaskId::of_runtime(number);
        let (kind, place) = (AsyncTaskKind::Future, meta.spawned_at());
        state.runtime.spawned(task, kind, place, name);
    }

    #[inline]
    fn poll_begins(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        if !is_enabled() {
            return;
        }
        let number = numbers::of_task(meta.id());
        current::tell_worker(state);
        current::open(number);
        let task = AsyncTaskId::of_runtime(number);
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
        let number = numbers::of_task(meta.id());
        let task = AsyncTaskId::of_runtime(number);
        match current::close(number) {
            HookedEnd::OfOpen(Some(stack)) => state.runtime.poll_ends_at(task, stack),
            HookedEnd::OfOpen(None) | HookedEnd::OfOlder => state.runtime.poll_ends(task),
            HookedEnd::Told => {}
        }
    }

    /// Also called for tasks of the blocking pool, workers' own loops among them, which no hook has
    /// seen spawned. Those are left to the wrapper.
    fn ended(state: &'static RuntimeState, meta: &TaskMeta<'_>) {
        let number = numbers::of_task(meta.id());
        state
            .runtime
            .ended_if_spawned(AsyncTaskId::of_runtime(number));
    }
}
