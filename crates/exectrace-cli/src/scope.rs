//! Which part of a trace is asked for: from when to when.

use std::time::Duration;

use clap::Args;

use crate::failure::{Usage, warn};
use crate::output::units::{self, parse_duration};

/// A part of the trace's time.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Window {
    /// Begin this long after the trace's beginning, as in 1.5s or 200ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    from: Option<Duration>,
    /// End this long after the trace's beginning
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    to: Option<Duration>,
}

impl Window {
    /// The whole trace.
    pub(crate) const WHOLE: Self = Self {
        from: None,
        to: None,
    };

    /// Checks that the end is not before the beginning.
    pub(crate) fn checked(self) -> anyhow::Result<Self> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to <= from => Err(Usage::error(
                format!("--to {to:?} is not after --from {from:?}"),
                "a later --to; both count from the beginning of the trace",
            )),
            _ => Ok(self),
        }
    }

    /// The same for an analysis.
    pub(crate) fn of_analysis(&self) -> Option<exectrace_analysis::Window> {
        let is_whole = self.from.is_none() && self.to.is_none();
        (!is_whole).then(|| exectrace_analysis::Window {
            begin_ns: self.begin_ns(),
            end_ns: self.end_ns(),
        })
    }

    /// Warns if the part begins after the end of the trace.
    pub(crate) fn warn_if_outside(&self, duration_ns: u64) {
        if let Some(from) = self.from
            && nanoseconds(from) > duration_ns
        {
            let ends = units::duration(duration_ns);
            warn(&format!(
                "--from {from:?} is after the end of the trace, which is {ends} long"
            ));
        }
    }

    /// Nanoseconds after the trace's beginning.
    pub(crate) fn begin_ns(&self) -> u64 {
        self.from.map_or(0, nanoseconds)
    }

    /// Nanoseconds after the trace's beginning; the greatest number if there is no end.
    pub(crate) fn end_ns(&self) -> u64 {
        self.to.map_or(u64::MAX, nanoseconds)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
