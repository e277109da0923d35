//! What a flow recorded while it ran, and the longest time in which it recorded nothing.
//!
//! How long a run took does not say that it stood still: it may have done a thousand things. The
//! longest gap between two of its records does, and they say where.

use super::flow::Flow;
use exectrace_replay::{EndedRegion, Region, Stack, Text, between};

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
    /// It began this call.
    Call(Text),
    /// This call was over.
    CallEnd(Text),
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

impl Flow<'_> {
    /// The flow begins to run.
    #[inline]
    pub(super) fn run_begins(&mut self, now: i64) {
        self.time.last_mark = Mark {
            time: now,
            ..Mark::default()
        };
        self.time.longest_gap = None;
    }

    /// The flow runs on after a call in the middle of a poll. The call is no gap.
    pub(super) fn call_ends(&mut self, now: i64) {
        let call = match self.time.last_mark.did {
            Did::Call(call) => call,
            _ => Text::EMPTY,
        };
        self.time.last_mark = Mark {
            did: Did::CallEnd(call),
            time: now,
            stack: self.time.last_mark.stack,
        };
    }

    /// The flow, which runs, recorded something. `innermost` is the innermost region until then.
    #[inline]
    pub(super) fn marks(&mut self, mark: Mark, innermost: Option<Innermost>) {
        let before = std::mem::replace(&mut self.time.last_mark, mark);
        if between(before.time, mark.time) >= SHORTEST_NS {
            self.gap_ends(before, mark, innermost);
        }
    }

    #[cold]
    fn gap_ends(&mut self, before: Mark, after: Mark, innermost: Option<Innermost>) {
        let gap = Gap {
            before,
            after,
            region: innermost.map(|region| (region.name, region.stack)),
            user_task: innermost.map_or(self.inherited_user_task.0, |region| region.user_task),
        };
        let longest = self.time.longest_gap.as_ref();
        if gap.duration() > longest.map_or(0, |gap| gap.duration()) {
            self.time.longest_gap = Some(Box::new(gap));
        }
    }
}

/// The innermost region of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Innermost {
    name: Text,
    stack: Stack,
    user_task: u64,
}

impl Innermost {
    pub(super) fn of(regions: &[Region]) -> Option<Self> {
        let region = regions.last()?;
        Some(Self {
            name: region.name,
            stack: region.stack,
            user_task: region.user_task.0,
        })
    }

    /// Of a region that has ended and was the innermost until then.
    pub(super) fn ended(region: &EndedRegion) -> Option<Self> {
        region.begin.map(|_| Self {
            name: region.name,
            stack: region.stack,
            user_task: region.user_task.0,
        })
    }
}
