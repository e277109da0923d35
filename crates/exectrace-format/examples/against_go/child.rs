//! One way of reading, in a process of its own.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use exectrace_format::{Batches, CompactEvent, Reader, WireEvent};

use super::Error;

/// The ways that `--child` knows, with what they are called.
pub(crate) const WAYS: [(&str, &str); 3] = [
    ("wire", "Batches, wire order"),
    ("into", "Reader, next_into"),
    ("owned", "Reader, iterator"),
];

/// What reading cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) events: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: u64,
}

impl Cost {
    /// From the line that a child prints, and `reader.go` too.
    pub(crate) fn parse(line: &str) -> Result<Self, Error> {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [events, cpu_seconds, peak_bytes] => Ok(Self {
                events: events.parse()?,
                cpu_seconds: cpu_seconds.parse()?,
                peak_bytes: peak_bytes.parse()?,
            }),
            _ => Err(format!("no cost: {line}").into()),
        }
    }
}

/// Reads the file and prints what it cost.
pub(crate) fn run(way: &str, file: &Path) -> Result<(), Error> {
    let events = match way {
        "wire" => wire(file)?,
        "into" => into(file)?,
        _ => owned(file)?,
    };
    println!("{events} {} {}", cpu_seconds()?, peak_bytes()?);
    Ok(())
}

fn wire(file: &Path) -> Result<u64, Error> {
    let mut batches = Batches::new(File::open(file)?)?;
    let mut event = WireEvent::default();
    let mut count = 0;
    while let Some(batch) = batches.next_batch()? {
        let mut events = batch.events();
        while events.next_into(&mut event)? {
            black_box(&event);
            count += 1;
        }
    }
    Ok(count)
}

fn into(file: &Path) -> Result<u64, Error> {
    let mut reader = Reader::open(file)?;
    let mut event = CompactEvent::default();
    let mut count = 0;
    while reader.next_into(&mut event)? {
        black_box(&event);
        count += 1;
    }
    Ok(count)
}

fn owned(file: &Path) -> Result<u64, Error> {
    let mut count = 0;
    for event in Reader::open(file)? {
        black_box(&event?);
        count += 1;
    }
    Ok(count)
}

/// Ticks in which `/proc` counts processor time, in a second.
const TICKS: f64 = 100.0;

fn cpu_seconds() -> Result<f64, Error> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the name, in parentheses; the times are the fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / TICKS)
}

fn peak_bytes() -> Result<u64, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no VmHWM")?.parse::<u64>()? << 10)
}
