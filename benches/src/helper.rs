//! Helpers: the processes in which the subjects live, and how the bench talks with them.
//!
//! A helper is the bench's own executable, started with `--helper SUBJECT`. It reads one order a line
//! and answers each with a line of numbers.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::work::{FlushCost, Workers};
use crate::{Body, Subject};

/// A process with one subject.
#[derive(Debug)]
pub struct Helper {
    subject: Subject,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts the process.
    ///
    /// # Errors
    /// If the system does not let it start.
    pub fn start(subject: Subject) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--helper", subject.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            subject,
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        })
    }

    /// Whose process it is.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Times `count` operations on each of 1 or 2 threads: nanoseconds of CPU time an operation.
    ///
    /// # Errors
    /// If the helper failed. It has reported why on its standard error.
    pub fn time(&mut self, body: Body, threads: usize, count: u64) -> io::Result<f64> {
        let numbers = self.ask(&format!("time|{}|{threads}|{count}", body.name()))?;
        numbers.first().copied().ok_or_else(no_answer)
    }

    /// Bytes that an operation takes in the file, when they are this far apart.
    ///
    /// # Errors
    /// As [`time`](Self::time).
    pub fn weigh(&mut self, body: Body, count: u64, apart: Duration) -> io::Result<f64> {
        let apart_ns = apart.as_nanos();
        let numbers = self.ask(&format!("weigh|{}|{apart_ns}|{count}", body.name()))?;
        numbers.first().copied().ok_or_else(no_answer)
    }

    /// Has the flush thread work on what `count` operations on each of 1 or 2 threads record.
    ///
    /// # Errors
    /// As [`time`](Self::time).
    pub fn load_flush_thread(
        &mut self,
        body: Body,
        threads: usize,
        count: u64,
    ) -> io::Result<FlushCost> {
        let numbers = self.ask(&format!("load|{}|{threads}|{count}", body.name()))?;
        let [records, dropped, ref time @ ..] = numbers[..] else {
            return Err(no_answer());
        };
        Ok(FlushCost {
            records: records as u64,
            dropped: dropped as u64,
            cpu_ns: time.first().copied(),
        })
    }

    fn ask(&mut self, order: &str) -> io::Result<Vec<f64>> {
        let mut orders = self.orders.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(orders, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let numbers = answer.split_whitespace().map(str::parse);
        numbers.collect::<Result<_, _>>().map_err(io::Error::other)
    }
}

fn no_answer() -> io::Error {
    io::Error::other("a helper process ended early")
}

impl Drop for Helper {
    fn drop(&mut self) {
        // With no more orders it ends by itself.
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// Is a helper until the orders end.
///
/// # Errors
/// If the subject is not known or cannot be installed, an order is not understood, or records were
/// dropped.
pub fn answer_as_helper(subject: &str) -> io::Result<()> {
    let subject = Subject::named(subject).ok_or(io::ErrorKind::InvalidInput)?;
    subject.install()?;
    let workers = Workers::new(subject)?;
    for order in io::stdin().lines() {
        let answer = answer(&workers, &order?)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(workers: &Workers, order: &str) -> io::Result<String> {
    let not_understood = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut words = order.split('|');
    let what = words.next().ok_or_else(not_understood)?;
    let body = words
        .next()
        .and_then(Body::named)
        .ok_or_else(not_understood)?;
    let mut number = || -> io::Result<u64> {
        let word = words.next().ok_or_else(not_understood)?;
        word.parse().map_err(io::Error::other)
    };
    let (first, count) = (number()?, number()?);
    match what {
        "time" => Ok(workers.time(body, first as usize, count)?.to_string()),
        "weigh" => {
            let apart = Duration::from_nanos(first);
            Ok(workers.weigh(body, count, apart)?.to_string())
        }
        "load" => {
            let cost = workers.load_flush_thread(body, first as usize, count)?;
            let (records, dropped) = (cost.records, cost.dropped);
            let cpu_ns = cost.cpu_ns.map(|time| time.to_string());
            Ok(format!(
                "{records} {dropped} {}",
                cpu_ns.unwrap_or_default()
            ))
        }
        _ => Err(not_understood()),
    }
}
