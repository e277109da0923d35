//! Formatting that itself emits events. Inside a callback, `tracing` does not use a scoped subscriber, so this needs
//! a global one and with it a process of its own.

mod support;

use std::fmt;

use tracing::{info, info_span, warn};

struct Chatty;

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        warn!("from the inside");
        let _span = info_span!("inner").entered();
        f.write_str("chatty")
    }
}

#[test]
fn what_a_formatting_records_is_left_out_and_counted() {
    let (subscriber, _handle) = exectrace_tracing::subscriber();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let trace = support::record(|| {
        info!(value = %Chatty, "the first one");
        info_span!("outer").in_scope(|| info!(value = %Chatty, "the second one"));
    });
    for outside in ["the first one", "the second one"] {
        let text = &trace.log(outside).text;
        assert!(text.contains("value=chatty"), "{text}");
    }
    assert_eq!(trace.log("the second one").task, trace.task("outer").id);
    assert!(trace.logs("from the inside").is_empty());
    assert!(trace.regions("inner").is_empty());
    // Twice an event, and a span made, entered, left and ended.
    assert_eq!(trace.report.records_dropped, 10);
}
