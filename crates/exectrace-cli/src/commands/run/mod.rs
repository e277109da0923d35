//! `exectrace run`: starts a command with an environment in which it is traced, and shows what came of it.
//!
//! `cargo` says what a command of cargo needs besides, `child` runs it, `traces` finds the files that it wrote, and
//! `absence` why there are none.

mod absence;
mod cargo;
mod child;
mod traces;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;

use crate::calendar::Date;
use crate::failure::{Status, warn};
use crate::output::{printable, units};

use cargo::Cargo;
use traces::Folder;

/// Run a program, or a command of cargo, and record it
///
/// Sets the environment by which a program is recorded that has `#[exectrace::main]`, or calls
/// `exectrace::from_env()`. When it has ended, prints on standard error a summary of its trace, and where
/// that is. The exit status is that of the command.
///
/// Commands of cargo are built with what Tokio's hooks and stacks need (`--cfg tokio_unstable -C
/// force-frame-pointers=yes`), besides the flags that the environment or cargo's configuration has, in a
/// target folder of their own:
///
///   exectrace run -- cargo run --release
///   exectrace run -- cargo test
///   exectrace run -o trace.out -- ./program --its-own arguments
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// Where to record; %p stands for the process's id, %n for the program's name, %t for the time. By
    /// default %n-%p.trace, in a new folder
    #[arg(long, short, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Which spans and events to record: info,my_crate=trace
    #[arg(long, short, value_name = "DIRECTIVES")]
    filter: Option<String>,
    /// Have exectrace's own subscriber installed, for a program that sets none
    #[arg(long)]
    subscriber: bool,
    /// Record into one file after the other: 100MB,10m,keep=1GB
    #[arg(long, value_name = "RULES")]
    rotate: Option<String>,
    /// The memory for records: 16MiB
    #[arg(long, value_name = "BYTES")]
    memory: Option<String>,
    /// Build as cargo would without exectrace: no flags, and the usual target folder
    #[arg(long)]
    no_flags: bool,
    /// Print no summary, only where the traces are
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND",
        value_hint = clap::ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<Status> {
        let (name, arguments) = self.command.split_first().context("there is no command")?;
        let cargo = Cargo::of(name, arguments)?;
        let output = match &self.output {
            Some(output) => output.clone(),
            None => default_output(cargo.as_ref()),
        };
        let output = std::path::absolute(&output)
            .with_context(|| format!("cannot find the folder of {}", output.display()))?;
        let before = Folder::of_output(&output)?;
        let mut command = Command::new(name);
        command.args(arguments);
        self.set_environment(&mut command, &output);
        if let (Some(cargo), false) = (&cargo, self.no_flags) {
            cargo
                .set_flags(&mut command)
                .inspect_err(|_| before.finish())?;
        }
        let ended = child::run(command, name).inspect_err(|_| {
            before.finish();
            before.remove_if_empty();
        })?;
        before.finish();
        let traces = before.new_traces();
        if traces.is_empty() {
            before.remove_if_empty();
            let absence = absence::find(Path::new(name), cargo.as_ref());
            say_absence(&absence, ended.describe().as_deref());
        }
        if let [trace] = &traces[..]
            && !self.quiet
        {
            summarize(&trace.path);
        }
        let mut out = anstream::stderr().lock();
        for trace in &traces {
            let size = units::bytes(trace.bytes);
            let path = trace.path.display().to_string();
            // If standard error is closed, nobody can read it.
            let _ = writeln!(out, "trace: {} ({size})", printable(&path));
        }
        Ok(Status::OfProgram(ended.code()))
    }

    fn set_environment(&self, command: &mut Command, output: &Path) {
        command.env("EXECTRACE", output);
        if let Some(filter) = &self.filter {
            command.env("EXECTRACE_FILTER", filter);
        }
        if self.subscriber {
            command.env("EXECTRACE_SUBSCRIBER", "install");
        }
        if let Some(rotate) = &self.rotate {
            command.env("EXECTRACE_ROTATE", rotate);
        }
        if let Some(memory) = &self.memory {
            command.env("EXECTRACE_MEMORY", memory);
        }
    }
}

/// A new folder, for as many traces as there may come.
fn default_output(cargo: Option<&Cargo>) -> PathBuf {
    let folder = match cargo {
        Some(cargo) => cargo.target_folder().join("exectrace-run/traces"),
        None => PathBuf::from("exectrace-traces"),
    };
    folder.join(Date::now().for_names()).join("%n-%p.trace")
}

/// Prints the summary of a trace to standard error, as standard output is the program's.
fn summarize(trace: &Path) {
    let summary = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg("summary").arg(trace).stdin(Stdio::null());
        command.stdout(Stdio::from(std::io::stderr())).status()
    });
    if let Err(error) = summary {
        warn(&format!("the summary cannot be made: {error}"));
    }
}

fn say_absence(absence: &absence::Absence, ended: Option<&str>) {
    let ended = ended.map_or_else(String::new, |ended| format!(" (the command {ended})"));
    warn(&format!("no trace was written{ended}: {}", absence.cause));
    let bold = anstyle::Style::new().bold();
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "  {bold}try{bold:#}: {}", absence.remedy);
}
