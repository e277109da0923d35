//! Many sources of spans at once, and very many spans.

mod support;

use std::collections::HashSet;
use std::thread;

use exectrace_tracing::{Builder, HandleError};
use support::{WAYS, Way, record, record_with, turn};
use tracing::dispatcher::with_default;
use tracing::{info, info_span};

#[test]
fn spans_of_a_layer_and_of_a_subscriber_are_kept_apart() {
    let _turn = turn();
    let (layer, _first) = Way::Layer.dispatch(Builder::new());
    let (subscriber, _second) = Way::Subscriber.dispatch(Builder::new());
    let trace = record(|| {
        let outer = with_default(&layer, || info_span!("outer").entered());
        with_default(&subscriber, || {
            let _inner = info_span!("inner").entered();
            let _root = info_span!(parent: None, "root").entered();
            info!("in root");
        });
        with_default(&layer, || info!("to outer"));
        drop(outer);
        with_default(&subscriber, || {
            info_span!("apart").in_scope(|| info!("to apart"));
        });
    });
    let (outer, root, apart) = (trace.task("outer"), trace.task("root"), trace.task("apart"));
    // The sources share the thread's flow, but the spans of each are a tree of their own.
    assert_eq!(trace.region("inner").inside, ["outer"]);
    assert_eq!(trace.region("inner").task, trace.task("inner").id);
    assert_eq!(trace.log("in root").task, root.id);
    assert_eq!(trace.log("to outer").task, outer.id);
    assert_eq!(trace.log("to apart").task, apart.id);
}

#[test]
fn registries_on_parallel_threads_share_ids_but_no_spans() {
    const SPANS: usize = 300;
    for way in WAYS {
        let _turn = turn();
        // Names are of static text.
        let programs: [fn(u64); 2] = [
            |number| info_span!("left", number).in_scope(|| info!("in left {number}.")),
            |number| info_span!("right", number).in_scope(|| info!("in right {number}.")),
        ];
        let trace = record(|| {
            thread::scope(|scope| {
                for program in programs {
                    scope.spawn(move || {
                        let (dispatch, _handle) = way.dispatch(Builder::new());
                        with_default(&dispatch, || (0..SPANS as u64).for_each(program));
                    });
                }
            });
        });
        for side in ["left", "right"] {
            let tasks = trace.tasks(side);
            let ids: HashSet<_> = tasks.iter().map(|task| task.id).collect();
            assert_eq!(ids.len(), SPANS, "{way:?}");
            assert_eq!(trace.regions(side).len(), SPANS, "{way:?}");
            for number in 0..SPANS {
                let log = trace.log(&format!("in {side} {number}."));
                assert_eq!(trace.task_name(log.task), side, "{way:?}");
            }
        }
    }
}

#[test]
fn twenty_thousand_spans_one_after_the_other_are_each_in_the_trace() {
    const SPANS: usize = 20_000;
    for way in WAYS {
        let trace = record_with(way, Builder::new(), || {
            for _ in 0..SPANS {
                info_span!("one of many").in_scope(|| {});
            }
        });
        assert_eq!(trace.report.records_dropped, 0, "{way:?}");
        assert_eq!(trace.tasks("one of many").len(), SPANS, "{way:?}");
        assert_eq!(trace.regions("one of many").len(), SPANS, "{way:?}");
        let open = trace.tasks.iter().filter(|task| task.end_ns.is_none());
        assert!(
            open.count() <= 2,
            "{way:?}: all but the tracer's own have ended"
        );
    }
}

#[test]
fn a_source_too_many_records_nothing_and_its_handle_says_so() {
    let _turn = turn();
    let sources: Vec<_> = (0..1_023)
        .map(|_| exectrace_tracing::subscriber())
        .collect();
    let (one_more, handle) = exectrace_tracing::subscriber();
    let refused = handle.start("never made");
    assert!(
        matches!(refused, Err(HandleError::TooManySources(_))),
        "{refused:?}"
    );
    let trace = record(|| {
        tracing::subscriber::with_default(one_more, || info_span!("lost").in_scope(|| {}));
    });
    assert!(trace.is_empty_but_for_the_tracer(), "{trace:?}");

    drop(sources);
    let (another, _handle) = Way::Subscriber.dispatch(Builder::new());
    let trace = record(|| with_default(&another, || info_span!("kept").in_scope(|| {})));
    assert_eq!(trace.tasks("kept").len(), 1);
}

#[test]
fn spans_deeper_than_the_shallow_stack_have_the_right_parents() {
    fn recurse(depth: u64) {
        let _span = info_span!("level", depth).entered();
        if depth < 100 {
            recurse(depth + 1);
        }
        // On the way back up, too, the current span is this one.
        let _child = info_span!("child", exectrace.task = true).entered();
    }
    for way in WAYS {
        let trace = record_with(way, Builder::new(), || recurse(1));
        let root = trace.task("level");
        assert_eq!(trace.regions("level").len(), 100, "{way:?}");
        assert_eq!(trace.regions("level")[99].inside.len(), 99, "{way:?}");
        let children = trace.tasks("child");
        assert_eq!(children.len(), 100, "{way:?}");
        assert!(
            children.iter().all(|child| child.parent == root.id),
            "{way:?}"
        );
    }
}
