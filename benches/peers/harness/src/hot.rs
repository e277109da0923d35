//! Spans, events and regions, one after the other, on one thread or on many.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use exectrace_benches::{Body, Subject, thread_time};

use crate::Outcome;

/// The macros of `tracing`; they know no regions.
#[must_use]
pub fn tracing_body(body: Body) -> Option<fn(Range<u64>)> {
    match body {
        Body::Span => Some(|numbers| Body::Span.run(Subject::NoSubscriber, numbers)),
        Body::SpanWithFields => {
            Some(|numbers| Body::SpanWithFields.run(Subject::NoSubscriber, numbers))
        }
        Body::Event => Some(|numbers| Body::Event.run(Subject::NoSubscriber, numbers)),
        Body::Region => None,
    }
}

/// Operations before the clock starts: caches of the call site and of the processor fill.
const WARM_UP: u64 = 200;

/// How fast a thread goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As fast as it can.
    Full,
    /// Each thousand operations take so long at least; the rest of it is slept.
    Thousand(Duration),
    /// So long lies between two operations; the thread spins meanwhile.
    Apart(Duration),
}

/// What a thread is to do.
#[derive(Clone)]
struct Job {
    body: fn(Range<u64>),
    after: fn(),
    count: u64,
    pace: Pace,
    /// Threads still to arrive before all begin.
    missing: Arc<AtomicUsize>,
}

struct Hot {
    jobs: Option<Sender<Job>>,
    times: Receiver<Duration>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Hot {
    fn drop(&mut self) {
        // With no more jobs it ends, and tracers write what it has left.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Threads that stay for the life of the process, so that the tracer's buffers for them do.
#[derive(Default)]
pub(crate) struct Threads {
    threads: Vec<Hot>,
    counts: HashMap<(usize, usize), u64>,
}

impl Threads {
    fn grow(&mut self, to: usize) -> Outcome<()> {
        while self.threads.len() < to {
            let (send_job, jobs) = channel::<Job>();
            let (send_time, times) = channel();
            let work = move || {
                for job in jobs {
                    if send_time.send(job.run()).is_err() {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name("hot".to_owned()).spawn(work)?;
            self.threads.push(Hot {
                jobs: Some(send_job),
                times,
                thread: Some(thread),
            });
        }
        Ok(())
    }

    /// Has some threads work at the same time; returns nanoseconds of CPU time an operation, the mean
    /// of the threads.
    pub(crate) fn run(
        &mut self,
        threads: usize,
        count: u64,
        body: fn(Range<u64>),
        after: fn(),
        pace: Pace,
    ) -> Outcome<f64> {
        self.grow(threads)?;
        let job = Job {
            body,
            after,
            count,
            pace,
            missing: Arc::new(AtomicUsize::new(threads)),
        };
        let threads = &self.threads[..threads];
        for thread in threads {
            let jobs = thread.jobs.as_ref().ok_or("the thread has ended")?;
            jobs.send(job.clone())?;
        }
        let mut total = Duration::ZERO;
        for thread in threads {
            total += thread.times.recv()?;
        }
        Ok(total.as_secs_f64() * 1e9 / (count as f64 * threads.len() as f64))
    }

    /// How many operations of a body take about `budget` on one thread; found once, while the tracer
    /// does what it does in turns.
    pub(crate) fn count_for(
        &mut self,
        threads: usize,
        body: fn(Range<u64>),
        after: fn(),
        budget: Duration,
    ) -> Outcome<u64> {
        let key = (body as usize, threads);
        if let Some(&count) = self.counts.get(&key) {
            return Ok(count);
        }
        let mut trial: u64 = 200;
        let each_ns = loop {
            let each_ns = self.run(threads, trial, body, after, Pace::Full)?;
            if each_ns * trial as f64 * 10.0 > budget.as_nanos() as f64 {
                break each_ns.max(0.1);
            }
            trial *= 4;
        };
        let count = (budget.as_nanos() as f64 / each_ns) as u64;
        let count = count.max(100);
        self.counts.insert(key, count);
        Ok(count)
    }
}

impl Job {
    fn run(&self) -> Duration {
        (self.body)(0..WARM_UP);
        self.missing.fetch_sub(1, Ordering::AcqRel);
        while self.missing.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        let begin = thread_time();
        match self.pace {
            Pace::Full => (self.body)(0..self.count),
            Pace::Thousand(pace) => self.run_paced(pace),
            Pace::Apart(apart) => self.run_apart(apart),
        }
        let took = thread_time() - begin;
        (self.after)();
        took
    }

    fn run_paced(&self, pace: Duration) {
        let mut due = Instant::now();
        for first in (0..self.count).step_by(1_000) {
            (self.body)(first..first + 1_000);
            due += pace;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn run_apart(&self, apart: Duration) {
        for number in 0..self.count {
            (self.body)(number..number + 1);
            let begin = Instant::now();
            while begin.elapsed() < apart {
                std::hint::spin_loop();
            }
        }
    }
}
