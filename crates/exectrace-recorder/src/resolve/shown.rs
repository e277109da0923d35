//! Which frames of a waiting task's stacks are shown, and what several stacks say together.
//!
//! A reader wants to see what is awaited and the program's own functions that await it, down to the
//! task's root. So of the libraries' frames only the one that named the reason stays, under the name
//! by which it is imported. A task whose waker was cloned several times in one poll waits for
//! several things, or was about to wait for one that then came: see [`together`].

use exectrace_format::conventions::{SELECT, SLEEP};

use super::reason::{self, Wait};
use super::{AwaitStack, ResolvedFrame};

/// The future that polls by calling a closure: what `select!` and `join!` are made of.
const POLL_FN: &str = "core::future::poll_fn::";

/// What the stacks of one poll say, in the order in which they were taken.
///
/// - The last one counts: it is nearest to the moment when the task gave up.
/// - Others count beside it if one function polls both: where they part, coming from the root, is a
///   known combinator or a closure of `poll_fn`. Where they part in an ordinary `async fn`, the
///   earlier wait is over.
/// - Except that a timer after something else does not count then: a task rarely goes to sleep in
///   the very poll in which it nearly waited for something else, and a `timeout` or `select!` that
///   the compiler has inlined looks the same.
/// - The timer of a `timeout`, and stacks that show no reason, count only if nothing else does.
/// - If several are left, the reason is `select`, and the frames are those that they have in common,
///   below one that names what is awaited.
pub(super) fn together(stacks: Vec<Vec<ResolvedFrame>>) -> AwaitStack {
    let mut seen: Vec<Seen> = stacks.into_iter().map(Seen::of).collect();
    while let [.., before, last] = seen.as_slice()
        && last.wait.reason == Some(SLEEP)
        && before.says_more_than_a_timer()
        && !before.is_polled_beside(last)
    {
        seen.pop();
    }
    let Some(last) = seen.pop() else {
        return AwaitStack {
            reason: None,
            frames: Vec::new(),
        };
    };
    let mut counting: Vec<Seen> = Vec::new();
    for earlier in seen {
        let is_known = counting.iter().any(|other| other.frames == earlier.frames);
        if !is_known && earlier.frames != last.frames && earlier.is_polled_beside(&last) {
            counting.push(earlier);
        }
    }
    counting.push(last);
    if counting.iter().any(Seen::has_reason) {
        counting.retain(Seen::has_reason);
    }
    match counting.as_slice() {
        [one] => one.alone(),
        several => choice(several),
    }
}

/// A stack and what it says.
#[derive(Debug)]
struct Seen {
    frames: Vec<ResolvedFrame>,
    wait: Wait,
}

impl Seen {
    fn of(frames: Vec<ResolvedFrame>) -> Self {
        let wait = reason::wait(frames.iter().map(|frame| frame.function.as_str()));
        Self { frames, wait }
    }

    fn has_reason(&self) -> bool {
        self.wait.block_reason().is_some()
    }

    fn says_more_than_a_timer(&self) -> bool {
        self.has_reason() && self.wait.reason != Some(SLEEP)
    }

    /// Frames that both have at the root.
    fn shared(&self, other: &Self) -> usize {
        let pairs = self.frames.iter().rev().zip(other.frames.iter().rev());
        pairs
            .take_while(|(mine, others)| mine.address == others.address)
            .count()
    }

    /// The frame at `place` from the root, from 0 on.
    fn counted_from_root(&self, place: usize) -> Option<&ResolvedFrame> {
        self.frames
            .len()
            .checked_sub(place + 1)
            .map(|index| &self.frames[index])
    }

    /// Whether one function polled what both wait for, so that the task waits for both.
    fn is_polled_beside(&self, other: &Self) -> bool {
        let shared = self.shared(other);
        let caller = shared
            .checked_sub(1)
            .and_then(|place| self.counted_from_root(place));
        let called_by_poll_fn = caller.is_some_and(|frame| frame.function.starts_with(POLL_FN));
        match (
            self.counted_from_root(shared),
            other.counted_from_root(shared),
        ) {
            (Some(mine), Some(others)) if mine.function == others.function => {
                called_by_poll_fn
                    || mine.function.starts_with(POLL_FN)
                    || reason::is_combinator(&mine.function)
            }
            // One call that leads to several functions: through a table of them.
            _ => caller.is_some_and(|frame| reason::is_combinator(&frame.function)),
        }
    }

    /// What it waits on, as it is shown.
    fn resource(&self) -> Option<ResolvedFrame> {
        let frame = self.frames.get(self.wait.resource?)?;
        Some(ResolvedFrame {
            address: frame.address,
            function: imported_as(&frame.function),
        })
    }

    fn alone(&self) -> AwaitStack {
        let mut frames: Vec<ResolvedFrame> = self.resource().into_iter().collect();
        frames.extend(of_the_program(&self.frames[self.wait.run..]));
        if frames.is_empty() {
            // Better the name of a library's function than none.
            let own = |frame: &&ResolvedFrame| !frame.function.starts_with("core::");
            let outermost = self.frames.iter().rev().find(own).or(self.frames.last());
            frames.extend(outermost.cloned());
        }
        AwaitStack {
            reason: self.wait.block_reason(),
            frames,
        }
    }
}

/// A wait for any of several things.
fn choice(several: &[Seen]) -> AwaitStack {
    let Some((last, others)) = several.split_last() else {
        return AwaitStack {
            reason: None,
            frames: Vec::new(),
        };
    };
    let shared = others.iter().map(|other| other.shared(last)).min();
    // The function where they part is the same for all.
    let from = last.frames.len().saturating_sub(shared.unwrap_or(0) + 1);
    let mut names: Vec<String> = Vec::new();
    for one in several {
        let shown = one.resource().or_else(|| one.frames.first().cloned());
        if let Some(frame) = shown
            && !names.contains(&frame.function)
        {
            names.push(frame.function);
        }
    }
    let mut frames = vec![ResolvedFrame {
        address: 0,
        function: format!("select({})", names.join(", ")),
    }];
    frames.extend(of_the_program(&last.frames[from..]));
    AwaitStack {
        reason: several.iter().any(Seen::has_reason).then_some(SELECT),
        frames,
    }
}

/// The frames that are not of libraries; the parts of one function, closures in it, as one.
fn of_the_program(frames: &[ResolvedFrame]) -> Vec<ResolvedFrame> {
    let mut shown: Vec<ResolvedFrame> = Vec::new();
    // Whether the last one shown reaches to here: then the same name again is the same call.
    let mut is_whole = false;
    for frame in frames {
        if reason::is_library(&frame.function) {
            is_whole &= frame.function.starts_with(POLL_FN);
            continue;
        }
        let is_same = shown
            .last()
            .is_some_and(|last| last.function == frame.function);
        if !is_same || !is_whole {
            shown.push(frame.clone());
        }
        is_whole = true;
    }
    shown
}

/// Modules of Tokio that are public, below those that the name of its crate is followed by.
const PUBLIC_MODULES: &[&str] = &["mpsc", "oneshot", "broadcast", "watch", "unix"];

/// A function of Tokio under the path by which it is imported: without private modules.
fn imported_as(function: &str) -> String {
    if function.starts_with("tokio::runtime::task::join::JoinHandle") {
        return "tokio::task::JoinHandle".to_owned();
    }
    const PRIVATE: [&str; 3] = ["tokio::runtime::", "tokio::util::", "tokio::sync::task::"];
    let is_private = PRIVATE.iter().any(|prefix| function.starts_with(prefix));
    if is_private || !function.starts_with("tokio::") {
        return function.to_owned();
    }
    let segments: Vec<&str> = function.split("::").collect();
    let is_type = |segment: &str| segment.starts_with(|first: char| first.is_uppercase());
    let mut path: Vec<&str> = Vec::new();
    for (index, &segment) in segments.iter().enumerate() {
        // In front of a type, or of a function that is called as the module.
        let next = segments.get(index + 1).copied().unwrap_or("");
        let leads_to_a_type = segments[index + 1..].iter().any(|later| is_type(later));
        let is_private = index >= 2
            && (segment == next || leads_to_a_type)
            && !is_type(segment)
            && !PUBLIC_MODULES.contains(&segment);
        if !is_private {
            path.push(segment);
        }
    }
    // What a future's `poll` is the wait of is the future.
    if path.last() == Some(&"poll") {
        path.pop();
    }
    path.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stacks whose frames have the same address where they have the same name and number.
    fn stacks(seen: &[&[&str]]) -> Vec<Vec<ResolvedFrame>> {
        let frame = |text: &&str| {
            let address = text
                .bytes()
                .fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
            let function = text.split('@').next().unwrap_or("").to_owned();
            ResolvedFrame { address, function }
        };
        seen.iter()
            .map(|stack| stack.iter().map(frame).collect())
            .collect()
    }

    fn shown(seen: &[&[&str]]) -> (Option<&'static str>, Vec<String>) {
        let stack = together(stacks(seen));
        let names = stack
            .frames
            .into_iter()
            .map(|frame| frame.function)
            .collect();
        (stack.reason, names)
    }

    const RECEIVE: [&str; 3] = [
        "tokio::sync::task::atomic_waker::AtomicWaker::do_register",
        "tokio::sync::mpsc::chan::Rx::recv",
        "tokio::sync::mpsc::bounded::Receiver::recv",
    ];
    const TIMER: [&str; 2] = [
        "tokio::runtime::time::entry::TimerEntry::poll_elapsed",
        "tokio::time::sleep::Sleep::poll",
    ];
    const ROOT: [&str; 3] = ["app::serve", "core::pin::Pin::poll", "app::main"];

    fn joined<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
        parts.concat()
    }

    #[test]
    fn the_chain_reads_from_the_resource_down_to_the_root() {
        let stack = joined(&[
            &RECEIVE,
            &[
                "app::take@1",
                "app::take@2",
                "tracing::instrument::Instrumented::poll",
            ],
            &[
                "app::serve",
                "alloc::boxed::Box::poll",
                "app::serve@again",
                "core::future::poll_fn::PollFn::poll",
                "app::serve@3",
            ],
            &["exectrace_recorder::waker::observe_poll"],
        ]);
        let expected = [
            "tokio::sync::mpsc::Receiver::recv",
            "app::take",
            "app::serve",
            "app::serve",
        ];
        let (reason, names) = shown(&[&stack]);
        assert_eq!(reason, Some("chan receive"));
        assert_eq!(names, expected);
    }

    #[test]
    fn the_timer_of_a_timeout_does_not_hide_what_it_guards() {
        let receive = joined(&[&RECEIVE, &["tokio::time::timeout::Timeout::poll@1"], &ROOT]);
        let timer = joined(&[&TIMER, &["tokio::time::timeout::Timeout::poll@2"], &ROOT]);
        let expected = [
            "tokio::sync::mpsc::Receiver::recv",
            "app::serve",
            "app::main",
        ];
        let (reason, names) = shown(&[&receive, &timer]);
        assert_eq!(reason, Some("chan receive"));
        assert_eq!(names, expected);
        assert_eq!(shown(&[&timer]).0, None);
        // Inlined into the program's function.
        let receive = joined(&[&RECEIVE, &["app::wait@1"], &ROOT]);
        let timer = joined(&[&TIMER, &["app::wait@2"], &ROOT]);
        assert_eq!(shown(&[&receive, &timer]).0, Some("chan receive"));
        assert_eq!(shown(&[&timer, &receive]).0, Some("chan receive"));
        assert_eq!(shown(&[&timer]).0, Some("sleep"));
    }

    #[test]
    fn a_choice_names_all_that_it_waits_for() {
        let poll_fn = "core::future::poll_fn::PollFn::poll";
        let receive = joined(&[&RECEIVE, &["app::serve@1", poll_fn], &ROOT]);
        let timer = joined(&[&TIMER, &["app::serve@2", poll_fn], &ROOT]);
        let expected = [
            "select(tokio::time::Sleep, tokio::sync::mpsc::Receiver::recv)",
            "app::serve",
            "app::main",
        ];
        let (reason, names) = shown(&[&timer, &receive, &timer, &receive]);
        assert_eq!(reason, Some(SELECT));
        assert_eq!(names, expected);
    }

    #[test]
    fn a_wait_that_was_over_within_the_poll_does_not_count() {
        let notify = joined(&[
            &["tokio::sync::notify::Notified::poll", "app::serve@1"],
            &ROOT[1..],
        ]);
        let receive = joined(&[&RECEIVE, &["app::serve@2"], &ROOT[1..]]);
        assert_eq!(shown(&[&notify, &receive]).0, Some("chan receive"));
        assert_eq!(shown(&[&receive, &notify]).0, Some("sync"));
    }

    #[test]
    fn a_stack_of_libraries_alone_is_not_shown_empty() {
        let (reason, names) = shown(&[&["core::a", "tokio::unheard::of", "core::b"]]);
        assert_eq!(reason, None);
        assert_eq!(names, ["tokio::unheard::of"]);
        assert_eq!(shown(&[&["core::a"]]).1, ["core::a"]);
        assert_eq!(shown(&[]), (None, Vec::new()));
        assert_eq!(
            shown(&[&["app+0x12", "app+0x34"]]).1,
            ["app+0x12", "app+0x34"]
        );
    }

    #[test]
    fn functions_of_tokio_are_shown_as_they_are_imported() {
        for (function, expected) in [
            (
                "tokio::sync::mutex::Mutex::lock",
                "tokio::sync::Mutex::lock",
            ),
            (
                "tokio::net::tcp::stream::TcpStream::poll_read",
                "tokio::net::TcpStream::poll_read",
            ),
            (
                "tokio::task::yield_now::yield_now",
                "tokio::task::yield_now",
            ),
            (
                "tokio::runtime::task::join::JoinHandle::poll",
                "tokio::task::JoinHandle",
            ),
            (
                "tokio::sync::oneshot::Receiver::poll",
                "tokio::sync::oneshot::Receiver",
            ),
            ("async_channel::Recv::poll", "async_channel::Recv::poll"),
        ] {
            assert_eq!(imported_as(function), expected);
        }
    }
}
