//! All sources of a trace at once, in a program that forks, is interrupted by signals, ends threads and loads
//! libraries, for as many seconds as its argument says, 20 by default.
//!
//! It ends with an error if anything hangs, crashes or breaks a trace, or if descriptors or memory grow.

mod actors;
mod children;
mod signals;
mod watch;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use exectrace::runtime::BuilderExt;
use exectrace_format::Reader;

use watch::Usage;

#[global_allocator]
static ALLOCATOR: exectrace::Allocator = exectrace::Allocator::new(std::alloc::System);

/// Set when all are to come to an end.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Whether all are to come to an end.
fn is_over() -> bool {
    IS_OVER.load(Ordering::Acquire)
}

/// How long one recording lasts. Between two, nothing records for a tenth of that.
const RECORDING: Duration = Duration::from_millis(1_500);

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args()
        .nth(1)
        .map_or(Ok(20), |text| text.parse())?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let folder = tempfile::tempdir()?;
    exectrace::init()?;
    exectrace::Settings::new().kernel_switches(true).apply()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .exectrace("stress")
        .build()?;
    signals::install();
    actors::start(&runtime, folder.path());
    let threads = [
        std::thread::spawn(actors::end_threads),
        std::thread::spawn(children::fork),
        std::thread::spawn(children::execute),
        std::thread::spawn(signals::send),
        std::thread::spawn(actors::load_libraries),
    ];
    watch::over_progress();

    let path = folder.path().join("trace");
    let (mut first, mut recordings, mut events) = (None, 0_u64, 0_u64);
    while Instant::now() < until {
        let recording = exectrace::start(&path)?;
        std::thread::sleep(RECORDING);
        let report = recording.stop()?;
        events += report.events;
        std::thread::sleep(RECORDING / 10);
        recordings += 1;
        read(&path)?;
        // What grows up to here are buffers and tables that were empty before.
        if recordings == 4 {
            first = Some(Usage::now()?);
        }
    }
    IS_OVER.store(true, Ordering::Release);
    for thread in threads {
        thread.join().map_err(|_| "a thread has panicked")?;
    }
    runtime.shutdown_timeout(Duration::from_secs(10));
    let last = Usage::now()?;
    println!(
        "{seconds} s: {recordings} recordings, {events} events; {}",
        watch::done()
    );
    println!("after the first recordings {first:?}, at the end {last:?}");
    match first {
        Some(first) => Ok(last.check_against(first)?),
        None => Ok(()),
    }
}

/// Reads a trace to its end.
fn read(path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    for event in Reader::open(path)? {
        event.map_err(|error| format!("the trace is broken: {error}"))?;
    }
    Ok(())
}
