//! What the system counts of threads' time, in the trace.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use common::{Shared, capability, read, side_data, turn};
use exectrace_format::{SideRecord, TraceEvent};
use exectrace_recorder::{Recording, RecordingOptions, Runtime, Worker, region};

fn record() -> (Recording, Shared) {
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    (recording, bytes)
}

/// What the trace says of whether it has these times, the last word last.
fn said(events: &[TraceEvent]) -> Vec<String> {
    capability(events, "threads.cpu").collect()
}

/// Thread, time on a processor and time of the wait for one, of each sample.
fn samples(events: &[TraceEvent]) -> Vec<(u64, u64, u64)> {
    let samples = side_data(events).filter_map(|record| match *record {
        SideRecord::ThreadTime {
            thread,
            cpu_ns,
            wait_ns,
            ..
        } => Some((thread.0, cpu_ns, wait_ns)),
        _ => None,
    });
    samples.collect()
}

/// This thread's number and time on a processor, where the system counts it.
fn own_time() -> Option<(u64, u64)> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    let number = link.file_name()?.to_str()?.parse().ok()?;
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some((number, counts.split(' ').next()?.parse().ok()?))
}

#[test]
fn a_thread_s_time_on_a_processor_is_in_each_recording_from_its_start_on() {
    const BUSY_NS: u64 = 50_000_000;
    let _turn = turn();
    let (first, first_bytes) = record();
    let (done, is_done) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let busy = thread::spawn(move || {
        drop(region("before the second recording"));
        done.send(()).unwrap();
        may_go.recv().unwrap();
        let begin = own_time();
        while begin.is_some_and(|begin| own_time().is_some_and(|now| now.1 - begin.1 < BUSY_NS)) {}
        drop(region("after"));
        done.send(()).unwrap();
        // It has not ended when it is looked at.
        may_go.recv().unwrap();
        begin.map(|(number, _)| number)
    });
    is_done.recv().unwrap();
    let (second, bytes) = record();
    go.send(()).unwrap();
    is_done.recv().unwrap();
    second.stop().unwrap();
    first.stop().unwrap();
    go.send(()).unwrap();
    let number = busy.join().unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes.bytes());
    for bytes in [first_bytes, bytes] {
        let events = read(&bytes.bytes());
        let samples = samples(&events);
        if said(&events)[0].starts_with("none") {
            assert_eq!(samples, []);
            continue;
        }
        let of_thread = samples.iter().filter(|sample| Some(sample.0) == number);
        let counts: Vec<(u64, u64)> = of_thread.map(|&(_, cpu, wait)| (cpu, wait)).collect();
        let is_monotone = |pair: &[(u64, u64)]| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1;
        assert!(counts.windows(2).all(is_monotone), "{counts:?}");
        let counted = counts[counts.len() - 1].0 - counts[0].0;
        assert!(counted >= BUSY_NS, "{counts:?}");
    }
}

#[test]
fn a_worker_that_parks_is_looked_at_more_often_than_the_flush_thread_comes() {
    /// Looks of the flush thread.
    const MANY: usize = 100;
    let _turn = turn();
    let (recording, bytes) = record();
    let Some((number, _)) = own_time() else {
        return eprintln!("skipped: the system does not count");
    };
    let runtime = Runtime::register("parks");
    loop {
        for _ in 0..1_000 {
            runtime.unparks(Worker(0));
            runtime.parks(Worker(0));
        }
        let events = read(&bytes.bytes());
        if said(&events).iter().any(|said| said.starts_with("none")) {
            break;
        }
        let samples = samples(&events);
        let own = samples.iter().filter(|sample| sample.0 == number).count();
        // The flush thread looks at itself whenever it looks at another.
        let others = samples.len() - own;
        if own > others {
            break;
        }
        assert!(
            others < MANY,
            "{own} looks at the worker, {others} at others"
        );
    }
    recording.stop().unwrap();
    let events = read(&bytes.bytes());
    let of_worker = side_data(&events).filter_map(|record| match *record {
        SideRecord::ThreadTime {
            thread, time_ns, ..
        } if thread.0 == number => Some(time_ns),
        _ => None,
    });
    let times: Vec<u64> = of_worker.collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[test]
fn threads_beyond_256_are_left_out_and_the_trace_says_so() {
    const THREADS: usize = 260;
    let _turn = turn();
    let (recording, bytes) = record();
    let barrier = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                drop(region("once"));
                barrier.wait();
                barrier.wait();
            })
        })
        .collect();
    barrier.wait();
    recording.stop().unwrap();
    barrier.wait();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let events = read(&bytes.bytes());
    let (sampled, said) = (samples(&events), said(&events));
    let sampled: BTreeSet<u64> = sampled.iter().map(|sample| sample.0).collect();
    match &said[..] {
        [none] if none.starts_with("none") => assert_eq!(sampled.len(), 0),
        [_, last] => {
            // And the tracer's own; and more if a thread of another test went, and gave its place up.
            assert!((257..THREADS).contains(&sampled.len()), "{}", sampled.len());
            assert!(last.contains("others were left out"), "{last}");
        }
        said => panic!("{said:?}"),
    }
}
