//! When the recording threads left and got a processor, exactly, as the kernel reports it where it may be asked.
//!
//! The flush thread asks for the reports of each thread that records (`perf_event_open`, an event of the thread's alone,
//! which an ordinary user may have at `perf_event_paranoid` 2) and reads them ten times a second. The thread does
//! nothing for it, but the kernel takes some time whenever it leaves a processor and gets one again: two threads that
//! hand a token to each other took 25 to 28 µs a round instead of 16. So it is for whoever asks for it by
//! `Settings::kernel_switches`. A program that has many more switches than their budget is left alone again.
//!
//! Each thread takes 36 KiB of memory that cannot be paged out, of which the system gives a user half a megabyte for
//! each processor, and what else `RLIMIT_MEMLOCK` allows.

mod records;
mod ring;

use std::io;

use exectrace_format::ThreadId;
use exectrace_format::conventions::KERNEL_SWITCHES;
use rustc_hash::FxHashMap;

use crate::budget::{self, Share, Source};
use crate::clock::since_origin_ns;
use crate::model::Model;
use crate::thread_reader::ThreadReader;

use records::{Report, reports};
use ring::{Ring, monotonic_ns};

/// So many threads are watched at a time.
const MAX_THREADS: usize = 256;
/// At this level of the budget, which is eight times too much, the kernel is asked no more.
const TOO_MUCH: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Switches {
    threads: FxHashMap<u64, Watched>,
    /// What is added to a time of the trace for that of a report.
    origin_ns: u64,
    share: Share,
    bytes: Vec<u8>,
    /// Why the kernel is not asked, or not any more.
    missing: Option<String>,
    is_wanted: bool,
    /// Whether the trace says that threads are left out.
    is_full: bool,
}

#[derive(Debug)]
struct Watched {
    ring: Ring,
    /// When the thread left its processor, if it has none, and whether that was taken.
    left: Option<(u64, bool)>,
}

impl Switches {
    /// Asks the kernel whether it may be asked, if `is_wanted`: on the flush thread, whose number is `own`.
    pub(crate) fn new(is_wanted: bool, own: ThreadId) -> Self {
        let missing = match is_wanted {
            true if cfg!(target_endian = "big") => {
                Some("not on processors that are big-endian".to_owned())
            }
            true => Ring::open(own.0).err().map(|error| why_refused(&error)),
            false => Some(
                "switched off, as each wait of a thread takes longer with it; \
                 `Settings::kernel_switches` switches it on"
                    .to_owned(),
            ),
        };
        Self {
            threads: FxHashMap::default(),
            origin_ns: monotonic_ns().saturating_sub(since_origin_ns()),
            share: Share::new(),
            bytes: Vec::new(),
            missing,
            is_wanted,
            is_full: false,
        }
    }

    /// What is said of it in a trace: key and value.
    pub(crate) fn about(&self) -> (&'static str, String) {
        let value = match &self.missing {
            None => format!("yes, of {MAX_THREADS} threads at a time, from their first records on"),
            Some(why) => format!("no: {why}"),
        };
        (KERNEL_SWITCHES, value)
    }

    /// Why the kernel is not asked, or not any more, although the settings want it.
    pub(crate) fn refused(&self) -> Option<String> {
        self.missing.clone().filter(|_| self.is_wanted)
    }

    /// Writes when the threads had no processor, as far as they have one again, and watches those that are new.
    pub(crate) fn drain(&mut self, readers: &[ThreadReader], model: &mut Model) {
        if self.missing.is_some() {
            return;
        }
        if budget::of(Source::Kernel).level() >= TOO_MUCH {
            return self.give_up(model);
        }
        for reader in readers {
            let thread = reader.id();
            if !self.threads.contains_key(&thread.0) {
                self.watch(reader, model);
            }
            self.drain_one(thread, model);
        }
    }

    fn watch(&mut self, reader: &ThreadReader, model: &mut Model) {
        if self.is_full || reader.has_said_it_ends() {
            return;
        }
        let thread = reader.id();
        let ring = match self.threads.len() {
            MAX_THREADS => Err(format!("{MAX_THREADS} are the most")),
            _ => match Ring::open(thread.0) {
                Ok(ring) => Ok(ring),
                // It has ended, and could not say so.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return,
                Err(error) => Err(error.to_string()),
            },
        };
        match ring {
            // It may have ended, and another have its number, before the event was open.
            _ if reader.has_said_it_ends() => {}
            Ok(ring) => {
                let left = None;
                self.threads.insert(thread.0, Watched { ring, left });
            }
            Err(why) => {
                self.is_full = true;
                let threads = self.threads.len();
                let text = format!("yes, of {threads} threads; others were left out: {why}");
                model.note_about(model.time_ns(), KERNEL_SWITCHES, &text);
            }
        }
    }

    fn drain_one(&mut self, thread: ThreadId, model: &mut Model) {
        let Some(watched) = self.threads.get_mut(&thread.0) else {
            return;
        };
        watched.ring.drain(&mut self.bytes);
        for report in reports(&self.bytes) {
            match report {
                Report::Left { time, is_preempted } => watched.left = Some((time, is_preempted)),
                Report::Got { time } => {
                    let Some((left, is_preempted)) = watched.left.take() else {
                        continue;
                    };
                    if self.share.takes(Source::Kernel) {
                        model.spend(Source::Kernel, 1);
                        let time_ns = left.saturating_sub(self.origin_ns);
                        let duration_ns = time.saturating_sub(left);
                        model.off_processor(thread, time_ns, duration_ns, is_preempted);
                    }
                }
                Report::Lost(reports) => {
                    // Of what was lost it is not known what it was: two reports are one time without a processor.
                    watched.left = None;
                    model.thinned(Source::Kernel, reports.div_ceil(2));
                }
            }
        }
    }

    fn give_up(&mut self, model: &mut Model) {
        self.threads.clear();
        let why = "switched off while recording, as threads waited eight times as often as \
                   `Settings::budget` lets them"
            .to_owned();
        model.note_about(model.time_ns(), KERNEL_SWITCHES, &format!("no: {why}"));
        self.missing = Some(why);
    }

    /// The thread is gone: another may be watched in its place.
    pub(crate) fn forget(&mut self, thread: ThreadId, model: Option<&mut Model>) {
        if let Some(model) = model {
            self.drain_one(thread, model);
        }
        if self.threads.remove(&thread.0).is_some() {
            self.is_full = false;
        }
    }
}

/// Why the kernel does not report, and what to do.
fn why_refused(error: &io::Error) -> String {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    let paranoid = paranoid.unwrap_or_default();
    let remedy = match (error.raw_os_error(), paranoid.trim().parse::<i32>()) {
        (Some(libc::ENOSYS), _) => "the kernel was built without".to_owned(),
        (_, Ok(level @ 3..)) => {
            format!("/proc/sys/kernel/perf_event_paranoid is {level}, and 2 would do")
        }
        _ => "a container's seccomp profile has to allow the call".to_owned(),
    };
    format!("perf_event_open: {error}; {remedy}")
}
