//! What becomes of spans and events, under the Layer and under the Subscriber.

mod support;

use std::sync::mpsc;
use std::thread;

use exectrace_tracing::{Builder, Filter, UserTaskFilter};
use support::{WAYS, Way, record_each_way, record_with};
use tracing::field::Empty;
use tracing::{Span, error_span, info, info_span};

#[test]
fn a_root_is_a_user_task_and_what_is_inside_are_its_regions_and_logs() {
    let program = || {
        let _request = info_span!("request", user = "ada").entered();
        info!(target: "web", size = 17, "got it");
        info_span!("parse").in_scope(|| info!("inside"));
    };
    for (way, trace) in record_each_way(program) {
        let request = trace.task("request");
        assert!(request.end_ns.is_some(), "{way:?}");
        assert_eq!(trace.region("request").task, request.id, "{way:?}");
        assert_eq!(trace.region("parse").inside, ["request"], "{way:?}");
        assert_eq!(trace.region("parse").task, request.id, "{way:?}");
        assert_eq!(trace.log("user=").task, request.id, "{way:?}");
        let event = trace.log("got it");
        assert_eq!(event.task, request.id, "{way:?}");
        assert_eq!(event.category, "INFO web", "{way:?}");
        assert_eq!(event.text, "got it size=17", "{way:?}");
        assert_eq!(trace.log("inside").task, request.id, "{way:?}");
        assert!(trace.tasks("parse").is_empty(), "{way:?}");
        assert_eq!(trace.report.records_dropped, 0, "{way:?}");
    }
}

#[test]
fn values_recorded_late_are_logs_of_the_spans_user_task() {
    let program = || {
        let request = info_span!("request", status = Empty, method = "GET");
        request.in_scope(|| info!("working"));
        request.record("status", 204);
    };
    for (way, trace) in record_each_way(program) {
        let late = trace.log("status=204");
        assert_eq!(late.task, trace.task("request").id, "{way:?}");
        assert!(late.time_ns > trace.log("working").time_ns, "{way:?}");
        assert!(!trace.log("method=").text.contains("status"), "{way:?}");
    }
}

#[test]
fn following_from_another_span_is_a_log_that_names_it() {
    let program = || {
        let cause = info_span!("cause");
        let effect = info_span!("effect");
        effect.follows_from(&cause);
    };
    for (way, trace) in record_each_way(program) {
        let link = trace.log("cause");
        assert_eq!(link.task, trace.task("effect").id, "{way:?}");
    }
}

#[test]
fn a_span_that_is_dropped_by_being_named_is_followed_all_the_same() {
    let program = || {
        let effect = info_span!("effect");
        let cause = info_span!("cause");
        cause.in_scope(|| ());
        effect.follows_from(cause);
    };
    for (way, trace) in record_each_way(program) {
        // `tracing-subscriber` hides from filtered layers what follows from a span that is gone.
        if way != Way::Layer {
            let link = trace.log("cause");
            assert_eq!(link.task, trace.task("effect").id, "{way:?}");
        }
    }
}

#[test]
fn a_message_comes_first_wherever_it_is_written() {
    let program = || info!(size = 17, message = "got it");
    for (way, trace) in record_each_way(program) {
        assert_eq!(trace.log("got it").text, "got it size=17", "{way:?}");
    }
}

#[test]
fn an_explicit_parent_decides_over_the_span_that_the_thread_is_in() {
    let program = || {
        let far = info_span!("far");
        let _near = info_span!("near").entered();
        let _child = info_span!(parent: &far, "child").entered();
        info!(parent: &far, "in far");
        let _root = info_span!(parent: None, "root").entered();
    };
    for (way, trace) in record_each_way(program) {
        assert_eq!(trace.region("child").task, trace.task("far").id, "{way:?}");
        assert_eq!(trace.log("in far").task, trace.task("far").id, "{way:?}");
        assert_eq!(trace.region("root").task, trace.task("root").id, "{way:?}");
        assert!(trace.tasks("child").is_empty(), "{way:?}");
    }
}

#[test]
fn a_span_that_moves_between_threads_is_a_region_of_each() {
    let program = || {
        let span = info_span!("moving");
        span.in_scope(|| info!("here"));
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let there = thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                span.in_scope(|| {
                    info!("there");
                    // `Span::current` and its clones are handles of the same span.
                    Span::current()
                })
            })
        });
        let back = there.join().unwrap();
        back.in_scope(|| info!("back"));
    };
    for (way, trace) in record_each_way(program) {
        let task = trace.task("moving");
        let regions = trace.regions("moving");
        assert_eq!(regions.len(), 3, "{way:?}");
        assert!(
            regions.iter().all(|region| region.task == task.id),
            "{way:?}"
        );
        assert_ne!(regions[0].go, regions[1].go, "{way:?}");
        assert_eq!(regions[0].go, regions[2].go, "{way:?}");
        assert_eq!(trace.log("back").task, task.id, "{way:?}");
        assert!(
            task.end_ns.unwrap() >= regions[2].end_ns.unwrap(),
            "{way:?}"
        );
    }
}

#[test]
fn a_new_span_on_another_thread_can_have_a_parent_that_this_thread_is_in() {
    let program = || {
        let request = info_span!("request").entered();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        thread::scope(|scope| {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    info_span!(parent: &*request, "part").in_scope(|| info!("part of it"));
                });
            });
        });
    };
    for (way, trace) in record_each_way(program) {
        let request = trace.task("request");
        assert_eq!(trace.region("part").task, request.id, "{way:?}");
        assert_ne!(
            trace.region("part").go,
            trace.region("request").go,
            "{way:?}"
        );
        assert_eq!(trace.log("part of it").task, request.id, "{way:?}");
    }
}

#[test]
fn interleaved_spans_lose_no_stretch() {
    let program = || {
        let (one, two) = (info_span!("one"), info_span!("two"));
        let in_one = one.enter();
        let in_two = two.enter();
        drop(in_one);
        info!("only in two");
        drop(in_two);
    };
    for (way, trace) in record_each_way(program) {
        assert_eq!(
            trace.log("only in two").task,
            trace.task("two").id,
            "{way:?}"
        );
        let total = |name: &str| -> i64 {
            let regions = trace.regions(name);
            let lengths = regions
                .iter()
                .map(|region| region.end_ns.unwrap() - region.begin_ns);
            lengths.sum()
        };
        assert!(total("one") > 0, "{way:?}");
        let last = trace.regions("two").last().unwrap().end_ns.unwrap();
        assert!(last > trace.log("only in two").time_ns, "{way:?}");
        assert!(total("two") > 0, "{way:?}");
    }
}

#[test]
fn a_span_that_is_never_closed_is_open_at_the_end_and_in_the_next_recording() {
    for way in WAYS {
        let _turn = support::turn();
        let (dispatch, _handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            let (first, second) = (support::Sink::default(), support::Sink::default());
            let recording = first.start();
            let endless = info_span!("endless").entered();
            let late = second.start();
            let report = recording.stop().unwrap();
            let trace = first.trace(report);
            assert_eq!(trace.task("endless").end_ns, None, "{way:?}");
            assert_eq!(trace.region("endless").end_ns, None, "{way:?}");
            info!("in the second");
            drop(endless);
            let report = late.stop().unwrap();
            let trace = second.trace(report);
            assert_eq!(trace.log("in the second").task, trace.task("endless").id);
            assert_eq!(trace.region("endless").task, trace.task("endless").id);
            assert!(trace.task("endless").end_ns.is_some(), "{way:?}");
        });
    }
}

#[test]
fn a_span_entered_twice_is_one_user_task() {
    let program = || {
        let span = info_span!("twice");
        let first = span.enter();
        let second = span.enter();
        info!("deep");
        drop(second);
        info!("still in it");
        drop(first);
        info!("out of it");
        span.in_scope(|| info!("again"));
    };
    for (way, trace) in record_each_way(program) {
        let task = trace.task("twice");
        for inside in ["deep", "still in it", "again"] {
            let log = trace.log(inside);
            assert_eq!(log.task, task.id, "{way:?} {inside}");
            let around = trace.regions("twice").into_iter().any(|region| {
                region.begin_ns < log.time_ns && region.end_ns.unwrap() > log.time_ns
            });
            assert!(around, "{way:?} {inside}");
        }
        assert_ne!(trace.log("out of it").task, task.id, "{way:?}");
        assert!(task.end_ns.is_some(), "{way:?}");
    }
}

#[test]
fn the_parent_is_the_innermost_span_that_is_recorded() {
    for way in WAYS {
        let filter = Filter::everything().with_target("noisy", tracing::Level::ERROR);
        let trace = record_with(way, Builder::new().filter(filter), || {
            let _request = info_span!("request").entered();
            let _left_out = info_span!(target: "noisy", "left_out").entered();
            let _query = info_span!("query").entered();
            info!("in the query");
        });
        assert_eq!(
            trace.region("query").task,
            trace.task("request").id,
            "{way:?}"
        );
        assert_eq!(trace.region("query").inside, ["request"], "{way:?}");
        assert_eq!(
            trace.log("in the query").task,
            trace.task("request").id,
            "{way:?}"
        );
        assert!(trace.regions("left_out").is_empty(), "{way:?}");
    }
}

#[test]
fn a_child_of_a_span_from_before_the_recording_belongs_to_no_task_of_the_program() {
    for way in WAYS {
        let _turn = support::turn();
        let (dispatch, _handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            let _early = info_span!("early").entered();
            let trace = support::record(|| {
                let _child = info_span!("child").entered();
                info!("hello");
            });
            assert!(trace.tasks("early").is_empty(), "{way:?}");
            assert_eq!(trace.regions("child").len(), 1, "{way:?}");
            assert_eq!(
                trace.log("hello").task,
                trace.region("child").task,
                "{way:?}"
            );
        });
    }
}

#[test]
fn an_event_outside_any_span_belongs_to_the_tracers_own_user_task() {
    for (way, trace) in record_each_way(|| info!("alone")) {
        let log = trace.log("alone");
        let owner = trace.task_name(log.task);
        assert!(
            ["exectrace", "background"].contains(&owner),
            "{way:?}: {owner:?}"
        );
    }
}

#[test]
fn which_spans_are_user_tasks_is_a_setting_and_a_field() {
    let user_tasks = UserTaskFilter::none()
        .with_span("spans", "request")
        .without_span("spans", "other");
    for way in WAYS {
        let trace = record_with(way, Builder::new().user_tasks(user_tasks.clone()), || {
            let _main = info_span!("main").entered();
            let _request = info_span!("request").entered();
            let _other = info_span!("other").entered();
            let _marked = info_span!("marked", exectrace.task = true).entered();
            let _not = info_span!("request", exectrace.task = false).entered();
        });
        assert!(trace.tasks("main").is_empty(), "{way:?}");
        assert!(trace.tasks("other").is_empty(), "{way:?}");
        let request = trace.task("request");
        assert_eq!(trace.region("other").task, request.id, "{way:?}");
        let marked = trace.task("marked");
        assert_eq!(marked.parent, request.id, "{way:?}");
        assert_eq!(trace.regions("request").len(), 2, "{way:?}");
        assert_eq!(trace.regions("request")[1].task, marked.id, "{way:?}");
    }
}

#[test]
fn many_threads_handing_one_span_around_end_it_once() {
    let program = || {
        let span = error_span!("shared");
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (span, dispatch, sender) = (span.clone(), dispatch.clone(), sender.clone());
                scope.spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        for _ in 0..50 {
                            let clone = span.clone();
                            clone.in_scope(|| {});
                            sender.send(clone).unwrap();
                        }
                    });
                });
            }
        });
        drop((sender, span));
        // The last handles are dropped here, after all else.
        let handles: Vec<Span> = receiver.into_iter().collect();
        info!("nearly done");
        drop(handles);
        info!("done");
    };
    for (way, trace) in record_each_way(program) {
        let task = trace.task("shared");
        assert_eq!(trace.regions("shared").len(), 200, "{way:?}");
        let end_ns = task.end_ns.unwrap();
        assert!(end_ns > trace.log("nearly done").time_ns, "{way:?}");
        assert!(
            end_ns < trace.logs("done").last().unwrap().time_ns,
            "{way:?}"
        );
    }
}
