//! What a stack waits for, by the names of its functions.
//!
//! The leaf end of a stack is a run of library functions: what the program awaited, and below that
//! what it is built of. A barrier waits on a watch channel, which waits on a notify; a channel's
//! sender waits on a semaphore. So of all functions in the run that the table knows, the *outermost*
//! one names the reason, the one that the program called. The run ends at the first function that is
//! not of a known library.
//!
//! Two things come before that rule. A task that gives way is not waiting at all, whatever it is
//! about to wait for: such a function decides at once. And wrappers are not in the table: a receive
//! under `timeout` is a receive. The timer of the `timeout` itself is marked as a
//! [guard](Wait::is_guard).
//!
//! The words are chosen for the profiles of `go tool trace`: what contains `chan`, `sync` or
//! `select` is in the synchronisation profile, `network` alone is in the network profile, and the
//! others are in neither.

use exectrace_format::conventions::{
    CHANNEL_RECEIVE, CHANNEL_SEND, NETWORK, SELECT, SLEEP, SYNC, YIELD,
};

/// A watch channel, or the barrier that is built on one, where all else of it was inlined.
pub(crate) const WATCH: &str = "sync (watch or barrier)";
/// The end of another task.
pub(crate) const JOIN: &str = "sync (join)";
/// The end of a child process.
pub(crate) const PROCESS: &str = "sync (child process)";
/// A function that the blocking pool runs.
pub(crate) const BLOCKING: &str = "sync (blocking call)";

/// Functions whose name begins with `prefix` and has `word` in what follows.
struct Rule {
    prefix: &'static str,
    word: &'static str,
    reason: &'static str,
}

const fn rule(prefix: &'static str, word: &'static str, reason: &'static str) -> Rule {
    Rule {
        prefix,
        word,
        reason,
    }
}

/// The first that fits counts. Names of Tokio 1.54, futures 0.3 and what else is named, shortened
/// as `names` does.
const RULES: &[Rule] = &[
    // Tokio's tasks.
    rule("tokio::task::yield_now::", "", YIELD),
    rule("tokio::task::coop::consume_budget", "", YIELD),
    rule("tokio::task::coop::poll_proceed", "", YIELD),
    rule("tokio::task::coop::register_waker", "", YIELD),
    rule("tokio::runtime::", "::defer", YIELD),
    rule("tokio::runtime::context::defer", "", YIELD),
    rule("tokio::task::join_set::", "", JOIN),
    rule("tokio::util::idle_notified_set::", "", JOIN),
    rule("tokio::task::local::", "", SELECT),
    rule("tokio::runtime::task::", "", JOIN),
    rule("tokio::runtime::blocking::", "", BLOCKING),
    rule("tokio::fs::", "", BLOCKING),
    rule("tokio::io::blocking::", "", BLOCKING),
    rule("tokio::io::std", "", BLOCKING),
    rule("tokio::net::addr::", "", BLOCKING),
    // Tokio's channels and locks.
    rule("tokio::sync::mpsc::", "Sender::", CHANNEL_SEND),
    rule("tokio::sync::mpsc::", "Permit", CHANNEL_SEND),
    rule("tokio::sync::mpsc::", "Tx::", CHANNEL_SEND),
    rule("tokio::sync::mpsc::", "", CHANNEL_RECEIVE),
    rule("tokio::sync::oneshot::Sender::", "", CHANNEL_SEND),
    rule("tokio::sync::oneshot::", "", CHANNEL_RECEIVE),
    rule("tokio::sync::broadcast::Sender::", "", CHANNEL_SEND),
    rule("tokio::sync::broadcast::", "", CHANNEL_RECEIVE),
    rule("tokio::sync::watch::Sender::", "", CHANNEL_SEND),
    rule("tokio::sync::watch::", "", CHANNEL_RECEIVE),
    // Under a receiver that was inlined; what else is built on it stays a function of its own.
    rule("tokio::sync::task::", "", CHANNEL_RECEIVE),
    rule("tokio::sync::", "", SYNC),
    rule("tokio::signal::", "", CHANNEL_RECEIVE),
    rule("tokio::process::", "", PROCESS),
    rule("tokio_util::sync::mpsc::", "", CHANNEL_SEND),
    rule("tokio_util::sync::", "", SYNC),
    rule("tokio_util::task::task_tracker::", "", SYNC),
    rule("tokio_util::task::join_map::", "", JOIN),
    // Tokio's timers and sockets.
    rule("tokio::time::sleep::", "", SLEEP),
    rule("tokio::time::interval::", "", SLEEP),
    rule("tokio::runtime::time", "", SLEEP),
    rule("tokio_util::time::", "", SLEEP),
    rule("tokio::runtime::io::", "", NETWORK),
    rule("tokio::net::", "", NETWORK),
    rule("tokio::io::poll_evented::", "", NETWORK),
    rule("tokio::io::async_fd::", "", NETWORK),
    rule("tokio::io::util::mem::", "write", CHANNEL_SEND),
    rule("tokio::io::util::mem::", "", CHANNEL_RECEIVE),
    // Futures.
    rule("futures_channel::mpsc::", "Sender", CHANNEL_SEND),
    rule("futures_channel::mpsc::", "", CHANNEL_RECEIVE),
    rule("futures_channel::oneshot::", "Sender::", CHANNEL_SEND),
    rule("futures_channel::oneshot::", "", CHANNEL_RECEIVE),
    rule("futures_util::lock::", "", SYNC),
    rule("futures_util::stream::futures_", "", SELECT),
    rule("futures_util::stream::select", "", SELECT),
    rule("futures_util::stream::stream::buffer", "", SELECT),
    rule(
        "futures_util::stream::stream::for_each_concurrent::",
        "",
        SELECT,
    ),
    rule("futures_util::future::select", "", SELECT),
    rule("futures_util::future::join", "", SELECT),
    rule("futures_util::future::try_join", "", SELECT),
    rule("futures_util::future::try_select", "", SELECT),
    rule("tokio_stream::stream_map::", "", SELECT),
    // Other runtimes' and independent primitives.
    rule("futures_timer::", "", SLEEP),
    rule("async_io::Timer", "", SLEEP),
    rule("async_io::", "", NETWORK),
    rule("async_channel::Send", "", CHANNEL_SEND),
    rule("async_channel::", "", CHANNEL_RECEIVE),
    rule("flume::async::Send", "", CHANNEL_SEND),
    rule("flume::async::", "", CHANNEL_RECEIVE),
    rule("async_lock::", "", SYNC),
    rule("event_listener::", "", SYNC),
    rule("futures_intrusive::", "", SYNC),
];

/// Libraries whose functions stand between a waker and what the program awaited.
const LIBRARIES: &[&str] = &[
    "core::",
    "alloc::",
    "std::",
    "tokio::",
    "tokio_util::",
    "tokio_stream::",
    "futures::",
    "futures_channel::",
    "futures_core::",
    "futures_intrusive::",
    "futures_timer::",
    "futures_util::",
    "async_channel::",
    "async_io::",
    "async_lock::",
    "atomic_waker::",
    "event_listener::",
    "event_listener_strategy::",
    "flume::",
    "pin_project_lite::",
    "tracing::",
    "tracing_futures::",
    "exectrace_recorder::stacks::",
    "exectrace_recorder::waker::",
    "exectrace_tokio::",
];

/// The future that has another one spend its task's budget.
const BUDGETED: &str = "tokio::task::coop::Coop::";

/// A notification. Of all that Tokio builds on one, only watch channels, and barriers, which wait on those,
/// have it spend the budget; `Notified` alone does not.
const NOTIFICATION: &str = "tokio::sync::notify::";

/// The future behind `timeout` and `timeout_at`.
const TIMEOUT: &str = "tokio::time::timeout::";

/// What the leaf end of a stack says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// What it waits for, if that is known.
    pub(super) reason: Option<&'static str>,
    /// Which function said so: its index from the leaf.
    pub(super) resource: Option<usize>,
    /// How many functions the run of libraries has at the leaf end.
    pub(super) run: usize,
    /// Whether this is the timer of a `timeout`: it waits for something else as well.
    pub(super) is_guard: bool,
}

impl Wait {
    /// What the task waits for, in one of the words of this module; `None` if the stack does not
    /// say: the timer of a `timeout` does not.
    pub(super) fn block_reason(self) -> Option<&'static str> {
        self.reason.filter(|_| !self.is_guard)
    }
}

/// Whether a function is of a library that stands between a waker and the program.
pub(super) fn is_library(function: &str) -> bool {
    LIBRARIES.iter().any(|prefix| function.starts_with(prefix))
}

/// Whether a function only polls what it was given, several of them or one with a deadline.
pub(super) fn is_combinator(function: &str) -> bool {
    function.starts_with(TIMEOUT) || reason_of(function) == Some(SELECT)
}

fn reason_of(function: &str) -> Option<&'static str> {
    RULES
        .iter()
        .find(|rule| {
            function
                .strip_prefix(rule.prefix)
                .is_some_and(|rest| rest.contains(rule.word))
        })
        .map(|rule| rule.reason)
}

/// What a stack says, by its functions' names, leaf first.
pub(super) fn wait<'a>(functions: impl Iterator<Item = &'a str>) -> Wait {
    let mut wait = Wait {
        reason: None,
        resource: None,
        run: 0,
        is_guard: false,
    };
    let mut is_notified = false;
    for (index, function) in functions.enumerate() {
        if !is_library(function) {
            break;
        }
        wait.run = index + 1;
        if wait.reason == Some(YIELD) {
            continue;
        }
        if function.starts_with(TIMEOUT) {
            wait.is_guard |= wait.reason == Some(SLEEP);
        } else if function.starts_with(BUDGETED) && is_notified {
            // All else of it was inlined.
            wait.reason = Some(WATCH);
        } else if let Some(reason) = reason_of(function) {
            wait.reason = Some(reason);
            wait.resource = Some(index);
            is_notified = function.starts_with(NOTIFICATION);
        }
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(functions: &[&str]) -> Option<&'static str> {
        wait(functions.iter().copied()).block_reason()
    }

    #[test]
    fn the_outermost_library_function_names_the_reason() {
        let barrier = [
            "tokio::sync::notify::Notified::poll_notified",
            "tokio::sync::watch::changed_impl",
            "tokio::sync::barrier::Barrier::wait",
            "app::meet",
            "tokio::sync::mpsc::bounded::Receiver::recv",
        ];
        assert_eq!(reason(&barrier), Some(SYNC));
        assert_eq!(reason(&barrier[..2]), Some(CHANNEL_RECEIVE));
        let send = [
            "tokio::sync::batch_semaphore::Acquire::poll",
            "tokio::sync::mpsc::bounded::Sender::reserve_inner",
            "app::main",
        ];
        assert_eq!(reason(&send), Some(CHANNEL_SEND));
        assert_eq!(reason(&send[..1]), Some(SYNC));
        let file = [
            "tokio::runtime::task::harness::can_read_output",
            "tokio::runtime::task::join::JoinHandle::poll",
            "tokio::fs::asyncify",
            "tokio::fs::read::read",
        ];
        assert_eq!(reason(&file), Some(BLOCKING));
        assert_eq!(reason(&file[..2]), Some(JOIN));
    }

    #[test]
    fn a_watch_channel_of_which_only_the_notification_is_left_is_known_by_its_budget() {
        let watch = [
            "tokio::sync::notify::Notified::poll",
            "tokio::task::coop::Coop::poll",
            "app::main",
        ];
        assert_eq!(reason(&watch), Some(WATCH));
        assert_eq!(reason(&watch[..1]), Some(SYNC));
        let barrier = [watch[0], watch[1], "tokio::sync::barrier::Barrier::wait"];
        assert_eq!(reason(&barrier), Some(SYNC));
        let broadcast = ["tokio::sync::broadcast::Recv::poll", watch[1]];
        assert_eq!(reason(&broadcast), Some(CHANNEL_RECEIVE));
    }

    #[test]
    fn a_wrapper_has_the_reason_of_what_it_wraps() {
        let receive = [
            "tokio::sync::mpsc::chan::Rx::recv",
            "tokio::time::timeout::Timeout::poll",
            "app::main",
        ];
        assert_eq!(reason(&receive), Some(CHANNEL_RECEIVE));
        let timer = [
            "tokio::runtime::time::entry::TimerEntry::poll_elapsed",
            "tokio::time::sleep::Sleep::poll",
            "tokio::time::timeout::Timeout::poll",
            "app::main",
        ];
        assert_eq!(reason(&timer), None);
        assert_eq!(reason(&timer[..2]), Some(SLEEP));
    }

    #[test]
    fn a_task_that_gives_way_waits_for_nothing() {
        let functions = [
            "tokio::runtime::context::defer",
            "tokio::task::coop::poll_proceed",
            "tokio::sync::mpsc::chan::Rx::recv",
        ];
        assert_eq!(reason(&functions), Some(YIELD));
    }

    #[test]
    fn what_a_program_does_itself_has_no_reason() {
        assert_eq!(
            reason(&["app::Custom::poll", "tokio::time::sleep::Sleep::poll"]),
            None
        );
        assert_eq!(reason(&["app+0x12", "app+0x34"]), None);
        assert_eq!(reason(&[]), None);
    }

    #[test]
    fn every_reason_lands_in_its_profile() {
        let sync = |text: &str| {
            ["chan", "sync", "select"]
                .iter()
                .any(|&part| text.contains(part))
        };
        for text in [
            CHANNEL_RECEIVE,
            CHANNEL_SEND,
            WATCH,
            SYNC,
            JOIN,
            PROCESS,
            BLOCKING,
            SELECT,
        ] {
            assert!(sync(text), "{text}");
        }
        for text in [SLEEP, YIELD, NETWORK] {
            assert!(!sync(text), "{text}");
        }
        assert_eq!(NETWORK, "network");
    }
}
