//! What this build of the program lets the tracer see.

use std::sync::Once;

use exectrace_recorder::{
    has_frame_pointers, has_span_sources, keeps_live_tasks, set_capability, set_capability_by,
};

use crate::runtimes::{self, RuntimeState};

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
    /// Whether Tokio reports the wakes of all tasks that are spawned while something records, to a Layer
    /// or Subscriber of this tracer's: the feature `tracing` of this crate, the flag, and such a Layer or
    /// Subscriber. Else only wakes of tasks spawned through this crate are seen.
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
    /// Of which wakes it is seen who did them.
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

/// Whether Tokio makes spans and events of tasks and wakes.
const WAKES_BY_TRACING: bool = cfg!(all(tokio_unstable, feature = "tracing"));

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
        all_wakes: WAKES_BY_TRACING && has_span_sources(),
        wake_times: cfg!(all(tokio_unstable, feature = "schedule-latency")),
        live_tasks: keeps_live_tasks(),
    }
}

/// Has it written into every trace.
pub(crate) fn tell() {
    static ONCE: Once = Once::new();
    ONCE.call_once(tell_again);
}

fn tell_again() {
    for (key, value) in capabilities().pairs() {
        match key {
            // A Layer may be set later.
            WAKES => set_capability_by(key, || capabilities().wakes().to_owned()),
            _ => set_capability(key, value),
        }
    }
}

/// Most runtimes that are named.
const MAX_NAMED: usize = 16;

/// Has written into every trace which runtimes are known, and how. Of others nothing is seen at all.
/// To be called one at a time: a recording that runs has the text of the last call.
pub(crate) fn tell_runtimes() {
    set_capability_by("tokio.runtimes", runtimes);
}

pub(crate) fn runtimes() -> String {
    let named = |is_hooked| {
        let mut known = runtimes::all().filter(|state| state.is_hooked == is_hooked);
        let mut names: Vec<String> = known.by_ref().take(MAX_NAMED).map(called).collect();
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

fn called(state: &RuntimeState) -> String {
    match state.is_shared() {
        true => format!("{} (several runtimes of one builder)", state.name),
        false => state.name.clone(),
    }
}

/// Whether tasks spawned from now on are registered for recordings that start later; they are if this
/// is never called.
///
/// The registry costs some 40 ns a task, also while nothing records, and some 130 bytes a task alive.
/// Without it, a recording shows the tasks that were alive at its start from their first poll on.
pub fn keep_live_tasks(keep: bool) {
    exectrace_recorder::keep_live_tasks(keep);
    tell_again();
}
