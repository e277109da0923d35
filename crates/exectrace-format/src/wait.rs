//! Why an async task waits, and how that is known.
//!
//! The reason of a block is one text, so the texts themselves say how they are known: those in this
//! module were concluded or are unknown, and every other reason was seen, on the stack of the wait
//! or by a runtime that reports its reasons, as Go's does.
//!
//! Go's tools put a wait into the synchronisation profile if its reason contains `chan`, `sync` or
//! `select`, and into the network profile if the reason is `network`. What the driver woke
//! may have been a timer or a signal, so it is in neither there, and in our network profile with its
//! full name.

/// The driver of the runtime woke it: a socket or pipe became ready, a timer ended, or a signal or the end
/// of a child process came. Concluded.
pub const WOKEN_BY_DRIVER: &str = "network, timer or signal";
/// Another async task woke it in its poll: a channel, a lock, a join. Concluded.
pub const WOKEN_BY_TASK: &str = "sync (woken by task)";
/// A thread that polls no async tasks woke it. Concluded.
pub const WOKEN_BY_THREAD: &str = "sync (woken by thread)";
/// A closure on the blocking pool woke it. Concluded.
pub const WOKEN_BY_BLOCKING: &str = "sync (woken by blocking call)";
/// Neither its stack nor its wake was seen.
pub const UNKNOWN_WAIT: &str = "unknown";

/// How it is known why an async task waited.
///
/// ```
/// use exectrace_format::{UNKNOWN_WAIT, WOKEN_BY_TASK, WaitSource};
///
/// assert_eq!(WaitSource::of("chan receive"), WaitSource::Seen);
/// assert_eq!(WaitSource::of(WOKEN_BY_TASK), WaitSource::Concluded);
/// assert_eq!(WaitSource::of(UNKNOWN_WAIT), WaitSource::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitSource {
    /// The stack of the wait names it, or the runtime reports it.
    Seen,
    /// It follows from who woke the task.
    Concluded,
    /// It is not known.
    Unknown,
}

impl WaitSource {
    /// How the reason of a block is known. Costs some comparisons of texts.
    #[must_use]
    pub fn of(reason: &str) -> Self {
        match reason {
            WOKEN_BY_DRIVER | WOKEN_BY_TASK | WOKEN_BY_THREAD | WOKEN_BY_BLOCKING => {
                Self::Concluded
            }
            UNKNOWN_WAIT => Self::Unknown,
            _ => Self::Seen,
        }
    }
}
