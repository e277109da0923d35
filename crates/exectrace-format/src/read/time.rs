//! Instants on the clock of a trace.

use std::fmt;
use std::ops::Sub;
use std::time::Duration;

/// An instant on the clock of the trace, in nanoseconds.
///
/// The times of a damaged or hostile file may be any, so differences never overflow:
///
/// ```
/// use std::time::Duration;
/// use exectrace_format::TraceTime;
///
/// let (begin, end) = (TraceTime(1_000), TraceTime(1_500));
/// assert_eq!(end - begin, Duration::from_nanos(500));
/// assert_eq!(begin - end, Duration::ZERO);
/// assert_eq!(begin.ns_since(end), -500);
/// assert_eq!(TraceTime(i64::MIN).ns_since(end), i64::MIN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceTime(
    /// Nanoseconds since the clock's zero, which is the writer's choice.
    pub i64,
);

impl TraceTime {
    /// The nanoseconds from `earlier` to this instant; negative if `earlier` is later. What exceeds the numbers
    /// of an `i64` becomes the nearest of them.
    #[inline]
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Sub for TraceTime {
    type Output = Duration;

    /// The time from `earlier` to this instant; zero if `earlier` is later, as with [`std::time::Instant`].
    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        match self > earlier {
            true => Duration::from_nanos(self.0.abs_diff(earlier.0)),
            false => Duration::ZERO,
        }
    }
}

impl fmt::Display for TraceTime {
    /// The nanoseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
