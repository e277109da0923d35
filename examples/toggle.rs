//! Recordings are started and stopped, and the filter changes, while the program runs.
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

    // The handle can be passed to any part of a program: an admin endpoint, a thread that waits for signals …
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
                // Running recordings have a log of each change of the filter.
                handle.reload(tracing::Level::DEBUG);
                thread::sleep(Duration::from_millis(20));
            }
            let report = handle.stop()?;
            assert!(report.records > 0, "`work` records while a recording runs");
            println!("round {round}: {report}");
            // Nothing records now, so the spans of `work` cost next to nothing.
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

/// Ends the worker when the scope is left, also after an error.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
