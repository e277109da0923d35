//! The `exectrace` program: looks at execution traces, ours and those of Go programs.
//!
//! `args` is the command line, `commands` has a file for each command, `output` is how answers
//! look, `schema` describes the JSON ones. What a trace means is found by the crates below, and so is
//! how it is written in another form: this one asks and shows.

#![forbid(unsafe_code)]

mod args;
mod calendar;
mod commands;
mod distributed;
mod failure;
mod format;
mod input;
mod nearest;
mod origin;
mod output;
mod progress;
mod question;
mod reading;
mod schema;
mod scope;
mod shown_event;
mod survey;
mod symbols;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    args.color.apply();
    reading::limit_state(args.state_memory);
    failure::conclude(commands::run(args.command))
}
