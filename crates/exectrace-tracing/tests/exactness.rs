//! The trace of a known program has exactly what the program did, at the right times.

mod support;

use std::thread;
use std::time::Instant;

use exectrace_tracing::Builder;
use support::{Trace, WAYS, Way, record_with};
use tracing::{info, info_span};

const THREADS: u64 = 3;
const REQUESTS: u64 = 20;
const STEPS: u64 = 4;

/// What conversion between the two clocks may cost.
const ALLOWED_NS: i64 = 1_000;

/// The program's own clock around one of its spans, in nanoseconds from its start.
#[derive(Clone, Debug)]
struct Reading {
    /// What the span recorded as its number.
    number: u64,
    before_enter: i64,
    after_enter: i64,
    before_exit: i64,
    after_exit: i64,
}

/// Serves requests on some threads and reads the clock around each span.
fn program(origin: Instant) -> (Vec<Reading>, Vec<Reading>) {
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let serve = |thread: u64| {
        tracing::dispatcher::with_default(&dispatch, || {
            let (mut requests, mut steps) = (Vec::new(), Vec::new());
            for request in 0..REQUESTS {
                let number = thread * REQUESTS + request;
                let span = info_span!("request", number);
                requests.push(read_around(origin, number, &span, || {
                    for step in 0..STEPS {
                        let number = number * STEPS + step;
                        let span = info_span!("step", number);
                        steps.push(read_around(origin, number, &span, || {
                            info!(number, "in step");
                        }));
                    }
                }));
            }
            (requests, steps)
        })
    };
    let (mut requests, mut steps) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || serve(thread)))
            .collect();
        for thread in threads {
            let (some_requests, some_steps) = thread.join().unwrap();
            requests.extend(some_requests);
            steps.extend(some_steps);
        }
    });
    (requests, steps)
}

fn read_around(
    origin: Instant,
    number: u64,
    span: &tracing::Span,
    inside: impl FnOnce(),
) -> Reading {
    let now = || origin.elapsed().as_nanos() as i64;
    let before_enter = now();
    let entered = span.enter();
    let after_enter = now();
    inside();
    let before_exit = now();
    drop(entered);
    Reading {
        number,
        before_enter,
        after_enter,
        before_exit,
        after_exit: now(),
    }
}

#[test]
fn numbers_by_name_equal_what_the_program_did() {
    for way in WAYS {
        let (trace, _, _) = run(way);
        let requests = (THREADS * REQUESTS) as usize;
        let steps = requests * STEPS as usize;
        assert_eq!(trace.tasks("request").len(), requests, "{way:?}");
        assert_eq!(trace.regions("request").len(), requests, "{way:?}");
        assert_eq!(trace.regions("step").len(), steps, "{way:?}");
        assert_eq!(trace.logs("in step").len(), steps, "{way:?}");
        assert_eq!(trace.tasks("step").len(), 0, "{way:?}");
        // Besides those: a log for each span's field, and the tracer's own.
        let program_logs = trace.logs("number=").len();
        assert_eq!(program_logs, requests + 2 * steps, "{way:?}");
        assert_eq!(trace.regions.len(), requests + steps, "{way:?}");
        assert_eq!(trace.report.records_dropped, 0, "{way:?}");
        let records = requests * 4 + steps * 5;
        assert!(trace.report.records >= records as u64, "{way:?}");
    }
}

#[test]
fn regions_lie_within_the_programs_own_clock_readings_and_contain_those_inside() {
    for way in WAYS {
        let (trace, requests, steps) = run(way);
        // The zero of the trace's clock is not known to the program: one offset must do for all.
        let (mut least, mut most) = (i64::MIN, i64::MAX);
        for (name, readings) in [("request", &requests), ("step", &steps)] {
            for reading in readings {
                let region = region_of(&trace, name, reading.number);
                let (begin, end) = (region.begin_ns, region.end_ns.unwrap());
                least = least.max(reading.before_enter - begin);
                most = most.min(reading.after_enter - begin);
                least = least.max(reading.before_exit - end);
                most = most.min(reading.after_exit - end);
            }
        }
        assert!(least <= most + ALLOWED_NS, "{way:?}: {least} {most}");

        for reading in &steps {
            let step = region_of(&trace, "step", reading.number);
            let request = region_of(&trace, "request", reading.number / STEPS);
            assert_eq!(step.task, request.task, "{way:?}");
            assert_eq!(step.go, request.go, "{way:?}");
            assert!(request.begin_ns < step.begin_ns, "{way:?}");
            assert!(step.end_ns < request.end_ns, "{way:?}");
        }
    }
}

fn run(way: Way) -> (Trace, Vec<Reading>, Vec<Reading>) {
    let mut readings = (Vec::new(), Vec::new());
    let trace = record_with(way, Builder::new(), || readings = program(Instant::now()));
    (trace, readings.0, readings.1)
}

/// The region of the span that recorded this number: the first one after that log on its flow.
fn region_of<'a>(trace: &'a Trace, name: &str, number: u64) -> &'a support::Interval {
    let text = format!("number={number}");
    let fields = trace
        .logs
        .iter()
        .find(|log| log.category == name && log.text == text);
    let fields = fields.unwrap_or_else(|| panic!("{name} {number} has a log of its field"));
    let mut regions = trace.regions.iter();
    let region = regions.find(|region| {
        region.name == name && Some(region.go) == fields.go && region.begin_ns > fields.time_ns
    });
    region.expect("each span has a region")
}
