//! Rotates under load for as many seconds as the first argument says, reads each file that is sealed, and looks at the
//! budget and at the memory of the process.
//!
//! `cargo run --release -p exectrace-recorder --features zstd --example rotation_soak -- 3600`
//!
//! Ends with a status other than 0 if a file is not valid, records were dropped that the traces do not count, the budget was
//! exceeded by more than a group, or the process has grown.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use exectrace_format::{CompactEvent, CompactKind, Reader, SideRecord};
use exectrace_recorder::{RecordingOptions, Rotation, Sealed, Task};

const FILE_BYTES: u64 = 2 << 20;
const BUDGET_BYTES: u64 = 32 << 20;
/// A file may be larger than its limit by a group of events.
const GROUP_BYTES: u64 = 4 << 20;
/// What a process may grow by, after it has run for some time: what its allocator keeps for later.
const MAX_GROWTH_BYTES: u64 = 24 << 20;
/// Each of the threads that record makes so many regions, and pauses.
const REGIONS_A_TURN: usize = 400;
const PAUSE: Duration = Duration::from_millis(4);

/// What was found in the files.
#[derive(Debug, Default)]
struct Found {
    files: u64,
    /// Removed for the budget before they could be read.
    unread: u64,
    events: u64,
    lost: u64,
    /// Lost, by the files that could not be read.
    lost_unread: u64,
    faults: Vec<String>,
    most_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(10), |arg| arg.parse())?;
    let folder = tempfile::tempdir()?;
    let found: Arc<Mutex<Found>> = Arc::default();
    let report_to = Arc::clone(&found);
    let path = folder.path().to_owned();
    let rotation = Rotation::new(folder.path().join("soak"))
        .max_file_bytes(FILE_BYTES)
        .max_file_age(Duration::from_secs(30))
        .budget_bytes(BUDGET_BYTES)
        .on_sealed(move |sealed| {
            let read = read(sealed);
            let mut found = report_to.lock().unwrap_or_else(|error| error.into_inner());
            found.take(sealed, read, bytes_in(&path));
        });
    #[cfg(feature = "zstd")]
    let rotation = match std::env::args().nth(2).as_deref() {
        Some("zstd") => rotation.zstd(3),
        _ => rotation,
    };
    let options = RecordingOptions::new().on_error(|error| println!("error: {error}"));
    let recording = options.start_rotating(rotation)?;

    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    let mut sizes = Vec::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| record(&stop));
        }
        let mut shown = 0;
        while begin.elapsed().as_secs() < seconds {
            thread::sleep(Duration::from_millis(500));
            sizes.push(resident_bytes());
            let bytes = bytes_in(folder.path());
            let mut found = found.lock().unwrap_or_else(|error| error.into_inner());
            found.most_bytes = found.most_bytes.max(bytes);
            if begin.elapsed().as_secs() / 30 > shown {
                shown = begin.elapsed().as_secs() / 30;
                println!(
                    "{:>5} s: {} files sealed, {} bytes in the folder, {} bytes resident",
                    begin.elapsed().as_secs(),
                    found.files,
                    bytes,
                    resident_bytes()
                );
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let report = recording.stop()?;
    println!("{report}");
    let found = found.lock().unwrap_or_else(|error| error.into_inner());
    println!(
        "{} files sealed, {} of them gone before they could be read; {} events; {} records lost by the files read; at most {} bytes in the folder",
        found.files, found.unread, found.events, found.lost, found.most_bytes
    );
    // The first third is for what is made once.
    let (early, late) = sizes.split_at(sizes.len() / 3);
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or(0);
    println!(
        "at most {} bytes resident in the first third, {} later",
        most(early),
        most(late)
    );

    let grown = most(late).saturating_sub(most(early));
    let faults = [
        (!found.faults.is_empty()).then(|| found.faults.join("; ")),
        (found.files != report.files).then(|| "a file was not reported".into()),
        (found.lost + found.lost_unread != report.records_dropped)
            .then(|| format!("{} records dropped", report.records_dropped)),
        (found.most_bytes > BUDGET_BYTES + GROUP_BYTES).then(|| "the budget was not kept".into()),
        (grown > MAX_GROWTH_BYTES).then(|| format!("it has grown by {grown} bytes")),
    ];
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("; ").into()),
    }
}

/// Has user tasks with regions, some of them open across files.
fn record(stop: &AtomicBool) {
    let service = Task::new("service");
    let _all = service.region("serve");
    while !stop.load(Ordering::Relaxed) {
        let request = service.child("request");
        for _ in 0..REGIONS_A_TURN {
            let region = request.region("step");
            drop(std::hint::black_box(region));
        }
        thread::sleep(PAUSE);
    }
}

impl Found {
    fn take(&mut self, sealed: &Sealed, read: io::Result<Result<(u64, u64), String>>, bytes: u64) {
        self.files += 1;
        self.most_bytes = self.most_bytes.max(bytes);
        match read {
            Ok(Ok((events, lost))) => {
                self.events += events;
                self.lost += lost;
            }
            Ok(Err(fault)) => self
                .faults
                .push(format!("{}: {fault}", sealed.path.display())),
            Err(_) => {
                self.unread += 1;
                self.lost_unread += sealed
                    .contents
                    .map_or(0, |contents| contents.records_dropped);
            }
        }
    }
}

/// Reads a file with the strict reader: its events, and the records that it says are lost. An error of the
/// system means that it is gone.
fn read(sealed: &Sealed) -> io::Result<Result<(u64, u64), String>> {
    let file = File::open(&sealed.path)?;
    let input: Box<dyn Read> = match sealed.path.extension() == Some("zst".as_ref()) {
        #[cfg(feature = "zstd")]
        true => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    let read = || -> Result<_, exectrace_format::ReadError> {
        let mut reader = Reader::new(input)?;
        let (mut events, mut lost) = (0, 0);
        let mut event = CompactEvent::default();
        while reader.next_into(&mut event)? {
            match event.kind {
                CompactKind::SideData(()) => {
                    if let Some(SideRecord::Lost { records, .. }) = reader.side_record() {
                        lost += records;
                    }
                }
                CompactKind::Sync { .. } => {}
                _ => events += 1,
            }
        }
        Ok((events, lost))
    };
    Ok(match read() {
        Ok((events, _)) if sealed.contents.is_some_and(|file| file.events != events) => {
            Err(format!("{events} events, not {:?}", sealed.contents))
        }
        Ok(read) => Ok(read),
        Err(error) => Err(error.to_string()),
    })
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // What is removed meanwhile has no size.
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

/// The process's memory; 0 where that cannot be asked.
fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}
