//! Measures exectrace and its peers in one run.
//!
//! - `builds`: builds each peer's program, each by itself, so that no peer's features reach another's
//! - `child`: a program that gets commands
//! - `plan`: the programs, their subjects, and what is measured of each
//! - `run`: has all subjects take turns, in rounds of new processes
//! - `results`: what was measured, and the ratios within a turn
//! - `extras`: what needs a process of its own: bytes, memory, instructions, many threads, many tasks
//! - `rivals`, `targets`, `picture`: the tables, the verdicts, the bar chart

#![forbid(unsafe_code)]

mod arguments;
mod builds;
mod child;
mod extras;
mod instructions;
mod picture;
mod plan;
mod results;
mod rivals;
mod run;
mod targets;

use std::error::Error;
use std::process::ExitCode;

use crate::arguments::Arguments;

/// What can go wrong in the driver itself; a peer that fails is a row that says why.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // The flush thread is measured by a helper of the benches, which is this program started anew.
    let outcome = match words[..] {
        ["--helper", subject] => exectrace_benches::answer_as_helper(subject).map_err(Into::into),
        _ => match Arguments::parse(&words) {
            Ok(arguments) => run::all(&arguments),
            Err(error) => {
                eprintln!("error: {error}\n{}", arguments::USAGE);
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
