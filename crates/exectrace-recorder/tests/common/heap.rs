//! What the tests of heap samples share.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;

use exectrace_format::{GoId, SideRecord, StackId, TraceEvent, TraceEventKind};
use exectrace_recorder::{RecordingOptions, Report};

use super::common::{Shared, read, side_data};

/// A sampled allocation, as the trace has it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) time_ns: u64,
    pub(crate) go: GoId,
    pub(crate) size: u64,
    pub(crate) interval: u64,
    pub(crate) is_from_before: bool,
    pub(crate) has_stack: bool,
    /// When it was freed.
    pub(crate) freed_ns: Option<u64>,
}

impl Sample {
    /// For how many allocations it stands.
    pub(crate) fn weight(&self) -> f64 {
        -1.0 / (-(self.size as f64) / self.interval as f64).exp_m1()
    }
}

/// The samples of a trace by their numbers. Each that is freed must be known, and be freed once.
#[track_caller]
pub(crate) fn samples(events: &[TraceEvent]) -> BTreeMap<u64, Sample> {
    let mut samples = BTreeMap::new();
    for record in side_data(events) {
        match *record {
            SideRecord::HeapSample {
                time_ns,
                go,
                sample,
                size_bytes,
                interval_bytes,
                is_from_before,
                stack,
                ..
            } => {
                let new = Sample {
                    time_ns,
                    go,
                    size: size_bytes,
                    interval: interval_bytes,
                    is_from_before,
                    has_stack: stack != StackId::NONE,
                    freed_ns: None,
                };
                assert!(samples.insert(sample, new).is_none(), "a number of its own");
            }
            SideRecord::HeapFree { time_ns, sample } => {
                let known: &mut Sample = samples.get_mut(&sample).expect("a sample");
                assert!(time_ns >= known.time_ns);
                assert_eq!(known.freed_ns.replace(time_ns), None);
            }
            _ => {}
        }
    }
    samples
}

/// Records what `f` does.
#[track_caller]
pub(crate) fn record(f: impl FnOnce()) -> (Report, Vec<TraceEvent>) {
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    f();
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    let bytes = bytes.bytes();
    exectrace_referee::assert_bytes_accepted(&bytes);
    (report, read(&bytes))
}

/// Allocated bytes, allocations, freed bytes, frees.
pub(crate) type Sums = [u64; 4];

pub(crate) fn sums_by<K: Ord>(
    events: &[TraceEvent],
    key: impl Fn(u64, u64) -> Option<K>,
) -> BTreeMap<K, Sums> {
    let mut by_key = BTreeMap::<K, Sums>::new();
    for record in side_data(events) {
        if let SideRecord::Allocations {
            go,
            task,
            allocated_bytes,
            allocations,
            freed_bytes,
            frees,
            ..
        } = *record
            && let Some(key) = key(go.0, task.0)
        {
            let sums = by_key.entry(key).or_default();
            let new = [allocated_bytes, allocations, freed_bytes, frees];
            *sums = std::array::from_fn(|index| sums[index] + new[index]);
        }
    }
    by_key
}

/// What was allocated and freed in the regions of the user tasks of a name.
pub(crate) fn sums_of(events: &[TraceEvent], name: &str) -> Sums {
    let mut ids = Vec::new();
    for event in events {
        match &event.kind {
            TraceEventKind::TaskBegin { task, name: of, .. } if &**of == name => ids.push(task.0),
            _ => {}
        }
    }
    let sums = sums_by(events, |_, task| ids.contains(&task).then_some(()));
    sums.get(&()).copied().unwrap_or_default()
}
