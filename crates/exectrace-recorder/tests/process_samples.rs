//! What the system counts of the process and of its threads, in the trace.

#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use common::{Shared, capability, read, side_data, turn};
use exectrace_format::conventions::{PROCESS_MINOR_FAULTS, SystemCounter};
use exectrace_format::{SideRecord, TraceEvent};
use exectrace_recorder::{RecordingOptions, region};

/// What is said of a source.
fn said(events: &[TraceEvent], key: &str) -> String {
    capability(events, key).next().unwrap_or_default()
}

/// The values of each counter, in their order.
fn counters(events: &[TraceEvent]) -> BTreeMap<String, Vec<i64>> {
    let mut counters: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for record in side_data(events) {
        if let SideRecord::Counter { name, value, .. } = record {
            counters.entry(name.to_string()).or_default().push(*value);
        }
    }
    counters
}

#[test]
fn a_recording_has_the_process_s_counts_from_its_begin_to_its_end() {
    const PAGES: i64 = 2_000;
    let _turn = turn();
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    let touched = vec![1u8; PAGES as usize * 4_096];
    recording.stop().unwrap();
    drop(touched);
    let events = read(&bytes.bytes());
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let counters = counters(&events);
    for (name, values) in &counters {
        let known = SystemCounter::of(name).unwrap_or_else(|| panic!("what is {name}?"));
        let grows = values.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(grows || !known.is_sum, "{name}: {values:?}");
    }
    // Pages may be larger here.
    let faults = &counters[PROCESS_MINOR_FAULTS];
    assert!(faults[faults.len() - 1] > faults[0], "{faults:?}");
    for (source, prefix) in [
        ("process", "process."),
        ("process.cgroup", "cgroup.cpu."),
        ("process.pressure", "system.pressure."),
    ] {
        let said = said(&events, source);
        let is_there = counters.keys().any(|name| name.starts_with(prefix));
        match said.split_once(' ') {
            Some(("yes,", _)) => assert!(is_there || source == "process.cgroup", "{said}"),
            Some(("no:", why)) => assert!(!is_there && !why.is_empty(), "{said}"),
            _ => panic!("{source}: {said:?}"),
        }
    }
}

#[test]
fn a_thread_s_switches_and_faults_are_in_the_trace_at_both_ends_of_what_it_did() {
    let _turn = turn();
    let bytes = Shared::default();
    let (done, is_done) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let first = RecordingOptions::new()
        .start_writer(Shared::default())
        .unwrap();
    let thread = thread::spawn(move || {
        drop(region("known to the tracer"));
        done.send(()).unwrap();
        may_go.recv().unwrap();
        let touched = vec![1u8; 8 << 20];
        drop(region("after"));
        done.send(()).unwrap();
        // It has not ended when it is looked at.
        may_go.recv().unwrap();
        drop(touched);
    });
    is_done.recv().unwrap();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    go.send(()).unwrap();
    is_done.recv().unwrap();
    recording.stop().unwrap();
    first.stop().unwrap();
    go.send(()).unwrap();
    thread.join().unwrap();
    let events = read(&bytes.bytes());
    let mut found: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for record in side_data(&events) {
        if let SideRecord::ThreadUsage {
            thread,
            voluntary_switches,
            minor_faults,
            ..
        } = *record
        {
            let counts = (voluntary_switches, minor_faults);
            found.entry(thread.0).or_default().push(counts);
        }
    }
    if said(&events, "kernel.usage").starts_with("no: ") {
        return assert!(found.is_empty());
    }
    let grew = |counts: &Vec<(u64, u64)>| {
        let (first, last) = (counts[0], counts[counts.len() - 1]);
        first.0 <= last.0 && first.1 < last.1
    };
    assert!(found.values().any(grew), "{found:?}");
}
