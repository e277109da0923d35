//! What becomes of records of side data: which hold for good, and which belong to a time.

use exectrace_format::{SideRecord, StackId};
use rustc_hash::{FxHashMap, FxHashSet};

/// Records that hold for good, such as names: the last of each, in the order in which they came first.
#[derive(Debug, Default)]
pub(super) struct LastingRecords {
    records: Vec<SideRecord>,
    /// Where the record about something is.
    places: FxHashMap<(u64, u64), usize>,
    /// Capabilities that are among them, as text.
    capabilities: FxHashSet<String>,
}

impl LastingRecords {
    /// Keeps the record, if it holds for good, in place of an earlier one about the same.
    pub(super) fn take(&mut self, record: &SideRecord) {
        if let SideRecord::Capabilities { .. } = record {
            if self.capabilities.insert(format!("{record:?}")) {
                self.records.push(record.clone());
            }
            return;
        }
        let Some(key) = key(record) else { return };
        let next = self.records.len();
        let place = *self.places.entry(key).or_insert(next);
        match self.records.get_mut(place) {
            Some(known) => *known = record.clone(),
            None => self.records.push(record.clone()),
        }
    }

    pub(super) fn all(&self) -> &[SideRecord] {
        &self.records
    }
}

/// What a record is about: kind and number. `None` for what is about an instant.
fn key(record: &SideRecord) -> Option<(u64, u64)> {
    let about = match record {
        SideRecord::ThreadName { thread, .. } => thread.0,
        SideRecord::ProcName { proc, .. } => proc.0,
        SideRecord::RuntimeName { id, .. } => *id,
        SideRecord::GeneratedBy { .. } => 0,
        // What was counted up to here: those to come are more than that.
        SideRecord::ThreadTime { thread, .. } | SideRecord::ThreadUsage { thread, .. } => thread.0,
        _ => return None,
    };
    Some((record.kind(), about))
}

/// A thread that records is sampled at least once in this time.
const BETWEEN_SAMPLES_NS: u64 = 200_000_000;

/// From when to when a record of side data holds, if it is about an instant or a time.
pub(super) fn time_of(record: &SideRecord) -> Option<(u64, u64)> {
    match record {
        SideRecord::Counter { time_ns, .. }
        | SideRecord::Link { time_ns, .. }
        | SideRecord::Inferred { time_ns, .. }
        | SideRecord::Lost { time_ns, .. }
        | SideRecord::LeftOut { time_ns, .. }
        | SideRecord::CallCounts { time_ns, .. }
        | SideRecord::CallFailed { time_ns, .. }
        | SideRecord::CallStack { time_ns, .. }
        | SideRecord::Allocations { time_ns, .. }
        | SideRecord::HeapFree { time_ns, .. }
        | SideRecord::Thinned { time_ns, .. } => Some((*time_ns, *time_ns)),
        SideRecord::DriverWait {
            time_ns,
            duration_ns,
            ..
        }
        | SideRecord::OffProcessor {
            time_ns,
            duration_ns,
            ..
        } => Some((*time_ns, time_ns.saturating_add(*duration_ns))),
        // It says something of the time before it.
        SideRecord::ThreadTime { time_ns, .. } | SideRecord::ThreadUsage { time_ns, .. } => {
            Some((time_ns.saturating_sub(BETWEEN_SAMPLES_NS), *time_ns))
        }
        SideRecord::Span(span) => Some((span.first_ns, span.end_ns)),
        _ => None,
    }
}

/// The stack in a record of side data, which has another id in each generation.
pub(super) fn stack_of(record: &mut SideRecord) -> Option<&mut StackId> {
    match record {
        SideRecord::CallStack { stack, .. } | SideRecord::HeapSample { stack, .. } => Some(stack),
        _ => None,
    }
}

/// Moves the times in a record of side data, as those of the events are.
pub(super) fn shift(record: &mut SideRecord, by_ns: u64) {
    let add = |time_ns: &mut u64| *time_ns = time_ns.saturating_add(by_ns);
    match record {
        SideRecord::Counter { time_ns, .. }
        | SideRecord::Link { time_ns, .. }
        | SideRecord::Inferred { time_ns, .. }
        | SideRecord::Lost { time_ns, .. }
        | SideRecord::LeftOut { time_ns, .. }
        | SideRecord::ThreadTime { time_ns, .. }
        | SideRecord::CallCounts { time_ns, .. }
        | SideRecord::CallFailed { time_ns, .. }
        | SideRecord::CallStack { time_ns, .. }
        | SideRecord::DriverWait { time_ns, .. }
        | SideRecord::Allocations { time_ns, .. }
        | SideRecord::ThreadUsage { time_ns, .. }
        | SideRecord::OffProcessor { time_ns, .. }
        | SideRecord::Thinned { time_ns, .. }
        | SideRecord::HeapSample { time_ns, .. }
        | SideRecord::HeapFree { time_ns, .. }
        | SideRecord::BeganBefore { time_ns, .. } => add(time_ns),
        SideRecord::Span(span) => {
            add(&mut span.first_ns);
            add(&mut span.end_ns);
            // 0 says that there is no such ancestor.
            if span.parent_ns != 0 {
                add(&mut span.parent_ns);
            }
        }
        _ => {}
    }
}
