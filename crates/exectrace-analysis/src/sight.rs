//! What a trace can show of its program, and why not the rest.
//!
//! A recorder sees what it is hooked into. A state that it does not see is no state of length 0, so
//! whatever depends on one asks here, or is given `None` by what asked. What is known comes from the
//! events (there are no wakes in a trace in which none was seen, whatever the build claims) and from
//! the capabilities in the side data, which say what to switch on.

use exectrace_format::conventions::{KERNEL_SWITCHES, SYSCALLS};
use exectrace_replay::GoroutineKind;
use serde::Serialize;

/// What a flow is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// An async task, or a goroutine.
    #[default]
    Task,
    /// A thread's own code: what it runs outside all async tasks.
    Thread,
}

impl From<GoroutineKind> for FlowKind {
    fn from(kind: GoroutineKind) -> Self {
        match kind {
            GoroutineKind::Task => Self::Task,
            GoroutineKind::Thread => Self::Thread,
        }
    }
}

/// Something of a program that a trace may be unable to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// When code ran and when it waited.
    States,
    /// How long async tasks were ready before they ran.
    Delays,
    /// System calls.
    Syscalls,
    /// How long threads were on a processor, and how long they waited for one.
    Processors,
    /// Exactly when threads had no processor.
    Switches,
    /// Where the time of spans went that are concurrent with others of their async task.
    ConcurrentSpans,
}

/// What a trace can show of its program.
///
/// ```
/// use exectrace_analysis::{Analysis, Options};
/// use exectrace_format::{Reader, text};
///
/// let trace = text::parse("go 1.25\n")?;
/// let mut reader = Reader::new(trace.as_slice())?;
/// let analysis = Analysis::read(&mut reader, &Options::default());
/// assert!(analysis.overview.sight.blind.is_empty(), "a trace of Go's shows all");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sight {
    /// Threads whose own code is in the trace. Whether that ran, slept or waited was not seen.
    pub threads: u64,
    /// Wakes of async tasks that were seen.
    pub wakes_seen: u64,
    /// Wakes that were concluded from the run that followed; how long before that they came was not
    /// seen.
    pub wakes_concluded: u64,
    /// What the trace cannot show, or not of everything.
    pub blind: Vec<Blind>,
}

/// Something that a trace cannot show, or not of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Blind {
    /// What.
    pub aspect: Aspect,
    /// Why, and what to switch on, in a sentence.
    pub why: String,
}

/// What was seen while a trace is replayed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) threads: u64,
    tasks: u64,
    wakes: u64,
    wakes_concluded: u64,
    pub(crate) syscalls: bool,
    /// The heap has a size.
    pub(crate) heap: bool,
    /// Some span was concurrent with others of its async task.
    pub(crate) concurrent_spans: bool,
    /// Threads on which something happened and of which there are no two samples of their time.
    pub(crate) unsampled: u64,
    /// Something is known of threads' processors.
    pub(crate) processors: bool,
}

impl Seen {
    /// Wakes of async tasks that the recorder concluded.
    pub(crate) fn wakes_concluded(&self) -> u64 {
        self.wakes_concluded
    }

    /// A flow whose kind has become known.
    pub(crate) fn flow(&mut self, kind: GoroutineKind) {
        match kind {
            GoroutineKind::Task => self.tasks += 1,
            GoroutineKind::Thread => self.threads += 1,
        }
    }

    /// An async task is woken.
    pub(crate) fn wake(&mut self, is_concluded: bool) {
        match is_concluded {
            true => self.wakes_concluded += 1,
            false => self.wakes += 1,
        }
    }
}

impl Sight {
    pub(crate) fn of(seen: &Seen, is_of_go: bool, capabilities: &[(String, String)]) -> Self {
        let value = |key: &str| {
            let pair = capabilities.iter().find(|(known, _)| known == key);
            pair.map_or("", |(_, value)| value.as_str())
        };
        let mut blind = Vec::new();
        let mut add = |aspect, why: String| blind.push(Blind { aspect, why });
        if seen.threads > 0 && !is_of_go {
            let tokio = (value("tokio.tasks"), value("tokio.runtimes"));
            add(Aspect::States, states(seen, tokio));
        }
        if seen.wakes_concluded > 0 {
            add(Aspect::Delays, delays(seen, value("tokio.wakes")));
        }
        if !seen.syscalls && !is_of_go && !value(SYSCALLS).starts_with("yes") {
            add(Aspect::Syscalls, syscalls(value(SYSCALLS)));
        }
        if seen.unsampled > 0 && !is_of_go {
            add(Aspect::Processors, processors(seen, value("threads.cpu")));
        }
        if seen.processors && !is_of_go {
            add(Aspect::Switches, switches(value(KERNEL_SWITCHES)));
        }
        if seen.concurrent_spans {
            let why = "of a span that is concurrent with others of its async task it is known how long it \
                       was entered; for what it waited is in the waits of the task, not of the span";
            add(Aspect::ConcurrentSpans, why.to_owned());
        }
        Self {
            threads: seen.threads,
            wakes_seen: seen.wakes,
            wakes_concluded: seen.wakes_concluded,
            blind,
        }
    }

    /// Why the trace cannot show this, or not of everything; `None` if it can.
    pub fn why(&self, aspect: Aspect) -> Option<&str> {
        let blind = self.blind.iter().find(|blind| blind.aspect == aspect)?;
        Some(&blind.why)
    }

    /// Whether what threads waited for the kernel is known, or it is known why it is not: not in traces of Go.
    pub fn has_kernel_waits(&self) -> bool {
        self.why(Aspect::Switches).is_some() || self.why(Aspect::Processors).is_some()
    }
}

fn states(seen: &Seen, (tasks, runtimes): (&str, &str)) -> String {
    let switch_on = match tasks {
        "" => {
            "the feature `tokio` follows the tasks that `exectrace::runtime::spawn` spawns, and with \
             `--cfg tokio_unstable` all of a runtime built with `exectrace::runtime::BuilderExt`"
        }
        tasks if tasks.starts_with("all") => {
            "tasks are followed in runtimes built with `exectrace::runtime::BuilderExt`, from the \
             spawn or the start of the recording on"
        }
        _ => {
            "tasks are followed that `exectrace::runtime::spawn` spawns, and with \
             `--cfg tokio_unstable` all of a runtime built with `exectrace::runtime::BuilderExt`"
        }
    };
    let what = match seen.tasks {
        0 => {
            "no async task was followed, and when a thread's own code runs or waits is not recorded"
        }
        _ => "when a thread's own code, outside the tasks followed, runs or waits is not recorded",
    };
    match runtimes {
        "" => format!("{what}; {switch_on}"),
        // Of other runtimes of the program nothing is seen, not even that there are any.
        runtimes => format!("{what}; {switch_on} ({runtimes})"),
    }
}

fn syscalls(recorded: &str) -> String {
    let why = recorded.strip_prefix("no: ").unwrap_or(
        "the feature `syscalls` of exectrace records calls of the C library on Linux; `strace -f -c` \
         shows all, and slows the program down",
    );
    format!("system calls are not recorded: {why}")
}

fn processors(seen: &Seen, sampled: &str) -> String {
    let reason = match sampled {
        "" => "the trace was recorded without".to_owned(),
        sampled if sampled.starts_with("none") => sampled.to_owned(),
        sampled => format!(
            "those that record are sampled ten times a second, and what they did is known between two \
             samples: {sampled}"
        ),
    };
    let threads = match seen.unsampled {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    format!("how long {threads} had a processor or waited for one is not known: {reason}")
}

/// Why it is not known, or not of all, exactly when threads had no processor.
fn switches(reported: &str) -> String {
    let why = match (reported, reported.strip_prefix("no: ")) {
        ("", _) => "the trace was recorded without, as by `Settings::kernel_switches` of exectrace",
        (_, Some(why)) => why,
        _ => {
            return "how long polls waited for the kernel is known exactly from each thread's first wait on, and where \
                    their thread did not sleep; of the rest the system's counts are the bounds"
                .to_owned();
        }
    };
    format!(
        "how long polls waited for the kernel has the system's counts of their threads as its bounds, as when these had no \
         processor was not recorded: {why}"
    )
}

fn delays(seen: &Seen, wakes: &str) -> String {
    let switch_on = match wakes {
        wakes if wakes.contains("once a Layer") => {
            "a Layer or Subscriber of exectrace would see the wakes of all tasks, and none was set"
        }
        wakes if wakes.starts_with("all") => {
            "these tasks were spawned before the recording began, or wake without Tokio"
        }
        _ => {
            "with `--cfg tokio_unstable` the feature `tokio-tracing` sees the wakes of all tasks, \
             else only those of tasks that `exectrace::runtime::spawn` spawns"
        }
    };
    let (concluded, all) = (seen.wakes_concluded, seen.wakes_concluded + seen.wakes);
    format!(
        "{concluded} of {all} wakes were not seen: they count in no delay, and the waits before them \
         last until the run; {switch_on}"
    )
}
