//! No allocation on the record path, once a thread and its call sites are known.

mod support;

use allocation_counter::measure;
use exectrace_tracing::Builder;
use support::{Sink, WAYS, turn};
use tracing::{Span, info, info_span};

/// Every kind of callback, with each kind of value.
fn program() {
    let request = info_span!(
        "request",
        user = "ada",
        size = 17,
        late = tracing::field::Empty
    );
    request.in_scope(|| {
        info!(
            half = 0.5,
            yes = true,
            "formatted {} and {:?}",
            1,
            Some("two")
        );
        info_span!("inner").in_scope(|| info!("plain"));
        request.record("late", 3);
        let clone = Span::current();
        clone.follows_from(&request);
        info_span!(parent: &clone, "child", password = "hidden").in_scope(|| {});
    });
}

#[test]
fn records_allocate_nothing() {
    for way in WAYS {
        let _turn = turn();
        let (dispatch, _handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            let sink = Sink::default();
            let recording = sink.start();
            // The first time, call sites register and the thread gets its buffer. A Registry also
            // fills the pages of its slab.
            for _ in 0..2_000 {
                program();
            }
            let counted = measure(|| (0..2_000).for_each(|_| program()));
            let report = recording.stop().unwrap();
            assert_eq!(report.records_dropped, 0, "{way:?}");
            assert_eq!(counted.count_total, 0, "{way:?}");
        });
    }
}
