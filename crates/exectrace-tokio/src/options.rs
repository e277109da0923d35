//! Options of a traced runtime: the hooks of the program.

use std::fmt;

#[cfg(tokio_unstable)]
use tokio::runtime::TaskMeta;

/// A hook for threads.
pub(crate) type ThreadHook = Box<dyn Fn() + Send + Sync>;

/// A hook for tasks.
#[cfg(tokio_unstable)]
pub(crate) type TaskHook = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// Options of a traced runtime: the hooks of the program.
///
/// Tokio's builder keeps one hook of each kind, the one that was installed last. So a program that has hooks of
/// its own passes them here, and the tracer's hooks call them. Where something begins, the tracer's hook runs
/// before the program's; where something ends, it runs after. So what the program's hook does is recorded as
/// part of it.
#[derive(Default)]
#[must_use = "options do nothing until they are passed to a builder"]
pub struct Options {
    pub(crate) thread_start: Option<ThreadHook>,
    pub(crate) thread_stop: Option<ThreadHook>,
    pub(crate) thread_park: Option<ThreadHook>,
    pub(crate) thread_unpark: Option<ThreadHook>,
    #[cfg(tokio_unstable)]
    pub(crate) task_spawn: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    pub(crate) before_task_poll: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    pub(crate) after_task_poll: Option<TaskHook>,
    #[cfg(tokio_unstable)]
    pub(crate) task_terminate: Option<TaskHook>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("thread_start", &self.thread_start.is_some())
            .field("thread_stop", &self.thread_stop.is_some())
            .field("thread_park", &self.thread_park.is_some())
            .field("thread_unpark", &self.thread_unpark.is_some())
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Options without any hook.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the program's hook for
    /// [`Builder::on_thread_start`](tokio::runtime::Builder::on_thread_start).
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_start = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for
    /// [`Builder::on_thread_stop`](tokio::runtime::Builder::on_thread_stop).
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_stop = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for
    /// [`Builder::on_thread_park`](tokio::runtime::Builder::on_thread_park).
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_park = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for
    /// [`Builder::on_thread_unpark`](tokio::runtime::Builder::on_thread_unpark).
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_unpark = Some(Box::new(hook));
        self
    }
}

#[cfg(tokio_unstable)]
impl Options {
    /// Sets the program's hook for `Builder::on_task_spawn`. Only with `--cfg tokio_unstable`.
    pub fn on_task_spawn(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.task_spawn = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for `Builder::on_before_task_poll`. Only with `--cfg tokio_unstable`.
    pub fn on_before_task_poll(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.before_task_poll = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for `Builder::on_after_task_poll`. Only with `--cfg tokio_unstable`.
    pub fn on_after_task_poll(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.after_task_poll = Some(Box::new(hook));
        self
    }

    /// Sets the program's hook for `Builder::on_task_terminate`. Only with `--cfg tokio_unstable`.
    pub fn on_task_terminate(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.task_terminate = Some(Box::new(hook));
        self
    }
}
