//! Recordings are started and stopped while threads record.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use exectrace_tracing::Builder;
use support::{Sink, Trace, WAYS, Way, record, turn};
use tracing::info_span;

const SWITCHES: usize = 40;

/// Spans that all workers have finished.
static FINISHED: AtomicU64 = AtomicU64::new(0);

/// Ends the workers, also if the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Creates spans with consecutive numbers until `done` is set.
fn work(worker: u64, done: &AtomicBool) {
    let mut number = 0_u64;
    while !done.load(Ordering::Relaxed) {
        // Keeps the traces small.
        for _ in 0..2_000 {
            std::hint::spin_loop();
        }
        number += 1;
        info_span!("work", worker, number).in_scope(|| {});
        FINISHED.fetch_add(1, Ordering::Relaxed);
    }
}

/// The numbers that each worker's spans in the trace have, in order.
fn numbers(trace: &Trace) -> HashMap<u64, Vec<u64>> {
    let mut numbers: HashMap<u64, Vec<u64>> = HashMap::new();
    for log in trace.logs("worker=") {
        let mut values = log
            .text
            .split([' ', '='])
            .filter_map(|word| word.parse().ok());
        let worker = values.next().expect("the worker");
        let number = values.next().expect("the number");
        numbers.entry(worker).or_default().push(number);
    }
    numbers
}

#[test]
fn each_recording_has_every_span_from_its_start_to_its_stop() {
    let _turn = turn();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for (worker, way) in (0..).zip([Way::Subscriber, Way::Subscriber, Way::Layer, Way::Layer]) {
            let done = &done;
            scope.spawn(move || {
                let (dispatch, _handle) = way.dispatch(Builder::new());
                tracing::dispatcher::with_default(&dispatch, || work(worker, done));
            });
        }
        let _done = Done(&done);
        let mut recorded = 0;
        for _ in 0..SWITCHES {
            let sink = Sink::default();
            let recording = sink.start();
            // Each worker may finish one span that it created before the start.
            let enough = FINISHED.load(Ordering::Relaxed) + 5;
            while FINISHED.load(Ordering::Relaxed) < enough {
                thread::yield_now();
            }
            let report = recording.stop().unwrap();
            let trace = sink.trace(report);
            assert_eq!(trace.report.records_dropped, 0);
            for (worker, numbers) in numbers(&trace) {
                let first = numbers[0];
                let gapless: Vec<u64> = (first..first + numbers.len() as u64).collect();
                assert_eq!(numbers, gapless, "worker {worker}");
                recorded += numbers.len();
            }
        }
        assert!(recorded >= SWITCHES, "{recorded}");
    });
}

#[test]
fn a_span_of_a_recording_that_has_stopped_has_its_name_and_its_user_task_in_the_next() {
    for way in WAYS {
        let _turn = turn();
        let (dispatch, _handle) = way.dispatch(Builder::new());
        tracing::dispatcher::with_default(&dispatch, || {
            let mut made = None;
            record(|| {
                let request = info_span!("request");
                let step = info_span!(parent: &request, "step");
                made = Some((request, step));
            });
            let trace = record(|| {
                let (_request, step) = made.take().unwrap();
                step.in_scope(|| info_span!("part").in_scope(|| {}));
            });
            let request = trace.task("request").id;
            assert_eq!(trace.region("step").task, request, "{way:?}");
            assert_eq!(trace.region("part").task, request, "{way:?}");
        });
    }
}
