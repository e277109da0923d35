//! What it costs to read a file of 10 KiB while all sources of a trace are on, beside not recording; and what it
//! costs in Go, in the same run, if `EXECTRACE_GO` names a Go.
//!
//! `cargo bench -p exectrace-benches --features sources --bench files` prints a table. This is the benchmark with which Go's execution
//! tracer was introduced: there reading a file took 1.32 times as long with the tracer on.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs, io};

use exectrace::runtime::BuilderExt;
use exectrace_benches::{Verdicts, conclude, describe_run, median};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: exectrace::Allocator = exectrace::Allocator::new(std::alloc::System);

const FILE_BYTES: usize = 10 << 10;
/// Files that are read in a turn.
const READS: u32 = 400;
/// Turns, half of them while a recording runs.
const TURNS: usize = 120;

fn main() -> ExitCode {
    // As a test it only has to run.
    let turns = if env::args().any(|argument| argument == "--bench") {
        TURNS
    } else {
        2
    };
    conclude(run(turns))
}

fn run(turns: usize) -> io::Result<()> {
    let path = env::temp_dir().join(format!("exectrace-bench-{}", std::process::id()));
    fs::write(&path, vec![b'x'; FILE_BYTES])?;
    let outcome = measure(&path, turns);
    fs::remove_file(&path)?;
    outcome
}

fn measure(path: &Path, turns: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .exectrace("files")
        .build()?;
    let mut verdicts = Verdicts::default();
    println!("{}\n", describe_run("files", ""));
    println!("| reading 10 KiB | off, µs | on, µs | on / off |");
    println!("|---|---:|---:|---:|");
    let by_std = compare(turns, || read_by_std(path))?;
    let by_tokio = compare(turns, || read_by_tokio(&runtime, path))?;
    print("std::fs::read", by_std);
    print("tokio::fs::read", by_tokio);
    match in_go(path) {
        Some(in_go) => {
            print("Go, os.ReadFile", in_go);
            let ratio = (in_go.2 * 1e3).round() / 1e3;
            verdicts.at_most("std::fs::read, on / off, beside Go's", by_std.2, ratio, "×");
            verdicts.at_most(
                "tokio::fs::read, on / off, beside Go's",
                by_tokio.2,
                ratio,
                "×",
            );
        }
        None => verdicts.skipped("on / off, beside Go's", "EXECTRACE_GO names no Go"),
    }
    verdicts.at_most("std::fs::read, on / off", by_std.2, 1.05, "×");
    verdicts.at_most("tokio::fs::read, on / off", by_tokio.2, 1.03, "×");
    verdicts.print();
    Ok(())
}

fn print(what: &str, (off, on, ratio): (f64, f64, f64)) {
    println!(
        "| {what} | {:.2} | {:.2} | {ratio:.3} |",
        off / 1e3,
        on / 1e3
    );
}

/// Nanoseconds of a read while nothing records and while something does, and the ratio of both: medians of turns.
fn compare(turns: usize, mut read: impl FnMut() -> io::Result<()>) -> io::Result<(f64, f64, f64)> {
    let mut time = || -> io::Result<f64> {
        let begin = Instant::now();
        for _ in 0..READS {
            read()?;
        }
        Ok(begin.elapsed().as_nanos() as f64 / f64::from(READS))
    };
    time()?;
    let (mut offs, mut ons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        // Whoever comes second finds the machine as the first has left it.
        let (off, on) = if turn % 2 == 0 {
            let on = while_recording(&mut time)?;
            (time()?, on)
        } else {
            (time()?, while_recording(&mut time)?)
        };
        offs.push(off);
        ons.push(on);
        ratios.push(on / off);
    }
    Ok((median(&offs), median(&ons), median(&ratios)))
}

/// What `time` returns while a recording runs, whose bytes nobody keeps.
fn while_recording(time: &mut impl FnMut() -> io::Result<f64>) -> io::Result<f64> {
    let recording = exectrace::RecordingOptions::new()
        .start_writer(io::sink())
        .map_err(io::Error::other)?;
    let on = time()?;
    recording.stop().map_err(io::Error::other)?;
    Ok(on)
}

fn read_by_std(path: &Path) -> io::Result<()> {
    black_box(fs::read(path)?);
    Ok(())
}

fn read_by_tokio(runtime: &Runtime, path: &Path) -> io::Result<()> {
    let path = path.to_owned();
    let task = exectrace::runtime::spawn_on(tokio::fs::read(path), runtime.handle());
    black_box(runtime.block_on(task).map_err(io::Error::other)??);
    Ok(())
}

/// The same in Go: nanoseconds without and with its tracer.
fn in_go(path: &Path) -> Option<(f64, f64, f64)> {
    let go = env::var_os("EXECTRACE_GO")?;
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/files.go");
    let output = Command::new(go)
        .args(["run", program])
        .arg(path)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    let mut next = || numbers.next().flatten();
    Some((next()?, next()?, next()?))
}
