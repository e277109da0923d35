//! The commands, a file each: what it takes, what it asks of the trace, how it shows the answer.

mod check;
mod completions;
mod cut;
mod events;

use clap::Subcommand;

use crate::failure::Status;
use crate::output;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Events(events::Events),
    Cut(cut::Cut),
    Completions(completions::Completions),
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<Status> {
    let mut out = output::stdout();
    let status = match command {
        Command::Check(command) => command.run(&mut out),
        Command::Events(command) => command.run(&mut out),
        Command::Cut(command) => command.run(&mut out),
        Command::Completions(command) => command.run(&mut out),
    }?;
    std::io::Write::flush(&mut out)?;
    Ok(status)
}
