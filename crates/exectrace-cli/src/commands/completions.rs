//! `exectrace completions`: what a shell needs to complete the command line.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Status;
use crate::output::Out;

/// Print the completions for a shell
///
/// For bash: exectrace completions bash > ~/.local/share/bash-completion/completions/exectrace
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut script = Vec::new();
        let mut command = crate::args::Args::command();
        clap_complete::generate(self.shell, &mut command, "exectrace", &mut script);
        out.write_all(&script)?;
        Ok(Status::Ok)
    }
}
