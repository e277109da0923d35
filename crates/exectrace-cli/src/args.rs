//! The command line as a whole. What a command takes stands in its own file.

use clap::{Parser, ValueEnum};
use exectrace_format::MAX_STATE_BYTES;

use crate::commands::Command;

/// What the whole command line says.
#[derive(Debug, Parser)]
#[command(
    name = "exectrace",
    version,
    about = "Looks at execution traces of Rust and Go programs",
    after_help = "TRACE may be - for standard input. Exit status: 0 on success, 1 if the trace \
                  is damaged or a check fails, 2 if the command line is wrong.",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    /// Whether to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(crate) color: Color,

    /// Most memory for what is alive at one time in a trace, in MiB: async tasks, user tasks, regions
    #[arg(long, value_name = "MIB", default_value_t = MAX_STATE_BYTES >> 20, global = true)]
    pub(crate) state_memory: u64,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Applies the choice to all that is printed.
    pub(crate) fn apply(self) {
        let choice = match self {
            // What the environment says.
            Self::Auto => return,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}
