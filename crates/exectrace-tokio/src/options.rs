//! What a program may set when it has a runtime traced, its own hooks above all.

use std::fmt;

#[cfg(tokio_unstable)]
use tokio::runtime::TaskMeta;

/// A hook on threads.
pub(crate) type ThreadHook = Box<dyn Fn() + Send + Sync>;

/// A hook on tasks.
#[cfg(tokio_unstable)]
pub(crate) type TaskHook = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// How a runtime is to be traced, and the hooks that its program has itself.
///
/// A builder of Tokio's keeps one hook of each kind, the last that it was given. Ours would silence
/// the program's, or the other way round; so the program gives its hooks here instead. They run as if
/// they were the only ones; ours come first where something begins and last where something ends,
/// so that what a hook of the program's does is seen inside of what it is told of.
#[derive(Default)]
#[must_use = "options do nothing until a builder is given them"]
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
    /// No hooks of the program's.
    pub fn new() -> Self {
        Self::default()
    }

    /// The program's hook for
    /// [`Builder::on_thread_start`](tokio::runtime::Builder::on_thread_start).
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_start = Some(Box::new(hook));
        self
    }

    /// The program's hook for
    /// [`Builder::on_thread_stop`](tokio::runtime::Builder::on_thread_stop).
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_stop = Some(Box::new(hook));
        self
    }

    /// The program's hook for
    /// [`Builder::on_thread_park`](tokio::runtime::Builder::on_thread_park).
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_park = Some(Box::new(hook));
        self
    }

    /// The program's hook for
    /// [`Builder::on_thread_unpark`](tokio::runtime::Builder::on_thread_unpark).
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.thread_unpark = Some(Box::new(hook));
        self
    }
}

#[cfg(tokio_unstable)]
impl Options {
    /// The program's hook for `Builder::on_task_spawn`. Only with `--cfg tokio_unstable`.
    pub fn on_task_spawn(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.task_spawn = Some(Box::new(hook));
        self
    }

    /// The program's hook for `Builder::on_before_task_poll`. Only with `--cfg tokio_unstable`.
    pub fn on_before_task_poll(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.before_task_poll = Some(Box::new(hook));
        self
    }

    /// The program's hook for `Builder::on_after_task_poll`. Only with `--cfg tokio_unstable`.
    pub fn on_after_task_poll(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.after_task_poll = Some(Box::new(hook));
        self
    }

    /// The program's hook for `Builder::on_task_terminate`. Only with `--cfg tokio_unstable`.
    pub fn on_task_terminate(
        mut self,
        hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.task_terminate = Some(Box::new(hook));
        self
    }
}
