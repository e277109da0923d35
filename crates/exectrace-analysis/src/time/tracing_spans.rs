//! Spans, whole: from their first entry to their close.
//!
//! A region is a span by itself unless its end is marked as a part of one. What such a span is says a
//! side record; its region, or the user task that carries it where regions cannot nest, begins at the
//! record's first entry. A span that is a user task anyway and could have no region is known by that task,
//! which may have begun before. Records stand at the begin of their generation, so either may come first:
//! [`Spans`] keeps what has come until the other does.

use std::collections::VecDeque;

use exectrace_format::{GoId, SpanRecord};
use exectrace_replay::{Goroutine, GoroutineKind, Stack, Text, between};
use rustc_hash::FxHashMap;

use crate::breakdown::Sums;

use super::regions::RegionTime;

/// At most so many parts are kept, the newest, until their records come; a span whose part is
/// forgotten has no place and no breakdown. And at most so many user tasks that have begun, the oldest.
const MAX_PARTS: usize = 1 << 16;
/// At most so many records are kept whose part has not come; more have none in the file.
const MAX_RECORDS: usize = 1 << 20;

/// A span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WholeSpan<'a> {
    pub(crate) name: Text,
    /// Where it begins.
    pub(crate) stack: Stack,
    pub(crate) task: u64,
    pub(crate) go: GoId,
    /// Its first entry; `None` if that was before the trace.
    pub(crate) begin: Option<i64>,
    /// Its close; `None` if it is open at the end of the trace.
    pub(crate) end: Option<i64>,
    /// How long it was entered, where that is known.
    pub(crate) busy: Option<u64>,
    /// How many times it was entered, where that is known.
    pub(crate) entries: Option<u64>,
    /// How long no other region of its flow was inside its own, where it has one.
    pub(crate) own: Option<u64>,
    /// It is carried by a user task of its own, which is no operation.
    pub(crate) is_carried: bool,
    pub(crate) sums: &'a Sums,
}

/// A region that is a part of a span and has ended, or a user task that carries one and has begun.
#[derive(Debug)]
pub(crate) struct Part {
    name: Text,
    stack: Stack,
    task: u64,
    go: GoId,
    is_carrier: bool,
    /// It is no region, so its entries are all that is known of where its time went.
    is_task: bool,
    /// Whether the filter lets its flow through.
    is_wanted: bool,
    own: Option<u64>,
    sums: Sums,
}

/// Joins parts to their records.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    /// By their first entry.
    records: FxHashMap<i64, Waiting>,
    /// Of those that are user tasks of their own, the first entry by the task.
    own: FxHashMap<u64, i64>,
    /// User tasks that have begun and not ended, and carry nothing: what would be the part of a span that
    /// is the task.
    begun: FxHashMap<u64, BegunTask>,
    /// By their begin.
    parts: FxHashMap<i64, Part>,
    /// The begins of parts, the oldest first; some are gone already.
    order: VecDeque<i64>,
}

/// A user task that has begun and may be a span: the place that it has as one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BegunTask {
    pub(crate) name: Text,
    pub(crate) stack: Stack,
    /// Whether the filter lets its flow through.
    pub(crate) is_wanted: bool,
}

/// A record whose part has not come.
#[derive(Debug)]
struct Waiting {
    record: SpanRecord,
    /// The user task that the span is. A region would be more.
    task: Option<Part>,
}

/// A record and what it is of.
pub(crate) type Joined = (SpanRecord, Part);

impl Part {
    pub(crate) fn of_region(flow: &Goroutine, region: &RegionTime<'_>, is_wanted: bool) -> Self {
        Self {
            name: region.name,
            stack: region.stack,
            task: region.task,
            go: flow.id,
            is_carrier: false,
            is_task: false,
            is_wanted,
            own: region.begin.map(|_| region.own),
            sums: region.sums.clone(),
        }
    }

    /// A user task that is a span, or only carries one.
    pub(crate) fn of_task(
        (name, stack): (Text, Stack),
        task: u64,
        go: GoId,
        (is_carrier, is_wanted): (bool, bool),
    ) -> Self {
        Self {
            name,
            stack,
            task,
            go,
            is_carrier,
            is_task: true,
            is_wanted,
            own: None,
            sums: Sums::default(),
        }
    }

    /// What a record without a part says: of where its time went, nothing.
    fn of_record(record: &SpanRecord, name: Text, is_wanted: bool) -> Self {
        Self {
            name,
            stack: Stack::default(),
            task: record.task.0,
            go: record.flow,
            is_carrier: record.carried,
            is_task: record.carried,
            is_wanted,
            own: None,
            sums: Sums::default(),
        }
    }

    /// Gives the span to `take`, if it is wanted.
    pub(crate) fn report(
        mut self,
        record: Option<&SpanRecord>,
        begin: i64,
        take: impl FnOnce(&WholeSpan<'_>),
    ) {
        if !self.is_wanted {
            return;
        }
        let end = record.map(|record| time(record.end_ns));
        if let Some(record) = record {
            let total = between(begin, time(record.end_ns));
            if self.sums.total != total {
                // Its region is one of several.
                self.own = None;
            }
            // Regions nest: it lasted until those inside it had ended, or until its flow ran again.
            let is_longer = self.sums.total > total;
            if is_longer {
                self.sums = Sums::default();
            }
            if (self.is_task || is_longer) && record.entries > 0 {
                self.sums.running = record.busy_ns.min(total);
            }
            // What no region shows is as unknown as a thread's own code.
            self.sums.close(total);
            self.sums.own_code = self.sums.unknown;
        }
        take(&WholeSpan {
            name: self.name,
            stack: self.stack,
            task: self.task,
            go: self.go,
            begin: Some(begin),
            end,
            busy: record.map(|record| record.busy_ns),
            entries: record.map(|record| record.entries),
            own: self.own,
            is_carried: self.is_carrier,
            sums: &self.sums,
        });
    }
}

impl<'a> WholeSpan<'a> {
    /// A region that is a span by itself, entered once.
    pub(crate) fn of_region(flow: &Goroutine, region: &RegionTime<'a>) -> Self {
        let is_closed = region.begin.is_some() && region.end.is_some();
        // It was left only when its task was not polled.
        let busy = match flow.kind {
            GoroutineKind::Thread => region.sums.total,
            GoroutineKind::Task => region.sums.running,
        };
        Self {
            name: region.name,
            stack: region.stack,
            task: region.task,
            go: flow.id,
            begin: region.begin,
            end: region.end,
            busy: is_closed.then_some(busy),
            entries: is_closed.then_some(1),
            own: region.begin.map(|_| region.own),
            is_carried: false,
            sums: region.sums,
        }
    }
}

impl Spans {
    /// A record comes; given back with its part if that has come.
    pub(crate) fn record(&mut self, record: &SpanRecord) -> Option<Joined> {
        let first = time(record.first_ns);
        match self.parts.remove(&first) {
            Some(part) => Some((record.clone(), part)),
            None => {
                if self.records.len() < MAX_RECORDS {
                    if record.own_task && !record.carried {
                        self.own.insert(record.task.0, first);
                    }
                    let record = record.clone();
                    self.records.insert(first, Waiting { record, task: None });
                }
                None
            }
        }
    }

    /// A part comes; given back with its record if that has come.
    pub(crate) fn part(&mut self, begin: i64, part: Part) -> Option<Joined> {
        if let Some(Waiting { record, .. }) = self.records.remove(&begin) {
            return Some((record, part));
        }
        while self.order.len() >= MAX_PARTS {
            if let Some(oldest) = self.order.pop_front() {
                self.parts.remove(&oldest);
            }
        }
        self.order.push_back(begin);
        self.parts.insert(begin, part);
        None
    }

    /// A user task begins that carries nothing, but may be a span.
    pub(crate) fn task_begins(&mut self, task: u64, begun: BegunTask) {
        if self.begun.len() < MAX_PARTS {
            self.begun.insert(task, begun);
        }
    }

    /// A user task ends. The record of a span that it is has come: it is of the same generation.
    pub(crate) fn task_ends(&mut self, task: u64) {
        let begun = self.begun.remove(&task);
        if self.own.is_empty() {
            return;
        }
        let first = self.own.remove(&task);
        let waiting = first.and_then(|first| self.records.get_mut(&first));
        if let (Some(waiting), Some(begun)) = (waiting, begun) {
            let of = (begun.name, begun.stack);
            let go = waiting.record.flow;
            waiting.task = Some(Part::of_task(of, task, go, (false, begun.is_wanted)));
        }
    }

    /// When the trace ends: records whose parts the file does not have, and user tasks that carry spans
    /// which are open. `name` numbers a record's name. Of what flow a span is that has neither is not
    /// known, so it counts if all flows do.
    pub(crate) fn finish(
        self,
        all_flows: bool,
        mut name: impl FnMut(&str) -> Text,
        mut take: impl FnMut(Option<&SpanRecord>, i64, Part),
    ) {
        let mut records: Vec<_> = self.records.into_iter().collect();
        records.sort_unstable_by_key(|&(first, _)| first);
        for (first, Waiting { record, task }) in records {
            let part =
                task.unwrap_or_else(|| Part::of_record(&record, name(&record.name), all_flows));
            take(Some(&record), first, part);
        }
        let mut open: Vec<_> = self.parts.into_iter().collect();
        open.retain(|(_, part)| part.is_carrier);
        open.sort_unstable_by_key(|&(begin, _)| begin);
        for (begin, part) in open {
            take(None, begin, part);
        }
    }
}

/// A time of the side data on the clock of the trace.
fn time(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use exectrace_format::TaskId;

    use super::*;

    #[test]
    fn a_record_and_its_part_find_each_other_whichever_comes_first() {
        let record = SpanRecord {
            first_ns: 7,
            end_ns: 19,
            busy_ns: 5,
            entries: 2,
            flow: GoId(1),
            task: TaskId(3),
            own_task: true,
            carried: true,
            inferred: false,
            parent_ns: 0,
            name: "save".into(),
        };
        let part = || Part::of_task(Default::default(), 3, GoId(1), (true, true));
        let mut spans = Spans::default();
        assert!(spans.part(7, part()).is_none());
        assert!(spans.part(9, part()).is_none(), "another span's");
        assert!(spans.record(&record).is_some());
        let mut spans = Spans::default();
        assert!(spans.record(&record).is_none());
        assert!(spans.part(9, part()).is_none());
        assert!(spans.part(7, part()).is_some());
    }
}
