//! Measures reading against Go's own readers: `against_go [--mb MEGABYTES] [--trace FILE]`.
//!
//! Where there is a Go toolchain (`EXECTRACE_GO`, else `go` on the path), the trace is that of
//! `program.go`, and Go's readers read it too, in `reader.go`. Else it is that of a made-up
//! program. Each way of reading has a process of its own, whose processor time (user and system)
//! and greatest memory are shown.

mod child;
mod go;
#[path = "../throughput/program.rs"]
mod program;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use child::{Cost, WAYS};

type Error = Box<dyn std::error::Error>;

/// What the made-up program's events take in its trace.
const MADE_UP_EVENT_BYTES: u64 = 6;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child", way, file] => child::run(way, file.as_ref()),
        _ => Wanted::of(&arguments).and_then(|wanted| compare(&wanted)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the arguments ask for.
struct Wanted {
    megabytes: u64,
    trace: Option<PathBuf>,
}

impl Wanted {
    fn of(arguments: &[String]) -> Result<Self, Error> {
        let mut wanted = Self {
            megabytes: 300,
            trace: None,
        };
        for pair in arguments.chunks(2) {
            match pair {
                [flag, value] if flag == "--mb" => wanted.megabytes = value.parse()?,
                [flag, value] if flag == "--trace" => wanted.trace = Some(value.into()),
                _ => return Err("usage: against_go [--mb MEGABYTES] [--trace FILE]".into()),
            }
        }
        Ok(wanted)
    }
}

fn compare(wanted: &Wanted) -> Result<(), Error> {
    let folder = std::env::temp_dir().join(format!("against_go-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let done = compare_in(&folder, wanted);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn compare_in(folder: &Path, wanted: &Wanted) -> Result<(), Error> {
    let go = go::Go::find();
    let trace = match (&wanted.trace, &go) {
        (Some(trace), _) => trace.clone(),
        (None, Some(go)) => {
            println!("{}", go.version);
            go.trace(folder, wanted.megabytes)?
        }
        (None, None) => {
            println!("no Go here: a made-up program, and nobody to compare with");
            made_up(folder, wanted.megabytes)?
        }
    };
    let megabytes = std::fs::metadata(&trace)?.len() as f64 / 1e6;
    println!("{megabytes:.0} MB\n");
    println!("reading                      events    CPU s   million/s   peak MB");
    for (way, title) in WAYS {
        let own = std::env::current_exe()?;
        print(
            title,
            ask(Command::new(own).args(["--child", way]).arg(&trace))?,
        )?;
    }
    if let Some(go) = go {
        match go.reader(folder) {
            Ok(reader) => {
                for (way, title) in [("wire", "Go, wire order"), ("ordered", "Go, ordered")] {
                    print(title, ask(Command::new(&reader).arg(way).arg(&trace))?)?;
                }
            }
            Err(error) => println!("Go's readers cannot be built: {error}"),
        }
    }
    Ok(())
}

/// Runs a program that prints its cost.
fn ask(command: &mut Command) -> Result<Cost, Error> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Cost::parse(&String::from_utf8_lossy(&output.stdout))
}

fn print(title: &str, cost: Cost) -> Result<(), Error> {
    println!(
        "{title:<22} {:>12} {:>8.2} {:>11.1} {:>9.0}",
        cost.events,
        cost.cpu_seconds,
        cost.events as f64 / cost.cpu_seconds / 1e6,
        cost.peak_bytes as f64 / 1e6,
    );
    Ok(std::io::stdout().flush()?)
}

/// The trace of the made-up program.
fn made_up(folder: &Path, megabytes: u64) -> Result<PathBuf, Error> {
    let path = folder.join("made_up.trace");
    let mut file = std::fs::File::create(&path)?;
    let mut program = program::Program::new();
    program.run(megabytes * 1_000_000 / MADE_UP_EVENT_BYTES, &mut file)?;
    Ok(path)
}
