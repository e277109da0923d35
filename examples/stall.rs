//! A service with a mistake: one of its async tasks blocks a worker, and others have to wait.
//!
//! `cargo run --example stall [FOLDER]` writes `stall.trace` into the folder. To find the mistake there:
//!
//! 1. *View trace by proc* shows the two workers' lanes. For 25 ms both run a "report" and nothing
//!    else. A poll should take microseconds.
//! 2. Meanwhile no worker checked the timers, so "tick" was not woken. Its page in *Goroutine analysis* shows
//!    waits of 25 ms, where it asked for 1 ms.
//! 3. Click on the long slice to see the name of the task and where it was spawned. *User-defined regions* has
//!    "render", which took the time, and its place in the source.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use exectrace::runtime::{BuilderExt, block_on, spawn_named};
use tokio::runtime::Builder;
use tokio::time::sleep;
use tracing::{info_span, instrument};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("stall.trace");

    exectrace::init()?;
    let recording = exectrace::start(&path)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("service")
        .build()?;
    let latest = block_on(&runtime, async {
        let tick = spawn_named("tick", ticks());
        let reports: Vec<_> = (0..2).map(|_| spawn_named("report", report())).collect();
        for report in reports {
            report.await?;
        }
        tick.await
    })?;
    drop(runtime);
    let report = recording.stop()?;
    assert_eq!(report.records_dropped, 0);
    println!("{report}");

    println!(
        "a tick came {latest:?} late; see the head of examples/stall.rs for how to find out why"
    );
    println!("trace: {}", path.display());
    Ok(())
}

/// Something that must run every millisecond. Returns how late it was at worst.
async fn ticks() -> Duration {
    let mut latest = Duration::ZERO;
    for _ in 0..40 {
        let due = Instant::now() + Duration::from_millis(1);
        sleep(Duration::from_millis(1)).await;
        latest = latest.max(due.elapsed());
    }
    latest
}

#[instrument]
async fn report() {
    sleep(Duration::from_millis(5)).await;
    render();
    sleep(Duration::from_millis(5)).await;
}

/// The mistake: this computes or blocks on a worker. It should run under `spawn_blocking`.
fn render() {
    let _span = info_span!("render").entered();
    std::thread::sleep(Duration::from_millis(25));
}
