//! The work of one process: timed turns, recordings that are weighed, and a load for the flush thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use exectrace_recorder::Report;

use crate::machine::{flush_thread_time, thread_time};
use crate::subject::start;
use crate::{Body, Subject};

/// Operations before the clock starts: caches of the call site and of the processor fill.
const WARM_UP: u64 = 200;

/// The pace at which the flush thread is measured: so many operations, and then a pause.
const BETWEEN_PAUSES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(3);

/// Threads that stay for the life of the process, so that their buffers do.
pub(crate) struct Workers {
    subject: Subject,
    workers: Vec<(Sender<Job>, Receiver<Duration>)>,
}

#[derive(Clone)]
struct Job {
    body: Body,
    count: u64,
    /// With pauses, so that the flush thread keeps up.
    paced: bool,
    /// Threads still to arrive before all begin.
    missing: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts two.
    pub(crate) fn new(subject: Subject) -> io::Result<Self> {
        let workers = (0..2)
            .map(|_| {
                let (send_job, jobs) = channel::<Job>();
                let (send_time, times) = channel();
                thread::Builder::new().spawn(move || {
                    for job in jobs {
                        if send_time.send(job.run(subject)).is_err() {
                            return;
                        }
                    }
                })?;
                Ok((send_job, times))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { subject, workers })
    }

    /// Has some of them work at the same time; returns the CPU time of each.
    fn run(
        &self,
        body: Body,
        threads: usize,
        count: u64,
        paced: bool,
    ) -> io::Result<Vec<Duration>> {
        let threads = threads.min(self.workers.len());
        let job = Job {
            body,
            count,
            paced,
            missing: Arc::new(AtomicUsize::new(threads)),
        };
        let workers = &self.workers[..threads];
        for (jobs, _) in workers {
            jobs.send(job.clone()).map_err(io::Error::other)?;
        }
        workers
            .iter()
            .map(|(_, times)| times.recv().map_err(io::Error::other))
            .collect()
    }

    /// Times one turn: nanoseconds of CPU time an operation, the mean of the threads.
    ///
    /// # Errors
    /// If a recording fails or drops a record.
    pub(crate) fn time(&self, body: Body, threads: usize, count: u64) -> io::Result<f64> {
        let recording = self.subject.records().then(start).transpose()?;
        let times = self.run(body, threads, count, false)?;
        if let Some(recording) = recording {
            nothing_dropped(recording.stop().map_err(io::Error::other)?)?;
        }
        let total: Duration = times.iter().sum();
        Ok(total.as_secs_f64() * 1e9 / (count as f64 * times.len() as f64))
    }

    /// Bytes that one operation takes in the file, when `apart` lies between two.
    ///
    /// What every file has (its preamble, strings and stacks) does not count.
    pub(crate) fn weigh(&self, body: Body, count: u64, apart: Duration) -> io::Result<f64> {
        let bytes_of = |count: u64| -> io::Result<u64> {
            let recording = start()?;
            for number in 0..count {
                body.run(self.subject, number..number + 1);
                let begin = Instant::now();
                while begin.elapsed() < apart {
                    std::hint::spin_loop();
                }
            }
            let report = recording.stop().map_err(io::Error::other)?;
            Ok(nothing_dropped(report)?.bytes)
        };
        let (once, twice) = (bytes_of(count)?, bytes_of(2 * count)?);
        Ok(twice.saturating_sub(once) as f64 / count as f64)
    }

    /// Has the threads record for a while, at a pace that should drop nothing, and measures the flush
    /// thread.
    pub(crate) fn load_flush_thread(
        &self,
        body: Body,
        threads: usize,
        count: u64,
    ) -> io::Result<FlushCost> {
        let recording = start()?;
        let before = flush_thread_time();
        self.run(body, threads, count, true)?;
        let report = recording.stop().map_err(io::Error::other)?;
        let after = flush_thread_time();
        let time = before.zip(after).map(|(before, after)| after - before);
        Ok(FlushCost {
            records: report.records,
            dropped: report.records_dropped,
            cpu_ns: time.map(|time| time.as_nanos() as f64),
        })
    }
}

impl Job {
    fn run(&self, subject: Subject) -> Duration {
        self.body.run(subject, 0..WARM_UP);
        self.missing.fetch_sub(1, Ordering::AcqRel);
        while self.missing.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        let begin = thread_time();
        match self.paced {
            false => self.body.run(subject, 0..self.count),
            true => {
                for first in (0..self.count).step_by(BETWEEN_PAUSES) {
                    self.body.run(subject, first..first + BETWEEN_PAUSES as u64);
                    thread::sleep(PAUSE);
                }
            }
        }
        thread_time() - begin
    }
}

/// What the flush thread took for its records.
#[derive(Clone, Copy, Debug)]
pub struct FlushCost {
    /// Records it read.
    pub records: u64,
    /// Records that were dropped: with any, the figures are void.
    pub dropped: u64,
    /// Its CPU time, from start to stop; `None` where the system does not tell.
    pub cpu_ns: Option<f64>,
}

fn nothing_dropped(report: Report) -> io::Result<Report> {
    if report.records_dropped > 0 {
        let text = format!("the figures are void: {report}");
        return Err(io::Error::other(text));
    }
    Ok(report)
}

/// Installs the subject and does `count` operations, recorded if it records: for counting
/// instructions.
///
/// # Errors
/// If something cannot be set up, or records are dropped.
pub fn run_once(subject: Subject, body: Body, count: u64) -> io::Result<()> {
    subject.install()?;
    let recording = subject.records().then(start).transpose()?;
    body.run(subject, 0..count);
    match recording {
        Some(recording) => nothing_dropped(recording.stop().map_err(io::Error::other)?).map(drop),
        None => Ok(()),
    }
}
