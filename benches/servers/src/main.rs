//! Two servers that Rust's users know, under load: what tracing them costs, and whether all that is
//! written of them is valid.
//!
//! `cargo run --release --manifest-path benches/servers/Cargo.toml [-- OPTIONS]`; see [`arguments`].
//!
//! The servers are axum, with tower-http's `TraceLayer`, and mini-redis, both as they come from
//! crates.io. Each runs in a process of its own ([`server`]), which this program starts again as
//! `serve …`, once for each [`mode`](case::Mode) and round. A load tool keeps it busy ([`load`]); then
//! its traces are shown to our reader and to Go's ([`judge`]).
//!
//! # Method
//!
//! The modes take turns, and what is compared was measured in the same round: the machine's speed may
//! change from one minute to the next. Of the rounds' ratios the median counts. Server and load tool
//! share the machine, so with few processors the throughput has what the load tool took in it as well;
//! the processor time that the server took for a request is the steadier measure.

#![forbid(unsafe_code)]

mod arguments;
mod case;
mod child;
mod failure;
mod figures;
mod flagged_build;
mod judge;
mod load;
mod rounds;
mod server;
mod table;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", arguments::USAGE);
            Ok(())
        }
        Ok(Command::Serve(order)) => server::serve(&order),
        Ok(Command::Measure(options)) => rounds::run(&options),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}
