//! A program that runs on while recordings are switched on and off, and while the filter changes.
//!
//! `cargo run --example toggle [FOLDER]` writes `toggle-1.trace` to `toggle-3.trace` into the folder.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tracing::{debug, info_span};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);

    // The handle can go anywhere: into a signal handler's thread, an admin endpoint …
    let handle = exectrace::init()?;

    let done = AtomicBool::new(false);
    let mut path = folder.clone();
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let _stop_worker = SetOnDrop(&done);
        scope.spawn(|| work(&done));
        for round in 1..=3 {
            path = folder.join(format!("toggle-{round}.trace"));
            handle.start(&path)?;
            thread::sleep(Duration::from_millis(20));
            if round == 3 {
                // A change of the filter shows in the recordings that run.
                handle.reload(tracing::Level::DEBUG);
                thread::sleep(Duration::from_millis(20));
            }
            let report = handle.stop()?;
            assert!(report.records > 0, "`work` records while a recording runs");
            println!("round {round}: {report}");
            // Nothing records now: the spans of `work` cost next to nothing.
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    })?;
    println!("trace: {}", path.display());
    Ok(())
}

fn work(done: &AtomicBool) {
    let mut rounds = 0_u64;
    while !done.load(Ordering::Relaxed) {
        let _round = info_span!("round", rounds).entered();
        debug!("only while the filter lets debug through");
        thread::sleep(Duration::from_millis(1));
        rounds += 1;
    }
}

/// Lets the worker end when the scope is left, be it by an error.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
