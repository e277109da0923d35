//! What machine it is, and its clocks.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// CPU time of the calling thread so far.
#[cfg(unix)]
#[must_use]
pub fn thread_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is ever negative.
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

/// Where the thread's CPU time is not known how to be asked for, time passed.
#[cfg(not(unix))]
#[must_use]
pub fn thread_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed()
}

/// CPU time of the tracer's flush thread so far; `None` where the system does not tell.
pub(crate) fn flush_thread_time() -> Option<Duration> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    for thread in threads.flatten() {
        let path = thread.path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.trim() == "exectrace-flush" {
            let times = std::fs::read_to_string(path.join("schedstat")).ok()?;
            let nanoseconds = times.split_whitespace().next()?.parse().ok()?;
            return Some(Duration::from_nanos(nanoseconds));
        }
    }
    None
}

/// What a reader of the figures must know: the command, the machine, the compiler and the day.
#[must_use]
pub fn describe_run(bench: &str, arguments: &str) -> String {
    let machine = describe_machine();
    format!("`cargo bench -p exectrace-benches --bench {bench}{arguments}`\n{machine}")
}

/// The machine, the compiler and the day.
#[must_use]
pub fn describe_machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(
        |_| "unknown rustc".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!(
        "{}, {cores} cores, {rustc}, {}",
        model.as_deref().unwrap_or(std::env::consts::ARCH),
        today()
    )
}

/// The day, as year-month-day, in UTC.
fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs());
    let (year, month, day) = date_of_day(seconds / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

/// The date of a day, counted from 1 January 1970.
fn date_of_day(mut day: u64) -> (u64, usize, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month + 1, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        assert_eq!(date_of_day(0), (1970, 1, 1));
        assert_eq!(date_of_day(11_016), (2000, 2, 29));
        assert_eq!(date_of_day(19_722), (2023, 12, 31));
        assert_eq!(date_of_day(19_723), (2024, 1, 1));
    }
}
