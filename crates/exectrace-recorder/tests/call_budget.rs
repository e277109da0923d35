//! What becomes of calls beyond their budget. A program of its own, as settings are for the process.

mod common;

use std::time::Duration;

use common::{Shared, read, side_data};
use exectrace_format::SideRecord;
use exectrace_recorder::calls::{self, Call, CallResult};
use exectrace_recorder::{RecordingOptions, Settings, Source, region};

#[test]
fn calls_beyond_their_budget_are_counted_and_the_trace_says_so() {
    const AT_ONCE: u64 = 5_000;
    let settings = Settings::new().call_threshold(Duration::ZERO);
    settings.budget(Source::Calls, 1_000).apply().unwrap();
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    let mut made = 0;
    let is_thinned = || {
        let events = read(&bytes.bytes());
        side_data(&events).any(|record| matches!(record, SideRecord::Thinned { .. }))
    };
    while !is_thinned() {
        let _region = region("makes calls");
        for _ in 0..AT_ONCE {
            if let Some(open) = calls::begin(Call::Read) {
                open.end(CallResult::Done(0));
                made += 1;
            }
        }
    }
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    let events = read(&bytes.bytes());
    let is_recorded = |event: &&exectrace_format::TraceEvent| {
        event
            .stack
            .as_ref()
            .is_some_and(|stack| &*stack[0].function == "read")
    };
    let recorded = events.iter().filter(is_recorded).count() as u64;
    let counted = side_data(&events).map(|record| match record {
        SideRecord::CallCounts { calls, .. } => *calls,
        _ => 0,
    });
    assert_eq!(recorded + counted.sum::<u64>(), made);
    assert!(recorded < made);
}
