//! `exectrace symbolize`: names for places that a trace has as module and offset.

use std::io::Write;

use clap::Args;
use exectrace_export::go_trace;

use crate::failure::{Status, Usage, warn};
use crate::input::{self, TraceArgument};
use crate::output::{Out, file::OutputArgument, printable, units};
use crate::reading;
use crate::symbols::{Binary, Symbols};

/// Find names for places that a trace has as module and offset only
///
/// The tracer names functions by the symbols of the traced program. For a stripped program it can
/// only record places such as `app+0x1234`. Given a file of the same build with symbols or debug
/// information, this command writes the same trace with names, and with lines and inlined functions
/// where there is debug information. Places that have a name keep it.
///
/// A trace does not say from which build it is, so the command cannot check the file: with a file of
/// another build, the names are wrong.
#[derive(Debug, Args)]
pub(crate) struct Symbolize {
    #[command(flatten)]
    trace: TraceArgument,
    /// A program or library of the same build as the traced one, with symbols. It is for the module
    /// with its file name (without .debug), or for MODULE
    #[arg(long, short, value_name = "[MODULE=]PATH", required = true)]
    binary: Vec<Binary>,
    #[command(flatten)]
    output: OutputArgument,
}

/// So many places without a name are listed.
const LISTED: usize = 5;

impl Symbolize {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        for binary in &self.binary {
            self.output.refuse(&binary.path)?;
        }
        let mut symbols = Symbols::open(&self.binary)?;
        let (input, origin) = input::open(&self.trace.path)?;
        let reader = reading::begin(input, &origin)?;
        let mut file = self.output.create(&origin)?;
        let exported = go_trace(reader, &mut file, None, &mut symbols)
            .map_err(|error| file.cannot_export(error))?;
        if exported.items == 0 {
            return match exported.damage {
                Some(damage) => Err(reading::of_input(damage, &origin)),
                None => Err(Usage::error(
                    format!("there are no events in {}", origin.label),
                    "a trace of something that happened",
                )),
            };
        }
        let written = file.finish_trace()?;
        let (places, without) = symbols.outcome();
        if let Some(written) = written {
            let named = units::count((places - without.len()) as u64);
            let places = units::count(places as u64);
            writeln!(
                out,
                "{named} of {places} places without a name now have one, in {written}"
            )?;
        }
        if !without.is_empty() {
            out.flush()?;
            let listed: Vec<String> = without
                .iter()
                .take(LISTED)
                .map(|name| printable(name).into_owned())
                .collect();
            let more = without.len().saturating_sub(LISTED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            warn(&format!(
                "no names for {}{more}; --binary MODULE=PATH names a file for a module",
                listed.join(", ")
            ));
        }
        match exported.damage {
            Some(damage) => reading::damaged(damage, &origin, out),
            None => Ok(Status::Ok),
        }
    }
}
