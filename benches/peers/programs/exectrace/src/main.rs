//! exectrace and the baselines, as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::main(peer_exectrace::SUBJECTS)
}
