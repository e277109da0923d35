//! Exchanging the fields of two records: each would finish the other's.

use static_assertions::{assert_impl_all, assert_not_impl_any};

use exectrace_recorder::{Fields, Parent, RecordingOptions, SpanSource};

use crate::common::{Shared, messages, read, turn};
use crate::span_sources::{NUMBERS, of_numbers};

// Another thread can neither have the fields of a record nor see them.
assert_not_impl_any!(Fields: Send, Sync);
// The assertions can fail.
assert_impl_all!(SpanSource<crate::span_sources::Numbers>: Send, Sync);

#[test]
fn no_thread_has_the_fields_of_two_records_at_once_to_exchange_them() {
    let _turn = turn();
    let sink = Shared::default();
    let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
    let (one, other) = (of_numbers().unwrap(), of_numbers().unwrap());
    one.event(&NUMBERS, Parent::Root, |outer| {
        outer.str(0, "begun ");
        for source in [&one, &other] {
            source.event(&NUMBERS, Parent::Root, |inner| std::mem::swap(outer, inner));
            source.record(7, |inner| std::mem::swap(outer, inner));
            source.new_span(8, &NUMBERS, Parent::Root, |inner| {
                std::mem::swap(outer, inner);
            });
        }
        exectrace_recorder::log("inner", "of a record that is being written");
        outer.str(0, "and ended");
    });
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 7);
    let events = read(&sink.bytes());
    assert_eq!(messages(&events, "INFO numbers").len(), 1);
    assert!(messages(&events, "inner").is_empty());
}

#[test]
fn a_record_whose_fields_panic_is_lost_alone() {
    let _turn = turn();
    let sink = Shared::default();
    let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
    let source = of_numbers().unwrap();
    let panic = std::panic::catch_unwind(|| {
        source.event(&NUMBERS, Parent::Root, |fields| {
            fields.str(0, "begun");
            std::panic::resume_unwind(Box::new(()));
        });
    });
    assert!(panic.is_err());
    source.event(&NUMBERS, Parent::Root, |fields| fields.str(0, "whole"));
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 1);
    assert_eq!(messages(&read(&sink.bytes()), "INFO numbers"), ["whole"]);
}
