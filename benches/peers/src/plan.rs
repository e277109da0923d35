//! The programs, their subjects, and what is measured of each.

use std::fmt;
use std::time::Duration;

/// Who a subject belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Baseline,
    Ours,
    Rival,
}

/// A program, built by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Program {
    /// The package `peer-…` of this workspace.
    Package(&'static str),
    /// The program in Go.
    Go,
}

/// What is measured of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Spans, events, regions.
    Hot,
    /// Tasks, files, requests.
    Tasks,
    All,
}

/// A tracer in one way of using it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) side: Side,
    pub(crate) scope: Scope,
}

const fn subject(name: &'static str, program: Program, side: Side, scope: Scope) -> Subject {
    Subject {
        name,
        program,
        side,
        scope,
    }
}

const OURS: Program = Program::Package("exectrace");
const SOURCES: Program = Program::Package("exectrace-sources");
const DIAL9: Program = Program::Package("dial9");
const FASTRACE: Program = Program::Package("fastrace");

/// All of them, in the order of the tables.
pub(crate) const SUBJECTS: &[Subject] = &[
    subject("no subscriber", OURS, Side::Baseline, Scope::All),
    subject("record-only subscriber", OURS, Side::Baseline, Scope::All),
    subject("Registry", OURS, Side::Baseline, Scope::Hot),
    subject(
        "Registry + do-nothing layer",
        OURS,
        Side::Baseline,
        Scope::All,
    ),
    subject(
        "Registry + do-nothing filtered layer",
        OURS,
        Side::Baseline,
        Scope::Hot,
    ),
    subject("exectrace region", OURS, Side::Ours, Scope::Hot),
    subject("exectrace subscriber", OURS, Side::Ours, Scope::All),
    subject("exectrace layer", OURS, Side::Ours, Scope::Hot),
    subject("exectrace hooks", OURS, Side::Ours, Scope::Tasks),
    subject("exectrace hooks + wrapper", OURS, Side::Ours, Scope::Tasks),
    subject(
        "exectrace hooks + subscriber",
        OURS,
        Side::Ours,
        Scope::Tasks,
    ),
    subject(
        "exectrace subscriber, all sources",
        SOURCES,
        Side::Ours,
        Scope::Hot,
    ),
    subject(
        "exectrace hooks + subscriber, all sources",
        SOURCES,
        Side::Ours,
        Scope::Tasks,
    ),
    subject("exectrace region, off", OURS, Side::Ours, Scope::Hot),
    subject("exectrace subscriber, off", OURS, Side::Ours, Scope::Hot),
    subject("exectrace layer, off", OURS, Side::Ours, Scope::Hot),
    subject("exectrace hooks, off", OURS, Side::Ours, Scope::Tasks),
    subject(
        "exectrace hooks + wrapper, off",
        OURS,
        Side::Ours,
        Scope::Tasks,
    ),
    subject(
        "tracing-chrome",
        Program::Package("tracing-chrome"),
        Side::Rival,
        Scope::All,
    ),
    subject(
        "tracing-perfetto",
        Program::Package("tracing-perfetto"),
        Side::Rival,
        Scope::All,
    ),
    subject(
        "perfetto-recorder + fastant",
        Program::Package("perfetto-recorder"),
        Side::Rival,
        Scope::Hot,
    ),
    subject("fastrace", FASTRACE, Side::Rival, Scope::All),
    subject("fastrace-tracing", FASTRACE, Side::Rival, Scope::All),
    subject(
        "tracing-tracy",
        Program::Package("tracing-tracy"),
        Side::Rival,
        Scope::All,
    ),
    subject("dial9 hooks", DIAL9, Side::Rival, Scope::Tasks),
    subject("dial9 hooks + layer", DIAL9, Side::Rival, Scope::All),
    subject(
        "dial9 hooks + layer, paused",
        DIAL9,
        Side::Rival,
        Scope::All,
    ),
    subject("dial9 derived events", DIAL9, Side::Rival, Scope::Hot),
    subject(
        "console-subscriber",
        Program::Package("console-subscriber"),
        Side::Rival,
        Scope::Tasks,
    ),
    subject("Go", Program::Go, Side::Rival, Scope::All),
];

impl Subject {
    /// Whether an operation takes a few nanoseconds at most.
    pub(crate) fn is_off(&self) -> bool {
        self.name.ends_with(", off") || self.name == "no subscriber"
    }

    /// Whether it is measured in that way at all.
    pub(crate) fn does(&self, measure: Measure) -> bool {
        match measure {
            Measure::Hot(..) => self.scope != Scope::Tasks,
            _ => self.scope != Scope::Hot,
        }
    }
}

/// What is measured in turns. Each is an order to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// A body, on so many threads.
    Hot(&'static str, usize),
    /// A workload of tasks, on so many workers; 0 is the calling thread.
    Tasks(&'static str, usize),
    /// A file, read by std or by Tokio.
    Read(&'static str),
    Http,
}

/// The bodies, by the names that they have in orders.
pub(crate) const SPAN: &str = "span";
pub(crate) const FIELDS: &str = "span_with_two_fields";
pub(crate) const EVENT: &str = "event_with_a_field_and_a_message";
pub(crate) const REGION: &str = "region";

pub(crate) const MEASURES: &[Measure] = &[
    Measure::Hot(SPAN, 1),
    Measure::Hot(SPAN, 2),
    Measure::Hot(FIELDS, 1),
    Measure::Hot(EVENT, 1),
    Measure::Hot(REGION, 1),
    Measure::Tasks("call", 0),
    Measure::Tasks("ping-pong", 0),
    Measure::Tasks("ping-pong", 1),
    Measure::Tasks("ping-pong", 2),
    Measure::Tasks("spawn", 0),
    Measure::Tasks("spawn", 2),
    Measure::Tasks("yield", 0),
    Measure::Tasks("yield", 2),
    Measure::Tasks("echo", 1),
    Measure::Read("std"),
    Measure::Read("tokio"),
    Measure::Http,
];

impl Measure {
    /// The order, for a turn of about that length.
    pub(crate) fn order(self, effort: &Effort) -> String {
        let hot = effort.hot.as_micros();
        let tasks = effort.tasks.as_micros();
        match self {
            Self::Hot(body, threads) => format!("hot {body} {threads} {hot}"),
            Self::Tasks(work, workers) => format!("tasks {work} {workers} {tasks}"),
            Self::Read(reader) => format!("read {reader} {tasks}"),
            // A request is long, and what tracing adds to it is little.
            Self::Http => format!("http {}", tasks * 8),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = |workers| match workers {
            0 => "current thread".to_owned(),
            1 => "1 worker".to_owned(),
            more => format!("{more} workers"),
        };
        match self {
            Self::Hot(body, 1) => write!(f, "{}", body.replace('_', " ")),
            Self::Hot(body, threads) => {
                write!(f, "{}, {threads} threads", body.replace('_', " "))
            }
            Self::Tasks(work, count) => write!(f, "{work}, {}", workers(*count)),
            Self::Read("std") => write!(f, "std::fs::read"),
            Self::Read(_) => write!(f, "tokio::fs::read"),
            Self::Http => write!(f, "HTTP request"),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Each has new processes, whose memory lies elsewhere.
    pub(crate) rounds: usize,
    /// Turns of each subject in a round that count; one more, the first, does not.
    pub(crate) turns: usize,
    /// How long a turn is, of a body on its threads and of tasks.
    pub(crate) hot: Duration,
    pub(crate) tasks: Duration,
    /// Spans at full speed for the peak of memory, and spawned tasks.
    pub(crate) spans: u64,
    pub(crate) spawns: u64,
    /// Live tasks at the highest.
    pub(crate) live: u64,
    /// Operations whose instructions are counted.
    pub(crate) counted: u64,
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        turns: 5,
        hot: Duration::from_millis(4),
        tasks: Duration::from_millis(16),
        spans: 1_000_000,
        spawns: 100_000,
        live: 1_000_000,
        counted: 20_000,
    };

    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        turns: 2,
        hot: Duration::from_millis(2),
        tasks: Duration::from_millis(6),
        spans: 1_000_000,
        spawns: 5_000,
        live: 100_000,
        counted: 2_000,
    };
}
