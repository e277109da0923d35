//! A recording that records nothing says so while it runs.

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{Shared, capability, read};
use exectrace_recorder::{NothingCause, RecordingOptions, Settings, region, status};

#[test]
fn a_program_that_set_nothing_up_gets_a_warning_and_the_trace_has_that_it_came_to_something_later()
{
    let after = Duration::from_millis(1);
    Settings::new().warn_if_nothing_for(after).apply().unwrap();
    let (said, was_said) = mpsc::channel();
    let bytes = Shared::default();
    let options =
        RecordingOptions::new().on_nothing_recorded(move |nothing| said.send(*nothing).unwrap());
    let recording = options.start_writer(bytes.clone()).unwrap();
    let nothing = was_said.recv().unwrap();
    assert_eq!(nothing.cause, NothingCause::NoSource);
    assert!(nothing.cause.is_fault());
    while status().nothing_recorded != Some(nothing) {
        std::thread::yield_now();
    }
    assert!(status().to_string().contains(nothing.cause.text()));
    drop(region("work"));
    assert_eq!(recording.stop().unwrap().nothing_cause(), None);
    assert_eq!(status().nothing_recorded, None);
    assert!(was_said.try_recv().is_err(), "it is said once");
    let events = read(&bytes.bytes());
    let recorded: Vec<_> = capability(&events, "recorded").collect();
    let [first, second] = recorded.as_slice() else {
        panic!("{recorded:?}")
    };
    assert_eq!(*first, format!("nothing: {}", nothing.cause));
    assert!(second.starts_with("yes, after "), "{second}");
    // People who look at the trace see it too.
    assert_eq!(common::messages(&events, "recorded"), recorded);
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
}
