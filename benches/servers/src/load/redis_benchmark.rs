//! redis-benchmark, which makes a number of requests of each of some commands.

use std::process::Command;
use std::time::Duration;

use super::{Amount, CONNECTIONS, Measured, REQUESTS_MIN, output};
use crate::failure::Failure;

pub(super) const PROGRAM: &str = "redis-benchmark";

/// What mini-redis knows of the commands that the tool has.
const COMMANDS: &str = "set,get";

pub(super) fn run(port: u16, amount: Amount) -> Result<Measured, Failure> {
    // Of each command.
    let requests = match amount {
        Amount::WarmUp => 5_000,
        Amount::Short => 20_000,
        Amount::Full { .. } => REQUESTS_MIN,
    };
    let mut command = Command::new(PROGRAM);
    command
        .args([
            "--csv",
            "-h",
            "127.0.0.1",
            "-t",
            COMMANDS,
            "-c",
            CONNECTIONS,
        ])
        .args(["-p", &port.to_string(), "-n", &requests.to_string()]);
    let said = output(PROGRAM, &mut command)?;
    parse(&said, requests).map_err(|message| Failure::Load {
        program: PROGRAM,
        message,
    })
}

/// Reads the table that the tool prints, a line a command.
///
/// The commands run one after the other.
fn parse(said: &str, requests: u64) -> Result<Measured, String> {
    let mut rows = said.lines().map(cells);
    let heading = rows.find(|row| row.first() == Some(&"test"));
    let heading = heading.ok_or("reported no latencies; version 6.2 or newer does")?;
    let column = |name: &str| {
        let found = heading.iter().position(|cell| *cell == name);
        found.ok_or_else(|| format!("has no column {name:?}"))
    };
    let (rate, p50, p99) = (
        column("rps")?,
        column("p50_latency_ms")?,
        column("p99_latency_ms")?,
    );
    let mut measured: Option<Measured> = None;
    let mut commands = 0;
    for row in rows {
        let number = |column: usize| {
            let cell = row.get(column).and_then(|cell| cell.parse::<f64>().ok());
            // What cannot be a time is not one.
            cell.filter(|number| *number > 0.0 && *number < 1e9)
                .ok_or_else(|| format!("said {row:?}"))
        };
        let one = Measured {
            requests,
            time: Duration::from_secs_f64(requests as f64 / number(rate)?),
            p50: Duration::from_secs_f64(number(p50)? / 1e3),
            p99: Duration::from_secs_f64(number(p99)? / 1e3),
        };
        measured = Some(measured.map_or(one, |measured| measured.and(one)));
        commands += 1;
    }
    measured
        .filter(|_| commands == 2)
        .ok_or_else(|| format!("did not report {COMMANDS}: {said}"))
}

fn cells(line: &str) -> Vec<&str> {
    let cells = line.trim().split(',');
    cells.map(|cell| cell.trim_matches('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms""#;

    #[test]
    fn the_commands_times_add_up_and_the_slower_ones_latencies_count() {
        let rows = "\"SET\",\"1000.00\",\"0.2\",\"0.1\",\"0.2\",\"0.3\",\"0.9\",\"1.0\"\n\
                    \"GET\",\"2000.00\",\"0.2\",\"0.1\",\"0.3\",\"0.3\",\"0.5\",\"1.0\"\n";
        let measured = parse(&format!("{HEADING}\n{rows}"), 3_000).unwrap();
        assert_eq!(measured.requests, 6_000);
        assert_eq!(measured.time, Duration::from_millis(4_500));
        assert_eq!(measured.p50, Duration::from_micros(300));
        assert_eq!(measured.p99, Duration::from_micros(900));
    }

    #[test]
    fn a_table_that_lacks_a_command_is_no_measurement() {
        let row = "\"SET\",\"1000.00\",\"0.2\",\"0.1\",\"0.2\",\"0.3\",\"0.9\",\"1.0\"\n";
        assert!(parse(&format!("{HEADING}\n{row}"), 3_000).is_err());
    }
}
