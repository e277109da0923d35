//! What the tracer can see in this build of the program.

use std::sync::Once;

use exectrace_recorder::{
    NothingCause, explain_nothing_by, has_frame_pointers, has_span_sources, keeps_live_tasks,
    set_capability, set_capability_by,
};

use crate::runtimes::{self, RuntimeState};

/// What the tracer can see in this build of the program. Returned by [`capabilities()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether all tasks of a runtime that was built with [`exectrace`](crate::BuilderExt::exectrace) are seen,
    /// through hooks. Otherwise only tasks that are spawned through this crate are.
    pub all_tasks: bool,
    /// Whether the program was built with `--cfg tokio_unstable`, which provides the hooks.
    pub tokio_unstable: bool,
    /// Whether the program was built with `-C force-frame-pointers=yes`, so that it is seen where in its
    /// functions a task waits.
    pub frame_pointers: bool,
    /// Whether the wakes of all tasks that are spawned while something records are seen. This takes the feature
    /// `tracing` of this crate, the flag, and a Layer or Subscriber of exectrace. Otherwise only wakes of tasks
    /// that are spawned through this crate are seen.
    pub all_wakes: bool,
    /// Whether it is seen when tasks are woken, though not by whom, in a runtime that tracks its schedule
    /// latency. This takes the feature `schedule-latency` of this crate, and the flag.
    pub wake_times: bool,
    /// Whether live tasks are kept ([`keep_live_tasks`]), so that a recording shows them from its start.
    pub live_tasks: bool,
}

impl Capabilities {
    /// The same as pairs of a name and a value, as a trace has it.
    fn pairs(&self) -> [(&'static str, &'static str); 5] {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let tasks = match self.all_tasks {
            true => "all of hooked runtimes",
            false => "wrapped",
        };
        [
            ("tokio.tasks", tasks),
            (WAKES, self.wakes()),
            ("tokio.unstable", yes_no(self.tokio_unstable)),
            ("tokio.stacks", yes_no(self.frame_pointers)),
            ("tokio.live_tasks", yes_no(self.live_tasks)),
        ]
    }
}

impl Capabilities {
    /// The wakes that are seen.
    fn wakes(&self) -> &'static str {
        match (self.all_wakes, self.wake_times) {
            (true, _) => "all, by tracing",
            (false, true) => "wrapped; times of all",
            (false, false) if WAKES_BY_TRACING => {
                "wrapped; all, by tracing, once a Layer or Subscriber of exectrace is set"
            }
            (false, false) => "wrapped",
        }
    }
}

const WAKES: &str = "tokio.wakes";

/// Whether Tokio has spans around tasks and events for wakes.
const WAKES_BY_TRACING: bool = cfg!(all(tokio_unstable, feature = "tracing"));

/// Returns what the tracer can see in this build of the program.
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
        all_wakes: WAKES_BY_TRACING && has_span_sources(),
        wake_times: cfg!(all(tokio_unstable, feature = "schedule-latency")),
        live_tasks: keeps_live_tasks(),
    }
}

/// Has every trace say what the tracer can see.
pub(crate) fn announce() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        announce_again();
        explain_nothing_by(why_nothing);
    });
}

/// Why no poll is recorded. Called on the recorder's flush thread.
fn why_nothing() -> Option<NothingCause> {
    // Once there are any, runtimes stay known, also those that have ended.
    let cause = match cfg!(tokio_unstable) {
        true => NothingCause::Idle,
        false => NothingCause::PollsNotSeen,
    };
    Some(cause)
}

fn announce_again() {
    for (key, value) in capabilities().pairs() {
        match key {
            // Changes if a Layer is installed later.
            WAKES => set_capability_by(key, || capabilities().wakes().to_owned()),
            _ => set_capability(key, value),
        }
    }
}

/// How many runtimes are named at most.
const MAX_NAMED: usize = 16;

/// Has every trace name the runtimes that are known, and whether they have hooks. Nothing is seen of others.
///
/// The caller makes sure that only one thread calls this at a time, as a running recording gets the text of the
/// last call.
pub(crate) fn announce_runtimes() {
    set_capability_by("tokio.runtimes", runtimes);
}

pub(crate) fn runtimes() -> String {
    let named = |is_hooked| {
        let known = runtimes::all().into_iter();
        let mut known = known.filter(|state| state.is_hooked == is_hooked);
        let mut names: Vec<String> = known.by_ref().take(MAX_NAMED).map(name).collect();
        let others = known.count();
        if others > 0 {
            names.push(format!("{others} more"));
        }
        names.join(", ")
    };
    let (hooked, wrapped) = (named(true), named(false));
    let hooked = match hooked.as_str() {
        "" => "none hooked".to_owned(),
        hooked => format!("hooked: {hooked}"),
    };
    match wrapped.as_str() {
        "" => hooked,
        wrapped => format!("{hooked}; by wrappers only: {wrapped}"),
    }
}

fn name(state: &RuntimeState) -> String {
    match state.is_shared() {
        true => format!("{} (several runtimes of one builder)", state.name),
        false => state.name.clone(),
    }
}

/// Sets whether live tasks are kept, of the tasks spawned from now on. By default they are.
///
/// Keeping them costs some 40 ns for each task, also while nothing records, and some 130 bytes for each live
/// task. Without it, a recording shows a task that was alive at its start from the task's first poll on.
pub fn keep_live_tasks(keep: bool) {
    exectrace_recorder::keep_live_tasks(keep);
    announce_again();
}
