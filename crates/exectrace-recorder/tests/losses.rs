//! What is not in a trace, and how the trace and the report say so.

mod common;

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Shared, count_lost, messages, read, side_data, turn};
use exectrace_format::{LeftOut, SideRecord, TraceEvent};
use exectrace_recorder::log_args;
use exectrace_recorder::{MAX_TEXT_BYTES, Recording, RecordingOptions, Report, log, region};

fn record() -> (Recording, Shared) {
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    (recording, bytes)
}

fn stop(recording: Recording, bytes: &Shared) -> (Report, Vec<TraceEvent>) {
    let report = recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    (report, read(&bytes.bytes()))
}

/// A value whose formatting does what the function does.
struct Formats<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Formats<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn left_out(events: &[TraceEvent]) -> Vec<(LeftOut, u64)> {
    let records = side_data(events).filter_map(|record| match record {
        SideRecord::LeftOut { cause, count, .. } => Some((*cause, *count)),
        _ => None,
    });
    records.collect()
}

#[test]
fn a_formatting_that_panics_and_what_a_formatting_records_are_counted_as_such_everywhere() {
    let _turn = turn();
    let (recording, bytes) = record();
    let panics = Formats(|_: &mut fmt::Formatter<'_>| std::panic::resume_unwind(Box::new(())));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        log_args("text", format_args!("{panics}"));
    }));
    assert!(panicked.is_err());
    let records = Formats(|f: &mut fmt::Formatter<'_>| {
        log("inner", "one");
        log("inner", "two");
        f.write_str("outer")
    });
    log_args("text", format_args!("{records}"));
    let (report, events) = stop(recording, &bytes);
    assert_eq!(messages(&events, "text"), ["outer"]);
    assert_eq!(report.records_unformatted, 1);
    assert_eq!(report.records_nested, 2);
    assert_eq!(report.records_dropped, 3);
    assert_eq!(
        left_out(&events),
        [(LeftOut::Unformatted, 1), (LeftOut::Nested, 2)]
    );
    assert_eq!(count_lost(&events), 0);
    let texts = [(1, LeftOut::Unformatted), (2, LeftOut::Nested)];
    let texts = texts.map(|(count, cause)| format!("{count} {}", cause.text()));
    assert_eq!(messages(&events, "lost"), texts);
}

#[test]
fn what_one_recording_lost_is_in_no_other() {
    let _turn = turn();
    let panics = Formats(|_: &mut fmt::Formatter<'_>| std::panic::resume_unwind(Box::new(())));
    let lose = || {
        catch_unwind(AssertUnwindSafe(|| {
            log_args("text", format_args!("{panics}"));
        }))
    };
    let (first, first_bytes) = record();
    let _ = lose();
    let (second, second_bytes) = record();
    drop(region("seen by both"));
    let (report, events) = stop(first, &first_bytes);
    assert_eq!(
        (report.records_unformatted, left_out(&events).len()),
        (1, 1)
    );
    let (report, events) = stop(second, &second_bytes);
    assert_eq!(
        (report.records_unformatted, left_out(&events).len()),
        (0, 0)
    );
    let (third, third_bytes) = record();
    let (report, events) = stop(third, &third_bytes);
    assert_eq!(
        (report.records_unformatted, left_out(&events).len()),
        (0, 0)
    );
}

#[test]
fn a_formatting_ends_where_no_more_of_its_text_is_kept() {
    let _turn = turn();
    let (recording, bytes) = record();
    let writes = Cell::new(0);
    let long = Formats(|f: &mut fmt::Formatter<'_>| {
        for _ in 0..1_000_000 {
            writes.set(writes.get() + 1);
            f.write_str("0123456789")?;
        }
        Ok(())
    });
    log_args("text", format_args!("{long}"));
    assert_eq!(writes.get(), MAX_TEXT_BYTES / 10 + 1);
    // Some code takes it for granted that a writer never fails.
    let unwraps = Formats(|f: &mut fmt::Formatter<'_>| {
        for _ in 0..1_000 {
            f.write_str("0123456789").unwrap();
        }
        Ok(())
    });
    log_args("text", format_args!("{unwraps}"));
    let fails = Formats(|f: &mut fmt::Formatter<'_>| {
        f.write_str("begun")?;
        Err(fmt::Error)
    });
    log_args("text", format_args!("{fails}"));
    let (report, events) = stop(recording, &bytes);
    assert_eq!(report.records_dropped, 0);
    let truncated = "0123456789".repeat(200)[..MAX_TEXT_BYTES - '…'.len_utf8()].to_owned() + "…";
    assert_eq!(
        messages(&events, "text"),
        [
            truncated.as_str(),
            truncated.as_str(),
            "begun<formatting failed>"
        ]
    );
}

#[test]
fn a_recording_of_nothing_says_so_and_why() {
    let _turn = turn();
    let recorded = |events: &[TraceEvent]| -> Vec<String> {
        let pairs = side_data(events).filter_map(|record| match record {
            SideRecord::Capabilities { pairs } => Some(pairs),
            _ => None,
        });
        let pairs = pairs.flatten().filter(|(key, _)| key == "recorded");
        pairs.map(|(_, value)| value.to_string()).collect()
    };
    let (long, long_bytes) = record();
    drop(region("work"));
    let (short, short_bytes) = record();
    let (report, events) = stop(short, &short_bytes);
    let cause = report.nothing_recorded().unwrap();
    assert!(report.to_string().contains(cause), "{report}");
    assert_eq!(recorded(&events), [format!("idle: {cause}")]);
    // The one beside it recorded something.
    let (report, events) = stop(long, &long_bytes);
    assert_eq!(report.nothing_recorded(), None);
    assert!(recorded(&events).is_empty());
}
