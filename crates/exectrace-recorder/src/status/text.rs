//! The status in words.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Destination, Dropped, RecordingStatus, Status};
use crate::settings::SettingsInForce;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.recordings.as_slice() {
            [] => writeln!(f, "nothing records")?,
            recordings => {
                for recording in recordings {
                    writeln!(f, "{recording}")?;
                }
            }
        }
        if let Some(nothing) = &self.nothing_recorded {
            let kind = if nothing.cause.is_fault() {
                "warning"
            } else {
                "note"
            };
            writeln!(f, "{kind}: {nothing}")?;
        }
        write!(
            f,
            "records since the process began: {}",
            self.records.total()
        )?;
        write_counts(f, self.records.iter())?;
        writeln!(f)?;
        match self.last_record {
            Some(at) => writeln!(f, "last record: {} ago", age(at))?,
            None => writeln!(f, "last record: none yet")?,
        }
        writeln!(f, "dropped: {}", self.dropped)?;
        let memory = &self.memory;
        writeln!(
            f,
            "buffers: {} of {} bytes, {} threads",
            memory.used_bytes, memory.limit_bytes, self.threads
        )?;
        if let Some(passed) = self.since_last_pass {
            writeln!(f, "last pass of the flush thread: {passed:.1?} ago")?;
        }
        for (key, value) in &self.capabilities {
            writeln!(f, "{key}: {value}")?;
        }
        writeln!(f, "{}", self.settings)
    }
}

impl fmt::Display for SettingsInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |yes| if yes { "yes" } else { "no" };
        writeln!(f, "setting memory: {} bytes", self.memory_bytes)?;
        writeln!(f, "setting call threshold: {:?}", self.call_threshold)?;
        writeln!(f, "setting socket calls: {}", yes_no(self.socket_calls))?;
        if let Some(bytes) = self.heap_sample_bytes {
            writeln!(
                f,
                "setting heap samples: one for each {bytes} bytes on average"
            )?;
        }
        for (source, budget) in &self.budgets {
            let name = source.name();
            writeln!(f, "setting budget of {name}: {budget} records a second")?;
        }
        writeln!(
            f,
            "setting process samples: {}",
            yes_no(self.process_samples)
        )?;
        if let Some(hz) = self.cpu_samples_hz {
            writeln!(f, "setting CPU samples: {hz} a second of processor time")?;
        }
        writeln!(
            f,
            "setting kernel switches: {}",
            yes_no(self.kernel_switches)
        )?;
        match self.warn_if_nothing_for {
            Duration::MAX => write!(f, "setting warning if nothing is recorded: never"),
            time => write!(f, "setting warning if nothing is recorded: after {time:?}"),
        }
    }
}

impl fmt::Display for RecordingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            destination,
            ..
        } = self;
        write!(
            f,
            "recording {number} to {destination}, for {}",
            age(self.started)
        )?;
        if let Some(limit) = self.stops_after {
            write!(f, " of {limit:?}")?;
        }
        write!(f, ": {}", self.written)?;
        match &self.error {
            Some(error) => write!(f, "; {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Rotating(path) => write!(f, "files {}-…", path.display()),
            Self::Writer => f.write_str("a writer"),
            Self::Stream => f.write_str("a stream"),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = [
            ("for full buffers", self.buffers_full),
            ("whose formatting panicked", self.unformatted),
            ("inside another record", self.nested),
            ("CPU samples", self.cpu_samples),
        ];
        let thinned = self
            .thinned
            .iter()
            .map(|(source, left_out)| (source.name(), *left_out));
        let all = causes.iter().copied().chain(thinned);
        let total: u64 = all.clone().map(|(_, count)| count).sum();
        write!(f, "{total}")?;
        write_counts(f, all)
    }
}

/// Writes, in brackets, the counts that are not 0.
fn write_counts<'a>(
    f: &mut fmt::Formatter<'_>,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let mut begin = " (";
    for (name, count) in counts.filter(|(_, count)| *count > 0) {
        write!(f, "{begin}{count} {name}")?;
        begin = ", ";
    }
    match begin {
        ", " => f.write_str(")"),
        _ => Ok(()),
    }
}

/// How long ago this was, for people.
fn age(at: SystemTime) -> String {
    match at.elapsed() {
        Ok(elapsed) => format!("{elapsed:.1?}"),
        // The wall clock was set back.
        Err(_) => "0s".to_owned(),
    }
}
