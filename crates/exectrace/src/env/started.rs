//! Whether a file is from before the command that the process belongs to.
//!
//! A shell makes a process group for each command, whose leader is the first process of it. What is older than the
//! leader was made by an earlier command.

use std::fs::Metadata;
use std::time::Duration;

/// Whether the file was last written before the leader of the process group started. `false` where that is not known:
/// then the file may be of another process of the same command.
pub(super) fn is_from_before(file: &Metadata) -> bool {
    let age = file.modified().ok().and_then(|time| time.elapsed().ok());
    matches!((age, age_of_group()), (Some(age), Some(group)) if age > group)
}

/// How long ago the leader of the process group started.
#[cfg(target_os = "linux")]
fn age_of_group() -> Option<Duration> {
    // Fields of /proc/PID/stat, counted from the one behind the name, which may have spaces and brackets in it.
    const GROUP: usize = 2;
    const STARTED: usize = 19;
    let field = |process: &str, index: usize| -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let behind_name = stat.rsplit_once(')')?.1;
        behind_name.split_whitespace().nth(index)?.parse().ok()
    };
    let group = field("self", GROUP)?;
    // Both count from the start of the system. Linux shows this in hundredths of a second to all programs.
    let started = Duration::from_millis(field(&group.to_string(), STARTED)?.checked_mul(10)?);
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime = uptime.split_whitespace().next()?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(uptime)
        .ok()?
        .checked_sub(started)
}

#[cfg(not(target_os = "linux"))]
fn age_of_group() -> Option<Duration> {
    None
}
