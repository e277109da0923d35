//! Settings of the tracer, which is one for the process.

use std::time::Duration;

use crate::budget::Source;
use crate::table::Table;

/// What can be set before the first recording starts.
///
/// ```
/// use exectrace_recorder::Settings;
///
/// Settings::new().memory_bytes(16 << 20).apply()?;
/// # Ok::<(), exectrace_recorder::SettingsError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are applied"]
pub struct Settings {
    memory_bytes: usize,
    call_threshold: Duration,
    socket_calls: bool,
    /// Records a second, by the numbers of the sources.
    budgets: [u64; Source::ALL.len()],
    process_samples: bool,
    kernel_switches: bool,
    cpu: CpuSettings,
    nothing_after: Duration,
    heap_sample_bytes: u64,
}

/// The settings in force, in [`Status`](crate::Status). [`Settings`] says what each of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsInForce {
    /// [`Settings::memory_bytes`].
    pub memory_bytes: usize,
    /// [`Settings::call_threshold`].
    pub call_threshold: Duration,
    /// [`Settings::socket_calls`].
    pub socket_calls: bool,
    /// [`Settings::budget`]: records a second for each source.
    pub budgets: Vec<(Source, u64)>,
    /// [`Settings::process_samples`].
    pub process_samples: bool,
    /// `Settings::cpu_samples_hz`; `None` without the feature `cpu`.
    pub cpu_samples_hz: Option<u32>,
    /// [`Settings::kernel_switches`].
    pub kernel_switches: bool,
    /// [`Settings::warn_if_nothing_for`].
    pub warn_if_nothing_for: Duration,
    /// `Settings::heap_sample_bytes`; `None` without the feature `alloc`.
    pub heap_sample_bytes: Option<u64>,
}

/// The default for `Settings::heap_sample_bytes`, as Go, jemalloc and tcmalloc have it.
const DEFAULT_HEAP_SAMPLE_BYTES: u64 = 512 << 10;

/// How CPU samples are taken.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(cpu_samples),
    allow(dead_code, reason = "there are no samples in this build")
)]
pub(crate) struct CpuSettings {
    /// In each second of a thread's processor time; 0: not at all.
    pub(crate) hz: u32,
    /// `None`: one that nobody else uses.
    pub(crate) signal: Option<i32>,
}

/// The default for [`Settings::memory_bytes`].
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;

/// The greatest for [`Settings::memory_bytes`]. What the pool keeps of each chunk is made at once, 2 MiB for each GiB,
/// also where the system gives address space without bound.
const MAX_MEMORY_BYTES: usize = if usize::BITS < 64 {
    usize::MAX
} else {
    (1_u64 << 36) as usize
};

/// The default for [`Settings::call_threshold`]. What takes less does not touch a device and waits for nobody; a call
/// that opens a file, or copies some kilobytes from the page cache, takes more.
const DEFAULT_CALL_THRESHOLD: Duration = Duration::from_micros(1);

/// Which calls are recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSettings {
    pub(crate) threshold: Duration,
    pub(crate) with_sockets: bool,
}

/// The default for `Settings::cpu_samples_hz`: as other profilers have it, as it is in step with nothing.
const DEFAULT_CPU_SAMPLES_HZ: u32 = 99;
/// The greatest for `Settings::cpu_samples_hz`; systems look at timers of processor time 100 to 1,000 times a second.
#[cfg(feature = "cpu")]
const MAX_CPU_SAMPLES_HZ: u32 = 1_000;

/// The default for [`Settings::warn_if_nothing_for`].
const DEFAULT_NOTHING_AFTER: Duration = Duration::from_secs(5);

/// The settings in force, and whether they are in use.
static CURRENT: Table<(Settings, bool)> = Table::new();

impl Settings {
    /// The defaults: 64 MiB of memory; calls of the C library are recorded from a microsecond on, and those on
    /// sockets counted; CPU samples are taken 99 times a second; the budgets that [`budget`](Self::budget) names.
    pub const fn new() -> Self {
        let mut budgets = [0; Source::ALL.len()];
        let mut place = 0;
        while place < Source::ALL.len() {
            budgets[place] = Source::ALL[place].default_budget();
            place += 1;
        }
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
            call_threshold: DEFAULT_CALL_THRESHOLD,
            socket_calls: false,
            budgets,
            process_samples: true,
            kernel_switches: false,
            cpu: CpuSettings {
                hz: DEFAULT_CPU_SAMPLES_HZ,
                signal: None,
            },
            nothing_after: DEFAULT_NOTHING_AFTER,
            heap_sample_bytes: DEFAULT_HEAP_SAMPLE_BYTES,
        }
    }

    /// How much memory records may occupy, in bytes; at least 1 MiB is taken, and at most 64 GiB.
    ///
    /// Address space is reserved at once, but the system provides memory only as it is first used. A
    /// thread that has recorded holds 16 KiB of it until the thread ends. When all is full, records
    /// are dropped and counted. The tables of open spans and tasks come on top: some 100 bytes for
    /// each open span, at most 1,048,576 of them.
    pub const fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = if bytes > MAX_MEMORY_BYTES {
            MAX_MEMORY_BYTES
        } else {
            bytes
        };
        self
    }

    /// How long a call of the C library has to take to be recorded; shorter ones are counted, with the time that
    /// they took together. By default a microsecond.
    ///
    /// Programs whose calls are seen have the feature `syscalls`. A call that is recorded takes some 15 bytes
    /// of the trace. Those that are counted are exact for each async task and user task, but have no place and no
    /// time of their own.
    pub const fn call_threshold(mut self, threshold: Duration) -> Self {
        self.call_threshold = threshold;
        self
    }

    /// Whether calls that send, receive and accept are recorded as others are, if they take long enough; by default
    /// they are counted and not timed.
    ///
    /// Async runtimes make such calls on sockets that do not block, and many of them. Set this for a program that
    /// blocks in them.
    pub const fn socket_calls(mut self, record: bool) -> Self {
        self.socket_calls = record;
        self
    }

    /// How many records a second a source may write, all threads together.
    ///
    /// A source that has more thins itself out within some tenths of a second: it writes one record in two, in four, and so on, and the
    /// trace says how many it left out. Other sources go on. A source may save up the records of one second, so that short
    /// bursts are whole. Of a source whose budget is 0 one record in a million is written.
    ///
    /// The defaults are 100,000 calls, 10,000 CPU samples, 20,000 switches of the kernel and 5,000 samples of
    /// allocations. The last are not left out: they are taken further apart, and each stands for more.
    ///
    /// ```
    /// use exectrace_recorder::{Settings, Source};
    ///
    /// Settings::new().budget(Source::Calls, 10_000).apply()?;
    /// # Ok::<(), exectrace_recorder::SettingsError>(())
    /// ```
    pub const fn budget(mut self, source: Source, records_a_second: u64) -> Self {
        self.budgets[source as usize] = records_a_second;
        self
    }

    /// Whether what the system counts of the process and its container is sampled, on Linux; by default it is.
    ///
    /// The flush thread does it, up to ten times a second, and takes at most a thousandth of a processor for it.
    /// The counters' names and units are in `exectrace_format::conventions`.
    pub const fn process_samples(mut self, sample: bool) -> Self {
        self.process_samples = sample;
        self
    }

    /// How many CPU samples are taken in each second of processor time that a thread uses; 99 by default, at most
    /// 1,000, and 0 for none.
    ///
    /// The system looks at such timers at its own ticks, of which most have 250 a second. More samples than ticks
    /// there cannot be.
    ///
    /// At 99 samples a second a thread takes 0.16 ± 0.06 % longer, of which most is being interrupted
    /// (`cargo bench -p exectrace-benches --features cpu --bench samples`, with frame pointers; AMD EPYC, 2 busy cores, rustc
    /// 1.95.0, 2026-11-28). A sample comes as a signal, so calls that a signal interrupts
    /// may return `EINTR`, as with any signal: those that the system does not start again, such as `epoll_wait`,
    /// `poll` and `nanosleep`. It comes only to threads that use processor time, so to one that waits only if it
    /// had just begun.
    #[cfg(feature = "cpu")]
    pub const fn cpu_samples_hz(mut self, hz: u32) -> Self {
        self.cpu.hz = if hz > MAX_CPU_SAMPLES_HZ {
            MAX_CPU_SAMPLES_HZ
        } else {
            hz
        };
        self
    }

    /// The signal by which CPU samples are taken: by default a real-time signal that has no handler when the first
    /// recording starts.
    ///
    /// `SIGPROF` is possible, and may be what a debugger is set up for. A handler that the program installed
    /// before the first recording is called for all signals that are not the tracer's. One that it installs
    /// later, and the default action as well, gets the tracer's signals until the tracer sees it, up to a tenth of
    /// a second later, and takes no more samples. The default action of `SIGPROF` ends the process, so do not
    /// choose it in a program with a profiler that removes its handler when it stops.
    #[cfg(feature = "cpu")]
    pub const fn cpu_samples_signal(mut self, signal: i32) -> Self {
        self.cpu.signal = Some(signal);
        self
    }

    /// How many bytes are allocated between two samples, on average; 524,288 by default, and 0 for no samples.
    ///
    /// A sample says where an allocation was made, and whether it is still alive: the heap profile of
    /// `exectrace profile --kind heap` is made of them. The estimate of a place whose allocations are small and have `b`
    /// bytes in all is off by a share of `1 / √n`, where `n` is the number of its samples: by a tenth for 50 MiB at the default, and for
    /// 800 KiB at 8 KiB. For a sample its thread walks its stack and writes a record.
    ///
    /// At most 65,536 samples are alive at a time. What is alive beyond has none, and the trace says how many were left
    /// out; as it does of those for which buffers were full.
    #[cfg(feature = "alloc")]
    pub const fn heap_sample_bytes(mut self, bytes: u64) -> Self {
        self.heap_sample_bytes = bytes;
        self
    }

    /// Whether the kernel is asked to report when each recording thread leaves a processor and gets one again, on
    /// Linux where it may be asked; by default it is not.
    ///
    /// Then the trace says exactly when a thread was ready and the kernel ran others, and when it slept. The kernel
    /// takes time for it whenever a thread gives its processor up: two threads on one processor that hand a token to
    /// each other took 25 to 28 µs a round instead of 16 (AMD EPYC, 2 cores that others used as well). Where the
    /// kernel refuses
    /// (`perf_event_paranoid` above 2, or a container whose seccomp profile denies `perf_event_open`), the trace says so, and
    /// has the counts that it has anyway.
    pub const fn kernel_switches(mut self, record: bool) -> Self {
        self.kernel_switches = record;
        self
    }

    /// After how long a recording that has recorded nothing of the program's says so; 5 seconds by default, and
    /// [`Duration::MAX`] for never.
    ///
    /// If no span, event, poll or annotation was recorded for so long since recording began, the likely cause is
    /// written into the trace, is in [`Status::nothing_recorded`](crate::Status::nothing_recorded), and goes to the
    /// callback of [`RecordingOptions::on_nothing_recorded`](crate::RecordingOptions::on_nothing_recorded). It is
    /// looked at ten times a second.
    pub const fn warn_if_nothing_for(mut self, time: Duration) -> Self {
        self.nothing_after = time;
        self
    }

    /// Makes these the settings of the process.
    ///
    /// # Errors
    /// [`SettingsError::InUse`] once a recording has been started.
    pub fn apply(self) -> Result<(), SettingsError> {
        CURRENT.change(|current| {
            if current.1 {
                return Err(SettingsError::InUse);
            }
            current.0 = self.clone();
            Ok(())
        })
    }

    /// Takes the settings into use.
    pub(crate) fn take_into_use() -> Self {
        CURRENT.change(|current| {
            current.1 = true;
            current.0.clone()
        })
    }

    /// The settings of the process: those that were applied last, or else the defaults. To change some of them and leave
    /// the others as they are:
    ///
    /// ```
    /// use exectrace_recorder::Settings;
    ///
    /// Settings::in_force().memory_bytes(16 << 20).apply()?;
    /// # Ok::<(), exectrace_recorder::SettingsError>(())
    /// ```
    pub fn in_force() -> Self {
        CURRENT.read().0.clone()
    }

    pub(crate) fn budget_of(&self, source: Source) -> u64 {
        self.budgets[source as usize]
    }

    pub(crate) fn asks_for_switches(&self) -> bool {
        self.kernel_switches
    }

    pub(crate) fn samples_process(&self) -> bool {
        self.process_samples
    }

    /// Hands the settings of samples to those who take them.
    pub(crate) fn configure_samples(&self) {
        crate::cpu::configure(self.cpu);
        crate::heap::configure(self.heap_sample_bytes);
    }

    pub(crate) fn nothing_after(&self) -> Duration {
        self.nothing_after
    }

    /// The same, for those who ask.
    pub(crate) fn shown(&self) -> SettingsInForce {
        SettingsInForce {
            memory_bytes: self.memory_bytes,
            call_threshold: self.call_threshold,
            socket_calls: self.socket_calls,
            budgets: Source::ALL
                .map(|source| (source, self.budget_of(source)))
                .to_vec(),
            process_samples: self.process_samples,
            cpu_samples_hz: cfg!(feature = "cpu").then_some(self.cpu.hz),
            kernel_switches: self.kernel_switches,
            warn_if_nothing_for: self.nothing_after,
            heap_sample_bytes: cfg!(feature = "alloc").then_some(self.heap_sample_bytes),
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.memory_bytes
    }

    pub(crate) fn calls(&self) -> CallSettings {
        CallSettings {
            threshold: self.call_threshold,
            with_sockets: self.socket_calls,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Why settings were not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A recording was started before, with the settings of that moment.
    #[error("the tracer is in use; apply settings before the first recording starts")]
    InUse,
}
