//! A part of a trace.

use crate::state::between;

/// A part of the trace, in nanoseconds since its begin.
///
/// Times of states are cut at its edges. Regions, user tasks and system calls count whole if any
/// part of them lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins.
    pub begin_ns: u64,
    /// Where it ends.
    pub end_ns: u64,
}

/// A [`Window`] on the clock of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Where it begins.
    pub begin: i64,
    /// Where it ends.
    pub end: i64,
}

impl Default for Clip {
    /// The whole trace.
    fn default() -> Self {
        Self::ALL
    }
}

impl Clip {
    /// The whole trace.
    pub const ALL: Self = Self {
        begin: i64::MIN,
        end: i64::MAX,
    };

    /// The window of a trace that begins at `trace_begin`; without a window, the whole trace.
    pub fn new(window: Option<Window>, trace_begin: i64) -> Self {
        let at = |ns: u64| trace_begin.saturating_add(i64::try_from(ns).unwrap_or(i64::MAX));
        window.map_or(Self::ALL, |window| Self {
            begin: at(window.begin_ns),
            end: at(window.end_ns),
        })
    }

    /// How many nanoseconds from `begin` to `end` lie inside.
    #[inline]
    pub fn between(self, begin: i64, end: i64) -> u64 {
        between(begin.max(self.begin), end.min(self.end))
    }

    /// Whether any part lies inside.
    #[inline]
    pub fn touches(self, begin: i64, end: i64) -> bool {
        begin <= self.end && end >= self.begin
    }
}
