//! The tools that keep a server busy, and what they measure.

mod redis_benchmark;
mod wrk;

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::case::Case;
use crate::failure::Failure;
use crate::server::WORK_ROUTE;

/// How many connections a tool has open, each with one request under way.
const CONNECTIONS: &str = "16";

/// At least so many requests are made in each round, unless it is a quick one.
pub(crate) const REQUESTS_MIN: u64 = 50_000;

/// How much load there is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    /// So that everything has run some thousand times before it is measured.
    WarmUp,
    /// A second or so.
    Short,
    /// [`REQUESTS_MIN`] or more, given how many a second the server has been seen to do.
    Full { rate: f64 },
}

/// What a tool has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
    /// Half of the requests took less.
    pub(crate) p50: Duration,
    /// Of a hundred requests, 99 took less.
    pub(crate) p99: Duration,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }

    /// This load and one after it. The latencies are those of the slower one.
    pub(crate) fn and(self, next: Self) -> Self {
        Self {
            requests: self.requests + next.requests,
            time: self.time + next.time,
            p50: self.p50.max(next.p50),
            p99: self.p99.max(next.p99),
        }
    }
}

/// Fails, with what to do about it, if the tool for a case is not installed.
pub(crate) fn require(case: Case) -> Result<(), Failure> {
    let (program, package) = match case {
        Case::Axum | Case::AxumWork => (wrk::PROGRAM, "wrk"),
        Case::MiniRedis => (redis_benchmark::PROGRAM, "redis-tools"),
    };
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // Some versions of these have an exit status other than 0 for this.
    match asked {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::NoLoadTool { program, package }),
    }
}

/// Keeps the server at `port` busy. `folder` is for what a tool needs of files.
pub(crate) fn run(
    case: Case,
    port: u16,
    amount: Amount,
    folder: &Path,
) -> Result<Measured, Failure> {
    match case {
        Case::Axum => wrk::run(port, "/", amount, folder),
        Case::AxumWork => wrk::run(port, WORK_ROUTE, amount, folder),
        Case::MiniRedis => redis_benchmark::run(port, amount),
    }
}

/// Runs a tool and returns what it wrote to its standard output.
fn output(program: &'static str, command: &mut Command) -> Result<String, Failure> {
    let failed = |message: String| Failure::Load { program, message };
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error: io::Error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
