//! Turns a trace into text, or text into a trace: `trace_text print|parse FROM TO`.

use std::path::Path;
use std::process::ExitCode;

use exectrace_format::text;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [command, from, to] = arguments.as_slice() else {
        eprintln!("usage: trace_text print|parse FROM TO");
        return ExitCode::from(2);
    };
    match convert(command, from.as_ref(), to.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{from}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn convert(command: &str, from: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = match command {
        "print" => text::print(&std::fs::read(from)?).into_bytes(),
        "parse" => text::parse(&std::fs::read_to_string(from)?)?,
        other => return Err(format!("no such command: {other}").into()),
    };
    Ok(std::fs::write(to, bytes)?)
}
