//! What the program must not do: stand still, or grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

/// Something that is done over and over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A request was answered over a socket.
    Request,
    /// A file was written and read.
    File,
    /// A lock was had that others hold.
    Lock,
    /// A thread has ended.
    Thread,
    /// A forked child has ended.
    Fork,
    /// A child that executed another program has ended.
    Execute,
    /// A handler was run.
    Signal,
    /// A library was loaded and let go.
    Library,
}

const NAMES: [&str; 8] = [
    "requests",
    "files",
    "locks",
    "threads",
    "forks",
    "programs",
    "signals",
    "libraries",
];

static DONE: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

/// One more was done.
pub(crate) fn did(step: Step) {
    DONE[step as usize].fetch_add(1, Ordering::Relaxed);
}

/// How many of each were done.
pub(crate) fn done() -> String {
    let counts = DONE.iter().zip(NAMES);
    let counts = counts.map(|(count, name)| format!("{} {name}", count.load(Ordering::Relaxed)));
    counts.collect::<Vec<_>>().join(", ")
}

/// How long nothing of a kind may be done before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the program if something stands still.
pub(crate) fn over_progress() {
    std::thread::spawn(|| {
        let mut last = [(u64::MAX, Instant::now()); NAMES.len()];
        while !crate::is_over() {
            std::thread::sleep(Duration::from_secs(1));
            for (place, (count, name)) in last.iter_mut().zip(DONE.iter().zip(NAMES)) {
                let count = count.load(Ordering::Relaxed);
                if place.0 != count {
                    *place = (count, Instant::now());
                } else if place.1.elapsed() > PATIENCE {
                    eprintln!("{name} stand still after {count}");
                    std::process::abort();
                }
            }
        }
    });
}

/// What the process holds.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    descriptors: usize,
    resident_kb: u64,
}

/// Memory that may come and go with what happens to run at the moment.
const SLACK_KB: u64 = 48 << 10;
/// Descriptors of which that is true.
const SLACK_DESCRIPTORS: usize = 16;

impl Usage {
    pub(crate) fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(Self {
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            resident_kb: number.and_then(|number| number.parse().ok()).unwrap_or(0),
        })
    }

    pub(crate) fn check_against(self, first: Self) -> Result<(), String> {
        if self.descriptors > first.descriptors + SLACK_DESCRIPTORS
            || self.resident_kb > first.resident_kb + SLACK_KB
        {
            return Err(format!("it has grown: from {first:?} to {self:?}"));
        }
        Ok(())
    }
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors and {} KB",
            self.descriptors, self.resident_kb
        )
    }
}
