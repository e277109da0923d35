//! How many records there were, by what they are of.

use crate::kinds::{Kind, NUMBERS};

/// Records by what they are of, counted where the flush thread reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordCounts {
    /// User tasks, regions and logs of the program's own calls.
    pub annotations: u64,
    /// Spans of `tracing`, or of another span source: four records for a span that is entered once.
    pub spans: u64,
    /// Events of `tracing`, or of another span source.
    pub events: u64,
    /// Async tasks: spawns, polls, wakes, ends.
    pub async_tasks: u64,
    /// Workers of async runtimes that park or go on.
    pub workers: u64,
    /// Calls of the C library, and sums of those that are only counted.
    pub calls: u64,
    /// Sums of what was allocated and freed, and samples of it.
    pub allocations: u64,
    /// CPU samples.
    pub cpu_samples: u64,
    /// The recorder's own: ends of threads, losses, stacks.
    pub others: u64,
}

impl RecordCounts {
    /// Counts by the numbers of the kinds.
    pub(crate) fn of_kinds(kinds: &[u64; NUMBERS]) -> Self {
        let mut counts = Self::default();
        for (number, &records) in (0..).zip(kinds) {
            if let Some(kind) = Kind::of_number(number) {
                *counts.of_kind_mut(kind) += records;
            }
        }
        counts
    }

    fn of_kind_mut(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::RegionBegin | Kind::RegionEnd | Kind::TaskBegin | Kind::TaskEnd | Kind::Log => {
                &mut self.annotations
            }
            Kind::SpanNew
            | Kind::SpanEnter
            | Kind::SpanExit
            | Kind::SpanClose
            | Kind::SpanClone
            | Kind::SpanDrop
            | Kind::SpanRecord
            | Kind::SpanFollows => &mut self.spans,
            Kind::Event => &mut self.events,
            Kind::AsyncSpawn
            | Kind::PollBegin
            | Kind::PollBeginAfter
            | Kind::PollEnd
            | Kind::PollEndAt
            | Kind::AsyncEnd
            | Kind::ClosureBegin
            | Kind::Wake
            | Kind::WakerOf
            | Kind::WakeBy => &mut self.async_tasks,
            Kind::Park | Kind::Unpark => &mut self.workers,
            Kind::Call | Kind::CallSum => &mut self.calls,
            Kind::HeapSum | Kind::HeapSample | Kind::HeapFree => &mut self.allocations,
            Kind::SourceClosed | Kind::ThreadEnd | Kind::Lost | Kind::StackIs => &mut self.others,
        }
    }

    /// Name and count of each, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        [
            ("annotations", self.annotations),
            ("spans", self.spans),
            ("events", self.events),
            ("async_tasks", self.async_tasks),
            ("workers", self.workers),
            ("calls", self.calls),
            ("allocations", self.allocations),
            ("cpu_samples", self.cpu_samples),
            ("others", self.others),
        ]
        .into_iter()
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, records)| records).sum()
    }

    /// What says what the program does: annotations, spans, events and async tasks.
    pub(crate) fn of_program(&self) -> u64 {
        self.annotations + self.spans + self.events + self.async_tasks
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.annotations += other.annotations;
        self.spans += other.spans;
        self.events += other.events;
        self.async_tasks += other.async_tasks;
        self.workers += other.workers;
        self.calls += other.calls;
        self.allocations += other.allocations;
        self.cpu_samples += other.cpu_samples;
        self.others += other.others;
    }
}
