//! CPU samples: what the threads that record were doing, each time they had used some processor time.
//!
//! Each thread that records has a timer on its own processor time. When it is due, the thread gets a signal, and
//! the handler notes the time, the instruction and the return addresses of the active calls in the thread's own
//! ring. The flush thread takes the samples out, gives the addresses names, and hands each sample to the model at
//! its place among the records: so it belongs to the worker, the async task and the user task that the thread was
//! busy with at that moment.
//!
//! | file | its subject |
//! |---|---|
//! | `thread` | what a thread has for its samples, from its first record to its end |
//! | `timer` | the system's timers |
//! | `signal` | the handler, and others that use its signal |
//! | `pending` | samples that wait for their place among the records |
//! | `off` | stands for all of this where there are no samples |
//!
//! A thread makes its timer itself, at its first record, which takes a few microseconds: one that lives for
//! less than the tenth of a second in which the flush thread comes would have no samples otherwise. The flush
//! thread sets the timers of all threads when the first recording starts, and stops them with the last one: a
//! timer can be set from any thread of the process.

mod pending;
mod signal;
mod thread;
mod timer;

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use exectrace_format::LeftOut;
use exectrace_format::conventions::CPU;

use crate::model::{Model, ThreadIndex};
use crate::settings::CpuSettings;
use crate::stacks;
use crate::thread_reader::ThreadReader;

pub(crate) use pending::{PendingSamples, Sample, WalkEnd};
pub(crate) use thread::{SampledThread, forget, learn_stack, leave};

use signal::Refused;

/// Samples in each second of a thread's processor time; 0: none.
static HZ: AtomicU32 = AtomicU32::new(0);
/// The signal that the program wants; 0: any.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Takes settings into use, before the first recording.
pub(crate) fn configure(settings: CpuSettings) {
    // Relaxed: the flag that something records, which comes later, orders them.
    SIGNAL.store(settings.signal.unwrap_or(0), Ordering::Relaxed);
    HZ.store(settings.hz, Ordering::Relaxed);
}

/// How often samples are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    hz: u32,
}

impl Rate {
    fn period(self) -> Duration {
        Duration::from_secs(1) / self.hz.max(1)
    }
}

fn rate() -> Option<Rate> {
    let hz = HZ.load(Ordering::Relaxed);
    (hz > 0).then_some(Rate { hz })
}

fn wanted_signal() -> Option<libc::c_int> {
    let signal = SIGNAL.load(Ordering::Relaxed);
    (signal > 0).then_some(signal)
}

/// What the flush thread does with samples.
#[derive(Debug, Default)]
pub(crate) struct Sampling {
    pending: PendingSamples,
    /// Why none are taken, if that is so.
    refused: Option<Refused>,
    /// It was said in the trace that threads were left out.
    said_left_out: bool,
    /// Samples that found no room in the rings of threads, since the recording began.
    lost: u64,
    /// Those that the trace does not say yet.
    unreported_lost: u64,
    /// An entry of a ring.
    entry: Vec<u64>,
}

impl Sampling {
    /// What is said of it in a trace.
    pub(crate) fn about(&self) -> Option<(&'static str, String)> {
        let Some(rate) = rate() else {
            return Some((
                CPU,
                "no: switched off by Settings::cpu_samples_hz(0)".to_owned(),
            ));
        };
        let text = match self.refused {
            Some(refused) => format!("no: {refused}"),
            None => {
                let stacks = match stacks::has_frame_pointers() {
                    true => "stacks by frame pointers",
                    false => {
                        "without stacks, as this build has no frame pointers: build with \
                         RUSTFLAGS=\"-C force-frame-pointers=yes\""
                    }
                };
                format!(
                    "yes, {} Hz of each thread's processor time, {stacks}",
                    rate.hz
                )
            }
        };
        Some((CPU, text))
    }

    /// Why no samples are taken, although the settings want them.
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.map(|refused| refused.to_string())
    }

    /// Prepares for a first recording. Nothing is sampled yet.
    pub(crate) fn prepare(&mut self, readers: &[ThreadReader]) {
        for reader in readers {
            reader.sampled().take_entries(&mut self.entry, |_| ());
            let _ = reader.sampled().take_lost();
        }
        *self = Self::default();
        if rate().is_some() {
            // Measured now, as a handler must not.
            let _ = stacks::has_frame_pointers();
            self.refused = signal::install().err();
        }
    }

    /// Has samples taken. Something records.
    pub(crate) fn start(&mut self, readers: &[ThreadReader]) {
        if let (Some(rate), None) = (rate(), self.refused) {
            for reader in readers {
                reader.sampled().arm(reader.id().0, rate);
            }
        }
    }

    /// Has no more samples taken.
    pub(crate) fn stop(&self, readers: &[ThreadReader]) {
        for reader in readers {
            reader.sampled().disarm();
        }
    }

    /// A thread became known, which has set its timer itself.
    pub(crate) fn thread_added(&self, reader: &ThreadReader) {
        if self.refused.is_some() {
            reader.sampled().disarm();
        }
    }

    /// Takes the samples of all threads out of their rings.
    pub(crate) fn look(&mut self, readers: &[ThreadReader], model: &mut Model) {
        if rate().is_none() {
            return;
        }
        self.look_at_handler(readers, model);
        let mut samples = Vec::new();
        let mut lost = 0;
        for reader in readers {
            let thread = reader.index();
            lost += reader.sampled().take_lost();
            reader.sampled().take_entries(&mut self.entry, |words| {
                samples.extend(sample(thread, words));
            });
        }
        self.lost += lost;
        self.unreported_lost += lost;
        self.pending.add(samples);
    }

    /// Stops the timers if the handler was replaced: the signals would go to another, or end the process.
    fn look_at_handler(&mut self, readers: &[ThreadReader], model: &mut Model) {
        if self.refused.is_none()
            && let Err(refused) = signal::check()
        {
            self.refused = Some(refused);
            self.stop(readers);
            let text = format!("no, from here on: {refused}");
            model.note_about(model.time_ns(), CPU, &text);
        }
        let left_out = thread::threads_left_out();
        if left_out > 0 && !std::mem::replace(&mut self.said_left_out, true) {
            let text = "yes, of some threads only: there were no timers or rings for others";
            model.note_about(model.time_ns(), CPU, text);
        }
    }

    /// Writes what is missing in the trace, since the last call.
    pub(crate) fn report(&mut self, model: &mut Model) {
        model.left_out(
            LeftOut::CpuSamples,
            std::mem::take(&mut self.unreported_lost),
        );
    }

    /// Samples that were lost since the recording began.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn pending(&mut self) -> &mut PendingSamples {
        &mut self.pending
    }

    /// A thread is gone.
    pub(crate) fn thread_gone(&mut self, reader: &ThreadReader) {
        let mut forgotten = self.pending.forget(reader.index()) as u64;
        reader
            .sampled()
            .take_entries(&mut self.entry, |_| forgotten += 1);
        self.lost += forgotten;
        self.unreported_lost += forgotten;
        reader.sampled().give_back();
    }
}

/// The sample in an entry of a ring.
fn sample(thread: ThreadIndex, words: &[u64]) -> Option<Sample> {
    let [ticks, end, addresses @ ..] = words else {
        return None;
    };
    Some(Sample {
        thread,
        ticks: *ticks,
        end: WalkEnd::from_word(*end),
        addresses: addresses.into(),
    })
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherHandler(signal) => write!(
                f,
                "the program has installed a handler of signal {signal} after the tracer's"
            ),
            Self::Removed(signal) => {
                write!(
                    f,
                    "the program has removed the tracer's handler of signal {signal}"
                )
            }
            Self::NoSignal => f.write_str("no signal could be had"),
        }
    }
}
