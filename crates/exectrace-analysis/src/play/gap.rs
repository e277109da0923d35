//! What a flow recorded while it ran, and the longest time in which it recorded nothing.
//!
//! How long a run took does not say that it stood still: it may have done a thousand things. The
//! longest gap between two of its records does, and they say where.

use crate::names::{Stack, Text};

use super::flow::Flow;
use super::stretch::between;

/// Shorter gaps are not kept.
const SHORTEST_NS: u64 = 1_000_000;

/// What a record in a run says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Did {
    /// The run began.
    #[default]
    Begin,
    /// The run ended.
    End,
    RegionBegin(Text),
    RegionEnd(Text),
    TaskBegin(Text),
    TaskEnd(Text),
    Log,
    /// It woke another flow.
    Wake,
    Spawn,
}

/// A record in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) did: Did,
    pub(crate) time: i64,
    pub(crate) stack: Stack,
}

/// The time between two records that follow each other in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    pub(crate) before: Mark,
    pub(crate) after: Mark,
    /// The innermost region that was open: its name and its place.
    pub(crate) region: Option<(Text, Stack)>,
    pub(crate) user_task: u64,
}

impl Gap {
    pub(crate) fn duration(&self) -> u64 {
        between(self.before.time, self.after.time)
    }
}

impl Flow {
    /// The flow begins to run.
    #[inline]
    pub(super) fn run_begins(&mut self, now: i64) {
        self.last_mark = Mark {
            time: now,
            ..Mark::default()
        };
        self.longest_gap = None;
    }

    /// The flow, which runs, recorded something. Regions that this opens or closes must be as they
    /// were before.
    #[inline]
    pub(super) fn marks(&mut self, did: Did, time: i64, stack: Stack) {
        let mark = Mark { did, time, stack };
        let before = std::mem::replace(&mut self.last_mark, mark);
        if between(before.time, time) >= SHORTEST_NS {
            self.gap_ends(before, mark);
        }
    }

    #[cold]
    fn gap_ends(&mut self, before: Mark, after: Mark) {
        let region = self
            .regions
            .last()
            .map(|region| (region.name, region.stack));
        let gap = Gap {
            before,
            after,
            region,
            user_task: self.user_task(),
        };
        let longest = self.longest_gap.as_ref().map_or(0, |gap| gap.duration());
        if gap.duration() > longest {
            self.longest_gap = Some(Box::new(gap));
        }
    }
}
