//! wrk, which makes HTTP requests for a number of seconds.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Amount, CONNECTIONS, Measured, REQUESTS_MIN, output};
use crate::failure::Failure;

pub(super) const PROGRAM: &str = "wrk";

/// Has wrk print its result in a line that is meant to be read by a program.
const REPORT: &str = include_str!("report.lua");

pub(super) fn run(
    port: u16,
    route: &str,
    amount: Amount,
    folder: &Path,
) -> Result<Measured, Failure> {
    let script = folder.join("report.lua");
    fs::write(&script, REPORT).map_err(|source| Failure::File {
        what: "write",
        path: script.clone(),
        source,
    })?;
    let seconds = match amount {
        Amount::WarmUp | Amount::Short => 1,
        // With a margin, as the rate will not be quite the same.
        Amount::Full { rate } => ((1.3 * REQUESTS_MIN as f64 / rate).ceil() as u64).clamp(2, 60),
    };
    let mut command = Command::new(PROGRAM);
    command
        .args(["--threads", "1", "--connections", CONNECTIONS])
        .arg("--duration")
        .arg(format!("{seconds}s"))
        .arg("--script")
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}{route}"));
    let said = output(PROGRAM, &mut command)?;
    parse(&said).map_err(|message| Failure::Load {
        program: PROGRAM,
        message,
    })
}

fn parse(said: &str) -> Result<Measured, String> {
    let line = said.lines().find_map(|line| line.strip_prefix("measured "));
    let line = line.ok_or_else(|| format!("said nothing of its result: {said}"))?;
    let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    match numbers.as_deref() {
        Ok(&[requests, 0, time, p50, p99]) => Ok(Measured {
            requests,
            time: Duration::from_micros(time),
            p50: Duration::from_micros(p50),
            p99: Duration::from_micros(p99),
        }),
        Ok(&[requests, errors, ..]) => Err(format!("{errors} errors in {requests} requests")),
        _ => Err(format!("said of its result {line:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_with_errors_is_no_measurement() {
        assert_eq!(
            parse("Running 1s test\nmeasured 900 0 1000000 210 950\n")
                .map(|measured| measured.rate()),
            Ok(900.0)
        );
        assert!(parse("measured 900 3 1000000 210 950\n").is_err());
    }
}
