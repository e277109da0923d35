//! How often the system stopped the recording threads, and how many page faults they had.
//!
//! The flush thread reads two files of a thread, of which one takes the system 25 µs to write. It looks at a few
//! threads at each pass: 30 are looked at each second, more as their turn comes. That is a thousandth
//! of a processor, however many threads there are. Where a recording starts or stops, whose caller waits for that, the
//! flush thread looks at all threads that it comes to in two milliseconds. What workers find of themselves where they park
//! (`park_counts`) is written as often, and saves the flush thread the look.

use exectrace_format::ThreadId;
use exectrace_format::conventions::KERNEL_USAGE;
use rustc_hash::FxHashMap;

use crate::clock::since_origin_ns;
use crate::model::Model;
use crate::park_counts::Look;
use crate::thread_reader::ThreadReader;

/// A thread is looked at after this at the earliest.
const INTERVAL_NS: u64 = 900_000_000;
/// At each pass, so many are.
const LOOKS_A_PASS: usize = 3;
/// Where all threads are to be looked at, so many are …
const LEAST_LOOKS: usize = 16;
/// … and others until so much time is over.
const LONGEST_NS: u64 = 2_000_000;

/// What was counted of a thread since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ThreadUsages {
    /// Why there is nothing to be had.
    missing: Option<String>,
    /// When each thread was looked at last, and what was found.
    found: FxHashMap<u64, (u64, Usage)>,
    /// With which reader the next pass begins.
    next: usize,
}

impl ThreadUsages {
    /// Asks the system whether it counts, of this thread, whose number is `own`.
    pub(super) fn new(own: ThreadId) -> Self {
        let missing = match system::read(own.0, || true) {
            Some(_) => None,
            None if cfg!(target_os = "linux") => {
                Some("/proc does not have this process's threads".to_owned())
            }
            None => Some("recorded on Linux alone".to_owned()),
        };
        Self {
            missing,
            found: FxHashMap::default(),
            next: 0,
        }
    }

    /// Why there is nothing to be had, if that is so.
    pub(super) fn missing(&self) -> Option<String> {
        self.missing.clone()
    }

    /// What is said of it in a trace: key and value.
    pub(super) fn about(&self) -> (&'static str, String) {
        let value = match &self.missing {
            None => "yes, switches and page faults of threads, once a second".to_owned(),
            Some(why) => format!("no: {why}"),
        };
        (KERNEL_USAGE, value)
    }

    /// Looks at some of the threads that recorded, or at `all` as far as time allows.
    pub(super) fn sample(&mut self, readers: &[ThreadReader], all: bool, model: &mut Model) {
        if self.missing.is_some() {
            return;
        }
        let now_ns = since_origin_ns();
        let mut looks = 0;
        let may_look = |looks| match all {
            true if looks < LEAST_LOOKS => true,
            true => since_origin_ns() < now_ns + LONGEST_NS,
            false => looks < LOOKS_A_PASS,
        };
        for step in 0..readers.len() {
            let place = (self.next + step) % readers.len();
            let reader = &readers[place];
            let thread = reader.id();
            let before = self.found.get(&thread.0);
            let is_due = before.is_none_or(|(time_ns, _)| now_ns >= time_ns + INTERVAL_NS);
            if !(all || is_due && reader.has_news()) {
                continue;
            }
            if !may_look(looks) {
                self.next = place;
                return;
            }
            looks += 1;
            let time_ns = since_origin_ns();
            let usage = system::read(thread.0, || !reader.has_said_it_ends());
            if let Some(usage) = usage {
                if all || before.is_none_or(|(_, before)| *before != usage) {
                    model.thread_usage(thread, time_ns, usage);
                }
                self.found.insert(thread.0, (time_ns, usage));
            }
        }
    }

    /// Writes what a thread found of itself, if it is time for that.
    pub(super) fn found(&mut self, thread: ThreadId, look: &Look, model: &mut Model) {
        let Some(usage) = look.usage.filter(|_| self.missing.is_none()) else {
            return;
        };
        let before = self.found.get(&thread.0);
        if before.is_some_and(|(time_ns, _)| look.time_ns < time_ns + INTERVAL_NS) {
            return;
        }
        if before.is_none_or(|(_, before)| *before != usage) {
            model.thread_usage(thread, look.time_ns, usage);
        }
        self.found.insert(thread.0, (look.time_ns, usage));
    }

    /// The thread is gone: another may have its number.
    pub(super) fn forget(&mut self, thread: ThreadId) {
        self.found.remove(&thread.0);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io::Read as _;

    use super::Usage;

    /// The counts of a thread. `is_alive` is asked when the files were opened.
    pub(super) fn read(thread: u64, is_alive: impl FnOnce() -> bool) -> Option<Usage> {
        let open = |name: &str| File::open(format!("/proc/self/task/{thread}/{name}")).ok();
        let (mut status, mut stat) = (open("status")?, open("stat")?);
        if !is_alive() {
            return None;
        }
        let (mut in_status, mut in_stat) = ([0; 4_096], [0; 1_024]);
        let status_length = status.read(&mut in_status).ok()?;
        let stat_length = stat.read(&mut in_stat).ok()?;
        let status = String::from_utf8_lossy(in_status.get(..status_length)?);
        let stat = String::from_utf8_lossy(in_stat.get(..stat_length)?);
        parse(&status, &stat)
    }

    fn parse(status: &str, stat: &str) -> Option<Usage> {
        let switches = |key: &str| {
            let mut lines = status.lines();
            let number = lines.find_map(|line| line.strip_prefix(key))?;
            number.trim().parse().ok()
        };
        // The thread's name stands in brackets, and may hold any.
        let (_, rest) = stat.rsplit_once(')')?;
        let fault = |place| rest.split_ascii_whitespace().nth(place)?.parse().ok();
        Some(Usage {
            voluntary_switches: switches("voluntary_ctxt_switches:")?,
            involuntary_switches: switches("nonvoluntary_ctxt_switches:")?,
            minor_faults: fault(7)?,
            major_faults: fault(9)?,
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::thread::thread_number;

        const STATUS: &str = "Name:\ta) b (c\nState:\tR (running)\nSpeculation_Store_Bypass:\tvulnerable\n\
                              voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        const STAT: &str =
            "26173 (a) b (c) R 26163 26163 4446 0 -1 4194304 100 7 3 0 0 0 0 0 20 0 1 0 2647324";

        #[test]
        fn the_counts_are_read_whatever_the_thread_s_name_is() {
            let expected = Usage {
                voluntary_switches: 150,
                involuntary_switches: 545,
                minor_faults: 100,
                major_faults: 3,
            };
            assert_eq!(parse(STATUS, STAT), Some(expected));
            for (status, stat) in [
                ("", STAT),
                (STATUS, ""),
                (STATUS, "1 (a) R 2 3"),
                (STATUS, ")"),
            ] {
                assert_eq!(parse(status, stat), None);
            }
        }

        #[test]
        fn this_thread_s_page_faults_are_counted_and_those_of_an_ended_one_not_asked_for() {
            let own = thread_number();
            assert_eq!(read(own, || false), None);
            let Some(before) = read(own, || true) else {
                return; // There is no /proc.
            };
            // So much malloc takes from the system, whatever was freed before.
            let touched = vec![1u8; 40 << 20];
            let after = read(own, || true).expect("the counts");
            assert!(
                after.minor_faults > before.minor_faults,
                "{before:?} {after:?}"
            );
            drop(touched);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Usage;

    pub(super) fn read(_thread: u64, _is_alive: impl FnOnce() -> bool) -> Option<Usage> {
        None
    }
}
