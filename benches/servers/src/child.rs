//! A server's process, seen from outside: its start, what it has used, and its end.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::arguments::Order;
use crate::failure::Failure;
use crate::server::Recorded;

/// A server that runs. It is killed if this is dropped before [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    what: String,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// Starts `program` with this order, and returns when it listens.
    pub(crate) fn start(program: &Path, order: &Order) -> Result<Self, Failure> {
        let what = format!("{} ({})", order.case.name(), order.mode.title());
        let failed = |message: String| Failure::Child {
            what: what.clone(),
            message,
        };
        let mut process = Command::new(program)
            .args(order.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot run {}: {error}", program.display())))?;
        let Some(out) = process.stdout.take() else {
            return Err(failed("it has no standard output".into()));
        };
        let mut server = Self {
            process,
            lines: BufReader::new(out).lines(),
            what,
            port: 0,
        };
        let line = server.line()?;
        let port = line
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(|| server.failed(format!("said {line:?}")))?;
        Ok(server)
    }

    /// Processor time that its threads have used so far.
    pub(crate) fn used(&self) -> Result<Used, Failure> {
        Used::of_process(self.process.id())
    }

    /// Has it end, and returns what it recorded.
    pub(crate) fn finish(mut self) -> Result<Vec<Recorded>, Failure> {
        // The end of its standard input is its sign.
        drop(self.process.stdin.take());
        let mut recorded = Vec::new();
        loop {
            let line = self.line()?;
            if line == "done" {
                break;
            }
            let one = Recorded::of_line(&line);
            recorded.push(one.ok_or_else(|| self.failed(format!("said {line:?}")))?);
        }
        let status = self.process.wait();
        let status = status.map_err(|error| self.failed(error.to_string()))?;
        match status.success() {
            true => Ok(recorded),
            false => Err(self.failed(format!("ended with {status}"))),
        }
    }

    fn line(&mut self) -> Result<String, Failure> {
        match self.lines.next() {
            Some(Ok(line)) => Ok(line),
            Some(Err(error)) => Err(self.failed(error.to_string())),
            None => Err(self.failed("ended unasked".into())),
        }
    }

    fn failed(&self, message: String) -> Failure {
        Failure::Child {
            what: self.what.clone(),
            message,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended and was waited for, which is how it should be.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Processor time, of the user and the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Of all threads.
    pub(crate) all: Duration,
    /// Of the tracer's flush thread.
    pub(crate) flush: Duration,
}

impl Used {
    /// Of the threads alive; none of the servers' threads ends while it is measured.
    fn of_process(id: u32) -> Result<Self, Failure> {
        let folder = PathBuf::from(format!("/proc/{id}/task"));
        let failed = |path: &Path, source| Failure::NoProcessorTimes {
            path: path.to_owned(),
            source,
        };
        let threads = fs::read_dir(&folder).map_err(|error| failed(&folder, error))?;
        let mut used = Self::default();
        for thread in threads {
            let thread = thread.map_err(|error| failed(&folder, error))?.path();
            let path = thread.join("schedstat");
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let time = Duration::from_nanos(first_number(&text));
            used.all += time;
            let name = fs::read_to_string(thread.join("comm")).unwrap_or_default();
            if name.trim_end() == "exectrace-flush" {
                used.flush += time;
            }
        }
        Ok(used)
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            flush: self.flush.saturating_sub(before.flush),
        }
    }
}

/// Of `schedstat`: nanoseconds on a processor.
fn first_number(text: &str) -> u64 {
    let first = text.split_whitespace().next();
    first.and_then(|word| word.parse().ok()).unwrap_or(0)
}
