//! Prints the events of a trace the way `go tool trace -d=parsed` does: `parsed FILE`.

use std::io::Write;
use std::process::ExitCode;

use exectrace_format::Reader;

#[path = "../tests/support/parsed.rs"]
mod parsed;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: parsed FILE");
        return ExitCode::from(2);
    };
    match print(path.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for event in Reader::new(std::fs::File::open(path)?)? {
        match event {
            Ok(event) => out.write_all(parsed::lines(&event).as_bytes())?,
            Err(error) => {
                out.flush()?;
                return Err(error.into());
            }
        }
    }
    Ok(out.flush()?)
}
