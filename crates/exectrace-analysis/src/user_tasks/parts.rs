//! The parts of a user task's tree, one after the other.

use std::cmp::Reverse;

use crate::regions::RegionInstance;

use super::{LogEntry, UserTaskTree};

/// A part of a tree of user tasks.
#[derive(Clone, Copy, Debug)]
pub enum UserTaskPart<'a> {
    /// A region, or a span.
    Region(&'a RegionInstance),
    /// A log.
    Log(&'a LogEntry),
    /// The user task itself, or one that it began.
    Task(&'a UserTaskTree),
}

impl UserTaskPart<'_> {
    /// When it began, in nanoseconds since the begin of the trace; 0 if that was before.
    pub fn time_ns(&self) -> u64 {
        match self {
            Self::Region(region) => region.begin_ns.unwrap_or(0),
            Self::Log(log) => log.time_ns,
            Self::Task(tree) => tree.task.begin_ns.unwrap_or(0),
        }
    }
}

impl UserTaskTree {
    /// The user task and all that is in its tree, each with its depth: a user task before its parts, and those by when
    /// they begin.
    pub fn parts(&self) -> impl Iterator<Item = (usize, UserTaskPart<'_>)> {
        // Trees are as deep as the program makes them: their parts wait in a list, not on the stack.
        let mut waiting = vec![(0, UserTaskPart::Task(self))];
        std::iter::from_fn(move || {
            let (depth, part) = waiting.pop()?;
            if let UserTaskPart::Task(tree) = part {
                let mut parts: Vec<_> = tree.regions.iter().map(UserTaskPart::Region).collect();
                parts.extend(tree.logs.iter().map(UserTaskPart::Log));
                parts.extend(tree.children.iter().map(UserTaskPart::Task));
                parts.sort_by_key(|part| Reverse(part.time_ns()));
                waiting.extend(parts.into_iter().map(|part| (depth + 1, part)));
            }
            Some((depth, part))
        })
    }
}
