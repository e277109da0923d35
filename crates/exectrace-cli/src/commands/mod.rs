//! The commands, a file each: what it takes, what it asks of the trace, how it shows the answer.

mod check;
mod completions;
mod cut;
mod diff;
mod events;
mod export;
mod findings;
mod latency;
mod logs;
mod profile;
mod regions;
mod run;
mod schema;
mod stat;
mod summary;
mod symbolize;
mod syscalls;
mod tasks;
mod usertasks;
mod view;
mod workers;

use std::io::Write;

use clap::Subcommand;

use crate::failure::Status;
use crate::output;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    View(view::View),
    Summary(summary::Summary),
    Tasks(tasks::TasksCommand),
    Latency(latency::Latency),
    Profile(profile::ProfileCommand),
    #[command(name = "usertasks")]
    UserTasks(usertasks::UserTasksCommand),
    Regions(regions::RegionsCommand),
    Logs(logs::LogsCommand),
    Workers(workers::WorkersCommand),
    Syscalls(syscalls::SyscallsCommand),
    Findings(findings::Findings),
    Events(events::Events),
    Check(check::Check),
    Diff(diff::Diff),
    Stat(stat::Stat),
    Cut(cut::Cut),
    Symbolize(symbolize::Symbolize),
    Export(export::Export),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<Status> {
    if let Command::Run(command) = command {
        // Standard output is that of the program which it runs.
        return command.run();
    }
    let mut out = output::stdout();
    let ended = match command {
        Command::Run(_) => Ok(Status::Ok),
        Command::View(command) => command.run(&mut out),
        Command::Summary(command) => command.run(&mut out),
        Command::Tasks(command) => command.run(&mut out),
        Command::Latency(command) => command.run(&mut out),
        Command::Profile(command) => command.run(&mut out),
        Command::UserTasks(command) => command.run(&mut out),
        Command::Regions(command) => command.run(&mut out),
        Command::Logs(command) => command.run(&mut out),
        Command::Workers(command) => command.run(&mut out),
        Command::Syscalls(command) => command.run(&mut out),
        Command::Findings(command) => command.run(&mut out),
        Command::Events(command) => command.run(&mut out),
        Command::Check(command) => command.run(&mut out),
        Command::Cut(command) => command.run(&mut out),
        Command::Export(command) => command.run(&mut out),
        Command::Diff(command) => command.run(&mut out),
        Command::Stat(command) => command.run(&mut out),
        Command::Symbolize(command) => command.run(&mut out),
        Command::Schema(command) => command.run(&mut out),
        Command::Completions(command) => command.run(&mut out),
    }?;
    out.flush()?;
    Ok(ended)
}
