//! `exectrace cut`: a part of a trace as a trace of its own.

use std::io::Write;

use clap::Args;

use crate::failure::{Status, Usage};
use crate::input::{self, TraceArgument};
use crate::output::{Out, file::OutputArgument, units};
use crate::reading;
use crate::rewrite::{self, AsTheyAre};
use crate::scope::Window;

/// Cut a part out of a trace, as a valid trace of its own
///
/// The new trace begins with the state at that time: which async tasks ran where, which waited for
/// what, which user tasks and regions were open. If the trace is damaged, the new one ends before
/// the damage.
#[derive(Debug, Args)]
pub(crate) struct Cut {
    #[command(flatten)]
    trace: TraceArgument,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    output: OutputArgument,
}

impl Cut {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let window = self.window.checked()?;
        let (input, origin) = input::open(&self.trace.path)?;
        let reader = reading::begin(input, &origin)?;
        let mut file = self.output.create(&origin)?;
        let rewritten = rewrite::rewrite(reader, &mut file, window, AsTheyAre)
            .map_err(|error| file.cannot_write(error))?;
        if rewritten.events == 0 {
            let length = units::duration(rewritten.read_ns);
            return match rewritten.damage {
                Some(damage) => Err(reading::of_input(damage, &origin)),
                None => Err(Usage::error(
                    format!("there are no events in this part of {}", origin.label),
                    format!(
                        "another --from and --to; nothing happens before {length}, or until the end"
                    ),
                )),
            };
        }
        let written = file.finish_trace()?;
        if let Some(written) = written {
            writeln!(
                out,
                "{} events in {written}",
                units::count(rewritten.events)
            )?;
        }
        match rewritten.damage {
            Some(damage) => reading::damaged(damage, &origin, out),
            None => Ok(Status::Ok),
        }
    }
}
