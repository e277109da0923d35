//! Counts the instructions of reading, analysing and exporting an event with callgrind.
//!
//! Each way runs over the trace of N requests and over that of 2 N, and the difference is divided by its
//! events, so that start-up and tables do not count.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use exectrace_analysis::{Analysis, Options, ProfileKind};
use exectrace_benches::{
    Counts, check, conclude, describe_run, instructions, keep, requests, valgrind,
};
use exectrace_export::KeepFrames;
use exectrace_format::{CompactEvent, Reader};

const USAGE: &str =
    "usage: cargo bench -p exectrace-benches --bench reading [-- --check | --write]";

/// What each way took when the file was written last, with `--write`. `--check` fails where it takes
/// otherwise now.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reading.txt");

/// How far from what was kept they may be. What the compiler inlines here differs by so much with the folder that
/// the project lies in.
const ALLOWED: f64 = 0.1;

/// Events of a request in [`requests`].
const EVENTS: f64 = 8.0;
const REQUESTS: u64 = 4_000;

/// What is done with a trace.
const WAYS: [&str; 8] = [
    "read", "summary", "findings", "perfetto", "chrome", "firefox", "folded", "cut",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--run", way, path] => run(way, Path::new(path)),
        ["--bench"] | [] => bench("", |_| Ok(())),
        ["--check", "--bench"] => bench(" -- --check", |counts| check(counts, KEPT, ALLOWED)),
        ["--write", "--bench"] => bench(" -- --write", |counts| keep(counts, KEPT)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    conclude(outcome)
}

/// What callgrind looks at.
fn run(way: &str, path: &Path) -> io::Result<()> {
    let trace = std::fs::read(path)?;
    let mut reader = Reader::new(trace.as_slice()).map_err(io::Error::other)?;
    let analyse = |mut reader, options| {
        let analysis = Analysis::read(&mut reader, &options);
        std::hint::black_box(analysis.findings());
    };
    let (out, options) = (io::sink(), exectrace_export::Options::default());
    let exported = match way {
        "read" => {
            let mut event = CompactEvent::default();
            while reader.next_into(&mut event).map_err(io::Error::other)? {
                std::hint::black_box(&event);
            }
            return Ok(());
        }
        "summary" => {
            let options = Options {
                findings: false,
                ..Options::all()
            };
            analyse(reader, options);
            return Ok(());
        }
        "findings" => {
            analyse(reader, Options::for_findings());
            return Ok(());
        }
        "perfetto" => exectrace_export::perfetto(reader, out, &options),
        "chrome" => exectrace_export::chrome(reader, out, &options),
        "firefox" => exectrace_export::firefox(reader, out, &options),
        "cut" => {
            let whole = exectrace_export::go_trace(reader, out, None, &mut KeepFrames);
            return whole.map(drop).map_err(io::Error::other);
        }
        "folded" => {
            let options = Options {
                profiles: vec![ProfileKind::WaitByReason],
                ..Options::default()
            };
            let analysis = Analysis::read(&mut reader, &options);
            let written = exectrace_export::folded(&analysis.profiles[0], out);
            return written.map(drop).map_err(io::Error::other);
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    exported.map(drop).map_err(io::Error::other)
}

fn bench(arguments: &str, then: impl FnOnce(&Counts) -> io::Result<()>) -> io::Result<()> {
    println!("{}", describe_run("reading", arguments));
    let Some(version) = valgrind() else {
        println!("skipped: there is no valgrind");
        return Ok(());
    };
    println!("{version}\n| way | instructions an event |\n|---|---:|");
    let folder = std::env::temp_dir();
    let path = |name: &str| folder.join(format!("exectrace-{}-{name}.trace", std::process::id()));
    let (once, twice) = (path("once"), path("twice"));
    std::fs::write(&once, requests(REQUESTS))?;
    std::fs::write(&twice, requests(2 * REQUESTS))?;
    let mut counts = Counts::new();
    for way in WAYS {
        let count =
            |trace: &Path| instructions(&["--run".as_ref(), way.as_ref(), trace.as_os_str()]);
        let (once, twice) = (count(&once)?, count(&twice)?);
        let each = (twice as f64 - once as f64) / (REQUESTS as f64 * EVENTS);
        println!("| {way} | {each:.1} |");
        counts.insert((way.to_owned(), "event".to_owned()), each);
    }
    std::fs::remove_file(once)?;
    std::fs::remove_file(twice)?;
    then(&counts)
}
