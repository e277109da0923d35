//! `--format`: whether a command answers people or programs.

use clap::{Args, ValueEnum};

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences for people
    Text,
    /// JSON for programs
    Json,
}

/// The choice between the two.
#[derive(Debug, Args)]
pub(crate) struct FormatArgument {
    /// The form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}
