//! A program that is recorded if its environment says so: a line in its `main`, and nothing else.
//!
//! `cargo run --example from_env` runs it again with `EXECTRACE` set, as a shell would. By hand:
//! `EXECTRACE=trace.out EXECTRACE_FILTER=debug cargo run --example from_env`

use std::error::Error;
use std::process::Command;

use tracing::{debug, instrument};

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::var_os("EXECTRACE").is_none() {
        return run_again();
    }
    // This program has no subscriber of its own. One that has adds `exectrace::layer()` to it.
    exectrace::init()?;
    let trace = exectrace::from_env()?;
    let sum: u64 = (1..=20).map(square).sum();
    println!("the sum of the squares up to 20 is {sum}");

    // Most programs drop `trace` at their end. This one prints where it is.
    let path = trace.path().map(ToOwned::to_owned);
    if let (Some(path), Some(report)) = (path, trace.stop()?) {
        assert_eq!(report.records_dropped, 0);
        println!("{report}");
        println!("trace: {}", path.display());
    }
    Ok(())
}

#[instrument]
fn square(number: u64) -> u64 {
    debug!("nothing to it");
    number * number
}

/// Runs this program with a file for its trace, and with more than the default of what it says.
fn run_again() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join("from_env-%p.trace");
    let mut program = Command::new(std::env::current_exe()?);
    program.env("EXECTRACE", path);
    let status = program.env("EXECTRACE_FILTER", "debug").status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("the program has failed: {status}").into()),
    }
}
