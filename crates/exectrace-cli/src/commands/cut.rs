//! `exectrace cut`: a part of a trace as a trace of its own.

use std::io::Write;

use clap::Args;
use exectrace_export::{KeepFrames, go_trace};

use crate::distributed::TraceIdArgument;
use crate::failure::{Status, Usage};
use crate::input::{self, TraceArgument};
use crate::output::{Out, file::OutputArgument, units};
use crate::reading;
use crate::scope::Window;

/// Cut a part out of a trace, as a valid trace of its own
///
/// The new trace begins with the state at that time: which async tasks ran where, which waited for
/// what, which user tasks and regions were open. If the trace is damaged, the new one ends before
/// the damage.
///
/// With --trace-id, the part is the time in which any user task of that distributed trace was open.
#[derive(Debug, Args)]
pub(crate) struct Cut {
    #[command(flatten)]
    trace: TraceArgument,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    distributed: TraceIdArgument,
    #[command(flatten)]
    output: OutputArgument,
}

impl Cut {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let window = match self.distributed.trace_id {
            Some(_) if self.window.of_analysis().is_some() => {
                return Err(Usage::error(
                    "--trace-id says which part it is, and so do --from and --to",
                    "one of both",
                ));
            }
            Some(_) => Some(self.distributed.window(&self.trace)?),
            None => self.window.checked()?.of_analysis(),
        };
        let (input, origin) = input::open(&self.trace.path)?;
        let reader = reading::begin(input, &origin)?;
        let mut file = self.output.create(&origin)?;
        let exported = go_trace(reader, &mut file, window, &mut KeepFrames)
            .map_err(|error| file.cannot_export(error))?;
        if exported.items == 0 {
            let length = units::duration(exported.read_ns);
            return match exported.damage {
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
            writeln!(out, "{} events in {written}", units::count(exported.items))?;
        }
        match exported.damage {
            Some(damage) => reading::damaged(damage, &origin, out),
            None => Ok(Status::Ok),
        }
    }
}
