//! What this build of the program lets the tracer see.

use std::sync::Once;

use exectrace_recorder::{has_frame_pointers, set_capability};

/// What this build of the program lets the tracer see. See [`capabilities`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether hooks tell of tasks: of all of a runtime that was built with
    /// [`exectrace`](crate::BuilderExt::exectrace), whoever spawned them. Else only of tasks spawned
    /// through this crate.
    pub all_tasks: bool,
    /// Whether the program was built with `--cfg tokio_unstable`, which brings the hooks.
    pub tokio_unstable: bool,
    /// Whether the program keeps frame pointers, so that it is seen where in its functions a task
    /// waits: `-C force-frame-pointers=yes`.
    pub frame_pointers: bool,
    /// Whether Tokio tells of the wakes of all tasks that are spawned while something records, to a
    /// Layer or Subscriber of this tracer's: the feature `tracing` of this crate, and the flag. Else
    /// only wakes of tasks spawned through this crate are seen.
    pub all_wakes: bool,
    /// Whether it is seen when, though not by whom, a task is woken in a runtime that tracks its
    /// schedule latency: the feature `schedule-latency` of this crate, and the flag.
    pub wake_times: bool,
    /// Whether tasks alive are registered, so that a recording knows them from its start.
    pub live_tasks: bool,
}

impl Capabilities {
    /// The same as pairs of a name and a value, in which form a trace has it.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &'static str); 5] {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let wakes = match (self.all_wakes, self.wake_times) {
            (true, _) => "all, by tracing",
            (false, true) => "wrapped; times of all",
            (false, false) => "wrapped",
        };
        [
            (
                "tokio.tasks",
                if self.all_tasks { "all" } else { "wrapped" },
            ),
            ("tokio.wakes", wakes),
            ("tokio.unstable", yes_no(self.tokio_unstable)),
            ("tokio.stacks", yes_no(self.frame_pointers)),
            ("tokio.live_tasks", yes_no(self.live_tasks)),
        ]
    }
}

/// What this build of the program lets the tracer see.
///
/// ```
/// let seen = exectrace_tokio::capabilities();
/// assert_eq!(seen.all_tasks, seen.tokio_unstable);
/// ```
#[must_use]
pub fn capabilities() -> Capabilities {
    Capabilities {
        all_tasks: cfg!(tokio_unstable),
        tokio_unstable: cfg!(tokio_unstable),
        frame_pointers: has_frame_pointers(),
        all_wakes: cfg!(all(tokio_unstable, feature = "tracing")),
        wake_times: cfg!(all(tokio_unstable, feature = "schedule-latency")),
        live_tasks: crate::alive::is_kept(),
    }
}

/// Has it written into every trace.
pub(crate) fn tell() {
    static ONCE: Once = Once::new();
    ONCE.call_once(tell_again);
}

fn tell_again() {
    for (key, value) in capabilities().pairs() {
        set_capability(key, value);
    }
}

/// Whether tasks spawned from now on are registered for recordings that start later; they are if this
/// is never called.
///
/// The registry costs some 40 ns a task, also while nothing records, and some 130 bytes a task alive.
/// Without it, a recording shows the tasks that were alive at its start from their first poll on.
pub fn keep_live_tasks(keep: bool) {
    crate::alive::set_kept(keep);
    tell_again();
}
