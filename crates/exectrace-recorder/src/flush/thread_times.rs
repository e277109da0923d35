//! What the system counts of the recording threads' time: on a processor, and ready but waiting for one.
//!
//! On Linux each thread has a file with three numbers, `/proc/self/task/N/schedstat`. The flush thread
//! reads those of the threads that have recorded since it came last, so a thread that records pays
//! nothing for it. Workers of async runtimes ask for themselves as well, where they park (`park_counts`). A file is
//! opened for each look (3 µs, against 0.4 for one that is kept open): the
//! program has no descriptors of ours beside its own then, nor has a forked child those of its parent's
//! threads.
//!
//! A thread's number may be another's once it has ended. A thread says that it ends before it does, and
//! is asked after its file was opened.

use exectrace_format::ThreadId;
use exectrace_format::conventions::THREADS_CPU;
use rustc_hash::FxHashMap;

use crate::clock::since_origin_ns;
use crate::model::Model;
use crate::park_counts::Look;
use crate::thread_reader::ThreadReader;

/// So many threads are sampled at a time, in the order of their first records: less than a millisecond at
/// each flush.
const MAX_TIMED_THREADS: usize = 256;
/// A look is repeated if it took longer than this, as its time is not known then.
const WIDEST_LOOK_NS: u64 = 100_000;
/// At most so many times: on a full machine all may take long.
const LOOKS: usize = 3;

/// What was counted of a thread, since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    time_ns: u64,
    cpu_ns: u64,
    wait_ns: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ThreadTimes {
    /// The flush thread, which is sampled whenever another is.
    own: ThreadId,
    /// Why there is nothing to be had.
    missing: Option<String>,
    /// What was written last of each thread that is sampled.
    written: FxHashMap<u64, Counted>,
    /// Whether the trace says that threads are left out.
    is_full: bool,
}

impl ThreadTimes {
    /// Asks the system whether it counts. To be called on the flush thread, whose number is `own`.
    pub(super) fn new(own: ThreadId) -> Self {
        Self {
            own,
            missing: system::why_missing(own.0),
            written: FxHashMap::default(),
            is_full: false,
        }
    }

    /// Why there is nothing to be had, if that is so.
    pub(super) fn missing(&self) -> Option<String> {
        self.missing.clone()
    }

    /// What is said of it in a trace.
    pub(super) fn about(&self) -> String {
        match &self.missing {
            None => format!(
                "schedstat, of {MAX_TIMED_THREADS} threads at a time, each tenth of a second; of workers also as they park"
            ),
            Some(why) => format!("none: {why}"),
        }
    }

    /// Writes what has changed for the threads that recorded since the last look, or for `all`.
    pub(super) fn sample(&mut self, readers: &[ThreadReader], all: bool, model: &mut Model) {
        if self.missing.is_some() {
            return;
        }
        let mut is_own_wanted = all;
        for reader in readers {
            let thread = reader.id();
            if !all && !reader.has_news() {
                continue;
            }
            if !self.has_room_for(thread, model) {
                continue;
            }
            is_own_wanted = true;
            if let Some(counted) = look(thread.0, || !reader.has_said_it_ends()) {
                self.write(thread, counted, all, model);
            }
        }
        if is_own_wanted && let Some(counted) = look(self.own.0, || true) {
            let Counted { time_ns, .. } = counted;
            model.thread_time(self.own, time_ns, counted.cpu_ns, counted.wait_ns);
        }
    }

    /// Writes what a thread found of itself.
    pub(super) fn found(&mut self, thread: ThreadId, look: &Look, model: &mut Model) {
        if let Some((cpu_ns, wait_ns)) = look.time
            && self.missing.is_none()
            && self.has_room_for(thread, model)
        {
            let time_ns = look.time_ns;
            let counted = Counted {
                time_ns,
                cpu_ns,
                wait_ns,
            };
            self.write(thread, counted, false, model);
        }
    }

    fn has_room_for(&mut self, thread: ThreadId, model: &mut Model) -> bool {
        let has_room =
            self.written.len() < MAX_TIMED_THREADS || self.written.contains_key(&thread.0);
        if !has_room {
            self.say_that_some_are_left_out(model);
        }
        has_room
    }

    /// Writes counts that are later than those before, if they have changed or in any case.
    fn write(&mut self, thread: ThreadId, counted: Counted, always: bool, model: &mut Model) {
        let known = self.written.get(&thread.0);
        // A thread that looks while the flush thread does is read later.
        let is_later = known.is_none_or(|known| known.time_ns < counted.time_ns);
        let has_changed = known
            .is_none_or(|known| (known.cpu_ns, known.wait_ns) != (counted.cpu_ns, counted.wait_ns));
        if is_later && (always || has_changed) {
            self.written.insert(thread.0, counted);
            model.thread_time(thread, counted.time_ns, counted.cpu_ns, counted.wait_ns);
        }
    }

    fn say_that_some_are_left_out(&mut self, model: &mut Model) {
        if !std::mem::replace(&mut self.is_full, true) {
            let text = format!("schedstat, of {MAX_TIMED_THREADS} threads; others were left out");
            model.note_about(model.time_ns(), THREADS_CPU, &text);
        }
    }

    /// The thread is gone: another may be sampled in its place.
    pub(super) fn forget(&mut self, thread: ThreadId) {
        self.written.remove(&thread.0);
    }
}

/// What is counted of a living thread.
fn look(thread: u64, is_alive: impl Fn() -> bool) -> Option<Counted> {
    let mut best: Option<(u64, Counted)> = None;
    for _ in 0..LOOKS {
        let before = since_origin_ns();
        let [cpu_ns, wait_ns, _] = system::read(thread, &is_alive)?;
        let width = since_origin_ns().saturating_sub(before);
        if best.is_none_or(|(narrowest, _)| width < narrowest) {
            let time_ns = before + width / 2;
            let counted = Counted {
                time_ns,
                cpu_ns,
                wait_ns,
            };
            best = Some((width, counted));
        }
        if width <= WIDEST_LOOK_NS {
            break;
        }
    }
    best.map(|(_, counted)| counted)
}

#[cfg(target_os = "linux")]
pub(crate) use system::parse;

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{File, read_link};
    use std::io::Read as _;

    /// The three numbers of a thread: on a processor, waiting for one, and how many times it had one.
    /// `is_alive` is asked when the file is open.
    pub(super) fn read(thread: u64, is_alive: impl FnOnce() -> bool) -> Option<[u64; 3]> {
        let mut file = File::open(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        if !is_alive() {
            return None;
        }
        let mut bytes = [0; 80];
        let length = file.read(&mut bytes).ok()?;
        parse(std::str::from_utf8(bytes.get(..length)?).ok()?)
    }

    /// The numbers of a thread's file.
    pub(crate) fn parse(text: &str) -> Option<[u64; 3]> {
        let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        Some([next()?, next()?, next()?])
    }

    /// Why the numbers of this process's threads cannot be had.
    pub(super) fn why_missing(own: u64) -> Option<String> {
        // A /proc of another name space has other numbers.
        match read_link("/proc/thread-self") {
            Err(error) => return Some(format!("/proc: {error}")),
            Ok(link) if !link.ends_with(format!("task/{own}")) => {
                return Some("/proc is of another name space of processes".to_owned());
            }
            Ok(_) => {}
        }
        match read(own, || true) {
            None => Some("the system has no schedstat files".to_owned()),
            // This thread runs, so it had a processor once.
            Some([_, _, 0]) => {
                Some("the system does not count: its schedstat files are 0".to_owned())
            }
            Some(_) => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::thread::thread_number;

        #[test]
        fn a_line_without_three_numbers_is_none() {
            assert_eq!(parse("12 3 4\n"), Some([12, 3, 4]));
            for text in ["", "12 3", "12 3 x", "-1 2 3"] {
                assert_eq!(parse(text), None, "{text:?}");
            }
        }

        #[test]
        fn a_thread_that_has_said_it_ends_is_not_read() {
            let own = thread_number();
            assert_eq!(read(own, || false), None);
            assert_eq!(read(own, || true).is_some(), why_missing(own).is_none());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn read(_thread: u64, _is_alive: impl FnOnce() -> bool) -> Option<[u64; 3]> {
        None
    }

    pub(super) fn why_missing(_own: u64) -> Option<String> {
        Some("recorded on Linux alone".to_owned())
    }
}
