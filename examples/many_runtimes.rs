//! Two named runtimes in one process: one for requests, and one for work in the background.
//!
//! `cargo run --example many_runtimes [FOLDER]` writes `many_runtimes.trace` into the folder.

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use exectrace::runtime::{BuilderExt, block_on, spawn_named};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::sleep;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("many_runtimes.trace");

    let recording = exectrace::start(&path)?;
    let requests = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("requests")
        .build()?;
    let background = Builder::new_current_thread()
        .enable_all()
        .exectrace("background")
        .build()?;

    let (jobs, mut queue) = mpsc::channel::<u64>(8);
    let worker = thread::Builder::new()
        .name("background".into())
        .spawn(move || {
            block_on(&background, async {
                let mut done = 0;
                while let Some(job) = queue.recv().await {
                    sleep(Duration::from_micros(job)).await;
                    done += 1;
                }
                done
            })
        })?;

    block_on(&requests, async {
        for number in 0..20_u64 {
            let jobs = jobs.clone();
            // The async task ends by handing a job over to the other runtime.
            spawn_named("request", async move {
                sleep(Duration::from_micros(100 * (number % 5))).await;
                jobs.send(number * 20).await
            });
        }
    });
    drop(jobs);
    let done = worker
        .join()
        .map_err(|_| "the background thread panicked")?;
    drop(requests);
    let report = recording.stop()?;
    assert_eq!(done, 20, "each request handed over one job");
    assert_eq!(report.records_dropped, 0);
    println!("{done} jobs done; {report}");
    println!("trace: {}", path.display());
    Ok(())
}
