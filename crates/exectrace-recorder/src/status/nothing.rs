//! That nothing is recorded, and the likely cause.

use std::fmt;
use std::time::Duration;

use crate::table::Table;

/// That a recording has recorded no span, event, poll or annotation for some time since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NothingRecorded {
    /// For how long: as [`Settings::warn_if_nothing_for`](crate::Settings::warn_if_nothing_for) says.
    pub after: Duration,
    /// The likely cause.
    pub cause: NothingCause,
}

impl fmt::Display for NothingRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, cause } = self;
        write!(
            f,
            "no span, event, poll or annotation was recorded for {after:?}: {cause}"
        )
    }
}

/// Why nothing is recorded, as far as the tracer can see. Its text, by `Display`, says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NothingCause {
    /// Nothing is set up that could record.
    NoSource,
    /// A Layer or Subscriber was made, and no `tracing` dispatcher with it.
    NotInstalled,
    /// All Layers and Subscribers that were made were dropped.
    Dropped,
    /// The filter is `off`.
    FilterOff,
    /// The filter rejects all spans and events that the program has come to.
    FilterRejectsAll,
    /// Workers of a runtime wake up, and the polls of its tasks are not seen in this build.
    PollsNotSeen,
    /// What records is set up, and nothing has happened. This is no fault.
    Idle,
}

impl NothingCause {
    /// Whether something has to be changed for anything to be recorded. An idle program is no fault.
    #[must_use]
    pub fn is_fault(self) -> bool {
        self != Self::Idle
    }

    /// The cause, and what to do, in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NoSource => {
                "no Layer or Subscriber of exectrace is set, no runtime has its hooks, and nothing used its \
                 tasks, regions and logs"
            }
            Self::NotInstalled => {
                "a Layer or Subscriber of exectrace was made and is not in use; set the subscriber that has it \
                 as the default, with `init` or `set_global_default`"
            }
            Self::Dropped => {
                "the Layer or Subscriber of exectrace was dropped, as it is with the guard of `set_default`; \
                 keep the guard, or set it as the global default"
            }
            Self::FilterOff => {
                "the filter is `off`; set it when the Layer or Subscriber is made, or through its handle"
            }
            Self::FilterRejectsAll => {
                "the filter rejects all spans and events that the program has come to; look at the names of \
                 targets in it, and at its levels"
            }
            Self::PollsNotSeen => {
                "workers of a runtime wake up, but without `--cfg tokio_unstable` in RUSTFLAGS only the polls \
                 of tasks spawned through `exectrace::runtime` are seen; and no Layer or Subscriber of \
                 exectrace is set"
            }
            Self::Idle => {
                "nothing has happened: what records is set up, and the program came to no span, event or poll"
            }
        }
    }
}

impl fmt::Display for NothingCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What those say who write records.
static EXPLANATIONS: Table<Vec<Explain>> = Table::new();

/// Says why its source wrote no record.
type Explain = fn() -> Option<NothingCause>;

/// Has `explain` called when nothing was recorded, to say why it wrote no record; `None` if it has no part in the
/// program.
///
/// For what writes records, such as a Layer. It is called on the flush thread, and must not wait. It is kept for the
/// life of the process; the same function is kept once.
pub fn explain(explain: fn() -> Option<NothingCause>) {
    EXPLANATIONS.change(|explanations| {
        let is_it = |&known: &fn() -> _| std::ptr::fn_addr_eq(known, explain);
        if !explanations.iter().any(is_it) {
            explanations.push(explain);
        }
    });
}

/// What else is known, where nothing of the program's was recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Something of the program's was recorded before.
    pub(crate) before: bool,
    /// Workers of async runtimes parked or unparked.
    pub(crate) workers: bool,
    /// Calls, allocations or CPU samples are recorded.
    pub(crate) others: bool,
}

/// The likely cause.
pub(crate) fn why_nothing(seen: Seen) -> NothingCause {
    let explanations = EXPLANATIONS.read();
    let said: Vec<_> = explanations
        .iter()
        .filter_map(|explain| explain())
        .collect();
    conclude(&said, seen)
}

fn conclude(said: &[NothingCause], seen: Seen) -> NothingCause {
    let is_for_sure =
        |cause: &&NothingCause| cause.is_fault() && **cause != NothingCause::PollsNotSeen;
    match said {
        [] if seen.before || seen.others => NothingCause::Idle,
        [] => NothingCause::NoSource,
        said => match said.iter().find(is_for_sure) {
            Some(&cause) => cause,
            // With a Layer, a build without hooks for tasks is one that its user may have wanted.
            None if said.contains(&NothingCause::Idle) || !seen.workers => NothingCause::Idle,
            None => NothingCause::PollsNotSeen,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::NothingCause::*;
    use super::*;

    #[test]
    fn only_what_is_not_set_up_is_called_a_fault() {
        let nothing = Seen::default();
        let workers = Seen {
            workers: true,
            ..nothing
        };
        let before = Seen {
            before: true,
            ..nothing
        };
        let others = Seen {
            others: true,
            ..nothing
        };
        assert_eq!(conclude(&[], nothing), NoSource);
        assert_eq!(conclude(&[], before), Idle, "it worked a moment ago");
        assert_eq!(conclude(&[], others), Idle, "only calls were asked for");
        assert_eq!(
            conclude(&[Idle], nothing),
            Idle,
            "a server without requests"
        );
        assert_eq!(conclude(&[Idle, FilterOff], before), FilterOff);
        assert_eq!(conclude(&[PollsNotSeen], nothing), Idle, "no worker woke");
        assert_eq!(conclude(&[PollsNotSeen], workers), PollsNotSeen);
        assert_eq!(conclude(&[PollsNotSeen, Idle], workers), Idle);
        assert_eq!(
            conclude(&[PollsNotSeen, NotInstalled], workers),
            NotInstalled
        );
    }
}
