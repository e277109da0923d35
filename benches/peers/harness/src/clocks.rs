//! CPU time of threads and of the process; its memory; when it has come to rest.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// CPU time of all threads of the process so far.
pub(crate) fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // Neither is ever negative.
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

/// CPU time so far of the threads with that name, as of when each was last switched out.
pub(crate) fn time_of_threads(name: &str) -> Outcome<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task")? {
        let path = thread?.path();
        // A thread may end while it is looked at.
        let (Ok(comm), Ok(times)) = (
            fs::read_to_string(path.join("comm")),
            fs::read_to_string(path.join("schedstat")),
        ) else {
            continue;
        };
        if comm.trim() == name {
            let time_ns = times.split_whitespace().next().unwrap_or_default();
            total += Duration::from_nanos(time_ns.parse()?);
        }
    }
    Ok(total)
}

/// How long the process must have done next to nothing to be at rest.
const REST: Duration = Duration::from_millis(6);
/// What next to nothing is, within that time.
const NEXT_TO_NOTHING: Duration = Duration::from_micros(200);
/// How long a tracer's own threads are waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until no thread of the process works, so that the tracer's own threads are counted.
pub(crate) fn settle() {
    let mut waited = Duration::ZERO;
    let mut before = process_time();
    while waited < PATIENCE {
        thread::sleep(REST);
        waited += REST;
        let now = process_time();
        if now.saturating_sub(before) < NEXT_TO_NOTHING {
            return;
        }
        before = now;
    }
}

/// Memory of the process, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

pub(crate) fn memory() -> Outcome<Memory> {
    let status = fs::read_to_string("/proc/self/status")?;
    let of = |name: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let line = line.ok_or("no such line in /proc/self/status")?;
        let kib = line.split_whitespace().next().ok_or("an empty line")?;
        Ok(kib.parse::<u64>()? * 1024)
    };
    Ok(Memory {
        now: of("VmRSS:")?,
        peak: of("VmHWM:")?,
    })
}
