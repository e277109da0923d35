//! A small order service that is recorded. Three threads serve requests, and each request is a user task.
//!
//! `cargo run --example quickstart [FOLDER]` writes `quickstart.trace` into the folder.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tracing::{info, instrument, warn};

type Store = Arc<Mutex<u64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("quickstart.trace");

    // These three lines record the program …
    exectrace::init()?;
    let recording = exectrace::start(&path)?;
    serve()?;
    let report = recording.stop()?;

    // … and these print the result.
    assert_eq!(report.records_dropped, 0);
    // Each of the fifteen orders has three spans, with four records each, and an event.
    assert!(report.records >= 15 * 13, "{report}");
    println!("{report}");
    println!();
    println!("To look at it, with Go 1.25 or newer:");
    println!("    go tool trace {}", path.display());
    println!("\"User-defined tasks\" has the orders; a goroutine there is a thread here.");
    println!("trace: {}", path.display());
    Ok(())
}

fn serve() -> Result<(), Box<dyn Error>> {
    let store = Store::default();
    let mut workers = Vec::new();
    for worker in 0..3 {
        let store = Arc::clone(&store);
        let thread = thread::Builder::new().name(format!("worker-{worker}"));
        workers.push(thread.spawn(move || {
            for order in 0..5 {
                handle_order(worker * 100 + order, &store);
            }
        })?);
    }
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}

// This span has no parent, so it is a user task in the trace.
#[instrument(skip(store))]
fn handle_order(order: u64, store: &Store) {
    let items = parse(order);
    if items > 3 {
        warn!(items, "a large order");
    }
    save(items, store);
    info!("done");
}

// This span is inside another one, so it is a region of that user task.
#[instrument]
fn parse(order: u64) -> u64 {
    thread::sleep(Duration::from_micros(300));
    order % 5
}

#[instrument(skip(store))]
fn save(items: u64, store: &Store) {
    // All workers wait for each other here. The trace shows that.
    let mut total = store
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    thread::sleep(Duration::from_millis(items));
    *total += items;
}
